"""The database: transactions with the writer lock, snapshots, and readers that run compiled statements."""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from app.core.database.log_position import LogPosition
from app.core.database.sqlite import CACHE_KIB, SqliteReader
from app.core.database.sqlite_file import MAX_WAL, WalLimit, create_file, reset_wal, restrict_access
from app.core.database.statements import Reader
from app.core.database.urls import conninfos_of_servers, parsed_url
from app.core.errors import Unavailable

if TYPE_CHECKING:
    from app.core.database.replicas import Replicas

# Key of the advisory lock for which writers and migrations of a PostgreSQL database wait; no other program uses it.
WRITER_LOCK = 0x686F7074

# Seconds for which a transaction with the writer lock may wait for its program, before PostgreSQL ends it. Otherwise a
# program that hangs, or whose machine is lost, would block all other writers.
WRITER_IDLE = 60

# Settings of a connection to SQLite that writes.
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    f"cache_size=-{CACHE_KIB}",
    f"journal_size_limit={MAX_WAL}",
)

# Functions that restore calls at its end, in its transaction.
WHEN_RESTORED: list[Callable[[Connection], object]] = []

# Key in the `info` of a table that has rows in a new schema, which the rows of a copy replace.
INITIAL_ROWS = "initial_rows"

# Key in the `info` of a session that has the number of the last Change that it wrote.
LAST_SEQUENCE = "last_sequence"

# Number of commits of this process to each database, by its URL.
COMMITS: Counter[str] = Counter()

_VERSION = text("SELECT version_num FROM alembic_version")
_HAS_VERSION = {
    True: "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'",
    False: "SELECT to_regclass('alembic_version')::text",
}


@dataclass(frozen=True)
class WriteLimits:
    """The limits of what clients write. 0: no limit.

    `quota`: bytes of the representations that a key writes in a day. `record`: bytes of one representation.
    """

    quota: int = 0
    record: int = 0


