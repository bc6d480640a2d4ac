"""The contest: ours, the limits and the peers as servers beside each other, and the rows that compare them."""

import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import work
from bench.apps.answers import Fixed
from bench.client import Client, request
from bench.data import Data
from bench.measure import Contender, Http, SameSql, costs
from bench.processes import ROOT, Measured, Postgres, Server, free_port, hoptac, uvicorn
from bench.table import Goal, Row
from bench.work import Work

DATASETTE = ROOT / "bench" / ".venv" / "bin" / "python"
HOT = 2_000  # different URLs, asked before
OF = {"sqlite": "", "postgresql": " (PostgreSQL)"}


@dataclass
class Contest:
    """The servers of one run, and the files between them; all ends with the stack."""

    data: Data
    postgres: Postgres
    rounds: int
    seconds: float
    stack: ExitStack
    folder: Path
    works: dict[str, Work] = field(default_factory=dict)

    def _start(self) -> None:
        """Start ours and the peers, collect the work, hand our answers to the limits and start those; once."""
        if self.works:
            return
        data, enter = self.data, self.stack.enter_context
        self.urls = {"sqlite": f"sqlite:///{data.ours}", "postgresql": self.postgres.url(f"hoptac_{data.key}")}
        self.hot = {each: enter(hoptac(url, free_port())) for each, url in self.urls.items()}
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

    def cold_row(self, name: str, engine: str) -> Iterator[Row]:
        """A work on an engine, by everyone who does it there."""
        self._start()
        asked = self.works[name]
        title = asked.title + OF[engine]
        if note := self.absent.get(name):
            yield Row(title, note=note)
            return
        also = self._with(engine)
        paths = {each: [request(path) for path in given] for each, given in asked.paths.items()}
        contenders: dict[str, Contender] = {"ours": Http(self.cold[engine], paths["ours"], *also)}
        contenders |= {each: Http(server, paths["ours"]) for each, server in self.limits.items()}
        contenders["usual"] = Http(self.usual[engine], paths["usual"], *also)
        if self.datasette and engine == "sqlite":
            contenders["Datasette"] = Http(self.datasette, paths["Datasette"])
        with SameSql(self.urls[engine], asked.paths["ours"], *also) as same:
            contenders["S"] = same
            yield Row(title, costs(contenders, self.rounds, self.seconds), asked.goals.get(engine, ()))

    def hot_row(self, engine: str, *, conditional: bool = False) -> Iterator[Row]:
        """Details that were asked before, whole or with the tag of the copy that the caller has."""
        self._start()
        title = ("hot 304" if conditional else "hot GET") + OF[engine]
        yield self._hot(title, self.hot[engine], self.seconds, self._with(engine), conditional=conditional)

    def hot_row_with_writes(self) -> Iterator[Row]:
        """The same while another process changes a project every second, in a copy of the database."""
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
        for name, each in (("ours", hot), *self.limits.items()):
            known = tags if name == "ours" else [self.fixed[path.encode()].tag.decode() for path in paths]
            asked = [request(path, if_none_match=tag) for path, tag in zip(paths, known, strict=True)]
            sent = asked if conditional else [request(path) for path in paths]
            contenders[name] = Http(each, sent, *(also if name == "ours" else []))
        return Row(title, costs(contenders, self.rounds, seconds), [Goal("≤", 1.5, "A")])

    def _with(self, engine: str) -> list[Measured]:
        """What else works for a request on this engine."""
        return [self.postgres] if engine == "postgresql" else []


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
