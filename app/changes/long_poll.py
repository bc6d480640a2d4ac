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

MAX_LONG_POLLS = 500  # in all
MAX_OF_CLIENT = 100  # further requests of one client are answered at once
TICK = 0.02  # seconds between two looks at the newest Change
WOKEN_AT_ONCE = 20  # requests that a Change wakes, before others have a turn in the event loop
NEVER = 2**63  # no Change has this number


class LongPolls:
    """The requests that wait for a Change, and the task that wakes them.

    If too many wait, a new request replaces the oldest one of the client that has the most.
    """

    def __init__(self, fresh: Freshness, limit: int = MAX_LONG_POLLS, limit_of_client: int = MAX_OF_CLIENT) -> None:
        self.limit = limit
        self.limit_of_client = limit_of_client
        self._clients: dict[str, dict[asyncio.Future[bool], None]] = {}
        self._fresh = fresh
        self._waiters: dict[asyncio.Future[bool], int] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._ended = False

    async def wait_for_change(self, last: int, seconds: float, receive: Receive, client: str) -> bool:
        """Return True as soon as there is a Change after `last`.

        Return False when the time is over, the caller disconnects, the server stops, or too many requests wait.
        """
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.ensure_future(self._watch())
        return await self._wait(last, seconds, receive, client) is True

    async def pause(self, seconds: float, receive: Receive, client: str) -> bool:
        """Wait for some seconds; return False at once if the caller disconnects or the server stops."""
        return await self._wait(NEVER, seconds, receive, client) is None

    async def _wait(self, last: int, seconds: float, receive: Receive, client: str) -> bool | None:
        """Return whether a Change ended the wait, or None when the time is over."""
        if self._ended or not self._has_room(client):
            return False
        moved: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiters[moved] = last
        self._clients.setdefault(client, {})[moved] = None
        disconnected = asyncio.ensure_future(_wait_for_disconnect(receive))
        try:
            ends: set[asyncio.Future[Any]] = {moved, disconnected}
            await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if moved.done():
                return bool(moved.result())
            return False if disconnected.done() else None
        finally:
            self._forget(moved, client)
            disconnected.cancel()

    def _has_room(self, client: str) -> bool:
        """Return whether one more request of a client may wait. It may end the wait of another client."""
        count = len(self._clients.get(client, ()))
        if count >= self.limit_of_client:
            return False
        if len(self._waiters) < self.limit:
            return True
        largest = max(self._clients, key=lambda name: len(self._clients[name]), default=client)
        if len(self._clients.get(largest, ())) <= count + 1:
            return False
        oldest = next(iter(self._clients[largest]))
        self._forget(oldest, largest)
        if not oldest.done():
            oldest.set_result(False)
        return True

    def _forget(self, moved: "asyncio.Future[bool]", client: str) -> None:
        """Remove a request, unless that was done when its wait was ended."""
        if self._waiters.pop(moved, None) is None:
            return
        del self._clients[client][moved]
        if not self._clients[client]:
            del self._clients[client]

    async def _watch(self) -> None:
        while self._waiters:
            marker: Any = await self._fresh.marker()
            last = int(marker[0].partition("-")[0]) if marker else 0
            outdated = [moved for moved, seen in self._waiters.items() if last > seen and not moved.done()]
            for number, moved in enumerate(outdated, 1):
                if not moved.done():
                    moved.set_result(True)
                if number % WOKEN_AT_ONCE == 0:
                    await asyncio.sleep(TICK / 4)
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
