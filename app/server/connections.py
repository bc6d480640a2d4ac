"""Limits on the number of connections and on unread responses, and deadlines. uvicorn has none of these."""

import asyncio
import contextlib
import ipaddress
import sys
import time
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

from app.core.asgi.refusal_log import RefusalLog
from app.core.settings import Settings
from app.server.parse_turns import ParseTurns
from app.server.unsent_responses import UnsentResponses

if TYPE_CHECKING:
    from app.server.protocol import Connection

if sys.platform != "win32":  # Windows has no limit on open files
    import resource

CHECK_SECONDS = 1.0  # between two checks of the deadlines
OTHER_FILES = 200  # open files that are not connections


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
        self._requests_of_address = settings.rate_limit_address
        self.check_interval = min(CHECK_SECONDS, self.head_deadline / 2, self.stall_deadline / 2)
        self.waiting: OrderedDict[Connection, None] = OrderedDict()
        self.slow: OrderedDict[Connection, float] = OrderedDict()  # with the time of their last progress, oldest first
        self.logs_malformed = settings.access_log
        self.refusals = RefusalLog()
        self.unsent = UnsentResponses()
        self.parsing = ParseTurns()
        self._proxies = settings.trusts()
        self._all: set[Connection] = set()
        self._count_by_network: Counter[str] = Counter()
        self._is_checking = False

    def admit(self, connection: "Connection", network: str, address: str) -> bool:
        """Return whether a new connection may stay. If there are too many, it may replace another one."""
        if self._count_by_network[network] >= self.limit_of_network and not self.is_proxy(address):
            return False
        if len(self._all) >= self.limit and not self._make_room():
            return False
        self._all.add(connection)
        self._count_by_network[network] += 1
        if not self._is_checking:
            self._is_checking = True
            connection.loop.call_later(self.check_interval, self._check, connection.loop)
        return True

    def new_connections(self, seconds: int, least: int) -> int:
        """Return how many connections an address may open in a time: one for each request of its rate limit.

        At least `least` are always possible. 0 means that there is no limit, because there is no rate limit.
        """
        return max(least, self._requests_of_address * seconds // 60) if self._requests_of_address else 0

    def count(self) -> int:
        """Return the number of open connections."""
        return len(self._all)

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

    def is_proxy(self, address: str) -> bool:
        """Return whether an address is that of a trusted proxy."""
        with contextlib.suppress(ValueError):
            parsed = ipaddress.ip_address(address)
            return any(proxy == "*" or parsed in ipaddress.ip_network(proxy) for proxy in self._proxies)
        return False

    def leave(self, connection: "Connection", network: str) -> None:
        """Remove a connection that is closed."""
        self.waiting.pop(connection, None)
        self.slow.pop(connection, None)
        self.unsent.forget(connection)
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
