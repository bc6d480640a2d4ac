"""Rate limits: how many requests a key or an address may send in a minute. This is the outermost middleware.

A request with a valid key counts for its key, any other for its address. Each process has its own counts. Their number
is bounded: the callers that were not seen for longest are forgotten.
Headers: draft-ietf-httpapi-ratelimit-headers, `RateLimit-Policy: "key";q=100;w=60` and `RateLimit: "key";r=50;t=30`.
"""

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.access.clients import network_of
from app.core.asgi.http_middleware import HttpMiddleware
from app.core.errors import TooMany

WINDOW = 60  # seconds
MAX_CALLERS = 50_000  # whose requests are counted, for keys and for addresses
UNLIMITED_PATHS = ("/livez", "/readyz", "/metrics")

Headers = list[tuple[bytes, bytes]]


class RateLimit:
    """A number of requests for each caller in a minute, which starts with the first of them."""

    def __init__(self, name: str, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._name = name.encode()
        self._policy = b'"%s";q=%d;w=%d' % (self._name, limit, WINDOW)
        self._windows: OrderedDict[str, list[float]] = OrderedDict()  # caller: [start, requests]

    def take(self, caller: str) -> Headers:
        """Count a request and return the headers of its response; raises TooMany if none is left."""
        now = self._clock()
        window = self._windows.get(caller)
        if window is None or now >= window[0] + WINDOW:
            window = self._windows[caller] = [now, 0]
        self._windows.move_to_end(caller)
        if len(self._windows) > MAX_CALLERS:
            self._windows.popitem(last=False)
        seconds = max(1, math.ceil(window[0] + WINDOW - now))
        left = self._limit - int(window[1]) - 1
        headers = [
            (b"ratelimit-policy", self._policy),
            (b"ratelimit", b'"%s";r=%d;t=%d' % (self._name, max(left, 0), seconds)),
        ]
        if left < 0:
            texts = {name.decode(): value.decode() for name, value in headers}
            raise TooMany(headers={**texts, "Retry-After": str(seconds)})
        window[1] += 1
        return headers

    def refund(self, caller: str) -> None:
        """Take back the count of one request."""
        if window := self._windows.get(caller):
            window[1] = max(0, window[1] - 1)


class RequestMeter:
    """Counts one request for its address or its key, as the authentication middleware finds the key valid or not."""

    def __init__(self, limits: "RateLimitMiddleware", address: str, authorization: bytes) -> None:
        self._limits = limits
        self._address = address
        self._digest = hashlib.sha256(authorization).digest() if authorization else b""
        self._has_valid_token = bool(authorization) and self._digest in limits.valid_tokens
        self.headers: Headers = []

    def count_for_address(self) -> None:
        """Count for the address, unless the key was valid before; raises TooMany if none is left."""
        if not self._has_valid_token and self._limits.of_address:
            self.headers = self._limits.of_address.take(self._address)

    def count_for_key(self, key_id: str) -> None:
        """Count for the valid key instead of the address; raises TooMany if none is left."""
        if not self._has_valid_token:
            if self._limits.of_address:
                self._limits.of_address.refund(self._address)
            self._limits.remember_token(self._digest)
        self.headers = self._limits.of_key.take(key_id) if self._limits.of_key else []

    def count_invalid_key(self) -> None:
        """Count for the address, because the key is not or no longer valid; raises TooMany if none is left."""
        if self._has_valid_token:
            self._limits.valid_tokens.pop(self._digest, None)
            self._has_valid_token = False
            self.count_for_address()


class RateLimitMiddleware:
    """An ASGI middleware. `of_key` and `of_address` are requests in a minute; 0 means no limit."""

    def __init__(self, app: ASGIApp, http: HttpMiddleware, *, of_key: int, of_address: int) -> None:
        self.app = app
        self.of_key = RateLimit("key", of_key) if of_key else None
        self.of_address = RateLimit("address", of_address) if of_address else None
        self.valid_tokens: OrderedDict[bytes, None] = OrderedDict()  # digests of Authorization headers with valid keys
        self._rejecting = HttpMiddleware(_refuse, access_log=http.access_log, observe=http.observe)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNLIMITED_PATHS:
            await self.app(scope, receive, send)
            return
        authorization = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        meter = RequestMeter(self, network_of((scope.get("client") or ("",))[0]), authorization)

        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in message["headers"]}
                headers = [header for header in meter.headers if header[0] not in names]
                message = {**message, "headers": [*message["headers"], *headers]}
            await send(message)

        try:
            meter.count_for_address()
        except TooMany as problem:
            await self._rejecting({**scope, "problem": problem}, receive, send)
            return
        await self.app({**scope, "meter": meter}, receive, send_with_limits)

    def remember_token(self, digest: bytes) -> None:
        """Remember a valid key, so that invalid requests from the same address do not block it."""
        self.valid_tokens[digest] = None
        if len(self.valid_tokens) > MAX_CALLERS:
            self.valid_tokens.popitem(last=False)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await scope["problem"].response()(scope, receive, send)
