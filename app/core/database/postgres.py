"""Reads on PostgreSQL: an asynchronous pool, and one snapshot for each read."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy.dialects import postgresql

from app.core.database.statements import Read, Rows
from app.core.errors import QueryTooSlow, Unavailable


class PostgresReader:
    """Runs reads on an asynchronous pool, each in one snapshot and with the deadline as `statement_timeout`."""

    dialect = postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call]

    def __init__(self, conninfo: str, *, deadline: float = 5.0, connections: int = 8) -> None:
        self._conninfo = conninfo
        self._deadline = deadline
        self._connections = connections
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[tuple[Any, ...]]] | None = None

    async def run(self, read: Callable[[], Read], *, long: bool = False) -> Any:  # noqa: ARG002
        """Run a read; Unavailable if there is no connection, QueryTooSlow after the deadline."""
        try:
            async with asyncio.timeout(self._deadline):
                try:
                    return await self._attempt(read)
                except psycopg.errors.QueryCanceled:
                    raise
                except psycopg.OperationalError:  # the connection may have been lost while idle: try once more
                    await self._forget()
                    return await self._attempt(read)
        except (psycopg.errors.QueryCanceled, TimeoutError):
            raise QueryTooSlow from None
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable) as error:
            raise Unavailable from error

    async def _attempt(self, read: Callable[[], Read]) -> Any:
        plan = read()
        try:
            async with self._connection() as connection, connection.cursor(binary=True) as cursor:
                return await self._drive(plan, cursor)
        except PoolTimeout as error:
            await self._forget()
            raise Unavailable from error
        finally:
            plan.close()

    async def _forget(self) -> None:
        """Drop the pool. After losing the server it reconnects with growing delays; a new pool connects at once."""
        if self._pool is not None:
            pool = self._pool
            self._pool = None
            await pool.close(timeout=0)

    async def _drive(self, plan: Read, cursor: psycopg.AsyncCursor[tuple[Any, ...]]) -> Any:
        in_transaction = False
        try:
            rows: Rows | None = None
            while True:
                query, values = plan.send(rows)  # type: ignore[arg-type]
                if not query.alone and not in_transaction:
                    in_transaction = True
                    await cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                await cursor.execute(*query.sql(self.dialect, values))
                rows = await cursor.fetchall()
        except StopIteration as done:
            return done.value
        finally:
            if in_transaction:
                with contextlib.suppress(psycopg.OperationalError):
                    await cursor.execute("ROLLBACK")

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[psycopg.AsyncConnection[tuple[Any, ...]]]:
        if self._pool is None:
            milliseconds = int(self._deadline * 1000)
            pool = AsyncConnectionPool(
                self._conninfo,
                min_size=1,
                max_size=self._connections,
                timeout=1.5,
                kwargs={
                    "autocommit": True,
                    "connect_timeout": 2,
                    # Reads rely on UNION ALL returning its parts in order, which parallel plans do not do.
                    "options": f"-c statement_timeout={milliseconds} -c max_parallel_workers_per_gather=0",
                },
                open=False,
            )
            self._pool = pool
            await pool.open()
        async with self._pool.connection() as connection:
            yield connection

    async def close(self) -> None:
        """Close the pool and its connections."""
        if self._pool is not None:
            await self._pool.close()
