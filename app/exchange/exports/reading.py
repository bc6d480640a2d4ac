"""Reading a list chunk by chunk. Each chunk is a read of its own, so no client holds a connection or a snapshot."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from fastapi import Request

from app.core.access.clients import client_of
from app.core.database.statements import Read
from app.core.http.responses import read_request
from app.core.model.resource import Include
from app.core.reading.list_pages import ListPage
from app.core.reading.parameters import MAX_CHUNK
from app.core.reading.reads import ResourceReads, reading_of
from app.core.reading.results import ReadRequest, last_change_tag
from app.exchange.exports.tables import Rows

MAX_CHUNK_OF_ROWS = 100  # records of which each is several rows


class Chunk(NamedTuple):
    """The text of some items, the cursor and the path of the next items, and the ETag of the state.

    With `is_current`, the copy of the client is current, and nothing was read.
    """

    tag: str
    written: Any = None
    cursor: str | None = None
    next_path: str | None = None
    is_current: bool = False


Write = Callable[[Sequence[Any]], Any]
ReadChunk = Callable[[Write, str | None], Awaitable[Chunk]]  # reads the items from a cursor on, and writes them


class RecordList(NamedTuple):
    """A list of records: that of a resource, or with `parent` the nested list of one of its records."""

    reading: ResourceReads
    parent: str | None = None
    include: Include | None = None

    @property
    def records(self) -> ResourceReads:
        """The reads of the records in the list."""
        return reading_of(self.include.resource) if self.include else self.reading

    def fixed_filters(self, query: Any, request: ReadRequest) -> Read:
        """Return the filters that the path states. Raise the problem of a missing parent."""
        if self.parent is None or self.include is None:
            return {}
        return (yield from self.reading.filters_of_nested(self.parent, self.include, query, request))


def record_chunks(request: Request, listed: RecordList, query: Any, rows: Rows) -> ReadChunk:
    """Return what reads the chunks of a list of records."""
    state = request.scope["app"].state
    client = client_of(request.scope)
    conditions = read_request(request)

    async def read(write: Write, cursor: str | None) -> Chunk:
        at_cursor = query.model_copy(update={"cursor": cursor}) if cursor else query
        chunk: Chunk = await state.reader.run(
            partial(read_chunk, listed, at_cursor, conditions, rows, write), long=True, client=client
        )
        return chunk

    return read


def read_chunk(listed: RecordList, query: Any, request: ReadRequest, rows: Rows, write: Write) -> Read:
    """Read the records of a list from the cursor of the query, and `write` them. It runs as all reads do."""
    yield from request.signer.load()
    filters = yield from listed.fixed_filters(query, request)
    page = ListPage(listed.records.resource, query, filters, request.path, request.signer)
    page.limit = query.limit or (MAX_CHUNK_OF_ROWS if query.rows else MAX_CHUNK)
    page.check_access(request.caller)
    if not query.cursor and request.is_conditional and request.matches(tag := (yield from last_change_tag(request))):
        return Chunk(tag, is_current=True)
    yield from page.prepare(request.caller)
    last, records, next_path, _ = yield from listed.records.rows(page, alone=True)
    items = [record[2] for record in records]
    if rows.complete is not None:
        items = yield from rows.complete(items)
    return Chunk(request.tag(last), write(items), cursor_in(next_path), next_path)


def cursor_in(next_path: str | None) -> str | None:
    """Return the cursor in the path of a next page."""
    return parse_qs(urlsplit(next_path).query)["cursor"][0] if next_path else None
