"""Rate limits: how many units a key or an address may use in a minute. Only `turns` runs before them.

A request costs one unit, and one more for each started 2 ms that the server works for it beyond the first 2 ms. The
work is known only afterwards, so a client can exceed its limit. It then gets 429 until later minutes make up for that.

A request with a valid key counts for its key, any other for its address. `usage_table` has the counts.
Headers: draft-ietf-httpapi-ratelimit-headers, `RateLimit-Policy: "key";q=100;w=60` and `RateLimit: "key";r=50;t=30`.
"""

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.access.clients import network_of
from app.core.asgi.http_middleware import HttpMiddleware
from app.core.asgi.refusal_log import PROBES
from app.core.asgi.usage_table import ROUNDING, WINDOW, UsageTable
from app.core.errors import TooMany
from app.core.request_cost import COST, RequestCost

UNIT_SECONDS = 0.002  # seconds of work
MAX_TOKENS = 50_000  # valid tokens that are remembered
UNKNOWN_TOKENS = 60  # requests in a minute whose token is looked up although their address has no units left
PROBES_OF_ADDRESS = 1_200  # requests for probes in a minute, which have a limit of their own

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
    """Counts one request for its key if the authentication middleware finds it valid, otherwise for its address."""

    __slots__ = (
        "_address",
        "_charged",
        "_cost",
        "_digest",
        "_key_id",
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
        self._key_id = limits.valid_tokens.get(self._digest) if authorization else None  # if the token was valid before
        self._refusal: TooMany | None = None  # the response if the key turns out to be invalid
        self._limit: RateLimit | None = None  # for which the request counts
        self._tag = 0
        self._charged = 0
        self._cost = RequestCost()
        self.headers: Headers = []  # of the response, for what was counted so far
        COST.set(self._cost)

    def start(self, *, has_token: bool) -> None:
        """Count for the key if its token was valid before, else for the address; raises TooMany if none is left.

        If none is left, a limited number of tokens are still looked up. Otherwise other clients at the same address
        could block a valid key that this process does not know yet.
        """
        if self._key_id is not None:
            self._count(self._limits.of_key, self._key_id)
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
        if self._key_id is None:
            self._take_back()
            self._limits.remember_token(self._digest, key_id)
            self._count(self._limits.of_key, key_id)

    def count_invalid_key(self) -> None:
        """Count for the address, because the key is not or no longer valid; raises TooMany if none is left."""
        if self._refusal is not None:
            raise self._refusal
        if self._key_id is not None:
            self._limits.valid_tokens.pop(self._digest, None)
            self._key_id = None
            self._take_back()
            self._count(self._limits.of_address, self._address)

    def response_headers(self, status: int, headers: Headers) -> Headers:
        """Count the work so far and return the headers that a response lacks. A refusal has its own already."""
        self.charge()
        if status == TooMany.status and any(name == b"ratelimit" for name, _ in headers):
            return []
        return self.headers

    def charge(self) -> None:
        """Count the work for the request so far."""
        seconds = self._cost.seconds
        if seconds <= UNIT_SECONDS:
            return
        units = math.ceil((seconds - ROUNDING) / UNIT_SECONDS) - 1
        if self._limit is not None and units > self._charged:
            self.headers = self._limit.charge(self._tag, units - self._charged)
            self._charged = units

    def count_again(self) -> None:
        """Count one more unit, for work that a waiting request causes later; raises TooMany if none is left."""
        if self._limit is not None:
            self.headers = self._limit.take(self._tag)
            self._charged += 1

    def _take_back(self) -> None:
        if self._limit is not None:
            self._limit.charge(self._tag, -1)

    def _count(self, limit: RateLimit | None, client: str) -> None:
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
        self.of_probes = RateLimit("probes", PROBES_OF_ADDRESS, table)
        self.valid_tokens: OrderedDict[bytes, str] = OrderedDict()  # keys, by the digest of a valid Authorization
        self._http = http

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"] in PROBES and scope["method"] in ("GET", "HEAD"):
            await self._probe(scope, receive, send)
            return
        authorization = b""
        if scope["path"].startswith("/v1") and scope["method"] != "OPTIONS":  # other paths use no key
            authorization = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        meter = RequestMeter(self, network_of((scope.get("client") or ("",))[0]), authorization)
        try:
            meter.start(has_token=bool(authorization))
        except TooMany as problem:
            await self._http.refuse(problem, scope, receive, send)
            return
        scope["meter"] = meter  # the code that sends the response adds its headers
        try:
            await self.app(scope, receive, send)
        finally:
            meter.charge()

    async def _probe(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for the state of the process. Its response has no headers of a limit."""
        try:
            self.of_probes.take(self.of_probes.tag_of(network_of((scope.get("client") or ("",))[0])))
        except TooMany as problem:
            await self._http.refuse(problem, scope, receive, send)
            return
        await self.app(scope, receive, send)

    def remember_token(self, digest: bytes, key_id: str) -> None:
        """Remember a valid key, so that invalid requests from the same address do not block it."""
        self.valid_tokens[digest] = key_id
        if len(self.valid_tokens) > MAX_TOKENS:
            self.valid_tokens.popitem(last=False)
