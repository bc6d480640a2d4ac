"""Waiting for the next Change: no thread and no connection is held, one task looks for all who wait."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable
from typing import Any

from starlette.types import Receive

from app.core.reading.freshness import Freshness

MAX_LONG_POLLS = 500  # who comes when so many wait is answered at once

TICK = 0.02  # seconds between two looks

NEVER = 2**63  # no Change has this number


class LongPolls:
    """Those who wait for a Change, told by what knows the last one."""

    def __init__(self, fresh: Freshness, limit: int = MAX_LONG_POLLS) -> None:
        self.most, self._fresh = limit, fresh
        self._waiters: dict[asyncio.Future[bool], int] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._ended = False

    async def wait_for_change(self, last: int, seconds: float, receive: Receive) -> bool:
        """Whether there is a Change behind `last`, as soon as there is.

        False when the time is over, the caller has left, the server ends, or too many wait already.
        """
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.ensure_future(self._watch())
        return await self._wait(last, seconds, receive) is True

    async def pause(self, seconds: float, receive: Receive) -> bool:
        """Whether it is worth to look again after so many seconds: the caller stays, and so does the server."""
        return await self._wait(NEVER, seconds, receive) is None

    async def _wait(self, last: int, seconds: float, receive: Receive) -> bool | None:
        """None when the time is over."""
        if self._ended or len(self._waiters) >= self.most:
            return False
        moved = asyncio.get_running_loop().create_future()
        self._waiters[moved] = last
        left = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({moved, left}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if moved.done():
                return bool(moved.result())
            return False if left.done() else None
        finally:
            del self._waiters[moved]
            left.cancel()

    async def _watch(self) -> None:
        while self._waiters:
            marker: Any = await self._fresh.marker()
            last = int(marker[0].partition("-")[0]) if marker else 0
            for moved, seen in self._waiters.items():
                if last > seen and not moved.done():
                    moved.set_result(True)
            await asyncio.sleep(TICK)

    def end(self) -> None:
        """Let everybody go who waits, and nobody wait any more."""
        self._ended = True
        for moved in self._waiters:
            if not moved.done():
                moved.set_result(False)

    def end_on_signal(self) -> None:
        """End when the process is told to: the server waits for its requests before it tells the application."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.getsignal(number)
            if callable(before):
                signal.signal(number, _call_too(lambda: loop.call_soon_threadsafe(self.end), before))

    async def close(self) -> None:
        """End, and stop looking."""
        self.end()
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher


def _call_too(act: Callable[[], object], handler: Callable[..., object]) -> Callable[..., object]:
    def handle(*given: Any) -> object:
        act()
        return handler(*given)

    return handle


async def _disconnected(receive: Receive) -> None:
    """Ends when the caller is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
