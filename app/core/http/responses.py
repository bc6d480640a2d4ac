"""From a request to a read, and from what was read to a response."""

import hashlib
from collections.abc import Callable
from typing import Any

from fastapi import Request, Response

from app.core.access.caller import ANONYMOUS
from app.core.reading.results import ReadRequest, ReadResult
from app.core.values.json import to_json


def read_request(request: Request) -> ReadRequest:
    """What was asked, as it was asked."""
    scope = request.scope
    tags = request.headers.get("if-none-match", "")
    return ReadRequest(scope["path"], scope["query_string"], tags, scope.get("caller", ANONYMOUS))


async def write_response(request: Request, read: Callable[[], Any], *, long: bool = False) -> Response:
    """Run a read and answer with its bytes, tag and next page, or with 304; a long one leaves the event loop free."""
    state = request.scope["app"].state
    found: ReadResult = await state.reader.run(read, long=long)
    caching = "private, no-cache" if found.private else state.settings.cache_control
    headers = [(b"etag", b'"%s"' % found.tag.encode()), (b"cache-control", caching.encode())]
    if found.next:
        headers.append((b"link", b'<%s>; rel="next"' % found.next.encode()))
    if found.body is None:
        return PreparedResponse(304, headers, b"")
    headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(found.body))]
    return PreparedResponse(200, headers, found.body)


class PreparedResponse(Response):
    """An answer whose head is ready too."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status_code, self.raw_headers, self.body, self.background = status, headers, body, None


def json_response(request: Request, body: bytes, media_type: str = "application/json") -> Response:
    """Bytes that change only with the program or its settings, under a tag of their content."""
    tag = hashlib.blake2b(body, digest_size=8).hexdigest()
    headers = {"ETag": f'"{tag}"', "Cache-Control": request.app.state.settings.cache_control}
    if read_request(request).matches(tag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, media_type=media_type)


def private_json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """What only the caller may know, as JSON: nobody on the way keeps it."""
    documentation = {"Cache-Control": "no-store", **(headers or {})}
    return Response(to_json(content), status, documentation, media_type="application/json")
