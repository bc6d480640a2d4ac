"""Limits on the number of connections, and deadlines for slow clients. uvicorn has neither.

A connection waits for the head of a request, receives a body, or sends a response. There are deadlines for waiting, for
receiving, and for a response that the client does not read; there is none for the time that the application needs.
"""

import asyncio
import contextlib
import ipaddress
import sys
import time
from collections import Counter, OrderedDict
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.core.access.clients import network_of
from app.core.settings import Settings

if sys.platform != "win32":  # Windows has no limit on open files
    import resource

CHECK_SECONDS = 1.0  # between two checks of the deadlines
MIN_BYTES_PER_SECOND = 1_000
MAX_HEAD = 65_536  # bytes of a head, and of the framing between two chunks of a body
OTHER_FILES = 200  # open files that are not connections
NEVER = float("inf")


class ServerConfig(uvicorn.Config):
    """The configuration of uvicorn, and the connections of a process. Each worker process gets a copy."""

    def __init__(self, settings: Settings, app: Any, **kwargs: Any) -> None:
        proxies = settings.trusts()
        super().__init__(
            app,
            http=Connection,
            ws="none",
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=proxies,
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=10,
            **kwargs,
        )
        self.connections = Connections(settings)


class Connections:
    """The connections of one process: they are counted, and their deadlines are checked every second.

    If there are too many, a new one replaces the one that has waited longest for a request. If none is waiting, it
    replaces the one whose body or response made no progress for longest.
    """

    def __init__(self, settings: Settings) -> None:
        self.head_deadline = settings.head_deadline
        self.stall_deadline = settings.stall_deadline
        self.limit = raise_file_limit(settings.max_connections)
        self.limit_of_network = settings.max_connections_address
        self.check_interval = min(CHECK_SECONDS, self.head_deadline / 2, self.stall_deadline / 2)
        self.waiting: OrderedDict[Connection, None] = OrderedDict()
        self.slow: OrderedDict[Connection, float] = OrderedDict()  # with the time of their last progress, oldest first
        self._proxies = settings.trusts()
        self._all: set[Connection] = set()
        self._count_by_network: Counter[str] = Counter()
        self._is_checking = False

    def admit(self, connection: "Connection", network: str, address: str) -> bool:
        """Return whether a new connection may stay. If there are too many, it may replace another one."""
        if self._count_by_network[network] >= self.limit_of_network and not self._is_proxy(address):
            return False
        if len(self._all) >= self.limit and not self._make_room():
            return False
        self._all.add(connection)
        self._count_by_network[network] += 1
        if not self._is_checking:
            self._is_checking = True
            connection.loop.call_later(self.check_interval, self._check, connection.loop)
        return True

    def _make_room(self) -> bool:
        if self.waiting:
            self.waiting.popitem(last=False)[0].abort()
            return True
        slowest, since = next(iter(self.slow.items()), (None, 0.0))
        if slowest is None or time.monotonic() - since < self.check_interval:
            return False
        del self.slow[slowest]
        slowest.abort()
        return True

    def _is_proxy(self, address: str) -> bool:
        with contextlib.suppress(ValueError):
            parsed = ipaddress.ip_address(address)
            return any(proxy == "*" or parsed in ipaddress.ip_network(proxy) for proxy in self._proxies)
        return False

    def leave(self, connection: "Connection", network: str) -> None:
        """Remove a connection that is closed."""
        self.waiting.pop(connection, None)
        self.slow.pop(connection, None)
        if connection in self._all:
            self._all.discard(connection)
            self._count_by_network[network] -= 1
            if not self._count_by_network[network]:
                del self._count_by_network[network]

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        for connection in [connection for connection in self._all if connection.is_late(now)]:
            connection.abort()
        self._is_checking = bool(self._all)
        if self._is_checking:
            loop.call_later(self.check_interval, self._check, loop)


class Connection(HttpToolsProtocol):
    """uvicorn's httptools protocol, with deadlines."""

    def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        self.shared: Connections = config.connections
        self._network = ""
        self._head_until = NEVER  # deadline of the head that is being received
        self._body_until = NEVER  # deadline of the body that is being received
        self._sent_until = NEVER  # deadline of the response that the client has to read
        self._unsent = 0  # bytes of this response
        self._unparsed = 0  # bytes received since the last complete head, chunk of a body, or message

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        self._network = network_of(address)
        if self.shared.admit(self, self._network, address):
            self._head_until = time.monotonic() + self.shared.head_deadline
            self.shared.waiting[self] = None
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.shared.leave(self, self._network)

    def data_received(self, data: bytes) -> None:
        # Blank lines count too, although they start no message.
        if self._head_until == NEVER and self in self.shared.waiting:
            self._head_until = time.monotonic() + self.shared.head_deadline
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response("Invalid HTTP request received.")  # the text that uvicorn sends

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head_until == NEVER:
            self._head_until = time.monotonic() + self.shared.head_deadline

    def on_headers_complete(self) -> None:
        self._unparsed = 0
        self._head_until = NEVER
        self._body_until = time.monotonic() + self.shared.stall_deadline
        self.shared.waiting.pop(self, None)
        self._mark_slow()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        if not self.cycle.response_complete:  # after the response, the rest of a body is ignored
            until = self._body_until + len(body) / MIN_BYTES_PER_SECOND
            self._body_until = min(until, time.monotonic() + self.shared.stall_deadline)
            self._mark_slow()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unparsed = 0
        self._body_until = NEVER
        self._unmark_slow()
        super().on_message_complete()
        self._wait()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._mark_slow()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._sent_until = NEVER
        self._unmark_slow()

    def _mark_slow(self) -> None:
        """Note progress of a body or a response that is not complete."""
        self.shared.slow[self] = time.monotonic()
        self.shared.slow.move_to_end(self)

    def _unmark_slow(self) -> None:
        if self._body_until == NEVER and not self.flow.write_paused:
            self.shared.slow.pop(self, None)

    def _wait(self) -> None:
        """Note that the connection is between two requests. uvicorn closes it if that lasts too long."""
        if self.cycle.response_complete and self._body_until == NEVER and not self.pipeline:
            self.shared.waiting[self] = None

    def is_late(self, now: float) -> bool:
        """Return whether the client has missed a deadline."""
        if self.flow.read_paused:  # the server itself does not read now
            if self._head_until != NEVER:
                self._head_until = now + self.shared.head_deadline
            if self._body_until != NEVER:
                self._body_until = now + self.shared.stall_deadline
        return self._is_unsent(now) or now > min(self._head_until, self._body_until)

    def _is_unsent(self, now: float) -> bool:
        unsent = self.transport.get_write_buffer_size()
        progress = max(0, self._unsent - unsent)
        self._unsent = unsent
        if not unsent:
            self._sent_until = NEVER
        elif self._sent_until == NEVER:
            self._sent_until = now + self.shared.stall_deadline
        else:
            until = self._sent_until + progress / MIN_BYTES_PER_SECOND
            self._sent_until = min(until, now + self.shared.stall_deadline)
        return now > self._sent_until

    def abort(self) -> None:
        """Close the connection at once. The application is notified of the disconnect."""
        self.transport.abort()


def raise_file_limit(connections: int) -> int:
    """Raise the limit on open files of this process as far as needed; return how many connections it allows."""
    if sys.platform == "win32":
        return connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = raised
    return max(1, min(connections, soft - OTHER_FILES))
