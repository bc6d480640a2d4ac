"""The limit A: an ASGI application that only looks up the bytes and sends them."""

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
    response = FIXED[scope["raw_path"] + b"?" + scope["query_string"]]
    client_tag = next((value for name, value in scope["headers"] if name == b"if-none-match"), None)
    if client_tag == response.tag:
        await send({"type": "http.response.start", "status": 304, "headers": [(b"etag", response.tag)]})
        await send({"type": "http.response.body", "body": b""})
        return
    length = str(len(response.body)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length), (b"etag", response.tag)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
