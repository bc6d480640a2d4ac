"""Rate limits: how many units a key or an address may use in a minute. This is the outermost middleware.

A request costs one unit, and one more for each started 2 ms that the server works for it beyond the first 2 ms. The
work is known afterwards, so a client can get into debt. Then it gets 429 until later minutes have paid off the debt.

A request with a valid key counts for its key, any other for its address. `usage_table` has the counts.
Headers: draft-ietf-httpapi-ratelimit-headers, `RateLimit-Policy: "key";q=100;w=60` and `RateLimit: "key";r=50;t=30`.
"""

import contextlib
import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.access.clients import network_of
from app.core.asgi.http_middleware import HttpMiddleware
from app.core.asgi.usage_table import ROUNDING, WINDOW, UsageTable
from app.core.errors import TooMany
from app.core.request_cost import COST, RequestCost

UNIT_SECONDS = 0.002  # seconds of work
MAX_TOKENS = 50_000  # valid tokens that are remembered
UNKNOWN_TOKENS = 60  # requests in a minute whose token is looked up although their address has no units left
UNLIMITED_PATHS = ("/livez", "/readyz", "/metrics")
UNLIMITED_METHODS = ("GET", "HEAD")

Headers = list[tuple[bytes, bytes]]


class RateLimit:
    """A number of units for each client in a minute, which starts with its first request."""

    def __init__(self, name: str, quota: int, table: UsageTable, clock: Callable[[], float] = time.monotonic) -> None:
        self._quota = quota
        self._table = table
        self._clock = clock
        self._unit = 1 / quota
        self._policy = (b"ratelimit-policy", b'"%s";q=%d;w=%d' % (name.encode(), quota, WINDOW))
        self._format = b'"%s";r=%%d;t=%%d' % name.encode()
        # The number by which the table knows a client. It is cached because most requests come from a few clients.
        self.tag_of = lru_cache(maxsize=4096)(lambda client: table.tag_of(f"{name}:{client}"))

    def take(self, tag: int) -> Headers:
        """Count one unit and return the headers of the response; raises TooMany if none is left."""
        now = self._clock()
        is_left, used, end = self._table.take(tag, self._unit, now)
        headers = self._headers(used, end, now)
        if not is_left:
            texts = {name.decode(): value.decode() for name, value in headers}
            raise TooMany(headers={**texts, "Retry-After": str(self._seconds_left(used, end, now))})
        return headers

    def charge(self, tag: int, units: int) -> Headers:
        """Count units that a request has cost in addition, or take units back. Return the headers of the response."""
        now = self._clock()
        used, end = self._table.add(tag, units * self._unit, now)
        return self._headers(used, end, now)

    def _headers(self, used: float, end: float, now: float) -> Headers:
        left = int((1 - used + ROUNDING) * self._quota) if used < 1 else 0
        return [self._policy, (b"ratelimit", self._format % (left, self._seconds_left(used, end, now)))]

    def _seconds_left(self, used: float, end: float, now: float) -> int:
        """Return the seconds until the client can have units again: to the end of its window, longer with a debt."""
        if used >= 2:
            end += (int(used + ROUNDING) - 1) * WINDOW
        return math.ceil(end - now) or 1


