"""What every row of the torture stands on: a server that can be killed, writers that remember what they were told."""

import hashlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import httpx

from app.core.database.engine import Database
from app.keys.administration import create
from app.keys.models import KeyFields
from tests.support.servers import NO_RATE_LIMITS

ROOT = Path(__file__).parents[2]
PARTNER: dict[str, Any] = {"name": {"en": "Tried"}, "kind": "other", "managed_by": "unido"}  # of the dataset


@dataclass
class Row:
    """What came of one row: figures, and whatever did not hold."""

    name: str
    figures: Mapping[str, object]
    problems: list[str] = field(default_factory=list)

    def need(self, holds: object, otherwise: str) -> None:
        """Note what did not hold."""
        if not holds:
            self.problems.append(otherwise)


class Server:
    """A server process at one port, which may die and come again."""

    def __init__(self, url: str, **settings: object) -> None:
        self.environment = {**os.environ, "HOPTAC_DATABASE_URL": url, "HOPTAC_ACCESS_LOG": "false", **NO_RATE_LIMITS}
        self.environment |= {f"HOPTAC_{name.upper()}": str(value) for name, value in settings.items()}
        self._folder = tempfile.TemporaryDirectory(prefix="hoptac-torture-")
        self._said = Path(self._folder.name) / "said"
        self.port = 0
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "app", "serve", "--port", str(self.port)]
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                command, env=self.environment, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT
            )
        until = time.monotonic() + 120
        while not self._answers():
            assert time.monotonic() < until, self.said()
            time.sleep(0.1)

    def _answers(self) -> bool:
        found = re.search(r"API +http://[0-9.]+:(\d+)/v1", self.said())
        if found is None:
            assert self.process.poll() is None, self.said()
            return False
        self.port = int(found[1])
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            return b" 200 " in connection.recv(1_000)[:20]
        return False

    @property
    def base(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def said(self) -> str:
        """What it printed since it started."""
        return self._said.read_text()

    def memory(self, which: str = "VmRSS") -> int:
        """Megabytes that it holds; `VmHWM`: at most, so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition(f"{which}:")[2].split()[0]) // 1024

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it as an operator would."""
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
        self._folder.cleanup()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def new_key(url: str, *scopes: str, partner: str | None = None) -> dict[str, str]:
    """The Authorization header of a new key."""
    with Database(url) as database, database.write() as session:
        made = create(session, KeyFields(name="torture", scopes=list(scopes), partner=partner))
    return {"Authorization": f"Bearer {made.key}"}


class HasBase(Protocol):
    """What clients reach: a server, or the entry of several."""

    @property
    def base(self) -> str:
        """Its address."""


def client_of(server: HasBase, key: dict[str, str]) -> httpx.Client:
    """A client of this server."""
    return httpx.Client(base_url=server.base, headers=key, trust_env=False, verify=False, timeout=60)


@dataclass(frozen=True)
class Told:
    """A write that was acknowledged: the number of its Change, and the SHA-256 of the representation."""

    path: str
    sequence: int
    digest: str


class Clients(ABC):
    """Threads that run `_run` with their numbers, as long as the block of the `with` statement."""

    def __init__(self, count: int) -> None:
        self.statuses = Counter[int]()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @abstractmethod
    def _run(self, number: int) -> None:
        """Send requests until `_stop` is set, and count the statuses of the responses."""


class Writers(Clients):
    """Clients that create and change records of their own, whatever the server does."""

    def __init__(
        self, server: HasBase, key: dict[str, str], clients: int, states: Sequence[str] = ("published",)
    ) -> None:
        super().__init__(clients)
        self.server, self.told = server, list[Told]()
        self.lost, self.without_retry = 0, 0
        self._key, self._states = key, states

    def wait_for(self, told: int, seconds: float = 120) -> None:
        """Until so many writes were acknowledged in all."""
        until = time.monotonic() + seconds
        while len(self.told) < told:
            assert time.monotonic() < until, f"{len(self.told)} of {told} writes; {self.statuses}"
            time.sleep(0.01)

    def _run(self, number: int) -> None:
        random_ = random.Random(number)
        prefix, count = f"w{number}-{time.time_ns():x}", 0
        client = client_of(self.server, self._key)
        while not self._stop.is_set():
            count += random_.random() < 0.5 or count == 0
            path = f"/v1/partners/{prefix}-{count}"
            body = {**PARTNER, "aliases": [f"Alias {random_.random()}"], "parent": random_.choice([None, "unido"])}
            body["state"] = random_.choice(self._states)
            try:
                answer = client.put(path, json=body)
                if answer.status_code == 428:
                    answer = client.put(path, json=body, headers={"If-Match": "*"})
            except httpx.TransportError:
                self.lost += 1
                time.sleep(0.2)
                continue
            self._note(path, answer)
        client.close()

    def _note(self, path: str, answer: httpx.Response) -> None:
        self.statuses[answer.status_code] += 1
        if answer.status_code in (200, 201):
            sequence = int(answer.headers["etag"].strip('"').partition("-")[0])
            self.told.append(Told(path, sequence, hashlib.sha256(answer.content).hexdigest()))
        elif answer.status_code == 503:
            self.without_retry += "retry-after" not in answer.headers
            time.sleep(0.1)


def unexpected(statuses: Counter[int], expected: Iterable[int]) -> dict[int, int]:
    """Answers of other statuses."""
    return {status: count for status, count in statuses.items() if status not in set(expected)}
