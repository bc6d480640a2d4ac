"""Knows the last Change, as of now for this process."""

import asyncio
import time
from collections.abc import Awaitable, Callable

ReadLastChange = Callable[[], Awaitable[object]]


def today() -> object:
    """The day in UTC."""
    return int(time.time() // 86_400)


class Freshness:
    """Knows the last Change, as of now for the commits of this process, and `staleness` seconds late for others'.

    `look` asks the database (None when it does not answer); `commits` counts the commits of this process.
    """

    def __init__(self, look: ReadLastChange, commits: Callable[[], int], staleness: float) -> None:
        self._look, self._commits, self._staleness = look, commits, staleness
        self._until, self._seen = 0.0, -1
        self.last: object = None
        self._looking: asyncio.Future[None] | None = None

    async def marker(self) -> object:
        """Equal markers, equal answers; None: it is not known. A new day counts too: some answers depend on today."""
        if not self.is_fresh():
            if self._looking is None:
                self._looking = asyncio.ensure_future(self._refresh())
            await asyncio.shield(self._looking)
        return self.last if self._seen == self._commits() else None

    def is_fresh(self) -> bool:
        """Whether the last look still counts."""
        return time.monotonic() <= self._until and self._seen == self._commits()

    def is_unchanged_since(self, marker: object) -> bool:
        """Whether nothing has been noticed since this marker."""
        return self.last == marker and self._seen == self._commits()

    async def _refresh(self) -> None:
        seen, until = self._commits(), time.monotonic() + self._staleness
        try:
            last = await self._look()
            self.last = None if last is None else (last, today())
            self._seen, self._until = seen, until
        finally:
            self._looking = None
