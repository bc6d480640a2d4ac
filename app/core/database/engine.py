"""Two engines behind one door: writes are one transaction at a time, reads run compiled statements on the driver."""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlmodel import Session

from app.core.database.sqlite import CACHE_KIB, SqliteReader
from app.core.database.statements import Reader
from app.core.errors import Unavailable

# Any number that nobody else uses: writers and migrations of one PostgreSQL database queue on it.
WRITER_LOCK = 0x686F7074

# What else is done to what a backup is restored into, in the same transaction.
WHEN_RESTORED: list[Callable[[Connection], object]] = []

# In the `info` of a table that a new schema has something in, where the copy of another takes its place.
BEGUN = "begun"

# How many times this process has committed to a database, by its URL.
COMMITS: Counter[str] = Counter()


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
        from app.core.database.postgres import PostgresReader  # noqa: PLC0415 - the driver takes a while to import

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
