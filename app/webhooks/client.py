"""The HTTP client: the last step of an event. It posts one message with its signatures to a checked address.

The whole attempt has a deadline, and only the start of the response is read. Its libraries take a while to import, so
`sender` imports this module when there is something to send.
"""

import asyncio
import ssl
import time
from collections.abc import Iterable
from concurrent.futures import Executor
from typing import Any

import httpcore
import httpx

from app import __version__
from app.webhooks.egress import EgressPolicy, EgressRefused
from app.webhooks.queue import CallOutcome
from app.webhooks.signing import signature

DEADLINE = 10.0  # seconds for the lookup of the name, the connection, TLS, the request and the response
MAX_READ = 16_384  # bytes of a response, with its head and all that comes before it
PIECE = 1_024  # bytes that are parsed before the event loop looks at other connections


class WebhookClient:
    """Posts messages to receivers. Each attempt has a connection of its own, so attempts share no state."""

    def __init__(self, policy: EgressPolicy, lookups: Executor) -> None:
        self.policy = policy
        self._network = _Network(policy, lookups)
        self._tls = httpx.create_ssl_context()

    async def post(self, url: str, message_id: str, body: bytes, secrets: Iterable[str]) -> CallOutcome:
        """Post a message with one signature for each secret. No behaviour of a receiver or network raises an error."""
        started = time.monotonic()
        timestamp = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Hoptac/{__version__}",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signature(secret, message_id, timestamp, body) for secret in secrets),
        }
        response = ReceiverResponse()
        try:
            async with asyncio.timeout(DEADLINE):
                await self._request(url, headers, body, response)
        except Exception as error:  # a receiver can cause any error; only a cancellation is raised again
            if response.status is None:
                return CallOutcome(error=_error_text(error), took_ms=_since(started))
        return CallOutcome(response.status, _status_text(response.status), response.wait, _since(started))

    async def _request(self, url: str, headers: dict[str, str], body: bytes, response: "ReceiverResponse") -> None:
        endpoint = self.policy.endpoint(url)
        headers = {"Host": endpoint.host_header, **headers, "Content-Length": str(len(body))}
        origin = httpcore.Origin(endpoint.scheme.encode(), endpoint.host.encode(), endpoint.port)
        target = httpcore.URL(
            scheme=origin.scheme, host=origin.host, port=endpoint.port, target=endpoint.target.encode()
        )
        async with (
            httpcore.AsyncHTTPConnection(origin, ssl_context=self._tls, network_backend=self._network) as connection,
            connection.stream("POST", target, headers=list(headers.items()), content=body) as stream,
        ):
            response.read_head(stream)
            async for _ in stream.aiter_stream():  # until MAX_READ; nothing of it is kept
                pass


class ReceiverResponse:
    """The parts of a response that matter. They are set when its head has arrived."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.wait = 0

    def read_head(self, response: httpcore.Response) -> None:
        """Read the status, and Retry-After if it is a number of seconds."""
        self.status = response.status
        for name, value in response.headers:
            if name.lower() == b"retry-after" and value.isdigit() and len(value) < 10:
                self.wait = int(value)


class _Network(httpcore.AsyncNetworkBackend):
    """Connects only to addresses that the egress policy permits. TLS and the Host header use the name."""

    def __init__(self, policy: EgressPolicy, lookups: Executor) -> None:
        self._policy = policy
        self._lookups = lookups
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception | None = None
        for address in await self._policy.addresses(host, port, self._lookups):
            try:
                stream = await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
                return _BoundedStream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        assert failure is not None
        raise failure

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _BoundedStream(httpcore.AsyncNetworkStream):
    """A connection from which MAX_READ bytes are read, in small pieces.

    Otherwise a receiver could occupy the event loop: with interim responses (1xx) without end, or with chunks of one
    byte, each of which is parsed.
    """

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._left = MAX_READ

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._left <= 0:
            raise httpcore.ReadError("The response is too long.")
        piece = await self._inner.read(min(max_bytes, PIECE, self._left), timeout)
        self._left -= len(piece)
        return piece

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return _BoundedStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _error_text(error: Exception) -> str:
    if isinstance(error, EgressRefused):
        return f"The URL {error}."
    if isinstance(error, TimeoutError | httpcore.TimeoutException):
        return f"No response within {DEADLINE:g} seconds."
    if isinstance(error, httpcore.ConnectError):
        return "The connection or the TLS handshake failed. The certificate must be valid."
    return "The connection was closed early, or the response is not HTTP."


def _status_text(status: int | None) -> str | None:
    if status is None or 200 <= status < 300:
        return None
    return "Redirects are not followed." if 300 <= status < 400 else "The status is not 2xx."
