"""Reading a list chunk by chunk. Each chunk is a read of its own, so no client holds a connection or a snapshot."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from app.core.database.statements import Read
from app.core.reading.list_pages import ListPage
from app.core.reading.parameters import MAX_CHUNK
from app.core.reading.reads import ResourceReads
from app.core.reading.results import ReadRequest, last_change_tag


class Chunk(NamedTuple):
    """What was written of some records, the cursor and the path of those that follow, and the tag of the state.

    With `is_current`, the copy of the client is current, and nothing was read.
    """

    tag: str
    written: Any = None
    cursor: str | None = None
    next_path: str | None = None
    is_current: bool = False


def read_chunk(
    reading: ResourceReads, query: Any, request: ReadRequest, write: Callable[[Sequence[bytes]], Any]
) -> Read:
    """Read the records of a list from the cursor of the query, and `write` them. It runs as all reads do."""
    yield from request.signer.load()
    page = ListPage(reading.resource, query, {}, request.path, request.signer)
    page.limit = query.limit or MAX_CHUNK
    page.check_access(request.caller)
    if not query.cursor and request.is_conditional and request.matches(tag := (yield from last_change_tag(request))):
        return Chunk(tag, is_current=True)
    yield from page.prepare(request.caller)
    last, rows, next_path, _ = yield from reading.rows(page, alone=True)
    cursor = parse_qs(urlsplit(next_path).query)["cursor"][0] if next_path else None
    return Chunk(request.tag(last), write([row[2] for row in rows]), cursor, next_path)
