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

from app.core.time_limit import LIMIT

INTERVAL = 0.1  # seconds between two looks of psycopg at the connection
PATIENCE = 5.0  # seconds that a thread without a time limit waits for an answer
GRACE = 0.5  # seconds after the time limit of a thread in which the server can still end the statement itself

# The system closes a connection on which data is not acknowledged for 30 seconds, or that is idle and lost.
LOST = {"tcp_user_timeout": 30_000, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


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
