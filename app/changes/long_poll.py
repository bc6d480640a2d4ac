"""Long polling: requests that wait for the next Change.

A waiting request occupies no thread and no database connection. One task looks for new Changes for all of them.
"""

import asyncio
import contextlib
from contextvars import Context
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

from starlette.types import Receive

from app.changes.interests import EVERYTHING, Interest, Look, NewChange
from app.core.asgi.freshness import Freshness
from app.core.errors import TooMany, Unavailable
from app.core.maintenance.stopping import before_stop
from app.core.reading.shared_reads import MAX_WAITING

MAX_LONG_POLLS = 1_000  # a further request ends the oldest request of the client that has the most
MAX_OF_CLIENT = MAX_WAITING  # one Change can wake all of them, and then they share equal reads
RETRY_AFTER = "5"  # seconds
TICK = 0.02  # seconds between two checks for a new Change
NEVER = 2**63  # no Change has this number


@dataclass
class Waiter:
    """A waiting request: the last Change that it has seen or that cannot concern it, and its filters."""

    last: int
    interest: Interest

    def is_ready(self, last: int, since: int, changes: list[NewChange] | None) -> bool:
        """Return whether to look at the feed again. `changes` are those after `since`; None if they are not known."""
        if self.last >= last:
            return False
        if changes is None or self.last < since:
            return True
        if any(change.sequence > self.last and self.interest.may_match(change) for change in changes):
            return True
        self.last = last
        return False


class LongPolls:
    """The requests that wait for a Change, and the task that wakes those that a new Change can concern.

    `look` returns the new Changes. Without it, a Change wakes all requests.
    """

    def __init__(self, fresh: Freshness, limit: int = MAX_LONG_POLLS, look: Look | None = None) -> None:
        self.limit = limit
        self._fresh = fresh
        self._look = look
        self._examined = 0  # the last Change for which requests were woken
        self._waiters: dict[str, dict[asyncio.Future[bool], Waiter]] = {}  # by client; the oldest first
        self._watcher: asyncio.Task[None] | None = None
        self._ended = False

    async def wait_for_change(
        self, last: int, seconds: float, receive: Receive, client: str, interest: Interest = EVERYTHING
    ) -> bool:
        """Return True as soon as there is a Change after `last` that can be of interest.

        Return False when the time is over, the caller disconnects, the server stops, or another request needs the
        place. Raise TooMany if too many requests of the client wait.
        """
        if self._watcher is None or self._watcher.done():
            # It has a context of its own, because its reads must not count for the request that happens to start it.
            self._watcher = asyncio.get_running_loop().create_task(self._watch(), context=Context())
        return await self._wait(Waiter(last, interest), seconds, receive, client) is True

    async def pause(self, seconds: float, receive: Receive, client: str) -> bool:
        """Wait for some seconds; return False at once if the caller disconnects or the server stops."""
        return await self._wait(Waiter(NEVER, EVERYTHING), seconds, receive, client) is None

    async def _wait(self, waiter: Waiter, seconds: float, receive: Receive, client: str) -> bool | None:
        """Return whether a Change ended the wait, or None when the time is over."""
        if self._ended:
            return False
        self._make_room(client)
        moved = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(client, {})[moved] = waiter
        disconnected = asyncio.ensure_future(_wait_for_disconnect(receive))
        try:
            await asyncio.wait({moved, disconnected}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if moved.done():
                return bool(moved.result())
            return False if disconnected.done() else None
        finally:
            self._remove(client, moved)
            disconnected.cancel()

    def count(self, client: str) -> int:
        """Return how many requests of a client wait."""
        return len(self._waiters.get(client, ()))

    def _make_room(self, client: str) -> None:
        """Raise TooMany if the client has too many waiting requests. If there are too many in all, end another one."""
        if len(self._waiters.get(client, ())) >= MAX_OF_CLIENT:
            detail = f"At most {MAX_OF_CLIENT} requests of one client can wait at once."
            raise TooMany(detail, headers={"Retry-After": RETRY_AFTER})
        if sum(map(len, self._waiters.values())) >= self.limit:
            most = max(self._waiters, key=lambda name: len(self._waiters[name]))
            oldest = next(iter(self._waiters[most]))
            self._remove(most, oldest)
            if not oldest.done():
                oldest.set_result(False)

    def _remove(self, client: str, moved: "asyncio.Future[bool]") -> None:
        waiters = self._waiters.get(client)
        if waiters is not None:
            waiters.pop(moved, None)
            if not waiters:
                del self._waiters[client]

    async def _watch(self) -> None:
        self._examined = 0
        while self._waiters:
            marker: Any = await self._fresh.marker()
            last = int(marker[0].partition("-")[0]) if marker else 0
            await self._wake(last, await self._new_changes(last))
            await asyncio.sleep(TICK)

    async def _new_changes(self, last: int) -> list[NewChange] | None:
        """Return the Changes since those that were examined; None if all requests must look for themselves."""
        after = self._examined
        self._examined = last
        if self._look is None or after == 0 or last <= after:
            return None if last != after else []
        waiters = chain.from_iterable(of_client.values() for of_client in self._waiters.values())
        try:
            return await self._look(after, last, any(waiter.interest.partner for waiter in waiters))
        except (TooMany, Unavailable):
            return None

    async def _wake(self, last: int, changes: list[NewChange] | None) -> None:
        """Wake the requests that these Changes can concern: one of each client in a round of the event loop.

        A request that has not seen the Changes before them, because it has only begun to wait, is woken too.
        """
        since = changes[0].sequence - 1 if changes else last
        ready = [
            [moved for moved, waiter in of_client.items() if waiter.is_ready(last, since, changes)]
            for of_client in self._waiters.values()
        ]
        for round_ in zip_longest(*ready):
            for moved in round_:
                if moved is not None and not moved.done():
                    moved.set_result(True)
            await asyncio.sleep(0)

    def end(self) -> None:
        """Answer all waiting requests. From now on no request waits."""
        self._ended = True
        for moved in chain.from_iterable(self._waiters.values()):
            if not moved.done():
                moved.set_result(False)

    def end_before_stop(self) -> None:
        """End when the process is told to stop.

        The server finishes its requests before it notifies the application, so waiting requests would delay the stop.
        """
        loop = asyncio.get_running_loop()
        before_stop(lambda: loop.call_soon_threadsafe(self.end))

    async def close(self) -> None:
        """End, and stop the task."""
        self.end()
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher


async def _wait_for_disconnect(receive: Receive) -> None:
    """Return when the caller has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass
