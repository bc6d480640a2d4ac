"""One call to a receiver: signed as Standard Webhooks has it, to a checked address, with a deadline and a bound.

Its HTTP client takes a while to import: `delivery` does so when there is something to send.
"""

import asyncio
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

DEADLINE = 10.0  # seconds for everything: looking the name up, connecting, TLS, sending, the answer

MAX_READ = 65_536  # bytes of an answer that are read; they are dropped


class WebhookClient:
    """Calls receivers, each time over a connection of its own: nothing of one call is left to the next."""

    def __init__(self, allowance: EgressPolicy, lookups: Executor) -> None:
        self.allowance = allowance
        self._network, self._tls = _Network(allowance, lookups), httpx.create_ssl_context()

    async def post(self, url: str, message_id: str, body: bytes, secrets: Iterable[str]) -> CallOutcome:
        """Post a message, signed with each of the secrets; never raises for what a receiver or network does."""
        started, timestamp = time.monotonic(), int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Hoptac/{__version__}",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signature(each, message_id, timestamp, body) for each in secrets),
        }
        answer = ReceiverResponse()
        try:
            async with asyncio.timeout(DEADLINE):
                await self._call(url, headers, body, answer)
        except Exception as error:  # a receiver can do what it likes; only cancelling goes through
            if answer.status is None:
                return CallOutcome(error=_error_text(error), took_ms=_since(started))
        said = None if answer.status and 200 <= answer.status < 300 else _status_text(answer.status)
        return CallOutcome(answer.status, said, answer.wait, _since(started))

    async def _call(self, url: str, headers: dict[str, str], body: bytes, answer: "ReceiverResponse") -> None:
        place = self.allowance.endpoint(url)
        host = f"[{place.host}]" if ":" in place.host else place.host
        usual = place.port == (443 if place.scheme == "https" else 80)
        headers = {"Host": host if usual else f"{host}:{place.port}", **headers, "Content-Length": str(len(body))}
        origin = httpcore.Origin(place.scheme.encode(), place.host.encode(), place.port)
        target = httpcore.URL(scheme=origin.scheme, host=origin.host, port=place.port, target=place.target.encode())
        async with (
            httpcore.AsyncHTTPConnection(origin, ssl_context=self._tls, network_backend=self._network) as connection,
            connection.stream("POST", target, headers=list(headers.items()), content=body) as response,
        ):
            answer.read_head(response)
            size = 0
            async for chunk in response.aiter_stream():
                size += len(chunk)
                if size > MAX_READ:
                    break


class ReceiverResponse:
    """What is kept of an answer, as soon as its head is there."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.wait = 0

    def read_head(self, response: httpcore.Response) -> None:
        """Note the status, and Retry-After if it is a number of seconds."""
        self.status = response.status
        for name, value in response.headers:
            if name.lower() == b"retry-after" and value.isdigit() and len(value) < 10:
                self.wait = int(value)


class _Network(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses alone; TLS and the Host header keep to the name."""

    def __init__(self, allowance: EgressPolicy, lookups: Executor) -> None:
        self._allowance, self._lookups, self._inner = allowance, lookups, httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failed: Exception | None = None
        for address in await self._allowance.addresses(host, port, self._lookups):
            try:
                return await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        assert failed is not None
        raise failed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _error_text(error: Exception) -> str:
    if isinstance(error, EgressRefused):
        return f"The URL {error}."
    if isinstance(error, TimeoutError | httpcore.TimeoutException):
        return f"No answer within {DEADLINE:g} seconds."
    if isinstance(error, httpcore.ConnectError):
        return "No connection, or no TLS with a valid certificate."
    return "The connection broke off, or the answer is no HTTP."


def _status_text(status: int | None) -> str:
    return "Redirects are not followed." if status and 300 <= status < 400 else "The answer is no 2xx."
