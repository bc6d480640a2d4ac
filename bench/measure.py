"""The cost of a request: CPU time of all processes that serve it, measured in turn for each contender."""

import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Protocol, Self

from bench.client import Client
from bench.processes import ROOT, Measured, Server, cpu_of

MIN_REQUESTS = 5  # in one turn, even if they are slow


class Contender(Protocol):
    """One of the programs that do the same work in turn."""

    def turn(self, seconds: float) -> float:
        """Send requests for a time in seconds; return the CPU seconds of one request."""


class Http:
    """A server that receives requests over one connection in each turn, never the same one twice in a row."""

    def __init__(self, server: Server, requests: Sequence[bytes], *also: Measured) -> None:
        self._port = server.port
        self._measured = (server, *also)
        self._requests = itertools.cycle(requests)

    def turn(self, seconds: float) -> float:
        before = self._cpu()
        count = 0
        until = time.monotonic() + seconds
        with Client(self._port) as client:
            while count < MIN_REQUESTS or time.monotonic() < until:
                status = client.send(next(self._requests)).status
                if status not in (200, 304):
                    raise RuntimeError(f"A request was answered with {status}.")
                count += 1
        return (self._cpu() - before) / count

    def _cpu(self) -> float:
        return sum(process.cpu() for process in self._measured)


class SameSql:
    """A process in which the driver alone runs the statements that Hoptac runs for the same requests."""

    def __init__(self, database_url: str, paths: Sequence[str], *also: Measured) -> None:
        self._also = also
        command = [sys.executable, "-m", "bench.apps.same_sql", database_url]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._ask(json.dumps(paths))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def turn(self, seconds: float) -> float:
        before = self._cpu()
        count = int(self._ask(str(seconds)))
        return (self._cpu() - before) / count

    def _cpu(self) -> float:
        return cpu_of(self._process.pid) + sum(process.cpu() for process in self._also)

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(line, file=self._process.stdin, flush=True)
        reply = self._process.stdout.readline()
        if not reply:
            raise RuntimeError("The process that repeats the SQL of Hoptac has ended.")
        return reply


def costs(contenders: Mapping[str, Contender], rounds: int, seconds: float) -> dict[str, float]:
    """Return the median cost by contender. All have one turn in each round, so that a slow machine slows all."""
    for contender in contenders.values():
        contender.turn(seconds / 2)  # warms up: imports, compiled statements, pages of the database
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            measured[name].append(contender.turn(seconds))
    return {name: statistics.median(turns) for name, turns in measured.items()}
