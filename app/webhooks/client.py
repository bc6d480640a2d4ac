"""The HTTP client: the last step of an event. It posts one message with its signatures to a checked address.

The whole attempt has a deadline, and only the start of the response is read. The parser of the server reads it: a
parser in Python takes a hundred times as long for interim responses (1xx) and for chunks of one byte, with which
receivers could occupy the event loop. `sender` imports this module when there is something to send.
"""

import asyncio
import time
from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any

import httptools
import httpx

from app import __version__
from app.webhooks.egress import EgressPolicy, EgressRefused, Endpoint
from app.webhooks.queue import CallOutcome
from app.webhooks.signing import signature

DEADLINE = 10.0  # seconds for the lookup of the name, the connection, TLS, the request and the response
MAX_READ = 16_384  # bytes of a response, with its head and all that comes before it
PIECE = 1_024  # bytes that are parsed before the event loop looks at other connections
CLOSING = 1.0  # seconds for the end of TLS


class WebhookClient:
    """Posts messages to receivers. Each attempt has a connection of its own, so attempts share no state."""

    def __init__(self, policy: EgressPolicy) -> None:
        self.policy = policy
        self._tls = httpx.create_ssl_context()  # with the certificates that its package has
        self._tls.set_alpn_protocols(["http/1.1"])

    async def post(
        self, url: str, message_id: str, body: bytes, secrets: Iterable[str], lookups: Executor
    ) -> CallOutcome:
        """Post a message with one signature for each secret. No behaviour of a receiver or network raises an error.

        A lookup that takes longer than the attempt goes on in its thread of `lookups`.
        """
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
                await self._request(url, headers, body, response, lookups)
        except Exception as error:  # a receiver can cause any error; only a cancellation is raised again
            if response.status is None:
                return CallOutcome(error=_error_text(error), took_ms=_since(started))
        return CallOutcome(response.status, _status_text(response.status), response.wait, _since(started))

    async def _request(
        self, url: str, headers: dict[str, str], body: bytes, response: "ReceiverResponse", lookups: Executor
    ) -> None:
        endpoint = self.policy.endpoint(url)
        headers = {"Host": endpoint.host_header, **headers, "Content-Length": str(len(body)), "Connection": "close"}
        lines = [f"POST {endpoint.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        reader, writer = await self._connect(endpoint, lookups)
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            with suppress(ConnectionError):  # the receiver may have responded before it closed the connection
                await writer.drain()
            await response.read(reader)
            writer.close()
        except BaseException:
            writer.transport.abort()
            raise

    async def _connect(
        self, endpoint: Endpoint, lookups: Executor
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the first address that accepts a connection. TLS uses the name of the host."""
        tls: dict[str, Any] = {}
        if endpoint.scheme == "https":
            tls = {"ssl": self._tls, "server_hostname": endpoint.host, "ssl_shutdown_timeout": CLOSING}
        failure: OSError | None = None
        for address in await self.policy.addresses(endpoint.host, endpoint.port, lookups):
            try:
                return await asyncio.open_connection(str(address), endpoint.port, limit=MAX_READ, **tls)
            except OSError as error:
                failure = error
        raise NotConnected from failure


class NotConnected(Exception):
    """No address of the host accepted a connection, or the certificate is not valid."""


class ReceiverResponse:
    """The parts of a response that matter. They are set when its head has arrived."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.wait = 0
        self._is_complete = False
        self._wait = 0
        self._parser = httptools.HttpResponseParser(self)

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Read to the end of the response, but at most MAX_READ bytes. Nothing of the body is kept."""
        left = MAX_READ
        while left > 0 and not self._is_complete and (piece := await reader.read(min(PIECE, left))):
            self._parser.feed_data(piece)
            left -= len(piece)
            await asyncio.sleep(0)
        if self.status is None:
            raise EOFError("There is no response.")

    def on_message_begin(self) -> None:
        """Forget the headers of an interim response. The parser calls this, and the following functions."""
        self._wait = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note Retry-After if it is a number of seconds."""
        if name.lower() == b"retry-after" and value.isdigit() and len(value) < 10:
            self._wait = int(value)

    def on_headers_complete(self) -> None:
        """Note the status, unless it is that of an interim response."""
        status = self._parser.get_status_code()
        if status >= 200 and self.status is None:
            self.status = status
            self.wait = self._wait

    def on_message_complete(self) -> None:
        """Note the end of the response."""
        self._is_complete = self.status is not None


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _error_text(error: Exception) -> str:
    if isinstance(error, EgressRefused):
        return f"The URL {error}."
    if isinstance(error, TimeoutError):
        return f"No response within {DEADLINE:g} seconds."
    if isinstance(error, NotConnected):
        return "The connection or the TLS handshake failed. The certificate must be valid."
    return "The connection was closed early, or the response is not HTTP."


def _status_text(status: int | None) -> str | None:
    if status is None or 200 <= status < 300:
        return None
    return "Redirects are not followed." if 300 <= status < 400 else "The status is not 2xx."
