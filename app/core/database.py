"""Two engines behind one door: writes are one transaction at a time, reads run compiled statements on the driver."""

import asyncio
import contextlib
import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.sql import Executable
from sqlmodel import Session

from app.core.errors import QueryTooSlow, Unavailable

# Any number that nobody else uses: writers and migrations of one PostgreSQL database queue on it.
WRITER_LOCK = 0x686F7074

Rows = Sequence[tuple[Any, ...]]

# What else is done to what a backup is restored into, in the same transaction.
WHEN_RESTORED: list[Callable[[Connection], object]] = []

# In the `info` of a table that a new schema has something in, where the copy of another takes its place.
BEGUN = "begun"

# How many times this process has committed to a database, by its URL.
COMMITS: Counter[str] = Counter()


# KiB of the file that an SQLite connection may keep in memory: that of the event loop, those of threads, and writers.
# With the 2 MiB that SQLite would take, a list takes a third longer, and so does a large load.
CACHE_KIB, CACHE_OF_THREAD_KIB = 65_536, 16_384


class Query:
    """A statement compiled once for an engine and then run with new values by the driver itself.

    Where PostgreSQL needs to be asked in another way than SQLite, that is the second statement.
    `alone`: it may see a later state than the statements before it; others of one read see the same state.
    """

    def __init__(self, statement: Executable, on_postgresql: Executable | None = None, *, alone: bool = False) -> None:
        self._statements = {"sqlite": statement, "postgresql": statement if on_postgresql is None else on_postgresql}
        self.alone = alone
        self._compiled: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {}

    def sql(self, dialect: Dialect, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """The SQL text, and its values in the order of their places."""
        found = self._compiled.get(dialect.name)
        if found is None:
            compiled: Any = self._statements[dialect.name].compile(dialect=dialect)  # type: ignore[attr-defined]
            own = {name: value for name, value in compiled.params.items() if value is not None}
            found = self._compiled[dialect.name] = (str(compiled), tuple(compiled.positiontup or ()), own)
        text, names, own = found
        return text, [values[name] if name in values else own[name] for name in names]


# A read says which queries it needs, one after the other, and returns its result: it knows nothing of waiting.
Read = Generator[tuple[Query, Mapping[str, Any]], Rows, Any]


class Reader(Protocol):
    """Runs reads; each sees one state of the database."""

    async def run(self, read: Callable[[], Read], *, long: bool = False) -> Any:
        """The result of the read; Unavailable when the database is away, QueryTooSlow past the deadline.

        `long` says that it will take more than some milliseconds: it is not tried inside the event loop first.
        """

    async def close(self) -> None:
        """Give the connections back."""


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
        self._driver.execute("PRAGMA query_only=ON")
        self._driver.execute(f"PRAGMA cache_size=-{cache}")
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


_HAS_VERSION = {
    True: "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'",
    False: "SELECT to_regclass('alembic_version')::text",
}


class Database:
    """The database of one URL: `sqlite:///file` or `postgresql://…`; closed where a `with` ends."""

    def __init__(self, url: str, *, deadline: float = 5.0, inline_budget: float = 0.01) -> None:
        self.url = _normal(url)
        self._name = str(self.url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._deadline, self._inline_budget = deadline, inline_budget
        self.engine = _sqlite_engine(self.url) if self.is_sqlite else _postgres_engine(self.url)

    def reader(self) -> Reader:
        """A new reader; each event loop has its own."""
        if self.is_sqlite:
            return SqliteReader(str(self.url.database), budget=self._inline_budget, deadline=self._deadline)
        from app.core.postgres import PostgresReader  # noqa: PLC0415 - the driver takes a while to import

        conninfo = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return PostgresReader(conninfo, deadline=self._deadline)

    @contextlib.contextmanager
    def write(self, patience: int = 0) -> Iterator[Session]:
        """One transaction that is the only writer until it commits (at exit) or, on any error, leaves nothing.

        SQLite takes its write lock at BEGIN IMMEDIATE, PostgreSQL an advisory lock in a statement of its own: so
        the order of Changes is the order of commits, and what a write has read is still true when it commits.
        `patience`: seconds to wait for the lock on PostgreSQL, then OperationalError (0: for ever; SQLite: 30 always).
        """
        with Session(self.engine) as session, session.begin():
            if not self.is_sqlite:
                session.connection().execute(text(f"SET LOCAL lock_timeout = {patience * 1000:d}"))
                session.connection().execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITER_LOCK})
            yield session
        COMMITS[self._name] += 1

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection that only reads, and sees one state of the database however long it takes."""
        only_read = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        options: dict[str, Any] = {"only_reads": True} if self.is_sqlite else only_read
        with self.engine.connect() as connection, connection.execution_options(**options).begin():
            yield connection

    def commits(self) -> int:
        """How many writes of this process it has taken."""
        return COMMITS[self._name]

    def scrub(self, patience: float = 15.0) -> bool:
        """Rewrite an SQLite file, so that nothing is left in it of what was replaced; False while others read it.

        PostgreSQL does that by itself or by VACUUM, which this leaves to its operator: True.
        """
        if not self.is_sqlite:
            return True
        driver = sqlite3.connect(str(self.url.database), timeout=patience, isolation_level=None)
        with contextlib.closing(driver) as connection:
            connection.execute("VACUUM")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def schema_version(self) -> str | None:
        """The revision of its schema; None where there is none. Unavailable when it does not answer."""
        if self.is_sqlite and not Path(str(self.url.database)).exists():
            return None  # to look at it would create it
        try:
            with self.engine.connect() as connection:
                if not connection.execute(text(_HAS_VERSION[self.is_sqlite])).scalar():
                    return None
                found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
                return found
        except OperationalError as error:
            raise Unavailable from error

    def close(self) -> None:
        """Close the write connections."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _normal(given: str) -> URL:
    try:
        url = make_url(given)
    except ArgumentError:
        raise ValueError("HOPTAC_DATABASE_URL: is no URL; try sqlite:///hoptac.db or postgresql://…") from None
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise ValueError("HOPTAC_DATABASE_URL: an SQLite database needs a file, such as sqlite:///hoptac.db")
        return url.set(drivername="sqlite")
    if url.get_backend_name() in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise ValueError("HOPTAC_DATABASE_URL: only sqlite:///FILE and postgresql://… are served")


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": 30}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(driver: sqlite3.Connection, _: Any) -> None:
        driver.isolation_level = None  # transactions are begun below, not by the driver
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"cache_size=-{CACHE_KIB}"):
            driver.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        only_reads = connection.get_execution_options().get("only_reads")
        connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")

    return engine


def _postgres_engine(url: URL) -> Engine:
    return create_engine(
        url, pool_pre_ping=True, pool_timeout=3, hide_parameters=True, connect_args={"connect_timeout": 2}
    )
