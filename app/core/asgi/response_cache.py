"""The hot layer, pure ASGI, in front of everything: answers given before, for as long as the last Change is the same.

It keeps whole answers to public GETs, each content coding apart, and answers HEAD and If-None-Match from them too.
What it keeps is bounded in bytes; it never looks at a request with a key, and never keeps what has no ETag.
"""

import re
import time
from collections import OrderedDict
from dataclasses import dataclass

from starlette.types import Message, Receive, Scope, Send

from app.core.asgi.middleware import HttpMiddleware, request_id_of
from app.core.reading.freshness import Freshness
from app.core.tags import matching

MAX_BODY_SIZE = 1_000_000  # bytes of one answer

ENTRY_OVERHEAD = 2_000  # bytes that an entry takes beside its body, roughly

PRIVATE = re.compile(rb"no-store|private", re.IGNORECASE)

NOT_IN_304 = (b"content-type", b"content-length", b"content-encoding")

Headers = list[tuple[bytes, bytes]]

CacheKey = tuple[str, bytes, bytes]


@dataclass(slots=True)
class CachedResponse:
    """One whole answer, the head of its 304, and the route it came from."""

    tag: bytes
    headers: Headers
    unchanged: Headers
    body: bytes
    route: object


class ResponseCache:
    """Wraps the Edge; `megabytes` bounds what is kept."""

    def __init__(self, edge: HttpMiddleware, freshness: Freshness, megabytes: int) -> None:
        self.app, self.freshness, self.capacity = edge, freshness, megabytes * 1_000_000
        self._entries: OrderedDict[CacheKey, CachedResponse] = OrderedDict()
        self._marker: object = None
        self._size = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _cacheable_request(scope)
        if asked is None:
            await self.app(scope, receive, send)
            return
        coding, tags, given = asked
        fresh = self.freshness
        marker = fresh.last if fresh.is_fresh() else await fresh.marker()
        if marker != self._marker:
            self._entries.clear()
            self._marker, self._size = marker, 0
        key = (scope["path"], scope["query_string"], coding)
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            await self._send_cached(entry, tags, given, scope, send)
        elif marker is None or scope["method"] == "HEAD":
            await self.app(scope, receive, send)
        else:
            await self._forward(key, scope, receive, send)

    async def _forward(self, key: CacheKey, scope: Scope, receive: Receive, send: Send) -> None:
        """Have it answered, and keep a copy if nothing was written meanwhile."""
        marker, messages = self._marker, []

        async def keep(message: Message) -> None:
            messages.append(message)
            await send(message)

        await self.app(scope, receive, keep)
        if not messages or messages[0]["status"] != 200 or messages[-1].get("more_body"):
            return
        headers = [each for each in messages[0]["headers"] if each[0] != b"x-request-id"]
        found = dict(headers)
        body = b"".join([message.get("body", b"") for message in messages[1:]])
        size = len(body) + ENTRY_OVERHEAD
        lasts = b"etag" in found and not PRIVATE.search(found.get(b"cache-control", b""))
        if (
            not lasts
            or size > min(MAX_BODY_SIZE, self.capacity)
            or marker != self._marker
            or not self.freshness.is_unchanged_since(marker)
        ):
            return
        if key not in self._entries:
            self._size += size
        unchanged = [each for each in headers if each[0] not in NOT_IN_304]
        self._entries[key] = CachedResponse(found[b"etag"], headers, unchanged, body, scope.get("fastapi"))
        while self._size > self.capacity:
            self._size -= len(self._entries.popitem(last=False)[1].body) + ENTRY_OVERHEAD

    async def _send_cached(self, entry: CachedResponse, tags: bytes, given: bytes, scope: Scope, send: Send) -> None:
        began = time.perf_counter()
        status, headers, body = 200, entry.headers, entry.body
        if tags == entry.tag:
            status, headers, body = 304, entry.unchanged, b""
        elif tags and (tag := matching(tags.decode("latin-1"), entry.tag.decode())):
            headers = [each if each[0] != b"etag" else (b"etag", tag.encode()) for each in entry.unchanged]
            status, body = 304, b""
        request_id = request_id_of(given)
        named = (b"x-request-id", request_id.encode())
        await send({"type": "http.response.start", "status": status, "headers": [*headers, named]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
        if self.app.is_observed:
            self.app.report(scope, {"fastapi": entry.route}, status, began, request_id)


def _cacheable_request(scope: Scope) -> tuple[bytes, bytes, bytes] | None:
    """Accept-Encoding, If-None-Match and X-Request-ID of a public read; None for anything else."""
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or not scope["path"].startswith("/v1/"):
        return None
    coding = tags = given = b""
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            coding = value
        elif name == b"if-none-match":
            tags = b"%s,%s" % (tags, value) if tags else value
        elif name == b"x-request-id":
            given = value
        elif name == b"authorization":
            return None
    return coding, tags, given
