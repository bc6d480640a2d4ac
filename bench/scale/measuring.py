"""What the model is fed with: bytes, CPU time, delays and hits, measured on this machine.

CPU time is in units of a detail from the response cache of SQLite at the largest size, so that it means something on
other machines too; `unit` says how many microseconds that took. All requests are measured in turn, round after round,
and the median of the rounds counts.
"""

import itertools
import json
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from app.core.database.engine import Database
from app.core.maintenance.schema import head, migrate
from app.keys.administration import create
from app.keys.models import KeyFields
from bench import single_writes, work
from bench.bulk import load, seconds
from bench.client import Client
from bench.data import Data
from bench.generate import Generator
from bench.processes import ROOT, Measured, Postgres, Server, children_of, cpu_of, free_port, hoptac
from bench.scale.simulation import Write, Zipf, poisson
from tests.torture.clusters import Cluster

SIZES = (1_000, 10_000, 100_000)  # projects
LARGE = (10_000, 100_000, 1_000_000)  # projects with few children
FEW = 0.05  # scales their children
ROUNDS = 7
REQUESTS = 200  # of each kind in a turn, at most
LOADED = 1_000  # projects whose load is measured
LOADS = 3
WRITERS = (1, 8, 32)  # clients
WRITING = 1.5  # seconds of a turn of writers
FOLLOWED = 150  # writes that are looked for on a replica
FRONT_SECONDS = 24.0
FRONT_EVERY = 1.0  # seconds between two looks of the purger
FRONT_WRITES = 1.0  # a second
FRONT_READS = 300.0  # a second
FRONT_SHARES = {"record": 0.70, "detail": 0.12, "list": 0.12, "search": 0.06}
FRONT_LISTS = 40
VARNISH = ("/usr/sbin/varnishd", "/usr/lib/*/varnish/vmods/libvmod_xkey.so")
EXPONENT = 0.8  # of the popularity of records

Quantities = dict[str, float]


@dataclass(frozen=True)
class Subject:
    """A generated registry on one engine."""

    engine: str
    data: Data
    url: str
    postgres: Postgres | None

    def bytes(self) -> Quantities:
        """Return its bytes on disk: in all, of the log, of the search, and of indexes."""
        sizes = self._sqlite_sizes() if self.postgres is None else self._postgresql_sizes()
        return {
            "bytes": sum(size for _, _, size in sizes),
            "log bytes": sum(size for name, _, size in sizes if "changes" in name),
            "search bytes": sum(size for name, _, size in sizes if "search_" in name),
            "index bytes": sum(size for name, is_index, size in sizes if is_index and "search_" not in name),
        }

    def _sqlite_sizes(self) -> list[tuple[str, bool, float]]:
        with closing(sqlite3.connect(self.data.ours)) as connection:
            indexes = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
            pages = connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name")
            return [(name, name in indexes, size) for name, size in pages]

    def _postgresql_sizes(self) -> list[tuple[str, bool, float]]:
        kinds = "relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace"
        size = "CASE WHEN relkind = 'i' THEN pg_relation_size(oid) ELSE pg_table_size(oid) END"
        query = f"SELECT relname, relkind = 'i', {size} FROM pg_class WHERE {kinds}".encode()
        with psycopg.connect(self.url) as connection:
            return [(name, is_index, float(size)) for name, is_index, size in connection.execute(query)]


@dataclass
class Turns:
    """The same requests in each turn, and what each turn took: of the server, and of the database."""

    server: Server
    paths: Sequence[str]
    database: Measured | None
    costs: list[tuple[float, float]]

    @classmethod
    def of(cls, server: Server, paths: Sequence[str], database: Measured | None) -> "Turns":
        return cls(server, list(itertools.islice(itertools.cycle(paths), REQUESTS)), database, [])

    def turn(self) -> None:
        before = self._used()
        with Client(self.server.port) as client:
            for path in self.paths:
                if client.get(path).status != 200:
                    raise RuntimeError(f"{path} was not answered.")
        after = self._used()
        self.costs.append(tuple((end - start) / len(self.paths) for start, end in zip(before, after, strict=True)))  # type: ignore[arg-type]

    def _used(self) -> tuple[float, float]:
        return self.server.cpu(), self.database.cpu() if self.database else 0.0

    def median(self) -> tuple[float, float]:
        """Return the medians of all turns but the first, which compiles statements and fills caches."""
        server, database = zip(*self.costs[1:], strict=True)
        return statistics.median(server), statistics.median(database)