class RequestMeter:
    """Counts one request for its address or its key, as the authentication middleware finds the key valid or not."""

    __slots__ = (
        "_address",
        "_charged",
        "_digest",
        "_has_valid_token",
        "_is_counted",
        "_limit",
        "_limits",
        "_refusal",
        "_tag",
        "headers",
    )

    def __init__(self, limits: "RateLimitMiddleware", address: str, authorization: bytes) -> None:
        self._limits = limits
        self._address = address
        self._digest = hashlib.sha256(authorization).digest() if authorization else b""
        self._has_valid_token = bool(authorization) and self._digest in limits.valid_tokens
        self._refusal: TooMany | None = None  # what an invalid key will get
        self._limit: RateLimit | None = None  # for which the request counts
        self._is_counted = False
        self._tag = 0
        self._charged = 0
        self.headers: Headers = []

    def start(self, *, has_token: bool) -> None:
        """Count for the address, unless the key was valid before; raises TooMany if none is left.

        If none is left, a limited number of tokens are looked up nevertheless: others at the same address must not
        keep out a valid key that this process has not seen yet.
        """
        if self._has_valid_token:
            return
        try:
            self._count(self._limits.of_address, self._address)
        except TooMany as refusal:
            if not has_token:
                raise
            unknown = self._limits.of_unknown_tokens
            unknown.take(unknown.tag_of(self._address))
            self._refusal = refusal

    def count_for_key(self, key_id: str) -> None:
        """Count for the valid key instead of the address; raises TooMany if none is left."""
        if not self._has_valid_token:
            if self._limit is not None:
                self._limit.charge(self._tag, -1)
            self._limits.remember_token(self._digest)
        self._count(self._limits.of_key, key_id)

    def count_invalid_key(self) -> None:
        """Count for the address, because the key is not or no longer valid; raises TooMany if none is left."""
        if self._refusal is not None:
            raise self._refusal
        if self._has_valid_token:
            self._limits.valid_tokens.pop(self._digest, None)
            self._has_valid_token = False
            self._count(self._limits.of_address, self._address)

    def charge(self, seconds: float) -> None:
        """Count the work for the request so far."""
        if seconds <= UNIT_SECONDS:
            return
        units = math.ceil((seconds - ROUNDING) / UNIT_SECONDS) - 1
        if self._limit is not None and units > self._charged:
            self.headers = self._limit.charge(self._tag, units - self._charged)
            self._charged = units

    def end(self, seconds: float) -> None:
        """Count all of the work. A request that was refused before its key was looked up counts for its address."""
        if not self._is_counted:
            with contextlib.suppress(TooMany):
                self._count(self._limits.of_address, self._address)
        self.charge(seconds)

    def _count(self, limit: RateLimit | None, client: str) -> None:
        self._is_counted = True
        self._limit = None
        self.headers = []
        if limit is not None:
            self._tag = limit.tag_of(client)
            self.headers = limit.take(self._tag)
            self._limit = limit


class RateLimitMiddleware:
    """An ASGI middleware. `of_key` and `of_address` are units in a minute; 0 means no limit."""

    def __init__(self, app: ASGIApp, http: HttpMiddleware, table: UsageTable, *, of_key: int, of_address: int) -> None:
        self.app = app
        self.of_key = RateLimit("key", of_key, table) if of_key else None
        self.of_address = RateLimit("address", of_address, table) if of_address else None
        self.of_unknown_tokens = RateLimit("tokens", UNKNOWN_TOKENS, table)
        self.valid_tokens: OrderedDict[bytes, None] = OrderedDict()  # digests of Authorization headers with valid keys
        self._rejecting = HttpMiddleware(_refuse, access_log=http.access_log, observe=http.observe)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["path"] in UNLIMITED_PATHS and scope["method"] in UNLIMITED_METHODS):
            await self.app(scope, receive, send)
            return
        authorization = _authorization(scope)
        meter = RequestMeter(self, network_of((scope.get("client") or ("",))[0]), authorization)
        cost = RequestCost()
        COST.set(cost)

        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                meter.charge(cost.total)
                headers = message["headers"]
                if message["status"] != TooMany.status or not any(name == b"ratelimit" for name, _ in headers):
                    message = {**message, "headers": [*headers, *meter.headers]}
            await send(message)

        try:
            meter.start(has_token=bool(authorization))
        except TooMany as problem:
            await self._rejecting({**scope, "problem": problem}, receive, send)
            return
        try:
            scope["meter"] = meter
            await self.app(scope, receive, send_with_limits)
        finally:
            meter.end(cost.total)

    def remember_token(self, digest: bytes) -> None:
        """Remember a valid key, so that invalid requests from the same address do not block it."""
        self.valid_tokens[digest] = None
        if len(self.valid_tokens) > MAX_TOKENS:
            self.valid_tokens.popitem(last=False)


def _authorization(scope: Scope) -> bytes:
    """Return the header by which a request can count for a key. Only below /v1, keys are looked up."""
    if not scope["path"].startswith("/v1") or scope["method"] == "OPTIONS":
        return b""
    return next((value for name, value in scope["headers"] if name == b"authorization"), b"")


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await scope["problem"].response()(scope, receive, send)
