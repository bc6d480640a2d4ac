"""Backup of the whole registry into one file, and restore from it, for both engines.

The file is an SQLite database with the schema of this program and every table except the search index, which a restore
builds again. A backup reads the database in one snapshot: it contains every write that was acknowledged before it
started, and never half a transaction.
"""

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, create_engine, delete, insert, select, text, update
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from sqlmodel import SQLModel

from app.core.change_log import BACKUPS, LATEST_CHANGE, now
from app.core.database.engine import INITIAL_ROWS, WHEN_RESTORED, Database
from app.core.database.large_rows import batches
from app.core.maintenance.schema import head, migrate
from app.core.maintenance.verify import ChainHead, Verifier
from app.core.progress import advance
from app.core.search.filling import fill_index
from app.core.search.tables import RECORDS, REFRESHES, STATE
from app.core.search.vocabulary import PAIRS, WORDS

ROWS = 1_000  # rows that are copied by one statement
NOT_COPIED = (RECORDS, REFRESHES, STATE, WORDS, PAIRS, BACKUPS)


class NotCopied(Exception):
    """Raised when nothing was copied; the message states the reason."""


@dataclass(frozen=True)
class CopyResult:
    """The number of copied rows, the head of the copied log, and the first problem that its verification reported."""

    rows: int
    head: ChainHead
    broken: str | None


def back_up(database: Database, path: Path) -> CopyResult:
    """Copy a database into a new file that only its owner can read. Raise NotCopied if the path exists."""
    if path.exists():
        raise NotCopied(f"{path} already exists.")
    if not path.parent.is_dir():
        raise NotCopied(f"There is no folder {path.parent}.")
    with _atomic_file(path) as partial, database.snapshot() as source, Database(f"sqlite:///{partial}") as file:
        migrate(file)
        at = now()
        result = _copy(source, file)
    _note_backup(database, at, result.head)
    return result


def _note_backup(database: Database, at: str, backup_head: ChainHead) -> None:
    """Store when the last backup was made. If the database cannot be written, the backup is complete all the same."""
    with suppress(SQLAlchemyError, sqlite3.Error), database.write(patience=5) as session:
        session.execute(delete(BACKUPS))
        session.execute(insert(BACKUPS), {"at": at, "head": str(backup_head)})


def restore(path: Path, database: Database, *, unproved: bool = False) -> CopyResult:
    """Copy a backup into a database without records, in one transaction. Create the schema if there is none.

    Raise NotCopied if the file is not a backup, if the database is not empty, or if the verification of the copy
    reports a problem. With `unproved`, it is committed all the same, and the result has the problem.
    """
    if not path.is_file():
        raise NotCopied(f"{path} is a folder." if path.is_dir() else f"There is no file {path}.")
    with _opened(path) as source:
        _check_schema(source, path)
        if database.schema_version() is None:
            migrate(database)
        if database.schema_version() != head():
            raise NotCopied("The schema of the database is not the one that this program needs. Run `hoptac migrate`.")
        result = _copy(source, database, unproved=unproved, then=WHEN_RESTORED)
    fill_index(database)
    return result


def _check_schema(source: Connection, path: Path) -> None:
    try:
        revision = source.scalar(text("SELECT version_num FROM alembic_version"))
    except DatabaseError:
        raise NotCopied(f"{path} is not a backup.") from None
    if revision != head():
        raise NotCopied(
            f"{path} has the schema {revision}, this program needs {head()}: run `hoptac migrate` on a copy of it."
        )
    # Not views: reading a view that somebody put into the file may never end.
    tables = set(source.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")))
    missing = sorted({table.name for table in _copied_tables()} - tables)
    if missing:
        raise NotCopied(f"{path} is not a backup: it has no table {missing[0]}.")


def _copied_tables() -> list[Table]:
    return [table for table in SQLModel.metadata.sorted_tables if table not in NOT_COPIED]


def _copy(
    source: Connection,
    database: Database,
    *,
    unproved: bool = True,
    then: Sequence[Callable[[Connection], object]] = (),
) -> CopyResult:
    tables = _copied_tables()
    with database.write() as session:
        target = session.connection()
        for table in tables:
            if INITIAL_ROWS in table.info:
                target.execute(delete(table))
            elif target.execute(select(table).limit(1)).first() is not None:
                raise NotCopied(f"The database is not empty: the table {table.name} has rows.")
        rows = sum(_copy_table(source, target, table) for table in tables)
        target.execute(update(STATE).values(complete=False))
        broken = next(Verifier(target).problems(), None)
        if broken and not unproved:
            raise NotCopied(broken)
        for act in then:
            act(target)
        last = target.execute(LATEST_CHANGE).first()
    return CopyResult(rows, ChainHead(last.sequence, last.chain) if last else ChainHead(), broken)


def _copy_table(source: Connection, target: Connection, table: Table) -> int:
    count = 0
    query = select(table).order_by(*table.primary_key.columns)
    for rows in batches(source, query, ROWS):
        target.execute(insert(table), [dict(row._mapping) for row in rows])
        count += len(rows)
        advance(len(rows))
    return count


@contextmanager
def _opened(path: Path) -> Iterator[Connection]:
    """Open a file that we do not trust, read-only and in one transaction."""
    engine = create_engine(f"sqlite:///{path}", hide_parameters=True)
    try:
        with engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.isolation_level = None
            for statement in ("PRAGMA query_only=ON", "PRAGMA trusted_schema=OFF", "BEGIN"):
                driver.execute(statement)
            yield connection
            driver.execute("COMMIT")
    finally:
        engine.dispose()


@contextmanager
def _atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary file in the same folder, which becomes `path` when it is complete and synced to the disk.

    Raise NotCopied if another process created `path` meanwhile: no file is ever replaced.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield partial
        with closing(sqlite3.connect(partial)) as driver:
            driver.execute("PRAGMA journal_mode=DELETE")  # so that no separate WAL file is needed
        _sync(partial)
        try:
            os.link(partial, path)
        except FileExistsError:
            raise NotCopied(f"{path} already exists.") from None
    finally:
        for suffix in ("", "-wal", "-shm"):
            partial.with_name(partial.name + suffix).unlink(missing_ok=True)
        _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
