"""Receivers of webhooks on the loopback, well-behaved and not, for tests."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import standardwebhooks

ALLOWED = {"webhook_allow": "127.0.0.0/8 http://127.0.0.1"}
Behaviour = Callable[["Handler", int], None]


@dataclass
class Message:
    """One attempt as it arrived."""

    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """The event; an error unless the published library finds a signature with this secret."""
        return standardwebhooks.Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """What a receiver got so far; it goes on with `behaviour`, told the number of the message, from 1."""

    behaviour: Behaviour
    port: int = 0
    messages: list[Message] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def wait(self, count: int, seconds: float = 120) -> list[Message]:
        """The messages, when there are so many."""
        until = time.monotonic() + seconds
        while len(self.messages) < count:
            assert time.monotonic() < until, f"{len(self.messages)} of {count} messages arrived"
            time.sleep(0.01)
        return self.messages


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    receiver: Receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    """Keeps what arrives and behaves as told."""

    server: Server

    def do_POST(self) -> None:
        receiver = self.server.receiver
        size = int(self.headers["Content-Length"])
        body = self.rfile.read(size)
        if len(body) < size:  # the sender was killed while it sent
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver.messages.append(Message(headers, body, time.time()))
        receiver.behaviour(self, len(receiver.messages))

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def accept(handler: Handler, _: int) -> None:
    handler.answer(204)


def fail(handler: Handler, _: int) -> None:
    handler.answer(500)


def fail_at_first(times: int) -> Behaviour:
    """Fails so many times, then accepts."""
    return lambda handler, number: handler.answer(500 if number <= times else 204)


def hang(handler: Handler, _: int) -> None:
    handler.server.receiver.closing.wait(30)


def drip(handler: Handler, _: int) -> None:
    """The head of an answer, a byte at a time, without end."""
    while not handler.server.receiver.closing.wait(0.02):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: "[:1])
        handler.wfile.flush()


def large(handler: Handler, _: int) -> None:
    """Accepts with 10 MB."""
    handler.send_response(200)
    handler.send_header("Content-Length", "10000000")
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b"x" * 10_000)


def interim(handler: Handler, _: int) -> None:
    """Sends interim responses, and no other one, until the registry leaves."""
    with suppress(OSError):
        while True:
            handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1_000)


def redirect_to(url: str) -> Behaviour:
    return lambda handler, _: handler.answer(307, Location=url)


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One behaviour after the other, the last for good."""
    return lambda handler, number: behaviours[min(number, len(behaviours)) - 1](handler, number)


@contextmanager
def receiving(behaviour: Behaviour = accept, certificate: tuple[Path, Path] | None = None) -> Iterator[Receiver]:
    """A receiver that listens on a port of its own until the end of the block; with a certificate and key, over TLS."""
    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.receiver = Receiver(behaviour, server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.receiver
    finally:
        server.receiver.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def dead_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
