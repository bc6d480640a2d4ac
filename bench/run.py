"""Measures everything in one go and prints the table: `python -m bench.run --projects 100000`."""

import argparse
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import work
from bench.apps.answers import Fixed
from bench.client import Client, request
from bench.data import Data
from bench.measure import Contender, Http, SameSql, costs
from bench.processes import ROOT, Postgres, Server, free_port, hoptac, uvicorn
from bench.table import HEAD, Goal, Row
from bench.work import Work

DATASETTE = ROOT / "bench" / ".venv" / "bin" / "python"
HOT = 2_000  # different URLs, asked before


@dataclass
class Bench:
    """The servers of one run, and the files between them; all ends with the stack."""

    data: Data
    smaller: Data
    postgres: Postgres
    rounds: int
    seconds: float
    stack: ExitStack
    folder: Path

    def start(self) -> None:
        """Start ours and the peers, collect the work, hand our answers to the limits and start those."""
        data, enter = self.data, self.stack.enter_context
        self.urls = {"sqlite": f"sqlite:///{data.ours}", "postgresql": self.postgres.url(f"hoptac_{data.key}")}
        self.hot = enter(hoptac(self.urls["sqlite"], free_port()))
        self.cold = {each: enter(hoptac(url, free_port(), hot_cache="0")) for each, url in self.urls.items()}
        theirs = self.postgres.url(f"peers_{data.key}").replace("postgresql:", "postgresql+psycopg:")
        self.usual = {
            engine: enter(uvicorn("bench.apps.usual:app", free_port(), USUAL_DATABASE_URL=url))
            for engine, url in (("sqlite", f"sqlite:///{data.peers}"), ("postgresql", theirs))
        }
        self.datasette = None
        if DATASETTE.exists():
            served = {"python": str(DATASETTE), "DATASETTE_FILE": str(data.peers)}
            self.datasette = enter(uvicorn("bench.apps.with_datasette:app", free_port(), **served))
        self._collect()
        answers = str(self.folder / "answers")
        self.limits = {
            name: enter(uvicorn(f"bench.apps.{app}:app", free_port(), BENCH_ANSWERS=answers))
            for name, app in (("A", "bare_asgi"), ("F", "bare_fastapi"))
        }

    def _collect(self) -> None:
        with ExitStack() as stack:
            ours = stack.enter_context(Client(self.cold["sqlite"].port))
            datasette = stack.enter_context(Client(self.datasette.port)) if self.datasette else None
            works = [work.detail(self.data), work.deep_list(ours, datasette), work.search(self.data)]
            self.works = {each.name: each for each in (*works, work.facets(), work.aggregates())}
            self.fixed: dict[bytes, Fixed] = {}
            self.absent: dict[str, str] = {}
            for each in self.works.values():
                self._fetch(ours, each)
        (self.folder / "answers").write_bytes(pickle.dumps(self.fixed))

    def _fetch(self, ours: Client, asked: Work) -> None:
        if ours.get(asked.paths["ours"][0].partition("?")[0]).status == 404:
            self.absent[asked.name] = "not there yet"
            return
        for path in asked.paths["ours"]:
            reply = ours.get(path)
            if reply.status != 200:
                self.absent[asked.name] = f"answered with {reply.status}"
                return
            name, _, query = path.partition("?")
            self.fixed[f"{name}?{query}".encode()] = Fixed(reply.headers["etag"].encode(), reply.body)

    def row(self, name: str, engine: str) -> Row:
        """A work on an engine, by everyone who does it there."""
        asked = self.works[name]
        title = asked.title + (" (PostgreSQL)" if engine == "postgresql" else "")
        if note := self.absent.get(name):
            return Row(title, note=note)
        also = [self.postgres] if engine == "postgresql" else []
        paths = {each: [request(path) for path in given] for each, given in asked.paths.items()}
        contenders: dict[str, Contender] = {"ours": Http(self.cold[engine], paths["ours"], *also)}
        contenders |= {each: Http(server, paths["ours"]) for each, server in self.limits.items()}
        contenders["usual"] = Http(self.usual[engine], paths["usual"], *also)
        if self.datasette and engine == "sqlite":
            contenders["Datasette"] = Http(self.datasette, paths["Datasette"])
        with SameSql(self.urls[engine], asked.paths["ours"], *also) as same:
            contenders["S"] = same
            return Row(title, self.costs(contenders), asked.goals.get(engine, ()))

    def hot_row(self, title: str, *, conditional: bool = False, server: Server | None = None, slow: float = 1) -> Row:
        """Details that were asked before, whole or with the tag of the copy that the asker has."""
        hot = server or self.hot
        paths = self.works["detail"].paths["ours"][:HOT]
        with Client(hot.port) as client:
            tags = [client.get(path).headers["etag"] for path in paths]
        contenders: dict[str, Contender] = {}
        for name, each in (("ours", hot), *self.limits.items()):
            known = tags if name == "ours" else [self.fixed[path.encode()].tag.decode() for path in paths]
            sent = [request(path, if_none_match=tag) for path, tag in zip(paths, known, strict=True)]
            contenders[name] = Http(each, sent if conditional else [request(path) for path in paths])
        return Row(title, costs(contenders, self.rounds, self.seconds * slow), [Goal("≤", 1.5, "A")])

    def hot_row_with_writes(self) -> Row:
        """The same while another process changes a project every second, in a copy of the database."""
        copy = self.folder / "written.db"
        shutil.copy(self.data.ours, copy)
        url = f"sqlite:///{copy}"
        with hoptac(url, free_port()) as server, _process("bench.writer", url):
            return self.hot_row("hot GET, one write a second by another process", server=server, slow=5)

    def growth(self, name: str) -> Row:
        """How much more a work costs on ten times as many projects."""
        row = Row(f"{name}: {self.data.size:,} projects against {self.smaller.size:,}")
        contenders: dict[str, Contender] = {}
        with ExitStack() as stack:
            for each, data in (("ours", self.data), ("before", self.smaller)):
                server = stack.enter_context(hoptac(f"sqlite:///{data.ours}", free_port(), hot_cache="0"))
                client = stack.enter_context(Client(server.port))
                asked = {"detail": work.detail, "rare": work.rare_words}.get(name)
                paths = (asked(data) if asked else work.deep_list(client, None)).paths["ours"]
                if client.get(paths[0]).status == 404:
                    row.note = "not there yet"
                    return row
                contenders[each] = Http(server, [request(path) for path in paths])
            row.costs, row.goals = self.costs(contenders), [Goal("≤", 1.3, "before")]
            return row

    def costs(self, contenders: dict[str, Contender]) -> dict[str, float]:
        return costs(contenders, self.rounds, self.seconds)


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def measures(bench: Bench) -> dict[str, Callable[[], Row]]:
    """What can be measured, by name."""
    engines = {"sqlite": "", "postgresql": "-postgresql"}
    return {
        "hot": partial(bench.hot_row, "hot GET"),
        "hot-304": partial(bench.hot_row, "hot 304", conditional=True),
        "hot-writes": bench.hot_row_with_writes,
        **{
            f"{name}{suffix}": partial(bench.row, name, engine)
            for engine, suffix in engines.items()
            for name in ("detail", "list", "search", "facets", "aggregates")
        },
        **{f"growth-{name}": partial(bench.growth, name) for name in ("detail", "list", "rare")},
    }


def main() -> None:
    options = _options()
    options.data.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hoptac-bench-")))
        postgres = stack.enter_context(Postgres(options.data / "postgres"))
        data = Data(options.data, options.projects)
        smaller = Data(options.data, options.projects // 10)
        data.make(postgres)
        smaller.make()
        bench = Bench(data, smaller, postgres, options.rounds, options.seconds, stack, folder)
        bench.start()
        _print(bench, options.only)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.6, help="length of a turn")
    parser.add_argument("--data", type=Path, default=ROOT / "bench" / ".data", help="where databases are kept")
    parser.add_argument("--only", nargs="*", default=(), help="measure only what begins with one of these")
    return parser.parse_args()


def _print(bench: Bench, only: Sequence[str]) -> None:
    print(f"\n{bench.data.size:,} projects: {bench.data.facts['counts']}\n\n{HEAD}", flush=True)
    for name, measure in measures(bench).items():
        if not only or name.startswith(tuple(only)):
            print(measure().line(), flush=True)


if __name__ == "__main__":
    main()
