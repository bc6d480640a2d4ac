"""Sending a table while it is read."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack
from typing import Any

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from app.core.access.clients import client_of
from app.core.database.fair_queue import FairQueue
from app.core.errors import QueryTooSlow, TooMany, Unavailable
from app.core.request_cost import add_cost
from app.exchange.exports.reading import Chunk, ReadChunk, Write
from app.exchange.exports.tables import Rows, TableText
from app.exchange.exports.workbook import Workbook

ATTEMPTS = 10  # to read a chunk while the server is busy
PAUSE = 2.0  # seconds between them
SLICE = 262_144  # bytes of a workbook that are sent at once


class Export:
    """One request for a table. `read` reads its items chunk by chunk."""

    def __init__(self, request: Request, table: Rows, read: ReadChunk, query: Any, ending: str) -> None:
        self._state = request.scope["app"].state
        self._client = client_of(request.scope)
        self._table = table
        self._read = read
        self._is_limited = query.limit is not None
        is_private = getattr(query, "state", None) == "draft"
        caching = "private, no-cache" if is_private else self._state.settings.cache_control
        name = f'attachment; filename="{table.name}.{ending}"'
        self._headers = {"Content-Disposition": name, "Cache-Control": caching}

    async def stream(self, text: TableText) -> Response:
        """Return the table, of which only the first chunk is read. Its problems are those of the request."""
        chunk = await self._read(text.chunk, None)
        self._note(chunk)
        if chunk.is_current:
            return Response(None, 304, self._headers)

        async def parts() -> AsyncGenerator[bytes, None]:
            part = chunk
            yield text.head() + part.written
            separator = text.separator if part.written else b""
            while part.cursor and not self._is_limited:
                part = await self._following(part.cursor, text.chunk)
                if part.written:
                    yield separator + part.written
                    separator = text.separator
            yield text.tail()

        return StreamedFile({**self._headers, "Content-Type": text.media_type}, parts())

    async def workbook(self) -> Response:
        """Return the table as a workbook, once it is complete.

        The client has its place among the workbooks until all of the file is sent, because it is on disk until then.
        """
        queue: FairQueue = self._state.workbooks
        await queue.enter(self._client)
        closing = ExitStack()
        closing.callback(queue.leave, self._client)
        try:
            book = await in_thread(Workbook, self._table)
            closing.callback(book.close)
            return await self._filled(book, closing)
        except BaseException:
            closing.close()
            raise

    async def _filled(self, book: Workbook, closing: ExitStack) -> Response:
        chunk = await self._read(book.rows_of, None)
        self._note(chunk)
        if chunk.is_current:
            closing.close()
            return Response(None, 304, self._headers)
        await in_thread(book.add, chunk.written)
        while chunk.cursor and not self._is_limited:
            chunk = await self._following(chunk.cursor, book.rows_of)
            await in_thread(book.add, chunk.written)
        file = await in_thread(book.finish)

        async def parts() -> AsyncGenerator[bytes, None]:
            while part := await asyncio.to_thread(file.read, SLICE):
                yield part

        return StreamedFile({**self._headers, "Content-Type": book.media_type}, parts(), closing.close)

    def _note(self, chunk: Chunk) -> None:
        """Add the headers that depend on the first chunk. Later chunks can be newer, so the tag is weak."""
        self._headers["ETag"] = f'W/"{chunk.tag}"'
        if chunk.next_path and self._is_limited:
            self._headers["Link"] = f'<{chunk.next_path}>; rel="next"'

    async def _following(self, cursor: str, write: Write) -> Chunk:
        """Read a later chunk. The response has begun, so a busy server is tried again."""
        for _ in range(ATTEMPTS):
            try:
                return await self._read(write, cursor)
            except (QueryTooSlow, TooMany, Unavailable):
                await asyncio.sleep(PAUSE)
        return await self._read(write, cursor)


async def in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
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
        self,
        headers: dict[str, str],
        parts: AsyncGenerator[bytes, None],
        close: Callable[[], None] = lambda: None,
        status: int = 200,
    ) -> None:
        self._parts = parts
        self._close = close
        self.status_code = status
        self.background = None
        self.raw_headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the parts."""
        disconnected = asyncio.ensure_future(_disconnect(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
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
