"""Sending a table while it is read."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import IO, Any, Protocol

import structlog
from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from app.core.access.clients import client_of, network_of
from app.core.asgi.rate_limits import RequestMeter
from app.core.asgi.turns import Rounds, Work
from app.core.database.fair_queue import FairQueue
from app.core.database.statements import Read
from app.core.errors import QueryTooSlow, TooMany, Unavailable
from app.core.request_cost import add_cost
from app.exchange.exports.reading import Chunk, ReadChunk, Write
from app.exchange.exports.tables import Group, Piece, Rows, TableText

ATTEMPTS = 10  # to read a chunk while the server is busy
PAUSE = 2.0  # seconds between them
WAITS = 20  # pauses before each chunk while the client has no units left. A proxy waits 60 s for the next bytes
SLICE = 262_144  # bytes of a whole file that are sent at once


class WholeFile(Protocol):
    """A format that is made as a temporary file: a workbook or a Parquet file."""

    media_type: str

    def rows_of(self, items: Sequence[Any]) -> list[Group]:
        """Return what makes the rows of these items, without adding them: a read can be repeated."""

    def add(self, make_rows: Group) -> None:
        """Add rows."""

    def finish(self) -> IO[bytes]:
        """Complete the file and return it."""

    def close(self) -> None:
        """Delete the temporary files."""


class Export:
    """One request for a table. `read` reads its items chunk by chunk."""

    def __init__(self, request: Request, table: Rows, read: ReadChunk, query: Any, ending: str) -> None:
        self._state = request.scope["app"].state
        self._client = client_of(request.scope)
        self._pace = Pace(request)
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
            if head := text.head():
                yield head
            separator = b""
            async for part in self._chunks(chunk, text.chunk):
                piece: Piece = part.written
                if piece.text:
                    yield separator + piece.text
                    separator = text.separator
                while piece.rest:
                    piece = await self._pace.next_part(partial(self._run, piece.rest))
                    yield piece.text
            yield text.tail()

        return StreamedFile({**self._headers, "Content-Type": text.media_type}, parts())

    async def whole(self, make: Callable[[Rows], WholeFile]) -> Response:
        """Return the table as a file that is complete before it is sent.

        The client keeps its place in the queue until the whole file is sent, because the file is on disk until then.
        """
        queue: FairQueue = self._state.workbooks
        await queue.enter(self._client)
        closing = ExitStack()
        closing.callback(queue.leave, self._client)
        try:
            whole = await in_thread(make, self._table)
            closing.callback(whole.close)
            return await self._filled(whole, closing)
        except BaseException:
            closing.close()
            raise

    async def _filled(self, whole: WholeFile, closing: ExitStack) -> Response:
        chunk = await self._read(whole.rows_of, None)
        self._note(chunk)
        if chunk.is_current:
            closing.close()
            return Response(None, 304, self._headers)
        async for part in self._chunks(chunk, whole.rows_of):
            for group in part.written:
                await in_thread(whole.add, group)
                await self._pace.wait_for_units()
        file = await in_thread(whole.finish)

        async def parts() -> AsyncGenerator[bytes, None]:
            while part := await asyncio.to_thread(file.read, SLICE):
                yield part

        return StreamedFile({**self._headers, "Content-Type": whole.media_type}, parts(), closing.close)

    def _note(self, chunk: Chunk) -> None:
        """Add the headers that depend on the first chunk. Later chunks can be newer, so the tag is weak."""
        self._headers["ETag"] = f'W/"{chunk.tag}"'
        if chunk.next_path and self._is_limited:
            self._headers["Link"] = f'<{chunk.next_path}>; rel="next"'

    async def _chunks(self, chunk: Chunk, write: Write) -> AsyncGenerator[Chunk, None]:
        """Yield a chunk, and those that follow it."""
        yield chunk
        while chunk.cursor and not self._is_limited:
            chunk = await self._pace.next_part(partial(self._read, write, chunk.cursor))
            yield chunk

    async def _run(self, make: Callable[[], Piece]) -> Any:
        """Make the next piece of a chunk where reads of clients take turns."""

        def read() -> Read:
            yield from ()
            return make()

        return await self._state.reader.run(read, long=True, client=self._client)


class Pace:
    """The later work for a response that has begun: its client pays for each part, and waits for its turn."""

    def __init__(self, request: Request) -> None:
        self._meter: RequestMeter | None = request.scope.get("meter")
        self._rounds: Rounds = request.scope["app"].state.rounds
        self._network = network_of((request.scope.get("client") or ("",))[0])

    async def next_part(self, work: Work) -> Any:
        """Do the next part of the work when the client has units and a turn. Repeat it if the server is busy."""
        await self.wait_for_units()
        for _ in range(ATTEMPTS):
            try:
                return await self._rounds.go_on(self._network, work)
            except (QueryTooSlow, TooMany, Unavailable):
                await asyncio.sleep(PAUSE)
        return await self._rounds.go_on(self._network, work)

    async def wait_for_units(self) -> None:
        """Charge the work so far, and count the next work. A client that owes many units still gets on, but slowly."""
        if self._meter is None:
            return
        self._meter.charge()
        for _ in range(WAITS):
            with suppress(TooMany):
                self._meter.count_again()
                return
            await asyncio.sleep(PAUSE)


async def in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of some work in a thread. Its CPU time is part of the cost of the request."""
    result, seconds = await asyncio.to_thread(_timed, work, *arguments)
    add_cost(seconds)
    return result


def _timed(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    began = time.thread_time()
    return work(*arguments), time.thread_time() - began


class BrokenOff(Exception):
    """Raised by the parts of a file that is not sent to its end. The message is the reason, for the log."""


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
        except BrokenOff as error:  # the server closes the connection, because the response is not complete
            structlog.get_logger("hoptac.downloads").warning("download broken off", reason=str(error))
        finally:
            disconnected.cancel()
            await self._parts.aclose()
            self._close()


async def _disconnect(receive: Receive) -> None:
    """Return when the client is gone. A client that has only closed its own side still reads."""
    message = await receive()
    while message["type"] != "http.disconnect" or message.get("half_closed"):
        message = await receive()
