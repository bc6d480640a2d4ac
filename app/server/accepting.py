"""Accepting new connections: several in a round of the event loop, and a limited number of one address.

uvloop accepts one connection in each round. While one client opens connections as fast as it can, others would wait
for as many rounds as it has connections in the queue of the system.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable
from socket import socket
from typing import Any

import structlog

from app.core.access.clients import network_of
from app.core.errors import EXHAUSTED
from app.server.connections import Connections

ROUND = 0.002  # seconds of a round of the event loop
MOST_IN_ROUND = 64
WINDOW = 5  # seconds
MOST_OF_NETWORK = 1_000  # new connections in a window; more if the rate limit of an address allows more requests
PAUSE = 0.5  # seconds without new connections when the system has no file or memory for one


class Listener:
    """Accepts the connections of a listening socket until it is closed."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listening: socket,
        protocol: Callable[[], asyncio.BaseProtocol],
        connections: Connections,
    ) -> None:
        self._loop = loop
        self._socket = listening
        self._protocol = protocol
        self._connections = connections
        self._most = connections.new_connections(WINDOW, MOST_OF_NETWORK)
        self._opened: Counter[str] = Counter()  # connections in this window, by network
        self._window = 0
        self._opening: set[asyncio.Task[Any]] = set()
        self._is_closed = False
        listening.setblocking(False)
        loop.add_reader(listening, self._accept_some)

    def _accept_some(self) -> None:
        until = time.perf_counter() + ROUND
        for _ in range(MOST_IN_ROUND):
            try:
                connection, address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError as error:
                self._pause(error)
                return
            if self._may_open(address[0] if isinstance(address, tuple) else ""):
                self._open(connection)
            else:
                connection.close()
            if time.perf_counter() > until:
                return

    def _may_open(self, address: str) -> bool:
        """Count a connection, and return whether its network has opened few enough in this window."""
        if not self._most:
            return True
        window = int(time.monotonic()) // WINDOW
        if window != self._window:
            self._window = window
            self._opened.clear()
        network = network_of(address)
        self._opened[network] += 1
        return self._opened[network] <= self._most or self._connections.is_proxy(address)

    def _open(self, connection: socket) -> None:
        opening = self._loop.connect_accepted_socket(self._protocol, connection)
        task = self._loop.create_task(opening)
        self._opening.add(task)
        task.add_done_callback(self._opened_or_failed)

    def _opened_or_failed(self, task: "asyncio.Task[Any]") -> None:
        self._opening.discard(task)
        if not task.cancelled():
            task.exception()  # the client has disconnected already

    def _pause(self, error: OSError) -> None:
        """Stop for a moment. Otherwise the event loop would only try to accept connections, and fail."""
        if error.errno not in EXHAUSTED:
            raise error
        structlog.get_logger("hoptac.error").error("cannot accept connections", reason=error.strerror)
        self._loop.remove_reader(self._socket)
        self._loop.call_later(PAUSE, self._continue)

    def _continue(self) -> None:
        if not self._is_closed:
            self._loop.add_reader(self._socket, self._accept_some)

    def close(self) -> None:
        """Accept no more connections. The socket stays open."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._socket)

    async def wait_closed(self) -> None:
        """Return at once, because `close` leaves nothing to wait for. uvicorn calls it."""


def loop_factory(
    make: Callable[[], asyncio.AbstractEventLoop], connections: Connections
) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return a factory of event loops in which a `Listener` accepts the connections of listening sockets.

    uvicorn has no setting for how connections are accepted. Windows has no `add_reader`.
    """

    def make_loop() -> asyncio.AbstractEventLoop:
        loop = make()

        async def create_server(
            protocol: Callable[[], asyncio.BaseProtocol], *, sock: socket, backlog: int, **_: Any
        ) -> Listener:
            sock.listen(backlog)
            return Listener(loop, sock, protocol, connections)

        loop.create_server = create_server  # type: ignore[method-assign, assignment]
        return loop

    return make if sys.platform == "win32" else make_loop
