"""Reads on SQLite: inside the event loop for some milliseconds, then in a thread."""

import asyncio
import json
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy.dialects import sqlite

from app.core.database.statements import Read, Rows
from app.core.errors import QueryTooSlow, Unavailable

# KiB of the file that an SQLite connection may keep in memory: that of the event loop, those of threads, and writers.
# With the 2 MiB that SQLite would take, a list takes a third longer, and so does a large load.
CACHE_KIB, CACHE_OF_THREAD_KIB = 65_536, 16_384


class SqliteReader:
    """Runs a read inside the event loop for some milliseconds; a longer one starts again in a thread.

    The budget inside the loop is CPU time, so that threads which hold the interpreter do not push quick reads out;
    the deadline is time on the clock, from the arrival of the request. More reads than can wait are refused.
    """

    dialect = sqlite.dialect(paramstyle="qmark")

    def __init__(
        self, path: str, *, budget: float = 0.01, deadline: float = 5.0, threads: int = 4, waiting: int = 60
    ) -> None:
        self._path, self._budget, self._deadline, self._room = path, budget, deadline, threads + waiting
        self._inline: _SqliteConnection | None = None
        self._idle: list[_SqliteConnection] = []
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="read")

    async def run(self, read: Callable[[], Read], *, long: bool = False) -> Any:
        """Inline first, then in a thread under the deadline."""
        arrived = time.monotonic()
        try:
            if long:
                raise _OutOfTime
            if self._inline is None or not self._inline.is_current():
                self._close_inline()
                self._inline = _SqliteConnection(self._path, busy=0.05, cache=CACHE_KIB)
            return self._inline.drive(read(), time.thread_time, self._budget)
        except _OutOfTime:
            pass
        except sqlite3.DatabaseError as error:
            self._close_inline()  # whatever it saw, the next read looks at the file anew
            raise Unavailable from error
        if self._room == 0:
            raise Unavailable("Too many long reads are waiting.")
        self._room -= 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._long, read, arrived + self._deadline)
        finally:
            self._room += 1

    def _long(self, read: Callable[[], Read], until: float) -> Any:
        left = until - time.monotonic()
        if left <= 0:
            raise QueryTooSlow
        connection = self._idle.pop() if self._idle else None
        if connection and not connection.is_current():
            connection.close()
            connection = None
        if connection is None:
            connection = _SqliteConnection(self._path, busy=min(left, 2.0), cache=CACHE_OF_THREAD_KIB)
        try:
            found = connection.drive(read(), time.monotonic, left)
        except _OutOfTime:
            self._idle.append(connection)
            raise QueryTooSlow from None
        except sqlite3.DatabaseError as error:
            connection.close()
            raise Unavailable from error
        except BaseException:
            self._idle.append(connection)
            raise
        self._idle.append(connection)
        return found

    async def close(self) -> None:
        """Wait for the threads and close every connection."""
        self._threads.shutdown(wait=True)
        self._close_inline()
        for connection in self._idle:
            connection.close()

    def _close_inline(self) -> None:
        if self._inline:
            self._inline.close()
            self._inline = None


class _OutOfTime(Exception):
    """The read used up the time it was given."""


class _SqliteConnection:
    """One connection that only reads; it is used by one thread at a time."""

    def __init__(self, path: str, *, busy: float, cache: int) -> None:
        self._path, self._file = path, _identity(path)
        if self._file is None:
            raise Unavailable("There is no database.")
        self._driver = sqlite3.connect(
            path, timeout=busy, isolation_level=None, check_same_thread=False, cached_statements=1024
        )
        try:
            self._driver.execute("PRAGMA query_only=ON")
            self._driver.execute(f"PRAGMA cache_size=-{cache}")
        except sqlite3.DatabaseError:  # the file is no database
            self._driver.close()
            raise
        self._clock: Callable[[], float] = time.monotonic
        self._until = float("inf")
        self._driver.set_progress_handler(lambda: self._clock() > self._until, 10_000)

    def is_current(self) -> bool:
        """False when the file has been removed or replaced: this connection would go on reading the old one."""
        return self._file == _identity(self._path)

    def drive(self, read: Read, clock: Callable[[], float], seconds: float) -> Any:
        """Run a read in one snapshot; _OutOfTime past the seconds of the clock, or when the file is locked."""
        self._clock, self._until = clock, clock() + seconds
        try:
            try:
                return self._answer(read)
            finally:
                self._until = float("inf")
                if self._driver.in_transaction:
                    self._driver.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise _OutOfTime from None
            raise
        finally:
            read.close()

    def _answer(self, read: Read) -> Any:
        rows: Rows | None = None
        try:
            while True:
                query, values = read.send(rows)  # type: ignore[arg-type]
                if not query.alone and not self._driver.in_transaction:
                    self._driver.execute("BEGIN")
                sql, ordered = query.sql(SqliteReader.dialect, values)
                for place, value in enumerate(ordered):
                    if type(value) is list:
                        ordered[place] = json.dumps(value)
                rows = self._driver.execute(sql, ordered).fetchall()
        except StopIteration as done:
            return done.value

    def close(self) -> None:
        """Close it."""
        self._driver.close()


def _identity(path: str) -> tuple[int, int] | None:
    """Which file this path names now."""
    try:
        found = os.stat(path)  # noqa: PTH116 - asked at every read, and three times quicker than Path.stat
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
