"""Measure everything and print the table: `python -m bench.run --projects 100000`."""

import argparse
import itertools
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench import disk
from bench.alone import Alone
from bench.contest import Contest
from bench.data import Data
from bench.pages import Pages
from bench.processes import ROOT, Postgres
from bench.table import HEAD, Row

FORMS = ("jsonl", "csv", "geojson", "xlsx")
Rows = dict[str, Callable[[], Iterator[Row]]]


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends all other processes too
    options.data.mkdir(parents=True, exist_ok=True)
    data = Data(options.data, options.projects, options.seed, options.children)
    smaller = Data(options.data, options.projects // 10, options.seed, options.children)
    with ExitStack() as stack:
        postgres = None if options.growth else stack.enter_context(Postgres(options.data / "postgres"))
        data.make(postgres, peers=postgres is not None)
        smaller.make(peers=False)
        alone = Alone(data, smaller, postgres, options.rounds, options.seconds)
        rows = _growth(alone)
        if postgres is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hoptac-bench-")))
            contest = Contest(data, postgres, options.rounds, options.seconds, stack, folder)
            rows = {**_contest(contest), **_pages(Pages(data, postgres)), **_alone(alone), **rows}
            rows |= {f"disk-{engine}": partial(disk.rows, engine, data, postgres) for engine in disk.ENGINES}
        prefixes = tuple(options.only) or ("",)
        chosen = {name: measure for name, measure in rows.items() if name.startswith(prefixes)}
        return 0 if _print(data, chosen) else 1


def _contest(contest: Contest) -> Rows:
    """Return the rows that compare Hoptac with limits and peers."""
    works = ("detail", "list", "search", "facets", "linked", "totals", "aggregates")
    engines = {"": "sqlite", "-postgresql": "postgresql"}
    cold = itertools.product(engines.items(), works)
    return {
        "hot": partial(contest.hot_row, "sqlite"),
        "hot-304": partial(contest.hot_row, "sqlite", conditional=True),
        "hot-postgresql": partial(contest.hot_row, "postgresql"),
        "hot-writes": contest.hot_row_with_writes,
        **{work + end: partial(contest.cold_row, work, engine) for (end, engine), work in cold},
        **{f"export-{form}": partial(contest.cold_row, f"export-{form}", "sqlite") for form in FORMS},
    }


def _pages(pages: Pages) -> Rows:
    return {"pages": partial(pages.rows, "sqlite"), "pages-postgresql": partial(pages.rows, "postgresql")}


def _alone(alone: Alone) -> Rows:
    return {
        "bulk": partial(alone.bulk, "sqlite"),
        "bulk-postgresql": partial(alone.bulk, "postgresql"),
        "writes": partial(alone.writes, "sqlite"),
        "writes-postgresql": partial(alone.writes, "postgresql"),
        "iati": alone.iati,
        "workers": alone.workers,
        "start": alone.start,
    }


def _growth(alone: Alone) -> Rows:
    return {f"growth-{work}": partial(alone.growth, work) for work in ("detail", "list", "search")}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=100_000)
    parser.add_argument("--children", type=float, default=1.0, help="scales agreements, milestones and figures")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.6, help="length of a turn")
    parser.add_argument(
        "--data",
        type=lambda path: Path(path).resolve(),
        default=ROOT / "bench" / ".data",
        help="folder of the databases",
    )
    parser.add_argument("--only", nargs="*", default=(), help="only rows whose names start with one of these")
    parser.add_argument("--growth", action="store_true", help="only the growth of cost from a tenth of the projects")
    return parser.parse_args()


def _print(data: Data, rows: Rows) -> bool:
    """Measure and print row by row; return whether all rows could be measured."""
    records = sum(data.facts["counts"].values())
    size = data.ours.stat().st_size / 1e6
    print(f"\n{data.size:,} projects, {records:,} records, {size:,.0f} MB on disk (SQLite).\n\n{HEAD}", flush=True)
    failed = False
    for name, measure in rows.items():
        try:
            for row in measure():
                print(row.line(), flush=True)
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:  # the other rows are still measured
            failed = True
            print(Row(name, note=f"failed: {error}").line(), flush=True)
    return not failed


if __name__ == "__main__":
    sys.exit(main())
