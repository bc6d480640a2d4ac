"""The HTTP middleware, which completes every response.

It answers HEAD for every GET, gives each content coding its own ETag, adds CORS and security headers and a request id,
writes the access log, and returns problem+json for unexpected errors.
"""

import re
import time
from collections.abc import Callable
from random import getrandbits
from urllib.parse import unquote

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.access.clients import network_of, wider_network_of
from app.core.asgi.purged_caching import PurgedCaching
from app.core.asgi.refusal_log import PROBES, REFUSALS, RefusalLog
from app.core.database.log_position import LogPosition
from app.core.errors import Problem, Unavailable, unexpected
from app.core.etags import matching, without_codings
from app.core.values.cache_keys import HEADER as KEYS

log = structlog.get_logger("hoptac.access")

REQUEST_ID = re.compile(rb"^[A-Za-z0-9._-]{1,64}\Z")
STATE_OF_TAG = re.compile(rb'(?:W/)?"([0-9]{1,19})-')  # the ETags of data start with the number of a Change
SEQUENCE = b"hoptac-sequence"

COMMON_HEADERS = [
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"Content-Disposition, ETag, Hoptac-Sequence, Idempotency-Replayed, Link, Location, RateLimit, "
        b"RateLimit-Policy, Retry-After, X-Request-ID",
    ),
    (b"x-content-type-options", b"nosniff"),
]

# For pages, which set their own content security policy.
PAGE_HEADERS = [
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"cross-origin"),
]

# For data, which loads nothing.
DATA_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")

PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE, QUERY"),
    (
        b"access-control-allow-headers",
        b"Accept, Authorization, Content-Type, Hoptac-At-Least, Idempotency-Key, If-Match, If-None-Match, "
        b"MCP-Protocol-Version, Mcp-Method, Mcp-Name, X-Request-ID",
    ),
    (b"access-control-max-age", b"86400"),
]

READS = ("GET", "HEAD", "QUERY")
WRITES = ("POST", "PUT", "PATCH", "DELETE")

# The longest values in a line of the access log, in characters.
MAX_PATH = 300
MAX_QUERY = 300
MAX_AGENT = 150

Observe = Callable[[str, Scope, int, float], None]


