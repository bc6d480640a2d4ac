"""The outermost layer, pure ASGI: what holds for every answer, whoever made it.

HEAD for every GET, one ETag per content coding, CORS, security headers, a request id, a log line, and
problem+json for anything that went wrong unforeseen.
"""

import logging
import re
import sys
import time
from collections.abc import Callable
from secrets import token_hex

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import Failed
from app.core.tags import matching, without_codings

log = structlog.get_logger("hoptac.access")

REQUEST_ID = re.compile(rb"^[A-Za-z0-9._-]{1,64}\Z")

COMMON_HEADERS = [
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-ID",
    ),
    (b"x-content-type-options", b"nosniff"),
]

# Pages bring their own policy of what may be loaded; what else pages need, data does not.
PAGE_HEADERS = [
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"cross-origin"),
]

# Data needs nothing at all.
DATA_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")

PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"),
    (
        b"access-control-allow-headers",
        b"Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-ID",
    ),
    (b"access-control-max-age", b"86400"),
]

Observe = Callable[[str, Scope, int, float], None]


class HttpMiddleware:
    """Wraps the application; `observe(method, scope, status, seconds)` is told of every request."""

    def __init__(self, app: ASGIApp, *, access_log: bool, observe: Observe | None = None) -> None:
        self.app, self.access_log, self.observe = app, access_log, observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = RequestResponse(scope, send)
        try:
            if exchange.is_preflight:
                await exchange.preflight()
            else:
                await self.app(exchange.enter(), receive, exchange.send)
        except Exception:
            structlog.get_logger("hoptac.error").exception("unhandled", request_id=exchange.request_id)
            if exchange.status and not exchange.complete:  # break off rather than pretend that it is whole
                raise
            if not exchange.status:
                await Failed().response()(scope, receive, exchange.send)
        finally:
            scope["fastapi"] = exchange.inner.get("fastapi")  # the route that took it, for layers further out
            if self.is_observed:
                self.report(scope, exchange.inner, exchange.status, exchange.started, exchange.request_id)

    @property
    def is_observed(self) -> bool:
        """Whether anybody wants to know of answers."""
        return self.access_log or self.observe is not None

    def report(self, scope: Scope, inner: Scope, status: int, began: float, request_id: str) -> None:
        """Tell the log and the observer of an answer."""
        seconds = time.perf_counter() - began
        if self.observe is not None:
            self.observe(scope["method"], inner, status, seconds)
        if self.access_log:
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                ms=round(seconds * 1000, 2),
                request_id=request_id,
            )


class RequestResponse:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope, self._send, self.started = scope, send, time.perf_counter()
        self.status, self.complete = 0, False
        self.is_head = scope["method"] == "HEAD"
        self.if_none_match, given, self.is_preflight = "", b"", False
        for name, value in scope["headers"]:
            if name == b"if-none-match":
                self.if_none_match += f",{value.decode('latin-1')}" if self.if_none_match else value.decode("latin-1")
            elif name == b"x-request-id":
                given = value
            elif name == b"access-control-request-method":
                self.is_preflight = scope["method"] == "OPTIONS"
        self.request_id = request_id_of(given)
        self.inner = scope

    def enter(self) -> Scope:
        """The request as the application sees it: GET for HEAD, tags without their coding.

        A scope of its own: the server reads the method in the outer one to know that HEAD has no body.
        """
        headers: list[tuple[bytes, bytes]] = self.scope["headers"]
        plain = without_codings(self.if_none_match)
        if plain != self.if_none_match:
            uncoded = plain.encode("latin-1")
            headers = [(name, uncoded if name == b"if-none-match" else value) for name, value in headers]
        self.inner = {**self.scope, "headers": headers, "method": "GET" if self.is_head else self.scope["method"]}
        return self.inner

    async def preflight(self) -> None:
        """The answer to a browser that asks what it may send."""
        await self.send({"type": "http.response.start", "status": 204, "headers": PREFLIGHT})
        await self.send({"type": "http.response.body", "body": b""})

    async def send(self, message: Message) -> None:
        """Complete the head of the answer; leave the body out for HEAD."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*self._completed(message["headers"]), *COMMON_HEADERS, self.id_header()]}
        else:
            self.complete = not message.get("more_body", False)
            if self.is_head:
                message = {**message, "body": b""}
        await self._send(message)

    def id_header(self) -> tuple[bytes, bytes]:
        """The header that tells the caller the request's id."""
        return b"x-request-id", self.request_id.encode()

    def _completed(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """With a policy for what may be loaded, and a tag that says the coding."""
        found = dict(headers)
        kept = list(headers)
        kept += PAGE_HEADERS if b"content-security-policy" in found else [DATA_POLICY]
        tag = found.get(b"etag")
        if tag is None:
            return kept
        if b"accept-encoding" not in found.get(b"vary", b"").lower():
            kept.append((b"vary", b"Accept-Encoding"))
        coding = found.get(b"content-encoding")
        shown = tag
        if coding:
            shown = b'%s-%s"' % (tag[:-1], coding)
        elif self.status == 304:
            shown = (matching(self.if_none_match, tag.decode()) or tag.decode()).encode()
        return kept if shown is tag else [(name, shown if name == b"etag" else value) for name, value in kept]


def request_id_of(given: bytes) -> str:
    """The id that the caller gave, if it can stand in a log; otherwise a new one."""
    return given.decode() if given and REQUEST_ID.match(given) else token_hex(16)


def set_up_logs() -> None:
    """JSON lines on standard error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING)
