"""Reads on PostgreSQL: an async pool, one snapshot a read, the server's own deadline."""

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
    """Runs a read over an async pool, in one snapshot, under PostgreSQL's own statement deadline."""

    dialect = postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call]

    def __init__(self, conninfo: str, *, deadline: float = 5.0, connections: int = 8) -> None:
        self._conninfo, self._deadline, self._connections = conninfo, deadline, connections
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[tuple[Any, ...]]] | None = None

    async def run(self, read: Callable[[], Read], *, long: bool = False) -> Any:  # noqa: ARG002
        """One snapshot a read; Unavailable when there is no connection, QueryTooSlow past the deadline."""
        try:
            async with asyncio.timeout(self._deadline):
                try:
                    return await self._attempt(read)
                except psycopg.errors.QueryCanceled:
                    raise
                except psycopg.OperationalError:  # perhaps the connection was lost while it was idle: once more
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
        """Drop the pool: one that lost its server asks for it ever more rarely, a new one asks at once."""
        lost, self._pool = self._pool, None
        if lost is not None:
            await lost.close(timeout=0)

    async def _drive(self, plan: Read, cursor: psycopg.AsyncCursor[tuple[Any, ...]]) -> Any:
        begun = False
        try:
            rows: Rows | None = None
            while True:
                query, values = plan.send(rows)  # type: ignore[arg-type]
                if not query.alone and not begun:
                    begun = True
                    await cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                await cursor.execute(*query.sql(self.dialect, values))
                rows = await cursor.fetchall()
        except StopIteration as done:
            return done.value
        finally:
            if begun:
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
                    # Parts of an answer come in the order they are written in, so no parallel plans.
                    "options": f"-c statement_timeout={milliseconds} -c max_parallel_workers_per_gather=0",
                },
                open=False,
            )
            self._pool = pool
            await pool.open()
        async with self._pool.connection() as connection:
            yield connection

    async def close(self) -> None:
        """Close the pool."""
        if self._pool is not None:
            await self._pool.close()
