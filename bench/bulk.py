"""Cost of a bulk load and of a raw executemany of the rows that it stored; prints both as JSON, in CPU seconds.

`python -m bench.bulk OURS RAW PROJECTS [POSTMASTER]`: two empty databases, and the process id of their PostgreSQL.
"""

import argparse
import gc
import json
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import psycopg
from sqlalchemy import event

from app.core.database.engine import Database
from app.core.database.sqlite import CACHE_KIB
from app.core.maintenance.schema import migrate
from bench.generate import Generator, Record
from bench.load import write
from bench.processes import children_of, cpu_of

# By table: the names of its columns and its rows.
Dump = dict[str, tuple[list[str], list[tuple[Any, ...]]]]
TABLES = {
    "sqlite": "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')",
    "postgresql": "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
}


def connect(database: Database) -> Any:
    """Open a connection of the driver with the settings of Hoptac."""
    if not database.is_sqlite:
        return psycopg.connect(database.url.set(drivername="postgresql").render_as_string(hide_password=False))
    driver = sqlite3.connect(str(database.url.database), isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"cache_size=-{CACHE_KIB}"):
        driver.execute(f"PRAGMA {pragma}")
    driver.execute("BEGIN")
    return driver


def unreadable(database: Database) -> Dump:
    """Record the rows that a load sends to the full-text table of SQLite, which stores no text to read back.

    A record that is indexed again has the terms that were sent last.
    """
    sent: Dump = {}
    if not database.is_sqlite:
        return sent
    rows: list[tuple[Any, ...]] = []
    sent["search_terms"] = ["rowid", "terms"], rows

    @event.listens_for(database.engine, "before_cursor_execute")
    def _record(_: Any, __: Any, statement: str, values: Any, ___: Any, many: bool) -> None:
        several = values if many else [values]
        if statement.startswith("INSERT INTO search_terms (rowid, terms)"):
            rows.extend(several)
        elif "(search_terms, rowid, terms) VALUES ('delete'" in statement:
            removed = {value[0] for value in several}
            rows[:] = [row for row in rows if row[0] not in removed]

    return sent


def dump(full: Any, empty: Any, tables: str, sent: Dump) -> Dump:
    """Return every row that the load stored; rows that cannot be read back are returned as they were sent."""
    rows: Dump = dict(sent)
    for (name,) in full.execute(tables).fetchall():
        if name in sent or name.startswith("sqlite_") or empty.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone():
            continue  # a table with rows that the migration inserts
        cursor = full.execute(f'SELECT * FROM "{name}"')
        rows[name] = [column[0] for column in cursor.description], cursor.fetchall()
    return rows


def insert(driver: Any, tables: Dump, mark: str) -> None:
    """Insert the rows with one executemany for each table, in one transaction."""
    cursor = driver.cursor()
    for name, (columns, rows) in tables.items():
        quoted = ", ".join(f'"{column}"' for column in columns)
        marks = ", ".join([mark] * len(columns))
        cursor.executemany(f'INSERT INTO "{name}" ({quoted}) VALUES ({marks})', rows)
    driver.execute("COMMIT")


def load(database: Database, chunks: list[list[Record]]) -> None:
    for chunk in chunks:
        write(database, chunk)


def seconds(work: Callable[[], None], postmaster: int | None) -> float:
    """Return the CPU seconds of this process and of PostgreSQL for some work."""
    before = _cpu(postmaster)
    gc.disable()
    work()
    gc.enable()
    return _cpu(postmaster) - before


def _cpu(postmaster: int | None) -> float:
    return time.process_time() + (sum(map(cpu_of, children_of(postmaster))) if postmaster else 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ours")
    parser.add_argument("raw")
    parser.add_argument("projects", type=int)
    parser.add_argument("postmaster", type=int, nargs="?")
    options = parser.parse_args()
    ours = Database(options.ours)
    raw = Database(options.raw)
    migrate(ours)
    migrate(raw)
    chunks = list(Generator(options.projects).chunks())
    sent = unreadable(ours)
    loading = seconds(lambda: load(ours, chunks), options.postmaster)
    driver = connect(raw)
    tables = dump(connect(ours), driver, TABLES[ours.url.get_backend_name()], sent)
    inserting = seconds(lambda: insert(driver, tables, "?" if ours.is_sqlite else "%s"), options.postmaster)
    count = sum(len(rows) for _, rows in tables.values())
    print(json.dumps({"ours": loading, "executemany": inserting, "rows": count}))


if __name__ == "__main__":
    main()
