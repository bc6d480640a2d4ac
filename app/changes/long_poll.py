"""Long polling: requests that wait for the next Change.

A waiting request occupies no thread and no database connection. One task looks for new Changes for all of them.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable
from typing import Any

from starlette.types import Receive

from app.core.reading.freshness import Freshness

MAX_LONG_POLLS = 500  # further requests are answered at once
TICK = 0.02  # seconds between two looks at the newest Change
NEVER = 2**63  # no Change has this number


class LongPolls:
    """The requests that wait for a Change, and the task that wakes them."""

    def __init__(self, fresh: Freshness, limit: int = MAX_LONG_POLLS) -> None:
        self.limit = limit
        self._fresh = fresh
        self._waiters: dict[asyncio.Future[bool], int] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._ended = False

    async def wait_for_change(self, last: int, seconds: float, receive: Receive) -> bool:
        """Return True as soon as there is a Change after `last`.

        Return False when the time is over, the caller disconnects, the server stops, or too many requests wait.
        """
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.ensure_future(self._watch())
        return await self._wait(last, seconds, receive) is True

    async def pause(self, seconds: float, receive: Receive) -> bool:
        """Wait for some seconds; return False at once if the caller disconnects or the server stops."""
        return await self._wait(NEVER, seconds, receive) is None

    async def _wait(self, last: int, seconds: float, receive: Receive) -> bool | None:
        """Return whether a Change ended the wait, or None when the time is over."""
        if self._ended or len(self._waiters) >= self.limit:
            return False
        moved = asyncio.get_running_loop().create_future()
        self._waiters[moved] = last
        disconnected = asyncio.ensure_future(_wait_for_disconnect(receive))
        try:
            await asyncio.wait({moved, disconnected}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if moved.done():
                return bool(moved.result())
            return False if disconnected.done() else None
        finally:
            del self._waiters[moved]
            disconnected.cancel()

    async def _watch(self) -> None:
        while self._waiters:
            marker: Any = await self._fresh.marker()
            last = int(marker[0].partition("-")[0]) if marker else 0
            for moved, seen in self._waiters.items():
                if last > seen and not moved.done():
                    moved.set_result(True)
            await asyncio.sleep(TICK)

    def end(self) -> None:
        """Answer all waiting requests, and let none wait from now on."""
        self._ended = True
        for moved in self._waiters:
            if not moved.done():
                moved.set_result(False)

    def end_on_signal(self) -> None:
        """End on SIGINT and SIGTERM.

        The server lets its requests finish before it notifies the application, so these would delay the stop.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):
                signal.signal(number, _call_before(handler, lambda: loop.call_soon_threadsafe(self.end)))

    async def close(self) -> None:
        """End, and stop the task."""
        self.end()
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher


def _call_before(handler: Callable[..., object], act: Callable[[], object]) -> Callable[..., object]:
    """Return a signal handler that calls `act` and then the handler."""

    def handle(*arguments: Any) -> object:
        act()
        return handler(*arguments)

    return handle


async def _wait_for_disconnect(receive: Receive) -> None:
    """Return when the caller has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass
