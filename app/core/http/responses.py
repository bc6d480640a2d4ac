"""From a request to a read, and from what was read to a response."""

import hashlib
from collections.abc import Callable
from typing import Any

from fastapi import Request, Response

from app.core.access.caller import NOBODY
from app.core.reading.answers import Answer, Asked
from app.core.values.json import to_json


def asked(request: Request) -> Asked:
    """What was asked, as it was asked."""
    scope = request.scope
    tags = request.headers.get("if-none-match", "")
    return Asked(scope["path"], scope["query_string"], tags, scope.get("caller", NOBODY))


async def answer(request: Request, read: Callable[[], Any], *, long: bool = False) -> Response:
    """Run a read and answer with its bytes, tag and next page, or with 304; a long one leaves the event loop free."""
    state = request.scope["app"].state
    found: Answer = await state.reader.run(read, long=long)
    caching = "private, no-cache" if found.private else state.settings.cache_control
    headers = [(b"etag", b'"%s"' % found.tag.encode()), (b"cache-control", caching.encode())]
    if found.next:
        headers.append((b"link", b'<%s>; rel="next"' % found.next.encode()))
    if found.body is None:
        return Ready(304, headers, b"")
    headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(found.body))]
    return Ready(200, headers, found.body)


class Ready(Response):
    """An answer whose head is ready too."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status_code, self.raw_headers, self.body, self.background = status, headers, body, None


def ready_bytes(request: Request, body: bytes, media_type: str = "application/json") -> Response:
    """Bytes that change only with the program or its settings, under a tag of their content."""
    tag = hashlib.blake2b(body, digest_size=8).hexdigest()
    headers = {"ETag": f'"{tag}"', "Cache-Control": request.app.state.settings.cache_control}
    if asked(request).has(tag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, media_type=media_type)


def private_json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """What only the caller may know, as JSON: nobody on the way keeps it."""
    said = {"Cache-Control": "no-store", **(headers or {})}
    return Response(to_json(content), status, said, media_type="application/json")