class HttpMiddleware:
    """An ASGI middleware. `observe(method, scope, status, seconds)` is called for every request.

    `log_clients` is the setting that says what the access log contains about clients. `position` is the state that the
    responses of this process have reached. `caching` makes the headers for a cache in front of the server, if there is
    one.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        access_log: bool,
        log_clients: str = "full",
        observe: Observe | None = None,
        position: LogPosition | None = None,
        caching: PurgedCaching | None = None,
    ) -> None:
        self.app = app
        self.caching = caching
        self.position = position or LogPosition()
        self.log_clients = log_clients
        self.access_log = access_log
        self.observe = observe
        self._refusals = RefusalLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await self._answer(self.app, scope, receive, send)

    async def refuse(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with a problem instead of the application."""
        await self._answer(problem.response(), scope, receive, send)

    async def _answer(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = RequestResponse(scope, send, self.position, self.caching)
        try:
            if exchange.is_preflight:
                await exchange.preflight()
            else:
                await app(exchange.enter(), receive, exchange.send)
        except Exception as error:
            _log_unexpected(error, exchange.request_id)
            if exchange.status and not exchange.complete:  # closes the connection, so that the client notices the error
                raise
            if not exchange.status:
                await unexpected(error).response()(scope, receive, exchange.send)
        finally:
            scope["fastapi"] = exchange.inner.get("fastapi")  # the route, for the middleware around this one
            if self.is_observed:
                self.report(exchange.inner, exchange.status, exchange.started, exchange.request_id, exchange.size)

    @property
    def is_observed(self) -> bool:
        """Whether requests are logged or observed."""
        return self.access_log or self.observe is not None

    def report(self, scope: Scope, status: int, started: float, request_id: str, size: int) -> None:
        """Log and observe a request that has ended. `size` is the number of bytes of the body that was sent."""
        seconds = time.perf_counter() - started
        if self.observe is not None:
            self.observe(scope["method"], scope, status, seconds)
        if not self.access_log:
            return
        is_cheap = status in REFUSALS or scope["path"] in PROBES
        if not is_cheap or self._refusals.admits(network_of(_address(scope))):
            fields = _log_fields(scope, status, seconds, request_id, size)
            log.info("request", **fields, **_client_fields(scope, self.log_clients))


def _log_unexpected(error: Exception, request_id: str) -> None:
    """Log an error: with its stack trace, unless the server has no space left."""
    errors = structlog.get_logger("hoptac.error")
    if isinstance(unexpected(error), Unavailable):
        errors.error("no space left", reason=str(error), request_id=request_id)
    else:
        errors.exception("unhandled", request_id=request_id)


def _log_fields(scope: Scope, status: int, seconds: float, request_id: str, size: int) -> dict[str, object]:
    """Return the line of a request in the access log. Values that the client chooses are cut to a maximum length."""
    fields: dict[str, object] = {
        "method": scope["method"],
        "path": _cut(scope["path"], MAX_PATH),
        "status": status,
        "ms": round(seconds * 1000, 2),
        "bytes": size,
        "request_id": request_id,
    }
    caller = scope.get("caller")
    if caller is not None:
        fields["key"] = caller.key
        if caller.partner:
            fields["partner"] = caller.partner
    if "refused" in scope:
        fields["refused"] = scope["refused"]
    query = scope["query_string"]
    if query:
        fields["query"] = _cut(unquote(query[:MAX_QUERY].decode("latin-1")), MAX_QUERY)
    return fields


def _client_fields(scope: Scope, log_clients: str) -> dict[str, str]:
    """Return what the access log contains about the client."""
    if log_clients == "none":
        return {}
    if log_clients == "network":
        return {"client": wider_network_of(_address(scope))}
    fields = {"client": _address(scope)}
    agent = scope.get("header_values", {}).get(b"user-agent")
    if agent:
        fields["agent"] = _cut(agent[:MAX_AGENT].decode("latin-1"), MAX_AGENT)
    return fields


def _address(scope: Scope) -> str:
    address: str = (scope.get("client") or ("",))[0]
    return address


def _cut(text: str, length: int) -> str:
    """Return the start of a text. Characters that the log escapes take six bytes, so fewer of them remain."""
    text = text[:length]
    return text if text.isascii() and text.isprintable() else text[: length // 3]


class RequestResponse:
    """One request and its response."""

    def __init__(self, scope: Scope, send: Send, position: LogPosition, caching: PurgedCaching | None = None) -> None:
        self.scope = scope
        self._caching = caching
        self._position = position
        self._send = send
        self.started = time.perf_counter()
        self.status = 0
        self.complete = False
        self.is_head = scope["method"] == "HEAD"
        self.size = 0
        values = scope.get("header_values")
        if values is None:  # there is no RequestHeaders around this middleware
            values = scope["header_values"] = dict(scope["headers"])
        self.if_none_match = values.get(b"if-none-match", b"").decode("latin-1")
        self.is_preflight = scope["method"] == "OPTIONS" and b"access-control-request-method" in values
        self.request_id = request_id_of(values.get(b"x-request-id", b""))
        self.inner = scope

    def enter(self) -> Scope:
        """Return the scope for the application: GET for HEAD, and tags without their coding.

        It is a copy, because the server reads the method in its own scope to know that HEAD has no body.
        """
        headers: list[tuple[bytes, bytes]] = self.scope["headers"]
        plain = without_codings(self.if_none_match)
        if plain != self.if_none_match:
            uncoded = plain.encode("latin-1")
            headers = [(name, uncoded if name == b"if-none-match" else value) for name, value in headers]
        self.inner = {**self.scope, "headers": headers, "is_head": self.is_head}
        self.inner["method"] = "GET" if self.is_head else self.scope["method"]
        return self.inner

    async def preflight(self) -> None:
        """Answer the CORS preflight request of a browser."""
        await self.send({"type": "http.response.start", "status": 204, "headers": PREFLIGHT})
        await self.send({"type": "http.response.body", "body": b""})

    async def send(self, message: Message) -> None:
        """Complete the headers of the response, and omit the body for HEAD."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*self._completed(message["headers"]), *COMMON_HEADERS, self.id_header()]
            if self._caching is not None:
                headers = self._with_keys(headers, self._caching)
            meter = self.scope.get("meter")
            if meter is not None:
                headers += meter.response_headers(self.status, headers)
            message = {**message, "headers": headers}
        else:
            self.complete = not message.get("more_body", False)
            if self.is_head:
                message = {**message, "body": b""}
            self.size += len(message.get("body", b""))
        await self._send(message)

    def id_header(self) -> tuple[bytes, bytes]:
        """Return the header with the id of the request."""
        return b"x-request-id", self.request_id.encode()

    def _completed(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Add the content security policy, Vary, and the coding to the ETag."""
        values = dict(headers)
        completed = list(headers)
        policy = values.get(b"content-security-policy")
        completed += PAGE_HEADERS if policy else [DATA_POLICY]
        if policy and b"frame-ancestors *" in policy:  # a page that other sites may show in a frame
            completed.remove(PAGE_HEADERS[0])
        tag = values.get(b"etag")
        if self.scope["path"].startswith("/v1") and SEQUENCE not in values:
            completed += self._sequence(tag or b"")
        if tag is None:
            return completed
        if b"accept-encoding" not in values.get(b"vary", b"").lower():
            completed.append((b"vary", b"Accept-Encoding"))
        coding = values.get(b"content-encoding")
        sent_tag = tag
        if coding:
            sent_tag = b'%s-%s"' % (tag[:-1], coding)
        elif self.status == 304:
            sent_tag = (matching(self.if_none_match, tag.decode()) or tag.decode()).encode()
        if sent_tag is tag:
            return completed
        return [(name, sent_tag if name == b"etag" else value) for name, value in completed]

    def _with_keys(self, headers: list[tuple[bytes, bytes]], caching: PurgedCaching) -> list[tuple[bytes, bytes]]:
        """Add what a cache in front of the server has to know: of a response that it may keep, and of a write."""
        values = dict(headers)
        others = [header for header in headers if header[0] != KEYS]
        path = self.scope["path"]
        if self.scope["method"] in WRITES:
            return [*others, *caching.invalidation(path, self.status, values.get(b"location", b"").decode())]
        if self.scope["method"] not in ("GET", "HEAD") or b"authorization" in self.scope["header_values"]:
            return others
        return [*others, *caching.headers(path, self.status, values, time.perf_counter() - self.started)]

    def _sequence(self, tag: bytes) -> list[tuple[bytes, bytes]]:
        """Return the header that names the state of a response: that of its ETag, or else one that is not earlier.

        A write contains what its transaction has written in addition, so its state is not that of its record.
        """
        state = STATE_OF_TAG.match(tag)
        if state is not None:
            self._position.note(int(state[1]))
            if self.scope["method"] in READS and self.status < 400:
                return [(SEQUENCE, state[1])]
        return [(SEQUENCE, b"%d" % self._position.reached)] if self._position.reached else []


def request_id_of(requested: bytes) -> str:
    """Return the id that the client sent if it is safe to log, or a new one, which need not be secret."""
    return requested.decode() if requested and REQUEST_ID.match(requested) else f"{getrandbits(128):032x}"
