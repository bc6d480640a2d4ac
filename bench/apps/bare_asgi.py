"""The limit A: an ASGI application that does nothing but find the bytes and send them."""

from collections.abc import Awaitable, Callable
from typing import Any

from bench.apps.answers import answers

FIXED = answers()


async def app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    found = FIXED[scope["raw_path"] + b"?" + scope["query_string"]]
    asked = next((value for name, value in scope["headers"] if name == b"if-none-match"), None)
    if asked == found.tag:
        await send({"type": "http.response.start", "status": 304, "headers": [(b"etag", found.tag)]})
        await send({"type": "http.response.body", "body": b""})
        return
    length = str(len(found.body)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length), (b"etag", found.tag)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": found.body})
