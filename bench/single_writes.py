"""Single writes by several clients: new and changed records, through a server; their CPU time and their rate."""

import itertools
import json
import selectors
import socket
import statistics
import time
from collections.abc import Iterator, Sequence

from app.core.database.engine import Database
from app.keys.administration import create
from app.keys.models import KeyFields
from bench.client import Client
from bench.generate import Generator
from bench.load import load
from bench.processes import Measured, Server

PROJECTS = 300
CLIENTS = 32


def prepare(url: str) -> str:
    """Fill an empty database; return the token of a key that writes its records."""
    with Database(url) as database:
        load(database, Generator(PROJECTS))
        with database.write() as session:
            return create(session, KeyFields(name="bench", scopes=["records:write"])).key


def requests(server: Server, token: str) -> Iterator[bytes]:
    """Yield requests without end: by turns a new milestone, and a change of a project."""
    with Client(server.port) as client:
        milestones = json.loads(client.get("/v1/milestones?limit=200").body)["items"]
        projects = [item["id"] for item in json.loads(client.get("/v1/projects?limit=200").body)["items"]]
    for number in itertools.count():
        record_id = f"written-{number}"
        milestone = {**milestones[number % len(milestones)], "id": record_id}
        yield request("PUT", f"/v1/milestones/{record_id}", milestone, token)
        change = {"description": {"en": f"Changed for the {number}th time."}}
        yield request("PATCH", f"/v1/projects/{projects[number % len(projects)]}", change, token)


def request(method: str, path: str, body: object, token: str) -> bytes:
    content = json.dumps(body).encode()
    headers = {
        "host": "bench",
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "content-length": str(len(content)),
    }
    if method == "PATCH":
        headers["if-match"] = "*"
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + content


class Writers:
    """Clients that write at the same time, each of which waits for its response. They run in one thread."""

    def __init__(self, server: Server, content: Iterator[bytes], clients: int, also: Sequence[Measured]) -> None:
        self._server = server
        self._content = content
        self._clients = clients
        self._measured = (server, *also)
        self._rates: list[float] = []
        self.count = 0  # of the writes of the last turn

    @property
    def rate(self) -> float:
        """Writes a second of wall-clock time: the median of all turns."""
        return statistics.median(self._rates)

    @property
    def last_rate(self) -> float:
        """Writes a second in the last turn."""
        return self._rates[-1]

    def turn(self, seconds: float) -> float:
        """Write for a time in seconds; return the CPU seconds of one write."""
        before = self._cpu()
        began = time.monotonic()
        self.count = self._write(began + seconds)
        self._rates.append(self.count / (time.monotonic() - began))
        return (self._cpu() - before) / self.count

    def _cpu(self) -> float:
        return sum(process.cpu() for process in self._measured)

    def _write(self, until: float) -> int:
        count = 0
        received: dict[socket.socket, bytes] = {}
        with selectors.DefaultSelector() as waiting:
            for _ in range(self._clients):
                connection = socket.create_connection(("127.0.0.1", self._server.port), timeout=60)
                waiting.register(connection, selectors.EVENT_READ)
                received[connection] = b""
                connection.sendall(next(self._content))
            while received:
                for key, _ in waiting.select():
                    connection = key.fileobj  # type: ignore[assignment]
                    received[connection] += connection.recv(1 << 16)
                    if not _is_complete(received[connection]):
                        continue
                    count += 1
                    received[connection] = b""
                    if time.monotonic() < until:
                        connection.sendall(next(self._content))
                    else:
                        waiting.unregister(connection)
                        connection.close()
                        del received[connection]
        return count


def _is_complete(response: bytes) -> bool:
    """Return whether a response has arrived. Raise RuntimeError if it is a problem."""
    head, end, body = response.lower().partition(b"\r\n\r\n")
    if not end:
        return False
    if head.split()[1] not in (b"200", b"201"):
        raise RuntimeError(f"A write was answered with {head.split()[1].decode()}.")
    length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return len(body) >= int(length)
