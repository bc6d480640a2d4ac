"""What a bulk load costs beside a raw executemany of every row it leaves behind; prints both as JSON, in CPU seconds.

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
from bench.generate import Generator, Made
from bench.load import write
from bench.processes import children_of, cpu_of

# By table: the names of its columns and its rows.
Dump = dict[str, tuple[list[str], list[tuple[Any, ...]]]]
TABLES = {
    "sqlite": "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')",
    "postgresql": "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
}


def connect(database: Database) -> Any:
    """The driver's own connection, set up as ours are."""
    if not database.is_sqlite:
        return psycopg.connect(database.url.set(drivername="postgresql").render_as_string(hide_password=False))
    driver = sqlite3.connect(str(database.url.database), isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"cache_size=-{CACHE_KIB}"):
        driver.execute(f"PRAGMA {pragma}")
    driver.execute("BEGIN")
    return driver


def unreadable(database: Database) -> Dump:
    """The rows of the full-text table of SQLite as a load sends them from now on: it keeps no text to read back."""
    found: Dump = {}
    if not database.is_sqlite:
        return found
    found["search_terms"] = ["rowid", "terms"], []

    @event.listens_for(database.engine, "before_cursor_execute")
    def _sent(_: Any, __: Any, statement: str, values: Any, ___: Any, many: bool) -> None:
        if statement.startswith("INSERT INTO search_terms (rowid, terms)"):
            found["search_terms"][1].extend(values if many else [values])

    return found


def dump(full: Any, empty: Any, tables: str, sent: Dump) -> Dump:
    """Every row that the load has left behind; some only as they were sent."""
    found: Dump = dict(sent)
    for (name,) in full.execute(tables).fetchall():
        if name in sent or name.startswith("sqlite_") or empty.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone():
            continue  # the schema's own: what is there before the first record
        cursor = full.execute(f'SELECT * FROM "{name}"')
        found[name] = [column[0] for column in cursor.description], cursor.fetchall()
    return found


def insert(driver: Any, found: Dump, mark: str) -> None:
    """One plain executemany for each table, in one transaction."""
    cursor = driver.cursor()
    for name, (columns, rows) in found.items():
        named, marks = ", ".join(f'"{column}"' for column in columns), ", ".join([mark] * len(columns))
        cursor.executemany(f'INSERT INTO "{name}" ({named}) VALUES ({marks})', rows)
    driver.execute("COMMIT")


def load(database: Database, chunks: list[list[Made]]) -> None:
    for chunk in chunks:
        write(database, chunk)


def seconds(work: Callable[[], None], postmaster: int | None) -> float:
    """CPU of this process and of PostgreSQL while something is done."""
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
    ours, raw = Database(options.ours), Database(options.raw)
    migrate(ours)
    migrate(raw)
    chunks = list(Generator(options.projects).chunks())
    sent = unreadable(ours)
    loading = seconds(lambda: load(ours, chunks), options.postmaster)
    driver, engine = connect(raw), ours.url.get_backend_name()
    found = dump(connect(ours), driver, TABLES[engine], sent)
    inserting = seconds(lambda: insert(driver, found, "?" if ours.is_sqlite else "%s"), options.postmaster)
    rows = sum(len(rows) for _, rows in found.values())
    print(json.dumps({"ours": loading, "executemany": inserting, "rows": rows}))


if __name__ == "__main__":
    main()
