"""The last Change that this process knows, and for how long the process may use it without asking the database."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

from app.core.database.log_position import LogPosition, sequence_of
from app.core.errors import NotReached, Unavailable

PATIENCE = 1.5  # seconds that requests wait for the last Change; then they do without the cache

# Seconds before each look for a Change that a client has seen. The first look may have begun before the Change was
# committed. A synchronous replica shows a commit a moment before the primary does.
PAUSES = (0.0, 0.0, 0.02, 0.08, 0.2)

# The same, before each further look for a Change that the registry has, but not yet the database of this process.
PAUSES_BEHIND = (0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.4, 0.4)

ReadLastChange = Callable[[], Awaitable[object]]
Lacks = Callable[[int], Awaitable[bool]]


def today() -> object:
    """Return the number of the current day in UTC."""
    return int(time.time() // 86_400)


class Freshness:
    """The last Change of the database, as far as this process knows it.

    Commits of this process are noticed at once, and commits of other processes within `staleness` seconds. `look` asks
    the database, and returns None if that does not respond. `commits` returns the number of commits of this process.
    `position` is the state that no response may be older than. `lacks` returns whether the registry is known not to
    have a Change that the database does not have; without it, the database has all Changes.
    """

    def __init__(
        self,
        look: ReadLastChange,
        commits: Callable[[], int],
        staleness: float,
        position: LogPosition | None = None,
        lacks: Lacks | None = None,
    ) -> None:
        self._look = look
        self._commits = commits
        self._staleness = staleness
        self.position = position or LogPosition()
        self._lacks = lacks
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
        """Raise NotReached if the log of the registry does not contain this Change.

        Raise Unavailable if that cannot be found out, or if the database does not receive the Change in time. No later
        response of this process is older than the Change.
        """
        if sequence <= self.position.reached or await self._reaches(sequence, PAUSES):
            return
        if self.last is not None and (self._lacks is None or await self._lacks(sequence)):
            raise NotReached
        if not await self._reaches(sequence, PAUSES_BEHIND):
            raise Unavailable

    async def _reaches(self, sequence: int, pauses: Iterable[float]) -> bool:
        """Look for a Change after each pause, until the database has it."""
        for pause in pauses:
            await asyncio.sleep(pause)
            if not await self._has_looked():
                raise Unavailable
            if sequence <= self.position.reached:
                return True
        return False

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
