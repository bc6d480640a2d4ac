"""Sending a table while it is read."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from app.core.access.clients import client_of
from app.core.database.fair_queue import FairQueue
from app.core.errors import QueryTooSlow, TooMany, Unavailable
from app.core.http.responses import read_request
from app.core.reading.reads import ResourceReads
from app.core.request_cost import add_cost
from app.exchange.exports.reading import Chunk, read_chunk
from app.exchange.exports.tables import Rows, TableText
from app.exchange.exports.workbook import Workbook

ATTEMPTS = 10  # to read a chunk while the server is busy
PAUSE = 2.0  # seconds between them
SLICE = 262_144  # bytes of a workbook that are sent at once


class Export:
    """One request for a table."""

    def __init__(self, request: Request, reading: ResourceReads, query: Any, file_name: str) -> None:
        self._state = request.scope["app"].state
        self._client = client_of(request.scope)
        self._reading = reading
        self._query = query
        self._request = read_request(request)
        caching = "private, no-cache" if query.state == "draft" else self._state.settings.cache_control
        self._headers = {"Content-Disposition": f'attachment; filename="{file_name}"', "Cache-Control": caching}

    async def stream(self, text: TableText) -> Response:
        """Return the table, of which only the first chunk is read. Its problems are those of the request."""
        chunk = await self._chunk(text.chunk)
        self._note(chunk)
        if chunk.is_current:
            return Response(None, 304, self._headers)

        async def parts() -> AsyncGenerator[bytes, None]:
            part = chunk
            yield text.head() + part.written
            while part.cursor and self._query.limit is None:
                part = await self._following(part.cursor, text.chunk)
                yield part.written
            yield text.tail()

        return StreamedFile({**self._headers, "Content-Type": text.media_type}, parts())

    async def workbook(self, table: Rows) -> Response:
        """Return the table as a workbook, once it is complete.

        The client has its place among the workbooks until all of the file is sent, because it is on disk until then.
        """
        queue: FairQueue = self._state.workbooks
        await queue.enter(self._client)
        closing = ExitStack()
        closing.callback(queue.leave, self._client)
        try:
            book = await _in_thread(Workbook, table)
            closing.callback(book.close)
            return await self._filled(book, closing)
        except BaseException:
            closing.close()
            raise

    async def _filled(self, book: Workbook, closing: ExitStack) -> Response:
        chunk = await self._chunk(book.rows_of)
        self._note(chunk)
        if chunk.is_current:
            closing.close()
            return Response(None, 304, self._headers)
        await _in_thread(book.add, chunk.written)
        while chunk.cursor and self._query.limit is None:
            chunk = await self._following(chunk.cursor, book.rows_of)
            await _in_thread(book.add, chunk.written)
        file = await _in_thread(book.finish)

        async def parts() -> AsyncGenerator[bytes, None]:
            while part := await asyncio.to_thread(file.read, SLICE):
                yield part

        return StreamedFile({**self._headers, "Content-Type": book.media_type}, parts(), closing.close)

    def _note(self, chunk: Chunk) -> None:
        """Add the headers that depend on the first chunk. Later chunks can be newer, so the tag is weak."""
        self._headers["ETag"] = f'W/"{chunk.tag}"'
        if chunk.next_path and self._query.limit is not None:
            self._headers["Link"] = f'<{chunk.next_path}>; rel="next"'

    async def _chunk(self, write: Callable[[Sequence[bytes]], Any], cursor: str | None = None) -> Chunk:
        query = self._query.model_copy(update={"cursor": cursor}) if cursor else self._query
        read = partial(read_chunk, self._reading, query, self._request, write)
        chunk: Chunk = await self._state.reader.run(read, long=True, client=self._client)
        return chunk

    async def _following(self, cursor: str, write: Callable[[Sequence[bytes]], Any]) -> Chunk:
        """Read a later chunk. The response has begun, so a busy server is tried again."""
        for _ in range(ATTEMPTS):
            try:
                return await self._chunk(write, cursor)
            except (QueryTooSlow, TooMany, Unavailable):
                await asyncio.sleep(PAUSE)
        return await self._chunk(write, cursor)


async def _in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of some work in a thread. Its CPU time is part of the cost of the request."""
    result, seconds = await asyncio.to_thread(_timed, work, *arguments)
    add_cost(seconds)
    return result


def _timed(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    began = time.thread_time()
    return work(*arguments), time.thread_time() - began


class StreamedFile(Response):
    """A response in parts. It ends when the client disconnects; an error of a part breaks the connection off."""

    def __init__(
        self, headers: dict[str, str], parts: AsyncGenerator[bytes, None], close: Callable[[], None] = lambda: None
    ) -> None:
        self._parts = parts
        self._close = close
        self.status_code = 200
        self.background = None
        self.raw_headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the parts."""
        disconnected = asyncio.ensure_future(_disconnect(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if not scope.get("is_head"):
                async for part in self._parts:
                    if disconnected.done():
                        return
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            disconnected.cancel()
            await self._parts.aclose()
            self._close()


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
