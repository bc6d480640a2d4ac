"""How far one registry goes: measured on three sizes, computed for larger ones: `python -m bench.scale --write`.

It prints the tables of `docs/scale.md`, or writes them there. For each quantity, the two largest sizes give a power law
of the number of projects. The two smaller ones give another, and how far that misses the largest size is its error.
"""

import argparse
import itertools
import math
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg

from app.core.database.engine import Database
from app.core.maintenance.schema import migrate
from bench import work
from bench.bulk import load, seconds
from bench.client import Client
from bench.data import Data
from bench.generate import Generator
from bench.processes import ROOT, Measured, Postgres, Server, free_port, hoptac

SIZES = (1_000, 10_000, 100_000)  # projects
ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
LOADED = 1_000  # projects whose load is measured
REQUESTS = 400  # of each kind in a turn
TURNS = 5
SHARES = {"hot": 0.70, "detail": 0.12, "list": 0.12, "search": 0.06}  # of the requests that reach the servers
BUSY = 0.6  # of a core, so that bursts do not wait
CORES = 8  # of a machine
RECORDS = (10**5, 10**6, 10**7, 10**8)
RATES = (100, 1_000, 10_000, 100_000)  # requests in a second

HEADINGS = ("## Measured", "## Computed")
DOCUMENT = ROOT / "docs" / "scale.md"

Quantities = dict[str, float]
Tables = dict[str, list[str]]  # lines by the heading above them


@dataclass(frozen=True)
class PowerLaw:
    """A quantity that is `factor` × projects ** `exponent`."""

    factor: float
    exponent: float

    @classmethod
    def through(cls, first: tuple[float, float], second: tuple[float, float]) -> "PowerLaw":
        """Return the law through two points of projects and quantity."""
        exponent = math.log(second[1] / first[1]) / math.log(second[0] / first[0])
        return cls(first[1] / first[0] ** exponent, exponent)

    def at(self, projects: float) -> float:
        """Return the quantity for a number of projects."""
        return self.factor * float(projects**self.exponent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=lambda path: Path(path).resolve(), default=ROOT / "bench" / ".data")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/scale.md")
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    with Postgres(options.data / "postgres") as postgres:
        measured = {engine: dict(_measured(engine, options.data, postgres)) for engine in ENGINES}
        records = Data(options.data, SIZES[-1]).facts["counts"]
    computed = tables(measured, sum(records.values()) / SIZES[-1])
    for lines in computed.values():
        print("\n".join(lines), end="\n\n")
    if options.write:
        DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8"), computed), "utf-8")


def _measured(engine: str, root: Path, postgres: Postgres) -> Iterator[tuple[int, Quantities]]:
    """Yield each size with bytes on disk, and CPU seconds of a request of each kind and of the load of a record."""
    for size in SIZES:
        data = Data(root, size)
        data.make(postgres, peers=False)
        is_sqlite = engine == "sqlite"
        url = f"sqlite:///{data.ours}" if is_sqlite else postgres.url(f"hoptac_{data.key}")
        sizes = _bytes_on_sqlite(data.ours) if is_sqlite else _bytes_on_postgresql(url)
        also: list[Measured] = [] if is_sqlite else [postgres]
        yield size, {**sizes, **_requests(url, data, also), "load": _load(engine, postgres)}


def _bytes_on_sqlite(file: Path) -> Quantities:
    with closing(sqlite3.connect(file)) as connection:
        pages = connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name")
        return _parts({name: float(size) for name, size in pages})


def _bytes_on_postgresql(url: str) -> Quantities:
    tables = "relkind = 'r' AND relnamespace = 'public'::regnamespace"
    query = f"SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE {tables}".encode()
    with psycopg.connect(url) as connection:
        return _parts({name: float(size) for name, size in connection.execute(query)})


def _parts(sizes: Mapping[str, float]) -> Quantities:
    """Return the bytes in all, in the log, and in the search."""
    log = sum(size for name, size in sizes.items() if "changes" in name)
    search = sum(size for name, size in sizes.items() if "search_" in name)
    return {"bytes": sum(sizes.values()), "log bytes": log, "search bytes": search}


def _requests(url: str, data: Data, also: Sequence[Measured]) -> Quantities:
    with hoptac(url, free_port(), hot_cache="0") as cold, Client(cold.port) as client:
        works = [work.detail(data), work.deep_list(client, None), work.search(data)]
        paths = {entry.name: entry.paths["ours"] for entry in works}
        costs = {name: _cost(cold, client, urls, also) for name, urls in paths.items()}
    with hoptac(url, free_port()) as hot, Client(hot.port) as client:
        costs["hot"] = _cost(hot, client, paths["detail"], also)
    return costs


