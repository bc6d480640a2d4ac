"""The last Change that this process knows, and for how long the process may use it without asking the database."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from app.core.database.log_position import LogPosition, sequence_of
from app.core.errors import NotReached, Unavailable

PATIENCE = 1.5  # seconds that requests wait for the last Change; then they do without the cache

# Seconds before each look for a Change that a client has seen. The first look may have begun before the Change was
# committed. A synchronous replica shows a commit a moment before the primary does.
PAUSES = (0.0, 0.0, 0.02, 0.08, 0.2)

ReadLastChange = Callable[[], Awaitable[object]]


def today() -> object:
    """Return the number of the current day in UTC."""
    return int(time.time() // 86_400)


class Freshness:
    """The last Change of the database, as far as this process knows it.

    Commits of this process are noticed at once, and commits of other processes within `staleness` seconds. `look` asks
    the database, and returns None if that does not respond. `commits` returns the number of commits of this process.
    `position` is the state that no response may be older than. `sees_all` returns whether the last look has asked the
    primary, which has all Changes.
    """

    def __init__(
        self,
        look: ReadLastChange,
        commits: Callable[[], int],
        staleness: float,
        position: LogPosition | None = None,
        sees_all: Callable[[], bool] = lambda: True,
    ) -> None:
        self._look = look
        self._commits = commits
        self._staleness = staleness
        self.position = position or LogPosition()
        self._sees_all = sees_all
        self._until = 0.0
        self._looked_at = 0.0
        self._seen_commits = -1
        self._sequence = 0
        self.last: object = None
        self._looking: asyncio.Future[None] | None = None

    async def marker(self) -> object:
        """Return a marker that is equal as long as all responses are, or None if the last Change is not known.

        The marker contains the day, because some responses depend on it.
        """
        if not self.is_fresh() and not await self._has_looked():
            return None
        return self.last if self._is_current() else None

    def is_fresh(self) -> bool:
        """Return whether `last` can be used without asking the database."""
        return time.monotonic() <= self._until and self._is_current()

    def is_unchanged_since(self, marker: object) -> bool:
        """Return whether no Change has been noticed since the marker was returned."""
        return self.last == marker and self._seen_commits == self._commits()

    async def ensure_reached(self, sequence: int) -> None:
        """Raise NotReached if the log does not contain this Change, and Unavailable if that cannot be found out.

        No later response of this process is older than the Change.
        """
        if sequence <= self.position.reached:
            return
        for pause in PAUSES:
            await asyncio.sleep(pause)
            if not await self._has_looked():
                raise Unavailable
            if sequence <= self.position.reached:
                return
        raise NotReached if self.last is not None and self._sees_all() else Unavailable

    def _is_current(self) -> bool:
        return self._seen_commits == self._commits() and self._sequence >= self.position.reached

    async def _has_looked(self) -> bool:
        """Ask the database for the last Change, or wait for the present look; False if that takes too long."""
        if self._looking is None:
            self._looked_at = time.monotonic()
            self._looking = asyncio.ensure_future(self._refresh())
        left = self._looked_at + PATIENCE - time.monotonic()
        done, _ = await asyncio.wait({self._looking}, timeout=max(0.0, left))
        for look in done:
            look.result()
        return bool(done)

    async def _refresh(self) -> None:
        commits = self._commits()
        looked_at = time.monotonic()
        try:
            last = await self._look()
            self.last = None if last is None else (last, today())
            self._sequence = sequence_of(str(last)) or 0
            if last is not None:
                self.position.observe(self._sequence, looked_at)
            self._seen_commits = commits
            self._until = looked_at + self._staleness
        finally:
            self._looking = None
