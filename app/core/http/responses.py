"""Responses: of reads, of constant JSON, and of JSON that only the caller may see."""

import hashlib
from collections.abc import Callable, Collection, Hashable
from functools import partial
from typing import Any

from fastapi import Request, Response

from app.core.access.caller import ANONYMOUS
from app.core.access.clients import client_of
from app.core.database.log_position import LogPosition, sequence_of
from app.core.database.statements import Read
from app.core.errors import Problem
from app.core.reading.results import ReadRequest, ReadResult, last_change_name
from app.core.values.cache_keys import HEADER, in_header
from app.core.values.json import to_json


def read_request(request: Request) -> ReadRequest:
    """Return the parts of a request that a read depends on."""
    scope = request.scope
    state = scope["app"].state
    tags = request.headers.get("if-none-match", "")
    caller = scope.get("caller", ANONYMOUS)
    return ReadRequest(scope["path"], scope["query_string"], tags, caller, state.cursor_signer, state.counts)


async def run_read(
    request: Request, read: Callable[[], Any], *, long: bool = False, key: Hashable = None, logged: bool = True
) -> Any:
    """Return the result of a read for the client of a request.

    A `long` read runs once for all equal requests that wait for it. By default they are equal if path, query, caller
    and If-None-Match are; `key` replaces these. A read of what is not in the log, such as imports, is not `logged`: it
    is not read from replicas, of which nobody could tell how far they are behind.
    """
    state = request.scope["app"].state
    client = client_of(request.scope)
    if not logged:
        return await state.primary_reader.run(partial(_positioned, read, state.position), client=client)
    if not long:
        route: Any = request.scope.get("fastapi", {}).get("effective_route_context")
        return await state.reader.run(read, client=client, kind=getattr(route, "path", ""))
    marker = await state.fresh.marker()
    if marker is None:
        return await state.reader.run(read, long=True, client=client)
    equal = (marker, key or read_request(request))
    return await state.shared_reads.run(equal, client, lambda: state.reader.run(read, long=True, client=client))


async def write_response(
    request: Request,
    read: Callable[[], Any],
    *,
    long: bool = False,
    media_type: str = "application/json",
    logged: bool = True,
    keys: Callable[[], Collection[str]] | None = None,
) -> Response:
    """Run a read and return its body, ETag and next page, or 304. A `long` read does not block the event loop.

    `keys` returns what the result depends on, for a cache in front of the server. By default it is every Change.
    """
    state = request.scope["app"].state
    result: ReadResult = await run_read(request, read, long=long, logged=logged)
    state.position.note(result.sequence)
    caching = "private, no-cache" if result.private else state.settings.cache_control
    headers = [(b"etag", b'"%s"' % result.tag.encode()), (b"cache-control", caching.encode())]
    if result.next:
        headers.append((b"link", b'<%s>; rel="next"' % result.next.encode()))
    if keys is not None and state.settings.shared_max_age:
        headers.append((HEADER, in_header(keys())))
    if result.body is None:
        return PreparedResponse(304, headers, b"")
    headers += [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(result.body))]
    return PreparedResponse(200, headers, result.body)


def _positioned(read: Callable[[], Read], position: LogPosition) -> Read:
    """Run a read of what is not in the log, and let no later response be older than the log was then.

    The client of an import that has ended finds the records that it has written.
    """
    try:
        result = yield from read()
    except Problem:
        position.note(sequence_of((yield from last_change_name())))
        raise
    position.note(sequence_of((yield from last_change_name())))
    return result


class PreparedResponse(Response):
    """A response whose headers are encoded already."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status_code = status
        self.raw_headers = headers
        self.body = body
        self.background = None


def json_response(request: Request, body: bytes, media_type: str = "application/json") -> Response:
    """Return a body that changes only with the program or its settings. Its ETag is a digest of the body."""
    tag = hashlib.blake2b(body, digest_size=8).hexdigest()
    headers = {"ETag": f'"{tag}"', "Cache-Control": request.app.state.settings.cache_control}
    if read_request(request).matches(tag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, media_type=media_type)


def private_json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return JSON that only the caller may see, so no cache may store it."""
    all_headers = {"Cache-Control": "no-store", **(headers or {})}
    return Response(to_json(content), status, all_headers, media_type="application/json")