def _cost(server: Server, client: Client, paths: Sequence[str], also: Sequence[Measured]) -> float:
    """Return the CPU seconds of a request of the server and of the processes that help it: the median of some turns."""

    def used() -> float:
        return server.cpu() + sum(process.cpu() for process in also)

    urls = list(itertools.islice(itertools.cycle(paths), REQUESTS))
    costs = []
    for _ in range(TURNS + 1):
        before = used()
        for path in urls:
            client.get(path)
        costs.append((used() - before) / len(urls))
    return median(costs[1:])  # the first turn compiles statements and fills caches


def _load(engine: str, postgres: Postgres) -> float:
    """Return the CPU seconds in which a record is loaded into an empty registry."""
    chunks = list(Generator(LOADED).chunks())
    count = sum(map(len, chunks))
    with tempfile.TemporaryDirectory(prefix="hoptac-bench-") as folder, postgres.databases("scale") as (url,):
        target = f"sqlite:///{folder}/hoptac.db" if engine == "sqlite" else url
        with Database(target) as database:
            migrate(database)
            return seconds(lambda: load(database, chunks), None if engine == "sqlite" else postgres.pid) / count


def tables(measured: Mapping[str, Mapping[int, Quantities]], records_of_project: float) -> Tables:
    """Return the lines of the table below each heading of the document."""
    laws = {engine: _laws(points, SIZES[1], SIZES[2]) for engine, points in measured.items()}
    columns = [f"{name}: {size:,} projects" for name, size in itertools.product(ENGINES.values(), SIZES)]
    of_sizes = [_line(["", *columns, "error"]), _line(["---", *["--:"] * (len(columns) + 1)])]
    of_sizes += [_measured_line(quantity, measured, records_of_project) for quantity in laws["sqlite"]]
    rates = [f"{rate:,} requests/s" for rate in RATES]
    larger = [_line(["records", "engine", "disk", "search on disk", "load, one writer", *rates])]
    larger.append(_line(["--:", "---", *["--:"] * (len(rates) + 3)]))
    for records in RECORDS:
        for engine, name in ENGINES.items():
            at = {quantity: law.at(records / records_of_project) for quantity, law in laws[engine].items()}
            larger.append(_line([f"{records:,}", name, *_computed(records, at)]))
    return dict(zip(HEADINGS, (of_sizes, larger), strict=True))


def _computed(records: int, at: Quantities) -> Iterator[str]:
    """Yield the cells of a number of records: disk, disk of the search, hours to load, and cores for each rate."""
    yield f"{at['bytes'] / 1e9:,.1f} GB"
    yield f"{at['search bytes'] / 1e9:,.1f} GB"
    yield f"{records * at['load'] / 3600:,.1f} h"
    of_request = sum(share * at[kind] for kind, share in SHARES.items())
    for rate in RATES:
        cores = rate * of_request / BUSY
        machines = f", {math.ceil(cores / CORES):,} machines" if cores > CORES else ""
        yield f"{cores:,.1f} cores" if cores < CORES else f"{cores:,.0f} cores{machines}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def written(text: str, tables: Tables) -> str:
    """Return a document with these tables in the place of those that it has below the same headings."""
    lines: list[str] = []
    heading = ""
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line
        if not (line.startswith("|") and heading in tables):
            lines.append(line)
        elif lines[-1] != tables[heading][-1]:
            lines += tables[heading]
    return "\n".join(lines) + "\n"


def _laws(points: Mapping[int, Quantities], first: int, second: int) -> dict[str, PowerLaw]:
    return {
        name: PowerLaw.through((first, points[first][name]), (second, points[second][name])) for name in points[first]
    }


def _measured_line(quantity: str, measured: Mapping[str, Mapping[int, Quantities]], records_of_project: float) -> str:
    """Return a row of the measured quantities: bytes of a record, or CPU time in units of a hot request on SQLite."""
    unit = measured["sqlite"][SIZES[-1]]["hot"]
    cells = []
    errors = []
    for points in measured.values():
        for size in SIZES:
            value = points[size][quantity]
            is_size = "bytes" in quantity
            cells.append(f"{value / size / records_of_project:,.0f}" if is_size else f"{value / unit:.2f}")
        predicted = _laws(points, SIZES[0], SIZES[1])[quantity].at(SIZES[2])
        errors.append(f"{predicted / points[SIZES[2]][quantity] - 1:+z.0%}")
    return _line([TITLES[quantity], *cells, ", ".join(errors)])


TITLES = {
    "bytes": "bytes of a record, in all",
    "log bytes": "of these in the log of Changes",
    "search bytes": "of these in the search",
    "detail": "CPU: detail with four includes",
    "list": "CPU: list of 50, deep",
    "search": "CPU: search",
    "hot": "CPU: detail from the response cache",
    "load": "CPU: a record is loaded in bulk",
}

if __name__ == "__main__":
    main()
