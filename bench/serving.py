"""Measurements of servers: time to the first response, idle memory, and responses to many connections."""

import itertools
import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.client import Client, request
from bench.processes import Server

CONNECTIONS = 16


def starts(servers: Mapping[str, tuple[Server, str]], rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return the median seconds from start to first response, and the median kilobytes of memory after it."""
    waited: dict[str, list[float]] = {name: [] for name in servers}
    resident: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, (server, path) in servers.items():
            started = time.monotonic()
            with server, Client(server.port) as client:
                assert client.get(path).status == 200
                waited[name].append(time.monotonic() - started)
                resident[name].append(server.resident())
    return _medians(waited), _medians(resident)


def _medians(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: statistics.median(measured) for name, measured in values.items()}


class Crowd:
    """Several connections that send requests at the same time."""

    def __init__(self, server: Server, paths: Sequence[str]) -> None:
        self._port = server.port
        self._paths = paths

    def turn(self, seconds: float) -> float:
        """Send requests for a time in seconds; return the wall-clock seconds for one response."""
        until = time.monotonic() + seconds
        starts_at = [len(self._paths) * number // CONNECTIONS for number in range(CONNECTIONS)]
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            done = threads.map(lambda start: self._ask([*self._paths[start:], *self._paths[:start]], until), starts_at)
            return seconds / sum(done)

    def _ask(self, paths: Sequence[str], until: float) -> int:
        with Client(self._port) as client:
            for count, path in enumerate(itertools.cycle(paths), 1):
                client.send(request(path))
                if time.monotonic() > until:
                    return count
        return 0
