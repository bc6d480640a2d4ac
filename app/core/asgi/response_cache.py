"""The response cache: complete responses to public GET requests, kept in memory until the next Change.

Each content coding has its own entry. HEAD and If-None-Match are answered from the entries too. The total size is
bounded. Requests with a key and responses without an ETag are never cached.
"""

import re
import time
from collections import OrderedDict
from dataclasses import dataclass

from starlette.types import Message, Receive, Scope, Send

from app.core.asgi.http_middleware import HttpMiddleware, request_id_of
from app.core.etags import matching
from app.core.reading.freshness import Freshness

MAX_BODY_SIZE = 1_000_000  # bytes of one response
ENTRY_OVERHEAD = 2_000  # approximate size of an entry without its body, in bytes
PRIVATE = re.compile(rb"no-store|private", re.IGNORECASE)
NOT_IN_304 = (b"content-type", b"content-length", b"content-encoding")

Headers = list[tuple[bytes, bytes]]
CacheKey = tuple[str, bytes, bytes]


@dataclass(slots=True)
class CachedResponse:
    """A response, the headers of its 304 response, and the route that made it."""

    tag: bytes
    headers: Headers
    unchanged: Headers
    body: bytes
    route: object


class ResponseCache:
    """An ASGI middleware around the HTTP middleware. `megabytes` is its capacity."""

    def __init__(self, http: HttpMiddleware, freshness: Freshness, megabytes: int) -> None:
        self.app = http
        self.freshness = freshness
        self.capacity = megabytes * 1_000_000
        self._entries: OrderedDict[CacheKey, CachedResponse] = OrderedDict()
        self._marker: object = None
        self._size = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = _cacheable_request(scope)
        if request is None:
            await self.app(scope, receive, send)
            return
        coding, tags, requested_id = request
        fresh = self.freshness
        marker = fresh.last if fresh.is_fresh() else await fresh.marker()
        if marker != self._marker:
            self._entries.clear()
            self._marker = marker
            self._size = 0
        key = (scope["path"], scope["query_string"], coding)
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            await self._send_cached(entry, tags, requested_id, scope, send)
        elif marker is None or scope["method"] == "HEAD":
            await self.app(scope, receive, send)
        else:
            await self._forward(key, scope, receive, send)

    async def _forward(self, key: CacheKey, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request, and store the response if there was no Change meanwhile."""
        marker = self._marker
        messages: list[Message] = []

        async def send_and_collect(message: Message) -> None:
            messages.append(message)
            await send(message)

        await self.app(scope, receive, send_and_collect)
        if not messages or messages[0]["status"] != 200 or messages[-1].get("more_body"):
            return
        headers = [header for header in messages[0]["headers"] if header[0] != b"x-request-id"]
        values = dict(headers)
        body = b"".join([message.get("body", b"") for message in messages[1:]])
        size = len(body) + ENTRY_OVERHEAD
        is_cacheable = b"etag" in values and not PRIVATE.search(values.get(b"cache-control", b""))
        if (
            not is_cacheable
            or size > min(MAX_BODY_SIZE, self.capacity)
            or marker != self._marker
            or not self.freshness.is_unchanged_since(marker)
        ):
            return
        if key not in self._entries:
            self._size += size
        unchanged = [header for header in headers if header[0] not in NOT_IN_304]
        self._entries[key] = CachedResponse(values[b"etag"], headers, unchanged, body, scope.get("fastapi"))
        while self._size > self.capacity:
            self._size -= len(self._entries.popitem(last=False)[1].body) + ENTRY_OVERHEAD

    async def _send_cached(
        self, entry: CachedResponse, tags: bytes, requested_id: bytes, scope: Scope, send: Send
    ) -> None:
        started = time.perf_counter()
        status = 200
        headers = entry.headers
        if tags == entry.tag:
            status = 304
            headers = entry.unchanged
        elif tags and (tag := matching(tags.decode("latin-1"), entry.tag.decode())):
            status = 304
            headers = [(name, tag.encode() if name == b"etag" else value) for name, value in entry.unchanged]
        request_id = request_id_of(requested_id)
        id_header = (b"x-request-id", request_id.encode())
        body = b"" if status == 304 or scope["method"] == "HEAD" else entry.body
        await send({"type": "http.response.start", "status": status, "headers": [*headers, id_header]})
        await send({"type": "http.response.body", "body": body})
        if self.app.is_observed:
            self.app.report(scope, {"fastapi": entry.route}, status, started, request_id)


def _cacheable_request(scope: Scope) -> tuple[bytes, bytes, bytes] | None:
    """Return Accept-Encoding, If-None-Match and X-Request-ID of a public read, or None for any other request."""
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or not scope["path"].startswith("/v1/"):
        return None
    coding = b""
    tags = b""
    requested_id = b""
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            coding = value
        elif name == b"if-none-match":
            tags = b"%s,%s" % (tags, value) if tags else value
        elif name == b"x-request-id":
            requested_id = value
        elif name == b"authorization":
            return None
    return coding, tags, requested_id
