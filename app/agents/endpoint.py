"""`/mcp`: the tools over streamable HTTP, without sessions."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Any

from fastapi import FastAPI, Request
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from app.core.errors import Forbidden, Problem
from app.core.http.bodies import JSON, LARGE_BODY, read_body
from app.core.public_paths import public
from app.core.settings import Settings
from app.core.values.urls import url_parts

PATH = "/mcp"
MAX_BODY = LARGE_BODY  # bytes of a request: a draft with its citations
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_available() -> bool:
    """Return whether the SDK is installed (extra `mcp`)."""
    return find_spec("mcp") is not None


def add_endpoint(app: FastAPI, settings: Settings) -> None:
    """Serve `/mcp`, if the SDK is installed. `app.state` gets the APIs that the tools call before the first request."""
    if is_available():
        app.router.routes.append(Route(PATH, Endpoint(app.state, settings), methods=["POST"], include_in_schema=False))


class Endpoint:
    """An ASGI application for POST requests. The SDK is imported with the first one."""

    def __init__(self, state: Any, settings: Settings) -> None:
        self._state = state
        self._settings = settings
        self._respond: Callable[[Scope, Receive, Send], Awaitable[None]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the request, and let the SDK answer it."""
        request = Request(scope, receive)
        try:
            check_origin(request.headers.get("origin"), self._settings)
            body = await read_body(request, (JSON,), MAX_BODY)
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        if self._respond is None:
            self._respond = await asyncio.to_thread(_responder, self._state, self._settings)
        await self._respond(scope, _replayed(body, receive), send)


def check_origin(origin: str | None, settings: Settings) -> None:
    """Raise Forbidden for a web page of another site, which a browser was made to send here by DNS rebinding.

    Programs that are no browsers send no `Origin`.
    """
    if origin is None:
        return
    own = url_parts(settings.public_url)
    sent = url_parts(origin)
    if settings.public_url and (sent.scheme, sent.netloc) == (own.scheme, own.netloc):
        return
    if sent.hostname not in LOOPBACK:
        detail = "`Origin` must be that of HOPTAC_PUBLIC_URL or of this machine. Programs leave the header out."
        raise Forbidden(detail)


def base_of(scope: Scope, settings: Settings) -> str:
    """Return the URL of the registry, as the client sees it."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    return f"{scope['scheme']}://{host}{public('')}" if host else public("")


def _responder(state: Any, settings: Settings) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Import the SDK, and return what answers a request."""
    from app.agents.protocol import Apis, Caller, respond, tool_server  # noqa: PLC0415 - takes half a second

    def caller_of(context: Any) -> Caller:
        request: Request = context.request
        return Caller(request.scope, base_of(request.scope, settings), request.headers.get("authorization", ""))

    server = tool_server(settings, Apis(state.public_reads, state.keyed_api), caller_of)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(server, scope, receive, send)

    return answer


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that starts with the body that was read."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
