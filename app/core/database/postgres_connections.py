"""Connections to PostgreSQL that do not wait for a server that has stopped answering.

The server itself ends a statement at its `statement_timeout`. A server that hangs does not.
"""

import asyncio
import time
from typing import Any

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.waiting import wait_async
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from app.core.database.urls import servers_of
from app.core.time_limit import LIMIT

# The most connections that a process uses for writes, imports and webhooks. Reads have their own.
WRITE_CONNECTIONS = 8

CONNECT = 2  # seconds to connect to one server

INTERVAL = 0.1  # seconds between two looks of psycopg at the connection
PATIENCE = 5.0  # seconds that a thread without a time limit waits for an answer, or for a sign that the server is there
# Seconds after a failed attempt to find the primary in which there is no other one. All that wait for it fail together,
# instead of one after the other.
PAUSE = 0.5
GRACE = 0.5  # seconds after the time limit of a thread in which the server can still end the statement itself

_READ_ONLY = "25006"  # the SQLSTATE of a write that a standby refuses

# The system closes a connection on which data is not acknowledged for 30 seconds, or that is idle and lost.
LOST: dict[str, Any] = {
    "tcp_user_timeout": 30_000,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}


class LoopConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """A connection in the event loop. It is closed at once if the coroutine that waits for it is cancelled.

    psycopg would ask the server to cancel the statement, and wait up to ten seconds for that. `reached` is a Change
    that the server was seen to have on this connection.
    """

    reached = 0

    async def wait(self, gen: PQGen[Any], interval: float = INTERVAL, timeout: float | None = None) -> Any:
        """Run an operation of the connection to its end."""
        try:
            return await wait_async(gen, self.pgconn.socket, interval=interval, timeout=timeout)
        except asyncio.CancelledError:
            self.pgconn.finish()
            raise


class ThreadConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection in a thread. It is closed if the server does not respond within the time limit of the thread."""

    def wait(self, gen: PQGen[Any], interval: float = INTERVAL, timeout: float | None = None) -> Any:
        """Run an operation of the connection to its end, or raise psycopg.OperationalError."""
        if timeout is None:
            left = LIMIT.until - time.monotonic()
            timeout = GRACE + (PATIENCE if left == float("inf") else max(0.0, left))
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:  # not an error from the server
                self.pgconn.finish()
            raise


class WriteConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection for statements that can take long. It is closed if the server stops responding.

    The connections to a machine that hangs, or that is cut off from the network, stay open. So while a statement runs,
    the server is asked from time to time over a new connection. `server` is the connection string for that.
    """

    server = ""

    def wait(self, gen: PQGen[Any], interval: float = INTERVAL, timeout: float | None = None) -> Any:
        """Run an operation of the connection to its end, or raise psycopg.OperationalError."""
        return super().wait(self._while_responding(gen), interval, timeout)

    def _while_responding(self, gen: PQGen[Any]) -> PQGen[Any]:
        checked_at = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > checked_at + PATIENCE:
                    if not responds(self.server):
                        self.pgconn.finish()
                        raise psycopg.OperationalError("the server has stopped responding")
                    checked_at = time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as done:
            return done.value


class Primary:
    """Finds the server that takes writes, among those of a connection string.

    The one that did last comes first, and one that does not respond comes last, because it costs each attempt two
    seconds.
    """

    def __init__(self, conninfo: str) -> None:
        self._servers = servers_of(conninfo)
        self._failed_at = -PAUSE

    def connect(self, **how: Any) -> WriteConnection:
        """Return a new connection with these parameters of psycopg, or raise psycopg.OperationalError."""
        if time.monotonic() < self._failed_at + PAUSE:
            raise psycopg.OperationalError("no server took writes a moment ago")
        errors: list[str] = []
        for server in list(self._servers):
            try:
                connection = WriteConnection.connect(server, connect_timeout=CONNECT, **LOST, **how)
            except psycopg.OperationalError as error:
                errors.append(str(error))
                if isinstance(error, psycopg.errors.ConnectionTimeout):
                    self._servers = [*self._others(server), server]
            else:
                self._servers = [server, *self._others(server)]
                connection.server = server
                return connection
        self._failed_at = time.monotonic()
        raise psycopg.OperationalError("\n".join(errors))

    def _others(self, than: str) -> list[str]:
        return [server for server in self._servers if server != than]


def responds(server: str) -> bool:
    """Return whether a server responds to a new connection; also if it refuses it, such as because it has too many."""
    try:
        psycopg.connect(server, connect_timeout=CONNECT).close()
    except psycopg.errors.ConnectionTimeout:
        return False
    except psycopg.OperationalError:
        return True
    return True


def primary_engine(conninfo: str) -> Engine:
    """Return an engine whose connections lead to the server that takes writes."""
    engine = create_engine(
        "postgresql+psycopg://",
        pool_size=WRITE_CONNECTIONS,
        max_overflow=0,
        pool_pre_ping=True,
        pool_timeout=3,
        hide_parameters=True,
    )
    primary = Primary(conninfo)

    @event.listens_for(engine, "do_connect")
    def _connect(_: Any, __: Any, ___: Any, parameters: dict[str, Any]) -> WriteConnection:
        return primary.connect(**parameters)

    @event.listens_for(engine, "handle_error")
    def _leave_a_standby(context: Any) -> None:
        """Close the connections to a server that has become a standby. The next ones lead to the primary."""
        reads = context.connection is not None and context.connection.get_execution_options().get("postgresql_readonly")
        if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY and not reads:
            context.is_disconnect = True
            raise OperationalError(None, None, context.original_exception)

    return engine
