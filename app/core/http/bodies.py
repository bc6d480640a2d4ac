"""Request bodies: their media type, a limit on their size, strict JSON, and the memory of all together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterator
from email.message import Message
from typing import Any

from fastapi import Request
from pydantic import BaseModel

from app.core.access.clients import client_of
from app.core.byte_budget import ByteBudget
from app.core.errors import BadBody, TooLarge, TooMany, Unavailable, UnsupportedType
from app.core.model.validation import parse_json

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
LARGE_BODY = 50_000  # bytes; parsing more would block the event loop for too long

# Times the size of the largest body: all bodies in memory, and those of one client. Parsed, a body can take 30 times
# its size.
MAX_BUFFERED = 32
MAX_BUFFERED_CLIENT = 4
RETRY = "2"  # seconds


class BufferedBodies:
    """The bodies that requests keep in memory while they are received, and while their writes wait.

    A body that cannot be larger than LARGE_BODY is not counted, so that a key can always be revoked.
    """

    def __init__(self, max_body: int) -> None:
        self._budget = ByteBudget(MAX_BUFFERED * max_body, MAX_BUFFERED_CLIENT * max_body)

    @contextlib.contextmanager
    def request(self, request: Request) -> Iterator[None]:
        """Count the bytes of a body that are read, until the request ends."""
        buffered = BufferedBody(self._budget, client_of(request.scope))
        request.scope["buffered_body"] = buffered
        try:
            yield
        finally:
            buffered.give_back()


class BufferedBody:
    """The bytes that have been read from the body of one request."""

    def __init__(self, budget: ByteBudget, client: str) -> None:
        self._budget = budget
        self._client = client
        self._size = 0

    def add(self, size: int) -> None:
        """Count more bytes. Raise TooMany if the client has too many, or Unavailable if all clients have."""
        if self._budget.take(self._client, size):
            self._size += size
        elif self._budget.used_by(self._client):
            raise TooMany("Too many bytes of this client wait to be written.", headers={"Retry-After": RETRY})
        else:
            raise Unavailable("Too many writes are waiting.")

    def give_back(self) -> None:
        """Count the bytes no longer."""
        if self._size:
            self._budget.give_back(self._client, self._size)


async def read_body(request: Request, media_types: Collection[str], limit: int) -> bytes:
    """Return the body.

    Raises UnsupportedType for another media type or a content coding, TooLarge for more than `limit` bytes, and TooMany
    or Unavailable if too many bytes of bodies are in memory.
    """
    type_of(request, media_types)
    buffered: BufferedBody | None = request.scope.get("buffered_body") if limit > LARGE_BODY else None
    chunks = []
    async for chunk in stream_body(request, limit):
        if buffered is not None:
            buffered.add(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


def type_of(request: Request, media_types: Collection[str]) -> str:
    """Return the media type of the body, which must be one of these and without a content coding.

    Raises UnsupportedType otherwise, with the supported types in the headers of RFC 9110 and RFC 5789.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if media_type not in media_types or coding != "identity":
        supported = ", ".join(media_types)
        headers = {"Accept-Patch" if request.method == "PATCH" else "Accept": supported, "Accept-Encoding": "identity"}
        raise UnsupportedType(f"The body must be {supported}, without a content coding.", headers=headers)
    return media_type


def charset_of(request: Request) -> str:
    """Return the parameter `charset` of the media type of the body, "" without one."""
    message = Message()
    message["Content-Type"] = request.headers.get("content-type", "")
    return str(message.get_content_charset() or "")


async def stream_body(request: Request, limit: int) -> AsyncIterator[bytes]:
    """Yield the body in chunks; raises TooLarge for more than `limit` bytes, and BadBody if it is incomplete."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > 18 or int(declared) > limit:
        raise TooLarge(f"The body may have at most {limit} bytes.")
    size = 0
    has_more = True
    while has_more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise BadBody("The body is incomplete.")
        chunk = message.get("body", b"")
        has_more = message.get("more_body", False)
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"The body may have at most {limit} bytes.")
        yield chunk


async def parse_model(body: bytes, model: type[BaseModel]) -> Any:
    """Parse a body like `parse_json`, a large one in a thread."""
    return parse_json(body, model) if len(body) < LARGE_BODY else await asyncio.to_thread(parse_json, body, model)


async def read_json(request: Request, model: type[BaseModel], media_type: str = JSON) -> Any:
    """Return the value of a JSON body. Its texts can be stored; it is not validated by `model` yet.

    A merge patch can have the media type of JSON too, which is what many clients send.
    """
    media_types = (media_type,) if media_type == JSON else (media_type, JSON)
    return await parse_model(await read_body(request, media_types, request.app.state.settings.max_body), model)
