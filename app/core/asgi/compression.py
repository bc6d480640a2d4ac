"""The compression of responses in the coding that `request_headers` chose. Large bodies are compressed in threads.

The levels are those at which a megabyte of JSON takes about 1 ms (zstd), 4 ms (br) and 7 ms (gzip) of CPU time.
"""

import asyncio
import gzip
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import brotli
import zstandard
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.access.clients import client_of
from app.core.byte_budget import ByteBudget
from app.core.database.fair_queue import FairQueue
from app.core.errors import Unavailable
from app.core.gauges import register_gauge
from app.core.request_cost import add_cost

LEVEL = 4  # of each coding
MIN_SIZE = 500  # bytes: smaller bodies are sent as they are
INLINE_SIZE = 65_536  # bytes: larger bodies are compressed in a thread
THREADS = 2
MAX_WAITING = 64_000_000  # bytes of the bodies that are being compressed or wait for that
MAX_WAITING_CLIENT = 16_000_000  # of these, for one client
MOST_WAITING = 2_000  # bodies; the limit of their bytes is reached earlier
PATIENCE = 30.0  # seconds for which a body waits for a thread

MEDIA_TYPES = {
    b"application/json",
    b"application/x-ndjson",
    b"application/javascript",
    b"image/svg+xml",
    b"text/css",
    b"text/csv",
    b"text/html",
    b"text/javascript",
    b"text/plain",
}


class Coding(NamedTuple):
    """How to compress a whole body, and one that comes in parts."""

    compress: Callable[[bytes], bytes]
    encoder: Callable[[], Any]


class BrotliEncoder:
    """Brotli with the interface of the other codings."""

    def __init__(self) -> None:
        encoder = brotli.Compressor(quality=LEVEL)
        self.compress: Callable[[bytes], bytes] = encoder.process
        self.flush: Callable[[], bytes] = encoder.finish


CODINGS = {
    "zstd": Coding(
        lambda body: zstandard.ZstdCompressor(LEVEL).compress(body),
        lambda: zstandard.ZstdCompressor(LEVEL).compressobj(),
    ),
    "br": Coding(lambda body: brotli.compress(body, quality=LEVEL), BrotliEncoder),
    "gzip": Coding(lambda body: gzip.compress(body, LEVEL), lambda: zlib.compressobj(LEVEL, zlib.DEFLATED, 31)),
}


class Compression:
    """An ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="compress")
        self._queue = FairQueue(
            running=THREADS,
            running_of_client=1,
            waiting=MOST_WAITING,
            waiting_of_client=MOST_WAITING,
            patience=PATIENCE,
            what="large responses",
        )
        self._waiting = ByteBudget(MAX_WAITING, MAX_WAITING_CLIENT)
        register_gauge("compressing_bytes", "Bytes that wait to be compressed.", lambda: self._waiting.used)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            send = CompressedResponse(self, scope, receive, send).send
        await self.app(scope, receive, send)

    async def compress(self, coding: str, body: bytes, scope: Scope) -> bytes:
        """Compress a body; raises Unavailable if too many large bodies are waiting."""
        compress = CODINGS[coding].compress
        if len(body) <= INLINE_SIZE:
            return compress(body)
        client = client_of(scope)
        if not self._waiting.take(client, len(body)):
            raise Unavailable("Too many large responses are being compressed.")
        try:
            return await self.run(compress, body, client)
        finally:
            self._waiting.give_back(client, len(body))

    async def run(self, compress: Callable[[bytes], bytes], body: bytes, client: str) -> bytes:
        """Compress a body or a part of one in a thread.

        Clients take turns, and each client has one thread at a time.
        """
        await self._queue.enter(client)
        try:
            work = asyncio.get_running_loop().run_in_executor(self._threads, _timed, compress, body)
            compressed, seconds = await work
        finally:
            self._queue.leave(client)
        add_cost(seconds)
        return compressed


def _timed(compress: Callable[[bytes], bytes], body: bytes) -> tuple[bytes, float]:
    started = time.thread_time()
    compressed = compress(body)
    return compressed, time.thread_time() - started


class CompressedResponse:
    """One response. Its start waits for the first part of the body, which decides whether it is compressed."""

    def __init__(self, compression: Compression, scope: Scope, receive: Receive, send: Send) -> None:
        self._compression = compression
        self._scope = scope
        self._receive = receive
        self._send = send
        self._coding: str = scope.get("coding", "")
        self._start: Message | None = None
        self._encoder: Any = None

    async def send(self, message: Message) -> None:
        """Forward a message of the application, compressed if that is possible."""
        if message["type"] == "http.response.start" and _is_compressible(message):
            self._start = message
        elif self._start is not None:
            start = self._start
            self._start = None
            await self._begin(start, message)
        elif self._encoder is not None:
            await self._continue(message)
        else:
            await self._send(message)

    async def _begin(self, start: Message, message: Message) -> None:
        """Send the start of the response and the first part of its body."""
        body = message.get("body", b"")
        is_whole = not message.get("more_body", False)
        if is_whole and len(body) < MIN_SIZE:
            await self._send(start)
            await self._send(message)
        elif not self._coding:
            await self._send({**start, "headers": _with_vary(start["headers"])})
            await self._send(message)
        elif is_whole:
            try:
                compressed = await self._compression.compress(self._coding, body, self._scope)
            except Unavailable as problem:
                await problem.response()(self._scope, self._receive, self._send)
                return
            await self._send({**start, "headers": self._headers(start, len(compressed))})
            await self._send({"type": "http.response.body", "body": compressed})
        else:
            self._encoder = CODINGS[self._coding].encoder()
            await self._send({**start, "headers": self._headers(start, None)})
            await self._continue(message)

    async def _continue(self, message: Message) -> None:
        """Compress and send a part of a body that comes in parts."""
        is_last = not message.get("more_body", False)
        body = message.get("body", b"")
        compressed = await self._compression.run(self._encoder.compress, body, client_of(self._scope))
        if is_last:
            compressed += self._encoder.flush()
            self._encoder = None
        if compressed or is_last:
            await self._send({"type": "http.response.body", "body": compressed, "more_body": not is_last})

    def _headers(self, start: Message, size: int | None) -> list[tuple[bytes, bytes]]:
        headers = [header for header in _with_vary(start["headers"]) if header[0] != b"content-length"]
        headers.append((b"content-encoding", self._coding.encode()))
        if size is not None:
            headers.append((b"content-length", b"%d" % size))
        return headers


def _is_compressible(start: Message) -> bool:
    """Return whether a response may be compressed. It must have a body, be complete, and have no coding yet."""
    if start["status"] in (204, 205, 304):
        return False
    values = dict(start["headers"])
    if b"content-encoding" in values or b"content-range" in values:
        return False
    return values.get(b"content-type", b"").partition(b";")[0].strip().lower() in MEDIA_TYPES


def _with_vary(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Add Accept-Encoding to Vary."""
    values = [value for name, value in headers if name == b"vary"]
    if b"accept-encoding" in b",".join(values).lower():
        return list(headers)
    others = [header for header in headers if header[0] != b"vary"]
    return [*others, (b"vary", b", ".join([*values, b"Accept-Encoding"]))]
