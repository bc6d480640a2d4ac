"""What a request costs: CPU of everything that serves it, contenders in turn, round by round."""

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

FEWEST = 5  # requests of one turn, however slow they are


class Contender(Protocol):
    """One of those that do the same work in turn."""

    def turn(self, seconds: float) -> float:
        """Work for so long on the clock; the CPU seconds of one request."""


class Http:
    """Requests, each different from the one before, over one connection a turn to a server."""

    def __init__(self, server: Server, requests: Sequence[bytes], *also: Measured) -> None:
        self._port, self._measured = server.port, (server, *also)
        self._requests = itertools.cycle(requests)

    def turn(self, seconds: float) -> float:
        before, count, until = self._cpu(), 0, time.monotonic() + seconds
        with Client(self._port) as client:
            while count < FEWEST or time.monotonic() < until:
                status = client.send(next(self._requests)).status
                if status not in (200, 304):
                    raise RuntimeError(f"A request was answered with {status}.")
                count += 1
        return (self._cpu() - before) / count

    def _cpu(self) -> float:
        return sum(each.cpu() for each in self._measured)


class SameSql:
    """The statements that ours runs for the same requests, run by the driver alone in a process of its own."""

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
        return cpu_of(self._process.pid) + sum(each.cpu() for each in self._also)

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(line, file=self._process.stdin, flush=True)
        said = self._process.stdout.readline()
        if not said:
            raise RuntimeError("The process that repeats our SQL has ended.")
        return said


def costs(contenders: Mapping[str, Contender], rounds: int, seconds: float) -> dict[str, float]:
    """The median cost of each; in a round everyone has one turn, so that what slows the machine slows all."""
    for contender in contenders.values():
        contender.turn(seconds / 2)  # everything has been imported, compiled, and read from the disk
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            found[name].append(contender.turn(seconds))
    return {name: statistics.median(each) for name, each in found.items()}