def measure(root: Path) -> dict[str, Any]:
    """Measure everything on the databases of a folder, in about six minutes if they are there."""
    with Postgres(root / "postgres") as postgres:
        subjects = list(_subjects(root, postgres))
        costs, unit = _requests(subjects)
        return {
            "schema": head(),
            "unit": unit * 1e6,
            "records": {str(size): sum(Data(root, size).facts["counts"].values()) for size in SIZES},
            "bytes": _by_engine_and_size(subjects, [subject.bytes() for subject in subjects]),
            "requests": _by_engine_and_size(subjects, costs),
            "load": _loads(postgres, unit),
            "writes": {engine: _writes(engine, postgres, unit) for engine in ("sqlite", "postgresql")},
            "replica": _replica(unit),
            "front": _front(Data(root, SIZES[0]), unit),
            "sync": _sync(),
        }


def measure_large(root: Path) -> dict[str, Any]:
    """Measure registries of projects with few children, on SQLite: the largest has ten times as many as others."""
    subjects = []
    for size in LARGE:
        data = Data(root, size, children=FEW)
        data.make(peers=False)
        subjects.append(Subject("sqlite", data, f"sqlite:///{data.ours}", None))
    costs, unit = _requests(subjects)
    sizes = [subject.bytes() for subject in subjects]
    loads = [{"load": _tail(subject.data.facts["cpu"]) / unit} for subject in subjects]
    points = [{**size, **cost, **load} for size, cost, load in zip(sizes, costs, loads, strict=True)]
    return {
        "schema": head(),
        "records": {str(subject.data.size): sum(subject.data.facts["counts"].values()) for subject in subjects},
        "points": {str(subject.data.size): point for subject, point in zip(subjects, points, strict=True)},
    }


