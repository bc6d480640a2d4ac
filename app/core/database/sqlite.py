"""Reads on SQLite: in the event loop for some milliseconds, then in a thread."""

import asyncio
import json
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy.dialects import sqlite

from app.core.database.statements import Read, Rows, fitting
from app.core.errors import QueryTooSlow, Unavailable

# Page cache of a connection in KiB: of the event loop and of writers, and of each thread. With the default of 2 MiB,
# lists and bulk writes take a third longer.
CACHE_KIB = 65_536
CACHE_OF_THREAD_KIB = 16_384
ROWS_OF_PART = 8  # of a statement whose rows may have too many bytes


class SqliteReader:
    """Runs a read in the event loop for some milliseconds. A read that takes longer starts again in a thread.

    The budget in the event loop is CPU time, so that other threads that hold the interpreter do not use up the budget
    of a quick read. The deadline is wall-clock time since the arrival of the read. If too many reads wait for a thread,
    further ones are refused.
    """

    dialect = sqlite.dialect(paramstyle="qmark")

    def __init__(
        self, path: str, *, budget: float = 0.01, deadline: float = 5.0, threads: int = 4, waiting: int = 60
    ) -> None:
        self._path = path
        self._budget = budget
        self._deadline = deadline
        self._free_places = threads + waiting
        self._inline: _SqliteConnection | None = None
        self._idle: list[_SqliteConnection] = []
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="read")

    async def run(self, read: Callable[[], Read], *, long: bool = False) -> Any:
        """Run a read in the event loop first, then in a thread."""
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
            self._close_inline()  # whatever the error was, the next read opens the file again
            raise Unavailable from error
        if self._free_places == 0:
            raise Unavailable("Too many slow reads are waiting.")
        self._free_places -= 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._long, read, arrived + self._deadline)
        finally:
            self._free_places += 1

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
            result = connection.drive(read(), time.monotonic, left)
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
        return result

    async def close(self) -> None:
        """Wait for the threads and close all connections."""
        self._threads.shutdown(wait=True)
        self._close_inline()
        for connection in self._idle:
            connection.close()

    def _close_inline(self) -> None:
        if self._inline:
            self._inline.close()
            self._inline = None


class _OutOfTime(Exception):
    """A read has used up its budget or reached its deadline."""


class _SqliteConnection:
    """A read-only connection, used by one thread at a time."""

    def __init__(self, path: str, *, busy: float, cache: int) -> None:
        self._path = path
        self._file = _identity(path)
        if self._file is None:
            raise Unavailable("The database does not exist.")
        # The driver keeps 128 prepared statements of a connection.
        self._driver = sqlite3.connect(path, timeout=busy, isolation_level=None, check_same_thread=False)
        try:
            self._driver.execute("PRAGMA query_only=ON")
            self._driver.execute(f"PRAGMA cache_size=-{cache}")
        except sqlite3.DatabaseError as error:  # the file is not a database
            self._driver.close()
            raise Unavailable from error
        self._clock: Callable[[], float] = time.monotonic
        self._until = float("inf")
        self._driver.set_progress_handler(lambda: self._clock() > self._until, 10_000)

    def is_current(self) -> bool:
        """Return whether the file was neither removed nor replaced; otherwise the connection reads the old file."""
        return self._file == _identity(self._path)

    def drive(self, read: Read, clock: Callable[[], float], seconds: float) -> Any:
        """Run a read in one snapshot; _OutOfTime after so many seconds of the clock, or if the file is locked."""
        self._clock = clock
        self._until = clock() + seconds
        try:
            try:
                return self._run(read)
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

    def _run(self, read: Read) -> Any:
        rows: Rows | None = None
        try:
            while True:
                query, values = read.send(rows)  # type: ignore[arg-type]
                if not query.alone and not self._driver.in_transaction:
                    self._driver.execute("BEGIN")
                sql, parameters = query.sql(SqliteReader.dialect, values)
                for position, value in enumerate(parameters):
                    if type(value) is list:
                        parameters[position] = json.dumps(value)
                cursor = self._driver.execute(sql, parameters)
                most_bytes = values.get("most_bytes")
                rows = cursor.fetchall() if most_bytes is None else _fetch(cursor, most_bytes)
        except StopIteration as done:
            return done.value

    def close(self) -> None:
        """Close the connection."""
        self._driver.close()


def _fetch(cursor: sqlite3.Cursor, most_bytes: int) -> Rows:
    """Return the rows of a `bounded` statement. The one with which they have too many bytes is the last, without them.

    At most `ROWS_OF_PART` of the rows after it are read.
    """
    rows: list[tuple[Any, ...]] = []
    size = 0
    while part := cursor.fetchmany(ROWS_OF_PART):
        rows += part
        size += sum([len(row[-1]) for row in part if row[-1] is not None])
        if size > most_bytes and len(fitted := fitting(rows, most_bytes)) < len(rows):
            cursor.close()
            return [*fitted, (*rows[len(fitted)][:-1], b"")]
    return rows


def _identity(path: str) -> tuple[int, int] | None:
    """Return device and inode of the file at a path, or None if there is no file."""
    try:
        status = os.stat(path)  # noqa: PTH116 - called for every read, and three times faster than Path.stat
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
