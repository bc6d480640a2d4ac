"""The comparison: Hoptac, the limits and the peers as servers at the same time, and the rows of the table."""

import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import work
from bench.alone import OF
from bench.apps.answers import Fixed
from bench.client import Client, request
from bench.data import Data
from bench.measure import Contender, Http, SameSql, costs
from bench.processes import ROOT, Measured, Postgres, Server, free_port, hoptac, uvicorn
from bench.table import Goal, Row
from bench.work import Work

DATASETTE = ROOT / "bench" / ".venv" / "bin" / "python"
HOT = 2_000  # different URLs, which the response cache holds


@dataclass
class Contest:
    """The servers of one run and their files; everything ends with the stack."""

    data: Data
    postgres: Postgres
    rounds: int
    seconds: float
    stack: ExitStack
    folder: Path
    works: dict[str, Work] = field(default_factory=dict)

    def _start(self) -> None:
        """Start Hoptac and the peers, collect the work, then start the limits with the responses of Hoptac; once."""
        if self.works:
            return
        data = self.data
        enter = self.stack.enter_context
        self.urls = {"sqlite": f"sqlite:///{data.ours}", "postgresql": self.postgres.url(f"hoptac_{data.key}")}
        self.hot = {engine: enter(hoptac(url, free_port())) for engine, url in self.urls.items()}
        self.cold = {engine: enter(hoptac(url, free_port(), hot_cache="0")) for engine, url in self.urls.items()}
        peers_url = self.postgres.url(f"peers_{data.key}").replace("postgresql:", "postgresql+psycopg:")
        self.usual = {
            engine: enter(uvicorn("bench.apps.usual:app", free_port(), USUAL_DATABASE_URL=url))
            for engine, url in (("sqlite", f"sqlite:///{data.peers}"), ("postgresql", peers_url))
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
            files = [work.exports("jsonl", 2), work.exports("csv", 4), work.exports("geojson", None)]
            counts = [work.facets(), work.linked_facets(), work.totals(self.data), work.aggregates()]
            self.works = {entry.name: entry for entry in (*works, *counts, *files, work.exports("xlsx", None))}
            self.fixed: dict[bytes, Fixed] = {}
            self.absent: dict[str, str] = {}
            for entry in self.works.values():
                self._fetch(ours, entry)
        (self.folder / "answers").write_bytes(pickle.dumps(self.fixed))

    def _fetch(self, ours: Client, entry: Work) -> None:
        """Store the responses of Hoptac to one work, or the reason why there are none."""
        for path in entry.paths["ours"]:
            reply = ours.get(path)
            if reply.status != 200:
                self.absent[entry.name] = f"the response had the status {reply.status}"
                return
            name, _, query = path.partition("?")
            self.fixed[f"{name}?{query}".encode()] = Fixed(reply.headers["etag"].encode(), reply.body)

    def cold_row(self, name: str, engine: str) -> Iterator[Row]:
        """Measure one work on an engine, by all contenders that support it."""
        self._start()
        entry = self.works[name]
        title = entry.title + OF[engine]
        if note := self.absent.get(name):
            yield Row(title, note=note)
            return
        also = self._with(engine)
        requests = {contender: list(map(request, paths)) for contender, paths in entry.paths.items()}
        contenders: dict[str, Contender] = {"ours": Http(self.cold[engine], requests["ours"], *also)}
        contenders |= {limit: Http(server, requests["ours"]) for limit, server in self.limits.items()}
        if "usual" in requests:
            contenders["usual"] = Http(self.usual[engine], requests["usual"], *also)
        if self.datasette and engine == "sqlite" and "Datasette" in requests:
            contenders["Datasette"] = Http(self.datasette, requests["Datasette"])
        with ExitStack() as stack:
            contenders["S"] = stack.enter_context(SameSql(self.urls[engine], entry.paths["ours"], *also))
            if entry.uses_cache:
                _request_all(self.cold[engine], entry)
            measured = costs(contenders, self.rounds, self.seconds)
        note = self._first(entry, engine, measured["F"]) if entry.uses_cache else _rate(name, measured["ours"])
        yield Row(title, measured, entry.goals.get(engine, ()), note)

    def _first(self, entry: Work, engine: str, unit: float) -> str:
        """Return the cost of each request of a work as the first one of its kind, in a server of its own."""
        with hoptac(self.urls[engine], free_port(), hot_cache="0") as server:
            measured = [server, *self._with(engine)]
            before = sum(process.cpu() for process in measured)
            _request_all(server, entry)
            spent = sum(process.cpu() for process in measured) - before
        return f"each for the first time {spent / len(entry.paths['ours']) / unit:.0f} F"

    def hot_row(self, engine: str, *, conditional: bool = False) -> Iterator[Row]:
        """Measure details in the response cache, unconditional or with the current tag."""
        self._start()
        title = ("hot 304" if conditional else "hot GET") + OF[engine]
        yield self._hot(title, self.hot[engine], self.seconds, self._with(engine), conditional=conditional)

    def hot_row_with_writes(self) -> Iterator[Row]:
        """Measure the same while another process changes a project every second, in a copy of the database."""
        self._start()
        copy = self.folder / "written.db"
        shutil.copy(self.data.ours, copy)
        url = f"sqlite:///{copy}"
        with hoptac(url, free_port()) as server, _process("bench.writer", url):
            title = "hot GET, one write a second by another process"
            yield replace(self._hot(title, server, max(3.0, self.seconds), []), goals=[])

    def _hot(self, title: str, hot: Server, seconds: float, also: list[Measured], *, conditional: bool = False) -> Row:
        paths = self.works["detail"].paths["ours"][:HOT]
        with Client(hot.port) as client:
            tags = [client.get(path).headers["etag"] for path in paths]
        contenders: dict[str, Contender] = {}
        for name, server in (("ours", hot), *self.limits.items()):
            requests = list(map(request, paths))
            if conditional:
                current = tags if name == "ours" else [self.fixed[path.encode()].tag.decode() for path in paths]
                requests = [request(path, if_none_match=tag) for path, tag in zip(paths, current, strict=True)]
            contenders[name] = Http(server, requests, *(also if name == "ours" else []))
        return Row(title, costs(contenders, self.rounds, seconds), [Goal("≤", 1.5, "A")])

    def _with(self, engine: str) -> list[Measured]:
        """Return the other processes that serve a request on this engine."""
        return [self.postgres] if engine == "postgresql" else []


def _request_all(server: Server, entry: Work) -> None:
    """Send each request of a work once."""
    with Client(server.port) as client:
        for path in entry.paths["ours"]:
            client.get(path)


def _rate(name: str, seconds: float) -> str:
    """Return how many records of a file take one second of CPU time; nothing for other work."""
    return f"{work.EXPORTED / seconds:,.0f} records a CPU second" if name.startswith("export") else ""


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