class Database:
    """The database at one URL: `sqlite:///file` or `postgresql://…`. As a context manager it closes itself.

    With a `revision`, it is written only while it has this schema.
    """

    def __init__(
        self,
        url: str,
        *,
        deadline: float = 5.0,
        inline_budget: float = 0.01,
        limits: WriteLimits | None = None,
        position: LogPosition | None = None,
        revision: str | None = None,
    ) -> None:
        self.url, self._conninfo = parsed_url(url)
        self._name = str(self.url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._deadline = deadline
        self._inline_budget = inline_budget
        self._limits = limits or WriteLimits()
        self.position = position or LogPosition()
        self._revision = revision
        self.engine = _sqlite_engine(self.url) if self.is_sqlite else _postgres_engine(self._conninfo)
        self._wal_limit = WalLimit(str(self.url.database)) if self.is_sqlite else None

    def reader(self) -> Reader:
        """Return a new reader. Each event loop needs its own."""
        return self._new_reader()

    def separate_reader(self) -> Reader:
        """Return a reader with a single connection, for quick reads that must not wait for those of clients."""
        return self._new_reader(threads=1) if self.is_sqlite else self._new_reader(short_reads=1, long_reads=0)

    def check_replicas(self, read_url: str) -> list[str]:
        """Return the connection strings of the replicas at these URLs. Raise ValueError if there can be none."""
        if read_url.strip() and self.is_sqlite:
            raise ValueError("HOPTAC_READ_URL: an SQLite database has no replicas; remove this setting")
        return conninfos_of_servers(read_url) if read_url.strip() else []

    def replicas(self, read_url: str, max_lag: float) -> "Replicas | None":
        """Return readers that use the replicas at these URLs, or None if there are none."""
        conninfos = self.check_replicas(read_url)
        if not conninfos:
            return None
        from app.core.database.postgres import PostgresReader  # noqa: PLC0415 - importing the driver takes time
        from app.core.database.replicas import Replicas  # noqa: PLC0415

        start: Any = partial(PostgresReader, budget=self._inline_budget, deadline=self._deadline)
        replicas = [partial(start, conninfo) for conninfo in conninfos]
        return Replicas(partial(start, self._conninfo), replicas, self.position, max_lag)

    def _new_reader(self, **limits: int) -> Reader:
        if self.is_sqlite:
            path = str(self.url.database)
            return SqliteReader(path, budget=self._inline_budget, deadline=self._deadline, **limits)
        from app.core.database.postgres import PostgresReader  # noqa: PLC0415 - importing the driver takes time

        return PostgresReader(self._conninfo, budget=self._inline_budget, deadline=self._deadline, **limits)

    @contextlib.contextmanager
    def write(self, patience: int = 0) -> Iterator[Session]:
        """Open a transaction with the writer lock. It commits at the end of the block and rolls back on any error.

        SQLite locks at BEGIN IMMEDIATE, PostgreSQL takes an advisory lock in a statement of its own. The order of
        Changes is therefore the order of commits, and what a write has read is still true when it commits.
        `patience`: seconds to wait for the lock on PostgreSQL before OperationalError (0: without limit). SQLite always
        waits up to 30 seconds.
        """
        if self._wal_limit is not None:
            self._wal_limit.apply()
        with Session(self.engine, info={"limits": self._limits}) as session, session.begin():
            if not self.is_sqlite:
                idle = f"SET LOCAL idle_in_transaction_session_timeout = {WRITER_IDLE * 1000:d}"
                session.connection().execute(text(f"SET LOCAL lock_timeout = {patience * 1000:d}; {idle}"))
                session.connection().execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITER_LOCK})
            if self._revision is not None and session.scalar(_VERSION) != self._revision:
                raise OperationalError(None, None, RuntimeError("the database has another schema now"))
            yield session
        self.position.note(session.info.get(LAST_SEQUENCE))
        COMMITS[self._name] += 1

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Open a read-only connection that sees one state of the database until the end of the block."""
        on_postgresql = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        options: dict[str, Any] = {"only_reads": True} if self.is_sqlite else on_postgresql
        with self.engine.connect() as connection, connection.execution_options(**options).begin():
            yield connection

    def restrict_access(self) -> None:
        """Make an SQLite file readable for its owner only, as new files are."""
        if self.is_sqlite:
            restrict_access(str(self.url.database))

    def commits(self) -> int:
        """Return the number of commits of this process to this database."""
        return COMMITS[self._name]

    def scrub(self, patience: float = 15.0) -> bool:
        """Rewrite an SQLite file, so that no deleted text remains in it; False if readers prevented that.

        On PostgreSQL (auto)vacuum does the same, which is left to the operator: always True.
        """
        if not self.is_sqlite:
            return True
        driver = sqlite3.connect(str(self.url.database), timeout=patience, isolation_level=None)
        with contextlib.closing(driver) as connection:
            connection.execute("VACUUM")
            if not reset_wal(str(self.url.database), patience):
                return False
            connection.execute("PRAGMA user_version = 0")
        return True

    def note_removed_text(self, connection: Connection) -> None:
        """Note in the current transaction that the SQLite file will contain a text that it must not contain.

        If the process is killed before `scrub`, the next one sees it.
        """
        if self.is_sqlite:
            connection.execute(text("PRAGMA user_version = 1"))

    def has_removed_text(self) -> bool:
        """Return whether an SQLite file needs `scrub`."""
        if not self.is_sqlite:
            return False
        with self.engine.connect() as connection:
            return bool(connection.execute(text("PRAGMA user_version")).scalar())

    def schema_version(self, read_url: str = "") -> str | None:
        """Return the revision of the schema, None without a schema; Unavailable if the database does not respond.

        If the primary does not respond, the replicas at these URLs are asked.
        """
        if self.is_sqlite and not Path(str(self.url.database)).exists():
            return None  # connecting would create the file
        try:
            return self._version_at(self.engine)
        except OperationalError as error:
            for conninfo in self.check_replicas(read_url):
                replica = _postgres_engine(conninfo)
                try:
                    return self._version_at(replica)
                except OperationalError:
                    continue
                finally:
                    replica.dispose()
            raise Unavailable from error

    def _version_at(self, engine: Engine) -> str | None:
        with engine.connect() as connection:
            if not connection.execute(text(_HAS_VERSION[self.is_sqlite])).scalar():
                return None
            version: str | None = connection.execute(_VERSION).scalar()
            return version

    def close(self) -> None:
        """Close the write connections."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": 30}, hide_parameters=True)

    @event.listens_for(engine, "do_connect")
    def _create_file(*_: Any) -> None:
        create_file(str(url.database))

    @event.listens_for(engine, "connect")
    def _prepare(driver: sqlite3.Connection, _: Any) -> None:
        driver.isolation_level = None  # transactions are started below, not by the driver
        for pragma in PRAGMAS:
            driver.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        only_reads = connection.get_execution_options().get("only_reads")
        connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")

    return engine


def _postgres_engine(conninfo: str) -> Engine:
    from app.core.database.postgres_connections import primary_engine  # noqa: PLC0415 - importing the driver takes time

    return primary_engine(conninfo)
