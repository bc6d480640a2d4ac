"""`Client`: a registry, for programs that wait for each response."""

import os
from collections.abc import Generator
from typing import Any, Unpack

import httpx

from hoptac_client.listings import Listing
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
from hoptac_client.records import Records
from hoptac_client.sessions import Options, Session, Settings


class Client(Records, Session):
    """A registry. Use it as a context manager, or close it at the end. Threads can share it.

    `url` is the address of the registry, and `key` the token of a key, which only writes need. A request that the
    registry could not process is sent again, at most `retries` times, after the pause that the registry asks for, up to
    `longest_pause` seconds. Responses are cached in `cache_bytes` of memory, and used again only if the registry
    confirms them (304). `timeout` is in seconds. `language` is the language of problems, such as `vi`.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        key: str | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        options = Options(url=url, key=key, **settings)
        Session.__init__(self, options, transport)
        Records.__init__(self, self)

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON of any path, such as `/v1/figures/aggregate`."""
        return self.read(path, params)

    def items(self, path: str, **params: Any) -> Listing[Any, Any]:
        """List any path whose response has `items` and `next`, such as `/v1/partners/unido/projects`."""
        return Listing(self, path, params)

    def search(self, q: str, **filters: Unpack[SearchFilters]) -> Listing[SearchHit, SearchPage]:
        """Search all resources, the best hits first."""
        return Listing(self, "/v1/search", {**filters, "q": q})

    def timeline(self, **filters: Unpack[TimelineFilters]) -> Listing[Entry, TimelinePage]:
        """List dated events in order."""
        return Listing(self, "/v1/timeline", filters)

    def audit(self, **filters: Any) -> Listing[Finding, AuditPage]:
        """List contradictions and gaps in the data."""
        return Listing(self, "/v1/audit", filters)

    def progress(self, **filters: Any) -> Listing[ProjectProgress, ProgressPage]:
        """List projects with their targets and results."""
        return Listing(self, "/v1/progress", filters)

    def project_progress(self, id: str, **params: Any) -> WholeProgress:
        """Return the targets and results of a project and its sub-projects."""
        progress: WholeProgress = self.read(f"{self.projects._path(id)}/progress", params)
        return progress

    def follow(
        self,
        position_file: str | os.PathLike[str],
        *,
        after: int = 0,
        forever: bool = True,
        page_size: int = 100,
        **filters: Unpack[FeedFilters],
    ) -> Generator[Change, None, None]:
        """Yield every change of the feed, and continue at the next start after the last one that was processed.

        The file holds the position. A change counts as processed when the program asks for the next one, so it comes
        again if the program ends while it processes it. Without a file, the first change is the one after `after`.
        With `forever=False` the iteration ends when there are no more changes. Otherwise it waits for more.
        """
        position = Position(position_file, self.registry, filters, after)
        try:
            has_more = True
            while has_more or forever:
                page = self.read(*position.request(page_size, wait=0 if has_more else 30), cached=False)
                for change in page["items"]:
                    if change["sequence"] > position.processed:
                        yield change
                        position.processed = change["sequence"]
                has_more = position.turn(page)
        finally:
            position.save()
