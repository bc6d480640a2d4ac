"""How many requests somebody may send in a minute: a pure ASGI layer in front of everything, there only when asked for.

A request with a valid key counts for its key; any other, and one whose key does not count, for its address. Counts are
those of one process, and bounded: of more callers than are kept, those unseen for longest are forgotten.
Headers: draft-ietf-httpapi-ratelimit-headers, `RateLimit-Policy: "key";q=100;w=60` and `RateLimit: "key";r=50;t=30`.
"""

import hashlib
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.asgi.middleware import HttpMiddleware
from app.core.errors import TooMany

WINDOW = 60  # seconds

MOST_CALLERS = 50_000  # counted at a time, by key and by address each

UNLIMITED_PATHS = ("/livez", "/readyz", "/metrics")

Headers = list[tuple[bytes, bytes]]


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Who an address belongs to: an IPv4 address is somebody, of an IPv6 address its /64."""
    try:
        found = ipaddress.ip_address(address[:64].partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((found, 64), strict=False))
        found = found.ipv4_mapped
    return str(found)


class Quota:
    """So many requests for each caller, in a minute that begins with the first of them."""

    def __init__(self, name: str, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock, self._name = limit, clock, name.encode()
        self._policy = b'"%s";q=%d;w=%d' % (self._name, limit, WINDOW)
        self._windows: OrderedDict[str, list[float]] = OrderedDict()  # caller: [when it began, requests]

    def take(self, caller: str) -> Headers:
        """Count a request; what the answer says of it. TooMany when none is left."""
        now = self._clock()
        window = self._windows.get(caller)
        if window is None or now >= window[0] + WINDOW:
            window = self._windows[caller] = [now, 0]
        self._windows.move_to_end(caller)
        if len(self._windows) > MOST_CALLERS:
            self._windows.popitem(last=False)
        seconds = max(1, math.ceil(window[0] + WINDOW - now))
        left = self._limit - int(window[1]) - 1
        said = [
            (b"ratelimit-policy", self._policy),
            (b"ratelimit", b'"%s";r=%d;t=%d' % (self._name, max(left, 0), seconds)),
        ]
        if left < 0:
            wait = {name.decode(): value.decode() for name, value in said}
            raise TooMany(headers={**wait, "Retry-After": str(seconds)})
        window[1] += 1
        return said

    def refund(self, caller: str) -> None:
        """Count a request less."""
        if window := self._windows.get(caller):
            window[1] = max(0, window[1] - 1)


class RequestMeter:
    """What one request counts for; the gate says when its key is a valid one."""

    def __init__(self, limits: "RateLimitMiddleware", address: str, key_text: bytes) -> None:
        self._limits, self._address = limits, address
        self._text = hashlib.sha256(key_text).digest() if key_text else b""
        self._has_valid_token = bool(key_text) and self._text in limits.valid_tokens
        self.headers: Headers = []

    def count_for_address(self) -> None:
        """Count for the address, unless the key was valid before; TooMany when none is left."""
        if not self._has_valid_token and self._limits.of_address:
            self.headers = self._limits.of_address.take(self._address)

    def count_for_key(self, key_id: str) -> None:
        """The key is valid: count for it instead; TooMany when none is left."""
        if not self._has_valid_token:
            if self._limits.of_address:
                self._limits.of_address.refund(self._address)
            self._limits.remember_token(self._text)
        self.headers = self._limits.of_key.take(key_id) if self._limits.of_key else []

    def count_invalid_key(self) -> None:
        """The key is not, or no more, valid; TooMany when the address has none left."""
        if self._has_valid_token:
            self._limits.valid_tokens.pop(self._text, None)
            self._has_valid_token = False
            self.count_for_address()


class RateLimitMiddleware:
    """Wraps the application; `of_key` and `of_address` are requests a minute, 0 is any number."""

    def __init__(self, app: ASGIApp, edge: HttpMiddleware, *, of_key: int, of_address: int) -> None:
        self.app = app
        self.of_key = Quota("key", of_key) if of_key else None
        self.of_address = Quota("address", of_address) if of_address else None
        self.valid_tokens: OrderedDict[bytes, None] = OrderedDict()  # hashes of headers with keys that were valid
        self._rejecting = HttpMiddleware(_refuse, access_log=edge.access_log, observe=edge.observe)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNLIMITED_PATHS:
            await self.app(scope, receive, send)
            return
        key_text = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        meter = RequestMeter(self, network_of((scope.get("client") or ("",))[0]), key_text)

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                held = {name for name, _ in message["headers"]}
                said = [each for each in meter.headers if each[0] not in held]
                message = {**message, "headers": [*message["headers"], *said]}
            await send(message)

        try:
            meter.count_for_address()
        except TooMany as problem:
            await self._rejecting({**scope, "problem": problem}, receive, send)
            return
        await self.app({**scope, "meter": meter}, receive, tell)

    def remember_token(self, text: bytes) -> None:
        """Remember a key that is valid: it is let through to the gate however many guess from its address."""
        self.valid_tokens[text] = None
        if len(self.valid_tokens) > MOST_CALLERS:
            self.valid_tokens.popitem(last=False)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await scope["problem"].response()(scope, receive, send)
