"""Request bodies: their media type, a limit on their size, and strict JSON."""

import asyncio
from collections.abc import AsyncIterator, Collection
from email.message import Message
from typing import Any

from fastapi import Request
from pydantic import BaseModel

from app.core.errors import BadBody, TooLarge, UnsupportedType
from app.core.model.validation import parse_json

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
LARGE_BODY = 50_000  # bytes; parsing more would block the event loop for too long


async def read_body(request: Request, media_types: Collection[str], limit: int) -> bytes:
    """Return the body.

    Raises UnsupportedType for another media type or a content coding, and TooLarge for more than `limit` bytes.
    """
    type_of(request, media_types)
    return b"".join([chunk async for chunk in stream_body(request, limit)])


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
