"""Connections to the server: how many there may be, and how long a slow one may take. uvicorn bounds neither.

A connection waits (for the head of a request), receives (a body), or is answered. Waiting and receiving have deadlines,
and so has an answer that its reader does not take off us; what the program itself takes its time for has none.
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

from app.core.asgi.rate_limits import network_of
from app.core.settings import Settings

if sys.platform != "win32":  # which has no such bound
    import resource

CHECK_SECONDS = 1.0  # seconds

MIN_BYTES_PER_SECOND = 1_000  # bytes a second

LARGEST_HEAD = 65_536  # bytes, and of what stands between two pieces of a body

FILES_BESIDE = 200  # open files for what is no connection

NEVER = float("inf")


class ServerConfig(uvicorn.Config):
    """What uvicorn is told, and what the connections of a process share; workers get a copy each."""

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
    """The connections of one process: counted, and looked at every second.

    Where there are too many, a new one takes the place of the one that waited longest for a request; if none does, of
    the one that got on with its body or its answer longest ago.
    """

    def __init__(self, settings: Settings) -> None:
        self.head_deadline, self.stall_deadline = settings.head_deadline, settings.stall_deadline
        self.most, self.most_of_one = with_open_files(settings.max_connections), settings.max_connections_address
        self.every = min(CHECK_SECONDS, self.head_deadline / 2, self.stall_deadline / 2)
        self.waiting: OrderedDict[Connection, None] = OrderedDict()
        self.slow: OrderedDict[Connection, float] = OrderedDict()  # by when each last got on
        self._proxies = settings.trusts()
        self._all: set[Connection] = set()
        self._of_one: Counter[str] = Counter()
        self._is_looking = False

    def admit(self, connection: "Connection", network: str, address: str) -> bool:
        """Whether a new connection may stay; where there are too many, another one goes for it, if one may."""
        if self._of_one[network] >= self.most_of_one and not self._is_proxy(address):
            return False
        if len(self._all) >= self.most and not self._make_room():
            return False
        self._all.add(connection)
        self._of_one[network] += 1
        if not self._is_looking:
            self._is_looking = True
            connection.loop.call_later(self.every, self._look, connection.loop)
        return True

    def _make_room(self) -> bool:
        if self.waiting:
            self.waiting.popitem(last=False)[0].give_up()
            return True
        slowest, since = next(iter(self.slow.items()), (None, 0.0))
        if slowest is None or time.monotonic() - since < self.every:
            return False
        del self.slow[slowest]
        slowest.give_up()
        return True

    def _is_proxy(self, address: str) -> bool:
        with contextlib.suppress(ValueError):
            at = ipaddress.ip_address(address)
            return any(each == "*" or at in ipaddress.ip_network(each) for each in self._proxies)
        return False

    def leave(self, connection: "Connection", network: str) -> None:
        """This connection is no more."""
        self.waiting.pop(connection, None)
        self.slow.pop(connection, None)
        if connection in self._all:
            self._all.discard(connection)
            self._of_one[network] -= 1
            if not self._of_one[network]:
                del self._of_one[network]

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        for connection in [each for each in self._all if each.is_late(now)]:
            connection.give_up()
        self._is_looking = bool(self._all)
        if self._is_looking:
            loop.call_later(self.every, self._look, loop)


class Connection(HttpToolsProtocol):
    """uvicorn's protocol over httptools, with deadlines."""

    def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        self.shared: Connections = config.connections
        self._network = ""
        self._head_until = NEVER  # while a head is under way
        self._body_until = NEVER  # while a body is
        self._sent_until = NEVER  # while an answer waits to be taken
        self._unsent = 0  # bytes of it
        self._unparsed = 0  # bytes that came since a head, a piece of a body or a message was complete

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
        if self._head_until == NEVER and self in self.shared.waiting:  # also for blank lines, which begin no message
            self._head_until = time.monotonic() + self.shared.head_deadline
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > LARGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("Invalid HTTP request received.")  # as uvicorn says it

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head_until == NEVER:
            self._head_until = time.monotonic() + self.shared.head_deadline

    def on_headers_complete(self) -> None:
        self._unparsed, self._head_until = 0, NEVER
        self._body_until = time.monotonic() + self.shared.stall_deadline
        self.shared.waiting.pop(self, None)
        self._mark_slow()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        if not self.cycle.response_complete:  # what comes after the answer is nobody's
            until = self._body_until + len(body) / MIN_BYTES_PER_SECOND
            self._body_until = min(until, time.monotonic() + self.shared.stall_deadline)
            self._mark_slow()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unparsed, self._body_until = 0, NEVER
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
        """It has just got on with a body or an answer, and still owes some of it."""
        self.shared.slow[self] = time.monotonic()
        self.shared.slow.move_to_end(self)

    def _unmark_slow(self) -> None:
        if self._body_until == NEVER and not self.flow.write_paused:
            self.shared.slow.pop(self, None)

    def _wait(self) -> None:
        """Between two requests; uvicorn ends a connection that stays so."""
        if self.cycle.response_complete and self._body_until == NEVER and not self.pipeline:
            self.shared.waiting[self] = None

    def is_late(self, now: float) -> bool:
        """Whether who is at the other end has used up their time."""
        if self.flow.read_paused:  # it is us who do not read
            if self._head_until != NEVER:
                self._head_until = now + self.shared.head_deadline
            if self._body_until != NEVER:
                self._body_until = now + self.shared.stall_deadline
        return self._is_unsent(now) or now > min(self._head_until, self._body_until)

    def _is_unsent(self, now: float) -> bool:
        unsent, before = self.transport.get_write_buffer_size(), self._unsent
        self._unsent = unsent
        if not unsent:
            self._sent_until = NEVER
        elif self._sent_until == NEVER:
            self._sent_until = now + self.shared.stall_deadline
        else:
            taken = max(0, before - unsent)
            self._sent_until = min(self._sent_until + taken / MIN_BYTES_PER_SECOND, now + self.shared.stall_deadline)
        return now > self._sent_until

    def give_up(self) -> None:
        """Cut the connection; what it was working at learns that its caller is gone."""
        self.transport.abort()


def with_open_files(connections: int) -> int:
    """Raise this process's bound on open files as far as it may; returns how many of these connections fit in it."""
    if sys.platform == "win32":
        return connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + FILES_BESIDE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = raised
    return max(1, min(connections, soft - FILES_BESIDE))
