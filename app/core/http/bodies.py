"""Bodies of requests: read with a bound, strict JSON, checked by a model; every mistake is told by its place alone."""

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Any

from fastapi import Request
from pydantic import BaseModel

from app.core.errors import BadBody, TooLarge, UnsupportedType
from app.core.model.validation import parse_json

JSON, MERGE_PATCH = "application/json", "application/merge-patch+json"

LARGE_BODY = 50_000  # bytes that take long enough to be parsed off the event loop


async def read_body(request: Request, media_type: str, limit: int) -> bytes:
    """The whole body; UnsupportedType when it is of another type or coded, TooLarge past so many bytes."""
    type_of(request, (media_type,))
    return b"".join([piece async for piece in stream_body(request, limit)])


def type_of(request: Request, media_types: Collection[str]) -> str:
    """Which of these the body is of; UnsupportedType, saying so (RFC 9110, RFC 5789), when of none, or coded."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in media_types or request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        taken = ", ".join(media_types)
        headers = {"Accept-Patch" if request.method == "PATCH" else "Accept": taken, "Accept-Encoding": "identity"}
        raise UnsupportedType(f"This takes {taken}, without a content coding.", headers=headers)
    return given


async def stream_body(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body as it comes; TooLarge past so many bytes, declared or not, BadBody when it breaks off."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > 18 or int(declared) > limit:
        raise TooLarge(f"This takes at most {limit} bytes.")
    size, more = 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise BadBody("The body broke off.")
        piece, more = message.get("body", b""), message.get("more_body", False)
        size += len(piece)
        if size > limit:
            raise TooLarge(f"This takes at most {limit} bytes.")
        yield piece


async def parse_model(body: bytes, model: type[BaseModel]) -> Any:
    """As parse_json; a large body is parsed in a thread."""
    return parse_json(body, model) if len(body) < LARGE_BODY else await asyncio.to_thread(parse_json, body, model)


async def read_json(request: Request, model: type[BaseModel], media_type: str = JSON) -> Any:
    """The value of a JSON body within the server's bound; its texts can be stored, `model` is not checked yet."""
    return await parse_model(await read_body(request, media_type, request.app.state.settings.max_body), model)
