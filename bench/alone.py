"""Rows that compare ours with itself or with nothing but its floor: growth, workers, start, memory, bulk load."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import work
from bench.client import Client, request
from bench.data import Data
from bench.measure import Contender, Http, costs
from bench.processes import ROOT, Postgres, free_port, hoptac, uvicorn
from bench.serving import Crowd, starts
from bench.table import Goal, Row


@dataclass
class Alone:
    """What these rows need: the databases, and how long to measure."""

    data: Data
    smaller: Data
    postgres: Postgres | None
    rounds: int
    seconds: float

    def growth(self, name: str) -> Iterator[Row]:
        """How much more a work costs on ten times as many projects."""
        row = Row(f"growth of {name}, {self.smaller.size:,} to {self.data.size:,} projects")
        contenders: dict[str, Contender] = {}
        with ExitStack() as stack:
            for each, data in (("ours", self.data), ("a tenth of them", self.smaller)):
                server = stack.enter_context(hoptac(f"sqlite:///{data.ours}", free_port(), hot_cache="0"))
                with Client(server.port) as client:
                    asked = {"detail": work.detail, "search": work.rare_words}.get(name)
                    paths = (asked(data) if asked else work.deep_list(client, None)).paths["ours"]
                    there = client.get(paths[0]).status == 200
                contenders[each] = Http(server, [request(path) for path in paths])
            if there:
                row.costs, row.goals = costs(contenders, self.rounds, self.seconds), [Goal("≤", 1.3, "a tenth of them")]
            else:
                row.note = "not there yet"
            yield row

    def workers(self) -> Iterator[Row]:
        """How much faster two processes answer than one; time on the clock, so it wants an idle machine."""
        contenders: dict[str, Contender] = {}
        with ExitStack() as stack:
            for name, workers in (("one worker", "1"), ("ours", "2")):
                url = f"sqlite:///{self.data.ours}"
                server = stack.enter_context(hoptac(url, free_port(), hot_cache="0", workers=workers))
                with Client(server.port) as client:
                    contenders[name] = Crowd(server, work.deep_list(client, None).paths["ours"])
            found = costs(contenders, self.rounds, max(1.0, self.seconds))
        yield Row("2 workers against 1, lists a second", found, [Goal("≥", 1.7, "one worker")])

    def start(self) -> Iterator[Row]:
        """How long until the first answer, and how much memory then."""
        port, path = free_port(), work.detail(self.data).paths["ours"][0]
        servers = {
            "ours": (hoptac(f"sqlite:///{self.data.ours}", port), path),
            "F": (uvicorn("bench.apps.bare_fastapi:app", port), "/health"),
        }
        waited, resident = starts(servers, self.rounds)
        yield Row("start to first answer", waited, [Goal("≤", 2, "F")])
        yield Row("idle memory", resident, [Goal("≤", 1.6, "F")])

    def bulk(self, engine: str) -> Iterator[Row]:
        """What loading a tenth of the projects costs beside inserting the rows that it leaves behind."""
        with ExitStack() as stack:
            if engine == "sqlite":
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hoptac-bulk-")))
                given = [f"sqlite:///{folder / name}.db" for name in ("ours", "raw")]
            else:
                assert self.postgres is not None
                given = stack.enter_context(self.postgres.databases("bulk_ours", "bulk_raw"))
            given.append(str(self.smaller.size))
            given += [str(self.postgres.pid)] if engine == "postgresql" and self.postgres else []
            command = [sys.executable, "-m", "bench.bulk", *given]
            found = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
        title = f"bulk load, {found.pop('rows'):,} rows" + (" (PostgreSQL)" if engine == "postgresql" else "")
        yield Row(title, found, [Goal("≤", 3.5, "executemany")])
