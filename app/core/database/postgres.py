"""Reads on PostgreSQL: short ones in the event loop, long ones in threads; each in one snapshot."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Hashable
from functools import partial
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from sqlalchemy import text
from sqlalchemy.dialects import postgresql

from app.core.database.fair_queue import FairQueue
from app.core.database.long_reads import ConnectionLost, LongReads
from app.core.database.postgres_connections import CONNECT, LOST, LoopConnection, ThreadConnection
from app.core.database.statements import MAX_ROWS, Query, Read, Rows, cut, on_postgresql
from app.core.errors import QueryTooSlow, Unavailable
from app.core.request_cost import add_cost
from app.core.time_limit import LIMIT, OutOfTime, check_time, clear_limit, set_limit

# The most connections of a process, and how many of them one client can use at once.
SHORT_READS = 6
SHORT_READS_OF_CLIENT = 4
LONG_READS = 4

SHORT = 0.25  # seconds that a statement of a short read may take
ROWS_OF_SHORT = 2_000  # rows that it may return
# The cost of a statement of a short read. Most of its time can be the load of others, so it counts in full only up to
# MAX_CHARGED seconds, and from there this share of it, if that is more.
MAX_CHARGED = 0.01
SHARE_CHARGED = 0.2
PATIENCE = 1.5  # seconds that a short read waits for a connection
WAITING = 2_000
WAITING_OF_CLIENT = 500

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
DIALECT = postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call]
LAST_SEQUENCE = Query(text("SELECT sequence FROM changes ORDER BY sequence DESC LIMIT 1"), alone=True)
WITH_SNAPSHOT = 50  # times that a query begins a transaction, after another one followed it


class _NeedsSnapshot(Exception):
    """A read that began without a transaction has another statement."""


class Behind(Exception):
    """The server does not have a Change that a read must contain. `sequence` is the last one that it has."""

    def __init__(self, sequence: int) -> None:
        super().__init__(sequence)
        self.sequence = sequence


def is_lost(error: Unavailable) -> bool:
    """Return whether a read failed because the server does not answer or has ended it, not because others wait."""
    return isinstance(error.__cause__, psycopg.OperationalError | psycopg.errors.UndefinedTable | ConnectionLost)


class PostgresReader:
    """Runs a read on an asynchronous connection. A read that takes longer starts again as a long read.

    A short read may use `budget` seconds of CPU time in the event loop, and SHORT seconds for each statement. With
    `long_reads` 0 there are no long reads: a statement may then take as long as the deadline.
    """

    dialect = DIALECT

    def __init__(
        self,
        conninfo: str,
        *,
        budget: float = 0.01,
        deadline: float = 5.0,
        short_reads: int = SHORT_READS,
        long_reads: int = LONG_READS,
    ) -> None:
        self._budget = budget if long_reads else deadline
        self._deadline = deadline
        short = min(SHORT, deadline) if long_reads else deadline
        self._how = _connection_settings(conninfo, short)
        self._servers = 1 + str(conninfo_to_dict(conninfo).get("host", "")).count(",")
        self._idle: list[LoopConnection] = []
        self._queue = FairQueue(
            running=short_reads,
            running_of_client=min(short_reads, SHORT_READS_OF_CLIENT),
            waiting=WAITING,
            waiting_of_client=WAITING_OF_CLIENT,
            patience=PATIENCE,
        )
        how = _connection_settings(conninfo, deadline)
        self._long_reads = None
        if long_reads:
            self._long_reads = LongReads(lambda: _LongConnection(how), deadline, DIALECT, threads=long_reads)

    async def run(
        self, read: Callable[[], Read], *, long: bool = False, client: str = "", kind: Hashable = None, least: int = 0
    ) -> Any:
        """Run a read as a short one first, then as a long read. Raise Behind if the server lacks the Change `least`."""
        long_reads = self._long_reads

        def own() -> Read:
            return on_postgresql(read())

        try:
            if long_reads is None or not (long or long_reads.is_likely_long(client, kind)):
                with contextlib.suppress(OutOfTime, psycopg.errors.QueryCanceled):
                    return await self._run_short(own, client, least)
                if long_reads is None:
                    raise QueryTooSlow
                long_reads.became_long(client, kind)
            return await long_reads.run(partial(_at_least, least, own) if least else own, client, kind)
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable) as error:
            raise Unavailable from error

    @property
    def seconds_to_connect(self) -> int:
        """How long it can take until the reader has a connection: 0 if it has an idle one."""
        return 0 if self._idle else CONNECT * self._servers

    async def _run_short(self, read: Callable[[], Read], client: str, least: int) -> Any:
        budget = self._budget
        if self._long_reads is not None:
            budget = self._long_reads.budget_of_short_read(client, budget)
        await self._queue.enter(client)
        try:
            async with asyncio.timeout(self._deadline):
                is_new = not self._idle
                try:
                    return await self._attempt(read, budget, least)
                except psycopg.OperationalError as error:
                    if is_new or isinstance(error, psycopg.errors.QueryCanceled):
                        raise
                    self.close_idle()  # the connection was lost while it was idle: try once more
                    return await self._attempt(read, budget, least)
        except TimeoutError:  # the server has not ended the statement itself: the machine may be lost
            self.close_idle()
            raise QueryTooSlow from None
        finally:
            self._queue.leave(client)

    async def _attempt(self, read: Callable[[], Read], budget: float, least: int) -> Any:
        async with self._connection() as connection, connection.cursor(binary=True) as cursor:
            start = read if connection.reached >= least else partial(_at_least, least, read)
            try:
                result = await self._drive(start(), budget, cursor, in_snapshot=False)
            except _NeedsSnapshot:
                result = await self._drive(start(), budget, cursor, in_snapshot=True)
            connection.reached = max(connection.reached, least)  # the states of one server do not go back
            return result

    async def _drive(
        self, read: Read, budget: float, cursor: psycopg.AsyncCursor[tuple[Any, ...]], *, in_snapshot: bool
    ) -> Any:
        """Run a read. Without `in_snapshot`, raise _NeedsSnapshot if it has statements that must see one snapshot.

        Most reads have only one such statement. They need no transaction, which would cost two more messages. A query
        that was not the last one begins a transaction the next WITH_SNAPSHOT times.
        """
        in_transaction = False
        first: Query | None = None
        rows: Rows | None = None
        try:
            while True:
                started = time.thread_time()
                query, values = _next_query(read, rows, started + budget)
                spent = time.thread_time() - started
                budget -= spent
                waited_since = time.monotonic()
                try:
                    if first is not None and not query.alone:
                        first.with_snapshot = WITH_SNAPSHOT
                        raise _NeedsSnapshot
                    if not query.alone and not in_transaction:
                        if in_snapshot or query.with_snapshot:
                            query.with_snapshot = max(0, query.with_snapshot - 1)
                            in_transaction = True
                            await cursor.execute(BEGIN)
                        else:
                            first = query
                    rows = await _fetch_short(cursor, query, values)
                finally:
                    _charge(time.monotonic() - waited_since)
        except StopIteration as done:
            return done.value
        finally:
            read.close()
            if in_transaction:
                with contextlib.suppress(psycopg.OperationalError):
                    await cursor.execute("ROLLBACK")

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[LoopConnection]:
        """Open a connection, or use an idle one. The queue limits their number."""
        connection = self._idle.pop() if self._idle else await LoopConnection.connect(**self._how)
        try:
            yield connection
        finally:
            if _is_idle(connection):
                self._idle.append(connection)
            else:
                await connection.close()

    def close_idle(self) -> None:
        """Close the idle connections after the server was lost: they were lost too."""
        while self._idle:
            connection = self._idle.pop()
            connection.pgconn.finish()
        if self._long_reads is not None:
            self._long_reads.close_idle()

    async def close(self) -> None:
        """Wait for the threads and close all connections."""
        if self._long_reads is not None:
            self._long_reads.close()
        self.close_idle()


class _LongConnection:
    """A connection for long reads, used by one thread at a time."""

    def __init__(self, how: dict[str, Any]) -> None:
        try:
            self._driver = ThreadConnection.connect(**how)
        except psycopg.OperationalError as error:
            raise ConnectionLost from error

    @property
    def is_usable(self) -> bool:
        """Whether the server still answers on the connection."""
        try:
            self._driver.execute("SELECT 1")
        except psycopg.Error:
            return False
        return _is_idle(self._driver)

    def drive(self, read: Read) -> Any:
        """Run a read in one snapshot; OutOfTime after the time limit of this thread."""
        try:
            with self._driver.cursor(binary=True) as cursor:
                return self._run(read, cursor)
        except psycopg.errors.QueryCanceled:
            raise OutOfTime from None
        except psycopg.OperationalError as error:
            raise ConnectionLost from error
        finally:
            clear_limit()
            read.close()
            if self._driver.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                self._driver.execute("ROLLBACK")

    def _run(self, read: Read, cursor: psycopg.Cursor[tuple[Any, ...]]) -> Any:
        cursor.execute(BEGIN)
        rows: Rows | None = None
        try:
            while True:
                query, values = read.send(rows)  # type: ignore[arg-type]
                check_time()
                if rows is not None:
                    left = max(1, int((LIMIT.until - time.monotonic()) * 1000))
                    cursor.execute(f"SET LOCAL statement_timeout = {left}")
                cursor.execute(*query.sql(DIALECT, values))
                if cursor.rowcount > MAX_ROWS:
                    raise OutOfTime
                rows = cursor.fetchall()
                if "most_bytes" in values:
                    if _lacks_long_texts(rows):
                        cursor.execute(*query.sql(DIALECT, values, exact=True))
                        rows = cursor.fetchall()
                    rows = cut(rows, values["most_bytes"])
        except StopIteration as done:
            return done.value

    def close(self) -> None:
        """Close the connection."""
        self._driver.close()


def _at_least(least: int, read: Callable[[], Read]) -> Read:
    """Run a read on a server that has the Change `least`; raise Behind if it does not have it."""
    rows = yield LAST_SEQUENCE, {}
    sequence = rows[0][0] if rows else 0
    if sequence < least:
        raise Behind(sequence)
    return (yield from read())


def _next_query(read: Read, rows: Rows | None, until: float) -> tuple[Query, Any]:
    """Return the next query of a read and its values; OutOfTime if that takes too much CPU time."""
    set_limit(time.thread_time, until)
    try:
        following = read.send(rows)  # type: ignore[arg-type]
        following[0].compile(DIALECT)  # the first time, this takes some milliseconds
        check_time()
        return following
    finally:
        clear_limit()


async def _fetch_short(cursor: psycopg.AsyncCursor[tuple[Any, ...]], query: Query, values: Any) -> Rows:
    """Return the rows of a query of a short read; OutOfTime if there are too many."""
    await cursor.execute(*query.sql(DIALECT, values))
    if cursor.rowcount > ROWS_OF_SHORT:
        raise OutOfTime
    rows = await cursor.fetchall()
    if "most_bytes" not in values:
        return rows
    if _lacks_long_texts(rows):
        await cursor.execute(*query.sql(DIALECT, values, exact=True))
        rows = await cursor.fetchall()
    return cut(rows, values["most_bytes"])


def _charge(seconds: float) -> None:
    """Add the time of a statement to the cost of the request."""
    add_cost(max(min(seconds, MAX_CHARGED), SHARE_CHARGED * seconds))


def _lacks_long_texts(rows: Rows) -> bool:
    """Return whether the usual form of a `bounded` statement has left out a text, because it is long."""
    return b"" in [row[-1] for row in rows]


def _is_idle(connection: LoopConnection | psycopg.Connection[Any]) -> bool:
    return not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE


def _connection_settings(conninfo: str, statement_timeout: float) -> dict[str, Any]:
    """Return the parameters of a new connection. `statement_timeout` is in seconds."""
    # Reads rely on UNION ALL returning its parts in order, which parallel plans do not do.
    options = f"-c statement_timeout={int(statement_timeout * 1000)} -c max_parallel_workers_per_gather=0"
    return {"conninfo": conninfo, "autocommit": True, "connect_timeout": CONNECT, "options": options, **LOST}
