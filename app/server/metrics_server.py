"""The HTTP server of the metrics port, in threads, with limits of its own.

The server of `prometheus_client` starts a thread for each connection and waits for its request without end. It often
runs in the process of the API, which would have no files and no CPU time left for its own clients.
"""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MAX_CONNECTIONS = 20  # at once; further ones are closed
MAX_SECONDS = 10.0  # for a connection
REFRESH_SECONDS = 1.0  # seconds between two texts, regardless of the number of scrapes


class MetricsServer(ThreadingHTTPServer):
    """Answers GET requests with the text that `make` returns."""

    daemon_threads = True

    def __init__(self, host: str, port: int, make: Callable[[], bytes], media_type: str) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.media_type = media_type
        self._make = make
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._lock = threading.Lock()
        self._text = b""
        self._until = 0.0
        super().__init__((host, port), MetricsHandler)

    def text(self) -> bytes:
        """Return the text, which is at most REFRESH_SECONDS seconds old."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._text = self._make()
                self._until = time.monotonic() + REFRESH_SECONDS
            return self._text

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, or close it if there are too many."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer the request of a connection before its time is over."""
        end = threading.Timer(MAX_SECONDS, _end, [request])
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Write no stack trace: clients can cause any error of a connection."""


class MetricsHandler(BaseHTTPRequestHandler):
    """One connection with one request."""

    server: MetricsServer
    server_version = "Hoptac"
    sys_version = ""

    def do_GET(self) -> None:
        """Send the metrics."""
        text = self.server.text()
        self.send_response(200)
        self.send_header("Content-Type", self.server.media_type)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Write no access log."""


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
