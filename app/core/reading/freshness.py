"""The last Change that this process knows, and for how long the process may use it without asking the database."""

import asyncio
import time
from collections.abc import Awaitable, Callable

PATIENCE = 1.5  # seconds that requests wait for the last Change; then they do without the cache

ReadLastChange = Callable[[], Awaitable[object]]


def today() -> object:
    """Return the number of the current day in UTC."""
    return int(time.time() // 86_400)


class Freshness:
    """The last Change of the database, as far as this process knows it.

    Commits of this process are noticed at once, and commits of other processes within `staleness` seconds. `look` asks
    the database, and returns None if that does not respond. `commits` returns the number of commits of this process.
    """

    def __init__(self, look: ReadLastChange, commits: Callable[[], int], staleness: float) -> None:
        self._look = look
        self._commits = commits
        self._staleness = staleness
        self._until = 0.0
        self._looked_at = 0.0
        self._seen_commits = -1
        self.last: object = None
        self._looking: asyncio.Future[None] | None = None

    async def marker(self) -> object:
        """Return a marker that is equal as long as all responses are, or None if the last Change is not known.

        The marker contains the day, because some responses depend on it.
        """
        if not self.is_fresh():
            if self._looking is None:
                self._looked_at = time.monotonic()
                self._looking = asyncio.ensure_future(self._refresh())
            left = self._looked_at + PATIENCE - time.monotonic()
            done, _ = await asyncio.wait({self._looking}, timeout=max(0.0, left))
            if not done:
                return None
            done.pop().result()
        return self.last if self._seen_commits == self._commits() else None

    def is_fresh(self) -> bool:
        """Return whether `last` can be used without asking the database."""
        return time.monotonic() <= self._until and self._seen_commits == self._commits()

    def is_unchanged_since(self, marker: object) -> bool:
        """Return whether no Change has been noticed since the marker was returned."""
        return self.last == marker and self._seen_commits == self._commits()

    async def _refresh(self) -> None:
        commits = self._commits()
        until = time.monotonic() + self._staleness
        try:
            last = await self._look()
            self.last = None if last is None else (last, today())
            self._seen_commits = commits
            self._until = until
        finally:
            self._looking = None
