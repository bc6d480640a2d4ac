"""What an attack does to a process and to other clients: memory, disk, silence and waiting times."""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.torture.attacks.target import OTHERS, Target
from tests.torture.setting import Row

PROBER = Path(__file__).with_name("prober.py")
IDLE_SECONDS = 1.0
SILENCE = 1.0  # seconds for which /livez may be silent, whatever is sent
WRITE_WAIT = 3.0  # seconds for which a write of another client may wait
TIMES_IDLE = 3
NOISE = 20.0  # milliseconds that may be added to a median, on a machine on which nothing else runs
CONNECTIONS = 19  # that a process opens to PostgreSQL
SHORT_READS = ("livez", "readyz", "cached list", "list of 50")

Results = dict[str, dict[str, list[tuple[int, float]]]]


def at_most(row: Row, what: str, value: float, bound: float) -> None:
    """Note a measure beside its bound, and that it did not hold if it is larger."""
    row.figures = {**row.figures, what: f"{value:.4g} (≤ {bound:.4g})"}
    row.need(value <= bound, f"{what}: {value:.4g}, at most {bound:.4g}")


def note(row: Row, **figures: object) -> None:
    """Note measures that have no bound."""
    row.figures = {**row.figures, **figures}


class Watch:
    """Measures from before an attack to its end: a context around it, which first measures the idle server.

    `write_pause`: seconds between two writes of another client, each of which empties the response cache. 0: no writes.
    `noise`: milliseconds that may be added to the median of others' short reads.
    """

    def __init__(self, target: Target, write_pause: float = 0.25, noise: float = NOISE) -> None:
        self.target = target
        self.write_pause = write_pause
        self.peak_memory = 0.0
        self.peak_disk = 0.0
        self.peak_log = 0.0
        self.peak_connections = 0
        self.results: Results = {}
        # When others use this machine too, a process waits for its turn behind them.
        self.busy = target.patience * max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0)))
        self.noise = noise * self.busy
        self._ended = threading.Event()

    def __enter__(self) -> "Watch":
        port, token = str(self.target.server.port), self.target.other_token
        command = [sys.executable, str(PROBER), port, OTHERS, token, "other", str(self.write_pause)]
        self._prober = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._phase("warm")
        time.sleep(0.3)
        self._phase("idle")
        time.sleep(IDLE_SECONDS)
        self.memory_before = self.target.memory()
        self.disk_before = self.target.disk()
        self._phase("attack")
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._sampler.join(30)
        try:
            said, _error = self._prober.communicate(timeout=30)
            self.results = json.loads(said)
        finally:
            self._prober.kill()
            self._prober.wait()

    @property
    def memory_growth(self) -> float:
        """Megabytes that the process and its children had more at most, than when it was idle."""
        return self.peak_memory - self.memory_before

    @property
    def disk_growth(self) -> float:
        """Megabytes that were on the disk at most, more than before."""
        return self.peak_disk - self.disk_before

    def longest(self, kind: str, phase: str = "attack") -> float:
        """The longest wait for this kind of request in seconds."""
        return max((took for _, took in self.results.get(phase, {}).get(kind, [])), default=0.0) / 1_000

    def median(self, kind: str, phase: str = "attack") -> float:
        """The median wait in milliseconds."""
        return statistics.median([took for _, took in self.results.get(phase, {}).get(kind, [])] or [0.0])

    def failed(self, kind: str) -> int:
        """How many requests had no answer, were refused with 429, or had an error of the server."""
        statuses = [status for status, _ in self.results.get("attack", {}).get(kind, [])]
        return sum(status in (0, 429) or status >= 500 for status in statuses)

    def _phase(self, name: str) -> None:
        assert self._prober.stdin is not None
        self._prober.stdin.write(f"{name}\n")
        self._prober.stdin.flush()

    def _sample(self) -> None:
        number = 0
        while not self._ended.is_set():
            self.peak_memory = max(self.peak_memory, self.target.memory())
            if number % 5 == 0:
                self.peak_disk = max(self.peak_disk, self.target.disk())
                self.peak_log = max(self.peak_log, self.target.write_ahead_log())
                self.peak_connections = max(self.peak_connections, self.target.connections())
            number += 1
            self._ended.wait(0.1)
        self.peak_disk = max(self.peak_disk, self.target.disk())


@contextmanager
def watched(target: Target, row: Row, write_pause: float = 0.25, noise: float = NOISE) -> Iterator[Watch]:
    """Watch an attack; afterwards the process answers, others were served, and nothing failed unexpectedly."""
    with Watch(target, write_pause, noise) as watch:
        yield watch
    judge(row, watch)


def judge(row: Row, watch: Watch) -> None:
    """Hold the measures of other clients against the bounds that every attack has.

    Others may keep the processors busy. So the bounds of time grow with their load, and by what the idle server takes;
    the small form of an attack looks only for what takes many times too long.
    """
    at_most(row, "silence, s", watch.longest("livez"), SILENCE * watch.busy + watch.longest("livez", "idle"))
    for kind in SHORT_READS:
        idle = watch.median(kind, "idle")
        at_most(row, f"{kind}, ms", watch.median(kind), max(TIMES_IDLE * idle, idle + watch.noise))
        row.need(not watch.failed(kind), f"{kind}: {watch.failed(kind)} failed")
    at_most(row, "longest write, s", watch.longest("write"), WRITE_WAIT * watch.busy + watch.longest("write", "idle"))
    row.need(not watch.failed("write"), f"write: {watch.failed('write')} failed")
    target = watch.target
    if not target.is_sqlite:
        at_most(row, "connections", watch.peak_connections, CONNECTIONS)
    row.need(target.server.process.poll() is None, "the process ended")
    row.need("Traceback" not in target.server.said(), "it logged an error")
