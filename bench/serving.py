"""What is measured of whole servers: the first answer, memory at rest, and what a second worker brings."""

import itertools
import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.client import Client, request
from bench.processes import Server

CONNECTIONS = 16


def starts(servers: Mapping[str, tuple[Server, str]], rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds from the start to the first answer, and kilobytes resident after it; medians, each in turn."""
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


def _medians(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: statistics.median(each) for name, each in found.items()}


def throughput(server: Server, paths: Sequence[str], seconds: float) -> float:
    """Requests a second that a server answers over several connections at once."""
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        until = time.monotonic() + seconds
        starts_at = [len(paths) * number // CONNECTIONS for number in range(CONNECTIONS)]
        done = threads.map(lambda start: _ask(server.port, [*paths[start:], *paths[:start]], until), starts_at)
        return sum(done) / seconds


def _ask(port: int, paths: Sequence[str], until: float) -> int:
    with Client(port) as client:
        for count, path in enumerate(itertools.cycle(paths)):
            if time.monotonic() > until:
                return count
            client.send(request(path))
    return 0
