"""Reads on SQLite: in the event loop for some milliseconds, then in a thread."""

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Hashable
from typing import Any

from sqlalchemy.dialects import sqlite

from app.core.database.long_reads import LongReads
from app.core.database.statements import MAX_ROWS, Read, Rows, cut
from app.core.errors import Unavailable
from app.core.time_limit import OutOfTime, check_time, clear_limit, is_out_of_time, set_limit

INTERRUPTED = (sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

# Page cache of a connection in KiB: of the event loop and of writers, and of each thread. With the default of 2 MiB,
# lists and bulk writes take a third longer.
CACHE_KIB = 65_536
CACHE_OF_THREAD_KIB = 16_384
OPERATIONS = 250  # of SQLite between two looks at the time in the event loop: ten can sort a record of a megabyte
ROWS_OF_PART = 25  # of a statement whose rows may have too many bytes
MAX_INTERRUPTIONS = 200  # of the statements of a connection, before it is replaced


class SqliteReader:
    """Runs a read in the event loop for some milliseconds. A read that takes longer starts again as a long read.

    The budget in the event loop is CPU time, so that other threads that hold the interpreter do not use up the budget
    of a quick read. `limits` are those of `LongReads`.
    """

    dialect = sqlite.dialect(paramstyle="qmark")

    def __init__(self, path: str, *, budget: float = 0.01, deadline: float = 5.0, **limits: int) -> None:
        self._path = path
        self._budget = budget
        self._inline: _SqliteConnection | None = None
        busy = min(deadline, 2.0)
        self._long_reads = LongReads(
            lambda: _SqliteConnection(path, busy=busy, cache=CACHE_OF_THREAD_KIB, operations=100_000),
            deadline,
            self.dialect,
            clock=time.thread_time,
            **limits,
        )

    async def run(
        self, read: Callable[[], Read], *, long: bool = False, client: str = "", kind: Hashable = None
    ) -> Any:
        """Run a read in the event loop first, then as a long read."""
        try:
            if not long and not self._long_reads.is_likely_long(client, kind):
                with contextlib.suppress(OutOfTime):
                    return self._run_inline(read(), self._long_reads.budget_of_short_read(client, self._budget))
                self._long_reads.became_long(client, kind)
            return await self._long_reads.run(read, client, kind)
        except sqlite3.DatabaseError as error:
            raise Unavailable from error

    def _run_inline(self, read: Read, budget: float) -> Any:
        started = time.thread_time()
        set_limit(time.thread_time, started + budget)
        try:
            if self._inline is None or not self._inline.is_usable:
                self._close_inline()
                self._inline = _SqliteConnection(self._path, busy=0.05, cache=CACHE_KIB, operations=OPERATIONS)
            return self._inline.drive(read)
        except sqlite3.DatabaseError:
            self._close_inline()  # after any error, the next read opens the file again
            raise
        finally:
            clear_limit()

    async def close(self) -> None:
        """Wait for the threads and close all connections."""
        self._long_reads.close()
        self._close_inline()

    def _close_inline(self) -> None:
        if self._inline:
            self._inline.close()
            self._inline = None


class _SqliteConnection:
    """A read-only connection, used by one thread at a time."""

    def __init__(self, path: str, *, busy: float, cache: int, operations: int) -> None:
        self._path = path
        self._file = _identity(path)
        self._is_broken = False
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
        # The driver of Python 3.11 takes an interrupted statement for one in use, and prepares it again each time it is
        # executed, which takes longer than most reads. So after each interruption of a statement, its text gets another
        # blank at the end: to the driver, this is a new statement.
        self._texts: dict[str, str] = {}
        self._interruptions = 0
        self._last_sql = ""
        # A thread that runs a statement needs the interpreter each time that SQLite asks whether to go on.
        self._driver.set_progress_handler(is_out_of_time, operations)

    @property
    def is_usable(self) -> bool:
        """Whether the file was neither removed nor replaced; otherwise the connection reads the old file."""
        return not self._is_broken and self._file == _identity(self._path)

    def drive(self, read: Read) -> Any:
        """Run a read in one snapshot; OutOfTime after the time limit of this thread, or if the file is locked."""
        try:
            try:
                return self._run(read)
            finally:
                clear_limit()
                if self._driver.in_transaction:
                    self._driver.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) in INTERRUPTED:
                self._texts[self._last_sql] = self._texts.get(self._last_sql, self._last_sql) + " "
                self._interruptions += 1
                self._is_broken = self._interruptions > MAX_INTERRUPTIONS
                raise OutOfTime from None
            self._is_broken = True
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
                check_time()  # to compile a statement for the first time takes some milliseconds
                for position, value in enumerate(parameters):
                    if type(value) is list:
                        parameters[position] = json.dumps(value)
                self._last_sql = sql
                cursor = self._driver.execute(self._texts.get(sql, sql), parameters)
                most_bytes = values.get("most_bytes")
                rows = cursor.fetchmany(MAX_ROWS + 1) if most_bytes is None else _fetch(cursor, most_bytes)
                if len(rows) > MAX_ROWS:
                    raise OutOfTime
        except StopIteration as done:
            return done.value

    def close(self) -> None:
        """Close the connection."""
        self._driver.close()


def _fetch(cursor: sqlite3.Cursor, most_bytes: int) -> Rows:
    """Return the rows of a `bounded` statement, cut. At most `ROWS_OF_PART` rows after the cut are read."""
    rows: list[tuple[Any, ...]] = []
    size = 0
    while part := cursor.fetchmany(ROWS_OF_PART):
        rows += part
        size += sum([len(row[-1] or b"") for row in part])
        if size > most_bytes:
            cursor.close()
            return cut(rows, most_bytes)
        if len(part) < ROWS_OF_PART:
            break
    return rows


def _identity(path: str) -> tuple[int, int] | None:
    """Return device and inode of the file at a path, or None if there is no file."""
    try:
        status = os.stat(path)  # noqa: PTH116 - called for every read, and three times faster than Path.stat
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