def _tail(chunks: Sequence[tuple[int, float]]) -> float:
    """Return the CPU seconds in which a record is loaded into a registry that is almost as large as the whole."""
    last = chunks[-max(1, len(chunks) // 10) :]
    return sum(cpu for _, cpu in last) / sum(records for records, _ in last)


def _subjects(root: Path, postgres: Postgres) -> Iterator[Subject]:
    for size in SIZES:
        data = Data(root, size)
        data.make(postgres, peers=False)
        yield Subject("sqlite", data, f"sqlite:///{data.ours}", None)
        yield Subject("postgresql", data, postgres.url(f"hoptac_{data.key}"), postgres)


def _by_engine_and_size(subjects: Sequence[Subject], values: Sequence[Quantities]) -> dict[str, dict[str, Quantities]]:
    measured: dict[str, dict[str, Quantities]] = {}
    for subject, value in zip(subjects, values, strict=True):
        measured.setdefault(subject.engine, {})[str(subject.data.size)] = value
    return measured


def _requests(subjects: Sequence[Subject]) -> tuple[list[Quantities], float]:
    """Return the costs of requests to each subject in units, and the CPU seconds of a unit, on the last SQLite."""
    turns: dict[tuple[int, str], Turns] = {}
    with ExitStack() as stack:
        for number, subject in enumerate(subjects):
            cold = stack.enter_context(hoptac(subject.url, free_port(), hot_cache="0"))
            hot = stack.enter_context(hoptac(subject.url, free_port()))
            with Client(cold.port) as client:
                works = [work.detail(subject.data), work.deep_list(client, None), work.search(subject.data)]
            paths = {entry.name: entry.paths["ours"] for entry in works}
            paths["record"] = [f"/v1/projects/{project}" for project in subject.data.facts["projects"]]
            for kind, urls in paths.items():
                turns[number, kind] = Turns.of(cold, urls, subject.postgres)
            turns[number, "hot"] = Turns.of(hot, paths["detail"], subject.postgres)
        for _ in range(ROUNDS + 1):
            for entry in turns.values():
                entry.turn()
    last = max(number for number, subject in enumerate(subjects) if subject.engine == "sqlite")
    unit = turns[last, "hot"].median()[0]
    measured: list[Quantities] = [{} for _ in subjects]
    for (number, kind), entry in turns.items():
        server, database = entry.median()
        measured[number][kind] = server / unit
        if subjects[number].postgres:
            measured[number][f"{kind} database"] = database / unit
    return measured, unit


def _loads(postgres: Postgres, unit: float) -> dict[str, float]:
    """Return in how many units a record is loaded into an empty registry."""
    chunks = list(Generator(LOADED).chunks())
    count = sum(map(len, chunks))
    costs: dict[str, list[float]] = {"sqlite": [], "postgresql": []}
    for _ in range(LOADS):
        for engine, measured in costs.items():
            with _new_database(engine, postgres, "scale") as url, Database(url) as database:
                migrate(database)
                postmaster = postgres.pid if engine == "postgresql" else None
                measured.append(seconds(lambda: load(database, chunks), postmaster) / count / unit)
    return {engine: statistics.median(measured) for engine, measured in costs.items()}


@contextmanager
def _new_database(engine: str, postgres: Postgres, name: str) -> Iterator[str]:
    if engine == "postgresql":
        with postgres.databases(name) as (url,):
            yield url
    else:
        with tempfile.TemporaryDirectory(prefix="hoptac-bench-") as folder:
            yield f"sqlite:///{folder}/hoptac.db"


# ---- writers and replicas


def _writes(engine: str, postgres: Postgres, unit: float) -> dict[str, Any]:
    """Return what a write takes in the event loop, in the writer and in the database, by the number of clients."""
    also = postgres if engine == "postgresql" else None
    measured: dict[int, list[Quantities]] = {clients: [] for clients in WRITERS}
    with _new_database(engine, postgres, "written") as url:
        token = single_writes.prepare(url)
        with hoptac(url, free_port()) as server:
            content = single_writes.requests(server, token)
            writers = {clients: single_writes.Writers(server, content, clients, []) for clients in WRITERS}
            for _ in range(LOADS + 1):
                for clients, entry in writers.items():
                    measured[clients].append(_turn_of_writers(entry, server, also, unit))
    return {str(clients): _medians(turns[1:]) for clients, turns in measured.items()}


def _turn_of_writers(
    writers: single_writes.Writers, server: Server, database: Measured | None, unit: float
) -> Quantities:
    def used() -> tuple[float, float, float]:
        return _cpu_of_main_thread(server.pid), server.cpu(), database.cpu() if database else 0.0

    before = used()
    writers.turn(WRITING)
    loop, server_, database_ = ((end - start) / writers.count / unit for start, end in zip(before, used(), strict=True))
    return {"request": loop, "writer": server_ - loop, "database": database_, "rate": writers.last_rate}


def _cpu_of_main_thread(pid: int) -> float:
    """Return the CPU seconds of the first thread of a process, in which the event loop runs."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


def _medians(turns: Sequence[Mapping[str, float]]) -> Quantities:
    return {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}


def _replica(unit: float) -> dict[str, Any]:
    """Return the milliseconds until a write is visible on a replica on the same machine, and what it costs there."""
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="hoptac-bench-", ignore_cleanup_errors=True))
        )
        folder.chmod(0o755)
        primary = stack.enter_context(closing(Cluster.made(folder / "primary")))
        token = single_writes.prepare(primary.url("postgres"))
        replica = stack.enter_context(closing(primary.standby(folder / "replica")))
        server = stack.enter_context(hoptac(primary.url("postgres"), free_port()))
        content = single_writes.requests(server, token)
        writers = single_writes.Writers(server, content, 4, [])
        writers.turn(0.5)
        replay = next(
            pid for pid in children_of(replica.pid) if b"startup" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
        before = cpu_of(replay)
        writers.turn(WRITING)
        cost = (cpu_of(replay) - before) / writers.count / unit
        return {"replay": cost, "lags": _lags(server, content, replica.url("postgres"))}


def _lags(server: Server, content: Iterator[bytes], replica: str) -> list[float]:
    """Return the milliseconds from the response to a write until the write is visible, in order."""
    measured = []
    with Client(server.port) as client, psycopg.connect(replica, autocommit=True) as connection:
        for request in itertools.islice(content, FOLLOWED):
            sequence = int(client.send(request).headers["hoptac-sequence"])
            answered = time.monotonic()
            while (connection.execute("SELECT max(sequence) FROM changes").fetchone() or (0,))[0] < sequence:
                if time.monotonic() > answered + 60:
                    raise RuntimeError("The replica does not follow.")
            measured.append((time.monotonic() - answered) * 1e3)
    return sorted(round(lag, 3) for lag in measured)


def _sync() -> float:
    """Return the milliseconds in which a page reaches the disk."""
    waits = []
    with tempfile.NamedTemporaryFile(prefix="hoptac-bench-") as file:
        for _ in range(50):
            file.write(bytes(8_192))
            file.flush()
            began = time.monotonic()
            os.fsync(file.fileno())
            waits.append((time.monotonic() - began) * 1e3)
    return statistics.median(waits)


# ---- a cache in front


def _front(data: Data, unit: float) -> dict[str, Any] | None:
    """Return hits, costs and ages of responses of a Varnish while records are read and written; None without one."""
    modules = list(Path("/").glob(VARNISH[1].lstrip("/")))
    if not (Path(VARNISH[0]).exists() and modules):
        print("There is no Varnish here (apt-get install varnish varnish-modules): the cache is not measured.")
        return None
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hoptac-bench-")))
        shutil.copy(data.ours, folder / "hoptac.db")
        url = f"sqlite:///{folder / 'hoptac.db'}"
        with Database(url) as database, database.write() as session:
            token = create(session, KeyFields(name="bench", scopes=["records:write"])).key
        origin = stack.enter_context(hoptac(url, free_port(), shared_max_age="3600"))
        varnish = stack.enter_context(_varnish(origin.port, folder))
        stack.enter_context(_purger(url, varnish.port, folder))
        return _Front(data, origin, varnish, token).measure(unit, folder)


def _varnish(origin: int, folder: Path) -> Server:
    text = (ROOT / "deploy" / "varnish" / "hoptac.vcl").read_text("utf-8")
    (folder / "own.vcl").write_text(text.replace('.port = "8000"', f'.port = "{origin}"'))
    port = free_port()
    command = [VARNISH[0], "-j", "none", "-F", "-n", str(folder / "varnish"), "-f", str(folder / "own.vcl")]
    command += ["-a", f"127.0.0.1:{port}", "-s", "malloc,256m", "-p", "thread_pool_min=10"]
    return Server(command, {}, port)


@contextmanager
def _purger(url: str, port: int, folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "app", "purge", f"http://127.0.0.1:{port}", "--every", str(FRONT_EVERY)]
    command += ["--file", str(folder / "position")]
    environment = {"HOPTAC_DATABASE_URL": url, "NO_PROXY": "*", "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if not process.stdout.readline().startswith("Changed responses were deleted"):
                raise RuntimeError("`hoptac purge` did not start.")
            while not (folder / "position").exists():  # it has deleted everything twice then
                time.sleep(0.1)
            yield
        finally:
            process.terminate()


class _Front:
    """Reads through a Varnish with the popularity of a Zipf law, while records are changed at the server."""

    def __init__(self, data: Data, origin: Server, varnish: Server, token: str) -> None:
        self._origin = origin
        self._varnish = varnish
        self._token = token
        self._paths = {
            "record": [f"/v1/projects/{project}" for project in data.facts["projects"]],
            "detail": work.detail(data).paths["ours"],
            "list": [f"/v1/projects?status=active&limit={number}" for number in range(1, FRONT_LISTS + 1)],
            "search": work.search(data).paths["ours"],
        }
        self._popularity = {kind: Zipf(len(paths), EXPONENT) for kind, paths in self._paths.items()}
        self._has_ended = threading.Event()
        self._writes: list[Write] = []
        self._began = 0.0

    def measure(self, unit: float, folder: Path) -> dict[str, Any]:
        self._began = time.monotonic()
        writer = threading.Thread(target=self._write)
        writer.start()
        try:
            served = self._read(FRONT_SECONDS)
        finally:
            self._has_ended.set()
            writer.join()
        return {
            **served,
            "writes": self._writes,
            "sizes": {kind: len(paths) for kind, paths in self._paths.items()},
            "cost": self._cost() / unit,
            "stored bytes": _stored_bytes(folder / "varnish"),
            "ages": self._ages(),
        }

    def _read(self, seconds: float) -> dict[str, Any]:
        rng = random.Random(1)
        requests = dict.fromkeys(self._paths, 0)
        hits = dict.fromkeys(self._paths, 0)
        began = time.monotonic()
        with Client(self._varnish.port) as client:
            for at in poisson(rng, FRONT_READS, seconds):
                time.sleep(max(0.0, began + at - time.monotonic()))
                kind = rng.choices(list(FRONT_SHARES), list(FRONT_SHARES.values()))[0]
                reply = client.get(self._paths[kind][self._popularity[kind].pick(rng) - 1])
                requests[kind] += 1
                hits[kind] += len(reply.headers["x-varnish"].split()) == 2  # the request that fetched it is named too
        return {
            "reads": sum(requests.values()) / (time.monotonic() - began),
            "seconds": time.monotonic() - began,
            "hits": {kind: hits[kind] / requests[kind] for kind in requests},
            "hit rate": sum(hits.values()) / sum(requests.values()),
        }

    def _write(self) -> None:
        """Change projects and milestones at random times, popular projects most often."""
        rng = random.Random(2)
        with Client(self._origin.port) as client:
            items = json.loads(client.get("/v1/milestones?limit=200").body)["items"]
        while not self._has_ended.wait(rng.expovariate(FRONT_WRITES)):
            number = self._popularity["record"].pick(rng) if rng.random() < 0.5 else None
            project = self._paths["record"][number - 1] if number else ""
            self._change(project or f"/v1/milestones/{rng.choice(items)['id']}")
            self._writes.append(Write(time.monotonic() - self._began, number, 0 if number else 1))

    def _change(self, path: str) -> int:
        """Change a record; return its version after that."""
        body = {"description": {"en": f"Changed at {time.monotonic()}."}}
        with Client(self._origin.port) as client:
            reply = client.send(single_writes.request("PATCH", path, body, self._token))
        if reply.status != 200:
            raise RuntimeError(f"A write was answered with {reply.status}.")
        version: int = json.loads(reply.body)["version"]
        return version

    def _cost(self) -> float:
        """Return the CPU seconds of a hit: the median of some turns."""
        paths = self._paths["record"][:REQUESTS]
        costs = []
        with Client(self._varnish.port) as client:
            for _ in range(ROUNDS):
                before = self._varnish.cpu()
                for path in paths:
                    client.get(path)
                costs.append((self._varnish.cpu() - before) / len(paths))
        return statistics.median(costs[1:])

    def _ages(self) -> list[float]:
        """Return for how many seconds a response in the cache missed a write, for some writes, in order."""
        ages = []
        rng = random.Random(3)
        with Client(self._varnish.port) as client:
            for number in range(12):
                time.sleep(rng.random() * FRONT_EVERY)
                path = self._paths["record"][number]
                client.get(path)
                version = self._change(path)
                written = time.monotonic()
                while json.loads(client.get(path).body)["version"] < version:
                    time.sleep(0.01)
                ages.append(time.monotonic() - written)
        return sorted(round(age, 3) for age in ages)


def _stored_bytes(folder: Path) -> float:
    """Return the mean bytes of memory of a stored response."""
    command = ["varnishstat", "-1", "-j", "-n", str(folder)]
    measured = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    counters = measured.get("counters", measured)
    return float(counters["SMA.s0.g_bytes"]["value"] / max(1, counters["MAIN.n_object"]["value"]))
