"""Bytes on disk for each record: `python -m bench.disk` prints what they are for, `make bench` prints them in all."""

import argparse
import itertools
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg

import app.catalogue  # noqa: F401 - declares every resource
from app.core.model.resource import RESOURCES
from bench.data import Data
from bench.processes import ROOT, Postgres
from bench.table import Row

GOAL = 2_500  # bytes
ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

LOG = "log of Changes"
SEARCH = "search"
TERMS = "terms of the search"
RECORDS = "records"
LINKS = "links"
OTHER = "everything else"

_OF_SQLITE = (
    "SELECT s.name, coalesce(m.tbl_name, s.name), coalesce(m.type, '') = 'index', sum(s.pgsize)"
    " FROM dbstat AS s LEFT JOIN sqlite_master AS m ON m.name = s.name GROUP BY s.name"
)
_OF_POSTGRESQL = (
    "SELECT c.relname, coalesce(t.relname, c.relname), c.relkind = 'i',"
    " pg_relation_size(c.oid) + coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0)"
    " FROM pg_class AS c LEFT JOIN pg_index AS i ON i.indexrelid = c.oid LEFT JOIN pg_class AS t ON t.oid = i.indrelid"
    " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'i')"
)


def sizes(url: str) -> Counter[str]:
    """Return the bytes of each group of tables and indexes of a database."""
    scheme, _, path = url.partition(":///")
    if scheme == "sqlite":
        with closing(sqlite3.connect(path)) as connection:
            objects = connection.execute(_OF_SQLITE).fetchall()
    else:
        with psycopg.connect(url.replace("+psycopg", "")) as server:
            objects = server.execute(_OF_POSTGRESQL).fetchall()
    by_group: Counter[str] = Counter()
    for name, table, is_index, size in objects:
        by_group[_group(name, table, is_index=bool(is_index))] += int(size)
    return by_group


def _url(engine: str, data: Data, postgres: Postgres | None) -> str:
    if engine == "sqlite":
        return f"sqlite:///{data.ours}"
    assert postgres is not None
    return postgres.url(f"hoptac_{data.key}")


def _group(name: str, table: str, *, is_index: bool) -> str:
    links = {link.name for link in itertools.chain.from_iterable(item.link_tables for item in RESOURCES.values())}
    kinds = {"changes": LOG, **dict.fromkeys(RESOURCES, RECORDS), **dict.fromkeys(links, LINKS)}
    if table.startswith("search_terms"):
        return TERMS
    kind = kinds.get(table, SEARCH if table.startswith("search_") else OTHER)
    if kind == OTHER:
        return OTHER
    if not is_index:
        return f"{kind}: rows"
    is_unique = name.startswith(("sqlite_autoindex_", "pk_", "uq_"))
    return f"{kind}: primary keys and unique indexes" if is_unique else f"{kind}: other indexes"


def rows(engine: str, data: Data, postgres: Postgres | None) -> Iterator[Row]:
    """Yield the row of an engine: the bytes of a record in all, and those of the largest groups."""
    records = sum(data.facts["counts"].values())
    measured = sizes(_url(engine, data, postgres))
    result = "met" if measured.total() <= GOAL * records else "**not met**"
    largest = ", ".join(f"{group} {size / records:,.0f}" for group, size in measured.most_common(5))
    note = f"≤ {GOAL:,} bytes a record: {measured.total() / records:,.0f} {result}; {largest}"
    yield Row(f"disk ({ENGINES[engine]})", note=note)


def lines(measured: Mapping[str, Counter[str]], records: int) -> Iterator[str]:
    """Yield the lines of the table of all groups."""
    yield f"| bytes of a record | {' | '.join(ENGINES[engine] for engine in measured)} |"
    yield f"|---|{'--:|' * len(measured)}"
    groups = sorted(set(itertools.chain.from_iterable(measured.values())))
    for group in groups:
        yield f"| {group} | {' | '.join(f'{of[group] / records:,.0f}' for of in measured.values())} |"
    yield f"| in all | {' | '.join(f'{of.total() / records:,.0f}' for of in measured.values())} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=100_000)
    parser.add_argument("--data", type=lambda path: Path(path).resolve(), default=ROOT / "bench" / ".data")
    parser.add_argument("--only-sqlite", action="store_true")
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    data = Data(options.data, options.projects)
    with ExitStack() as stack:
        postgres = None if options.only_sqlite else stack.enter_context(Postgres(options.data / "postgres"))
        data.make(postgres, peers=False)
        engines = [engine for engine in ENGINES if engine == "sqlite" or postgres]
        measured = {engine: sizes(_url(engine, data, postgres)) for engine in engines}
    print("\n".join(lines(measured, sum(data.facts["counts"].values()))))


if __name__ == "__main__":
    main()
