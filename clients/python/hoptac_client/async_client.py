"""`AsyncClient`: a registry, for programs on asyncio or trio."""

import os
from collections.abc import AsyncGenerator
from typing import Any, Unpack

import httpx

from hoptac_client.listings import AsyncListing
from hoptac_client.models import (
    AuditPage,
    Change,
    Entry,
    FeedFilters,
    Finding,
    ProgressPage,
    ProjectProgress,
    SearchFilters,
    SearchHit,
    SearchPage,
    TimelineFilters,
    TimelinePage,
    WholeProgress,
)
from hoptac_client.position import Position
from hoptac_client.records import AsyncRecords
from hoptac_client.sessions import AsyncSession, Options, Settings


class AsyncClient(AsyncRecords, AsyncSession):
    """A registry. Use it as an asynchronous context manager. `Client` explains the arguments."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        key: str | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        options = Options(url=url, key=key, **settings)
        AsyncSession.__init__(self, options, transport)
        AsyncRecords.__init__(self, self)

    async def get(self, path: str, **params: Any) -> Any:
        """Return the JSON of any path, such as `/v1/figures/aggregate`."""
        return await self.read(path, params)

    def items(self, path: str, **params: Any) -> AsyncListing[Any, Any]:
        """List any path whose response has `items` and `next`, such as `/v1/partners/unido/projects`."""
        return AsyncListing(self, path, params)

    def search(self, q: str, **filters: Unpack[SearchFilters]) -> AsyncListing[SearchHit, SearchPage]:
        """Search all resources, the best hits first."""
        return AsyncListing(self, "/v1/search", {**filters, "q": q})

    def timeline(self, **filters: Unpack[TimelineFilters]) -> AsyncListing[Entry, TimelinePage]:
        """List dated events in order."""
        return AsyncListing(self, "/v1/timeline", filters)

    def audit(self, **filters: Any) -> AsyncListing[Finding, AuditPage]:
        """List contradictions and gaps in the data."""
        return AsyncListing(self, "/v1/audit", filters)

    def progress(self, **filters: Any) -> AsyncListing[ProjectProgress, ProgressPage]:
        """List projects with their targets and results."""
        return AsyncListing(self, "/v1/progress", filters)

    async def project_progress(self, id: str, **params: Any) -> WholeProgress:
        """Return the targets and results of a project and its sub-projects."""
        progress: WholeProgress = await self.read(f"{self.projects._path(id)}/progress", params)
        return progress

    async def follow(
        self,
        position_file: str | os.PathLike[str],
        *,
        after: int = 0,
        forever: bool = True,
        page_size: int = 100,
        **filters: Unpack[FeedFilters],
    ) -> AsyncGenerator[Change, None]:
        """Yield every change of the feed, and continue at the next start after the last one that was processed.

        The file holds the position. A change counts as processed when the program asks for the next one, so it comes
        again if the program ends while it processes it. Without a file, the first change is the one after `after`.
        With `forever=False` the iteration ends when there are no more changes. Otherwise it waits for more.
        """
        position = Position(position_file, self.registry, filters, after)
        try:
            has_more = True
            while has_more or forever:
                page = await self.read(*position.request(page_size, wait=0 if has_more else 30), cached=False)
                for change in page["items"]:
                    if change["sequence"] > position.processed:
                        yield change
                        position.processed = change["sequence"]
                has_more = position.turn(page)
        finally:
            position.save()
