"""The response cache: complete responses to public GET requests, kept in memory until the next Change.

The content coding that was chosen for a response is part of its key. HEAD and If-None-Match are answered from the
entries too. The total size is limited, and counts everything that an entry keeps in memory. Requests with a key and
responses without an ETag are never cached.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from sys import getsizeof

from starlette.types import Message, Receive, Scope, Send

from app.core.asgi.freshness import Freshness
from app.core.asgi.http_middleware import HttpMiddleware, request_id_of
from app.core.etags import matching
from app.core.gauges import register_gauge

MAX_BODY_SIZE = 1_000_000  # bytes of one response
MAX_KEY_SIZE = 2_048  # bytes of a path with its query
ENTRY_OVERHEAD = 600  # bytes of the objects of an entry that are not counted one by one: measured for a process
PRIVATE = re.compile(rb"no-store|private", re.IGNORECASE)
NOT_CACHED = (b"x-request-id", b"ratelimit", b"ratelimit-policy")  # headers of one response
NOT_IN_304 = (b"content-type", b"content-length", b"content-encoding")

Headers = list[tuple[bytes, bytes]]
CacheKey = tuple[str, bytes, str]
PageVariant = Callable[[Scope], str | None]


@dataclass(slots=True)
class CachedResponse:
    """A response, the headers of its 304 response, and the route that made it."""

    tag: bytes
    headers: Headers
    unchanged: Headers
    body: bytes
    route: object
    size: int = 0  # size of the entry in memory, in bytes


class ResponseCache:
    """An ASGI middleware around the HTTP middleware. `megabytes` is its capacity.

    `page_variant` returns what a page depends on besides its path and query, or None if there is no page at a path.
    """

    def __init__(
        self, http: HttpMiddleware, freshness: Freshness, megabytes: int, page_variant: PageVariant = lambda _: None
    ) -> None:
        self.app = http
        self._page_variant = page_variant
        self.freshness = freshness
        self.capacity = megabytes * 1_000_000
        self._entries: OrderedDict[CacheKey, CachedResponse] = OrderedDict()
        self._marker: object = None
        self._size = 0
        register_gauge("cached_bytes", "Bytes in the response cache.", lambda: self._size)
        register_gauge("cached_responses", "Responses in the response cache.", lambda: len(self._entries))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = self._cacheable_request(scope)
        if request is None:
            await self.app(scope, receive, send)
            return
        variant, tags, requested_id = request
        fresh = self.freshness
        marker = fresh.last if fresh.is_fresh() else await fresh.marker()
        if marker != self._marker:
            self._entries.clear()
            self._marker = marker
            self._size = 0
        key = (scope["path"], scope["query_string"], variant)
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            await self._send_cached(entry, tags, requested_id, scope, send)
        elif marker is None or scope["method"] == "HEAD":
            await self.app(scope, receive, send)
        else:
            await self._forward(key, scope, receive, send)

    def _cacheable_request(self, scope: Scope) -> tuple[str, bytes, bytes] | None:
        """Return the variant, If-None-Match and X-Request-ID of a public read, or None for any other request.

        The variant is the content coding, and for a page also what the page depends on.
        """
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return None
        of_page = "" if scope["path"].startswith("/v1/") else self._page_variant(scope)
        values = scope["header_values"]
        if of_page is None or b"authorization" in values:
            return None
        variant = f"{scope['coding']} {of_page}"
        return variant, values.get(b"if-none-match", b""), values.get(b"x-request-id", b"")

    async def _forward(self, key: CacheKey, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request, and store the response if there was no Change meanwhile."""
        marker = self._marker
        messages: list[Message] = []
        comes_in_parts = False

        async def send_and_collect(message: Message) -> None:
            nonlocal comes_in_parts
            comes_in_parts = comes_in_parts or message.get("more_body", False)  # it may have any size
            if not comes_in_parts:
                messages.append(message)
            await send(message)

        await self.app(scope, receive, send_and_collect)
        if comes_in_parts or not messages or messages[0]["status"] != 200:
            return
        headers = [header for header in messages[0]["headers"] if header[0] not in NOT_CACHED]
        values = dict(headers)
        body = b"".join([message.get("body", b"") for message in messages[1:]])
        if b"etag" not in values or PRIVATE.search(values.get(b"cache-control", b"")) or len(body) > MAX_BODY_SIZE:
            return
        if marker == self._marker and self.freshness.is_unchanged_since(marker):
            unchanged = [header for header in headers if header[0] not in NOT_IN_304]
            self._store(key, CachedResponse(values[b"etag"], headers, unchanged, body, scope.get("fastapi")))

    def _store(self, key: CacheKey, entry: CachedResponse) -> None:
        entry.size = _size(key, entry)
        if entry.size > self.capacity or len(key[0]) + len(key[1]) > MAX_KEY_SIZE:
            return
        replaced = self._entries.pop(key, None)
        self._entries[key] = entry
        self._size += entry.size - (replaced.size if replaced else 0)
        while self._size > self.capacity:
            self._size -= self._entries.popitem(last=False)[1].size

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
        own_headers = [(b"x-request-id", request_id.encode())]
        meter = scope.get("meter")
        if meter is not None:
            own_headers += meter.headers
        body = b"" if status == 304 or scope["method"] == "HEAD" else entry.body
        await send({"type": "http.response.start", "status": status, "headers": [*headers, *own_headers]})
        await send({"type": "http.response.body", "body": body})
        if self.app.is_observed:
            scope["fastapi"] = entry.route
            self.app.report(scope, status, started, request_id, len(body))


def _size(key: CacheKey, entry: CachedResponse) -> int:
    """Return how many bytes an entry takes in memory."""
    headers = sum(getsizeof(header) + getsizeof(header[0]) + getsizeof(header[1]) for header in entry.headers)
    lists = getsizeof(entry.headers) + getsizeof(entry.unchanged)
    return ENTRY_OVERHEAD + getsizeof(key[0]) + getsizeof(key[1]) + headers + lists + getsizeof(entry.body)
