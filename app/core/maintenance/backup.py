"""A copy of the whole registry in one file, and back: the same file for both engines.

The file is an SQLite database with the schema of this program and every table but the search index, which restoring
makes anew. It is read in one snapshot: what was acknowledged before the copy began is in it, and nothing in halves.
"""

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, create_engine, delete, insert, select, text, update
from sqlalchemy.exc import DatabaseError
from sqlmodel import SQLModel

from app.core.database.engine import INITIAL_ROWS, WHEN_RESTORED, Database
from app.core.log import LATEST_CHANGE
from app.core.maintenance.schema import head, migrate
from app.core.maintenance.verify import ChainHead, Verifier
from app.core.search.index import RECORDS, STATE, fill_index
from app.core.search.vocabulary import PAIRS, WORDS

ROWS = 1_000  # at a time

INDEX = (RECORDS, STATE, WORDS, PAIRS)


class NotCopied(Exception):
    """Nothing was copied; the message says why."""


@dataclass(frozen=True)
class CopyResult:
    """What a copy holds: rows of all tables, the head of its log, and the first thing in it that is not as written."""

    rows: int
    head: ChainHead
    broken: str | None


def back_up(database: Database, path: Path) -> CopyResult:
    """Copy a database into a new file, readable by its owner alone; NotCopied when there is something at this path."""
    if path.exists():
        raise NotCopied(f"{path} is there already.")
    with _atomic_file(path) as partial, database.snapshot() as source, Database(f"sqlite:///{partial}") as file:
        migrate(file)
        return _copy(source, file)


def restore(path: Path, database: Database, *, unproved: bool = False) -> CopyResult:
    """Copy a file into a database without records, which gets the schema if it has none; all of it, or NotCopied.

    `unproved`: also when a Change or a record is not what was written then.
    """
    if not path.is_file():
        raise NotCopied(f"There is no file {path}.")
    with _opened(path) as source:
        _check_schema(source, path)
        if database.schema_version() is None:
            migrate(database)
        if database.schema_version() != head():
            raise NotCopied("The database has another schema than this program: run `hoptac migrate`.")
        copied = _copy(source, database, unproved=unproved, then=WHEN_RESTORED)
    fill_index(database)
    return copied


def _check_schema(source: Connection, path: Path) -> None:
    try:
        found = source.scalar(text("SELECT version_num FROM alembic_version"))
    except DatabaseError:
        raise NotCopied(f"{path} is no backup.") from None
    tables = set(source.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")))  # a view may never end
    missing = sorted({table.name for table in SQLModel.metadata.sorted_tables if table not in INDEX} - tables)
    if found == head() and missing:
        raise NotCopied(f"{path} is no backup: it has no table {missing[0]}.")
    if found != head():
        raise NotCopied(
            f"{path} has the schema {found}, this program needs {head()}: run `hoptac migrate` on a copy of it."
        )


def _copy(
    source: Connection,
    database: Database,
    *,
    unproved: bool = True,
    then: Sequence[Callable[[Connection], object]] = (),
) -> CopyResult:
    tables = [table for table in SQLModel.metadata.sorted_tables if table not in INDEX]
    with database.write() as session:
        target = session.connection()
        for table in tables:
            if INITIAL_ROWS in table.info:
                target.execute(delete(table))
            elif target.execute(select(table).limit(1)).first() is not None:
                raise NotCopied(f"The database is not empty: there is something in {table.name}.")
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
    for rows in _streamed(source, table):
        target.execute(insert(table), rows)
        count += len(rows)
    return count


def _streamed(source: Connection, table: Table) -> Iterator[Sequence[Mapping[str, Any]]]:
    query = select(table).order_by(*table.primary_key.columns)
    found = source.execution_options(yield_per=ROWS).execute(query).mappings()
    return ([dict(row) for row in rows] for rows in found.partitions(ROWS))


@contextmanager
def _opened(path: Path) -> Iterator[Connection]:
    """A file that somebody gave us, read in one state and not written to."""
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
    """A file beside this one to write to; it gets its name when it is complete and on the disk, and never replaces."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield partial
        with closing(sqlite3.connect(partial)) as one:
            one.execute("PRAGMA journal_mode=DELETE")  # all of it in the one file
        _sync(partial)
        try:
            os.link(partial, path)
        except FileExistsError:
            raise NotCopied(f"{path} is there already.") from None
    finally:
        for end in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                partial.with_name(partial.name + end).unlink()
        _sync(path.parent)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
