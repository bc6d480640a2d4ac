"""The outermost layer, pure ASGI: what holds for every answer, whoever made it.

HEAD for every GET, one ETag per content coding, CORS for reads, security headers, a request id, a log line, and
problem+json for anything that went wrong unforeseen.
"""

import logging
import re
import sys
import time
from collections.abc import Callable
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import Failed

log = structlog.get_logger("hoptac.access")
REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")
CODINGS = re.compile(r'-(?:gzip|br|zstd)(?=")')
READS = "GET, HEAD, OPTIONS"
ALWAYS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Link, Retry-After, X-Request-ID",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
# Pages bring their own policy; data needs nothing at all.
NOTHING = "default-src 'none'; frame-ancestors 'none'"
PREFLIGHT = {
    "Access-Control-Allow-Methods": READS,
    "Access-Control-Allow-Headers": "Accept, Content-Type, If-None-Match, X-Request-ID",
    "Access-Control-Max-Age": "86400",
}

Observe = Callable[[str, Scope, int, float], None]


class Edge:
    """Wraps the application; `observe(method, scope, status, seconds)` is told of every request."""

    def __init__(self, app: ASGIApp, *, access_log: bool, observe: Observe | None = None) -> None:
        self.app, self.access_log, self.observe = app, access_log, observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        try:
            if exchange.is_preflight:
                await exchange.preflight()
            else:
                await self.app(exchange.inner, receive, exchange.send)
        except Exception:
            structlog.get_logger("hoptac.error").exception("unhandled", request_id=exchange.request_id)
            if exchange.status and not exchange.complete:  # break off rather than pretend that it is whole
                raise
            if not exchange.status:
                await Failed().response()(scope, receive, exchange.send)
        finally:
            self._note(scope, exchange)

    def _note(self, scope: Scope, exchange: "_Exchange") -> None:
        seconds = time.perf_counter() - exchange.started
        if self.observe is not None:
            self.observe(scope["method"], exchange.inner, exchange.status, seconds)
        if self.access_log:
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=exchange.status,
                ms=round(seconds * 1000, 2),
                request_id=exchange.request_id,
            )


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send) -> None:
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        self.scope, self._send, self.started = scope, send, time.perf_counter()
        self.status, self.complete = 0, False
        self.request_id = given if REQUEST_ID.match(given) else uuid4().hex
        self.is_head = scope["method"] == "HEAD"
        self.is_preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        self._asked_tags = ",".join(headers.getlist("if-none-match"))
        self.inner = self._inner_scope()

    def _inner_scope(self) -> Scope:
        """The request as the application sees it: GET for HEAD, tags without their coding.

        A scope of its own: the server reads the method in the outer one to know that HEAD has no body.
        """
        headers: list[tuple[bytes, bytes]] = self.scope["headers"]
        if CODINGS.search(self._asked_tags):
            plain = CODINGS.sub("", self._asked_tags).encode("latin-1")
            headers = [(name, plain if name == b"if-none-match" else value) for name, value in headers]
        return {**self.scope, "headers": headers, "method": "GET" if self.is_head else self.scope["method"]}

    async def preflight(self) -> None:
        """The answer to a browser that asks what it may send."""
        await self.send({"type": "http.response.start", "status": 204, "headers": _encoded(PREFLIGHT)})
        await self.send({"type": "http.response.body", "body": b""})

    async def send(self, message: Message) -> None:
        """Complete the head of the answer; leave the body out for HEAD."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(raw=list(message["headers"]))
            headers.update(ALWAYS)
            headers.setdefault("Content-Security-Policy", NOTHING)
            headers["X-Request-ID"] = self.request_id
            self._tag(headers)
            message = {**message, "headers": headers.raw}
        else:
            self.complete = not message.get("more_body", False)
            if self.is_head:
                message = {**message, "body": b""}
        await self._send(message)

    def _tag(self, headers: MutableHeaders) -> None:
        tag, coding = headers.get("etag"), headers.get("content-encoding")
        if tag:
            headers.add_vary_header("Accept-Encoding")
        if tag and coding:
            headers["ETag"] = f'{tag[:-1]}-{coding}"'
        elif tag and self.status == 304:
            held = [each.strip().removeprefix("W/") for each in self._asked_tags.split(",")]
            headers["ETag"] = next((each for each in held if CODINGS.sub("", each) == tag), tag)


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


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
