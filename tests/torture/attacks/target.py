"""What attacks run against: a server process over a generated registry, its keys, and clients of it."""

import contextlib
import http.client
import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from app.core.database.engine import Database
from app.core.settings import Settings
from bench.generate import Generator, Record
from bench.load import load, write
from tests.torture.clusters import running_processes
from tests.torture.setting import Server, new_key

ATTACKER = "127.0.0.1"
OTHERS = "127.0.9.9"  # the address of the clients that an attack must not harm
JSON = "application/json"
JSON_LINES = "application/x-ndjson"
PARTNERS = {"unido": "UNIDO", "other": "OTHER", "third": "THIRD"}
PROJECT: dict[str, Any] = {"title": {"en": "Attacked"}, "kind": "project", "status": "active"}
RATE_LIMITS = {name: Settings.model_fields[name].default for name in ("rate_limit_key", "rate_limit_address")}
PATIENCE = 5  # times as long as in full may things take in a small form, which runs beside other tests
Body = bytes | Iterable[bytes]


def generated(url: str, projects: int) -> str:
    """Fill an empty database with a generated registry and the partners whose keys attack it."""
    database = Database(url)
    load(database, Generator(projects))
    partners = [
        Record("partners", name, {"name": {"en": f"The {name} bureau"}, "abbreviation": abbreviation, "kind": "other"})
        for name, abbreviation in PARTNERS.items()
    ]
    write(database, partners)
    database.close()
    return url


def key_of(url: str, *scopes: str, partner: str | None = None) -> str:
    """The token of a new key."""
    return new_key(url, *scopes, partner=partner)["Authorization"].removeprefix("Bearer ")


@dataclass(frozen=True)
class Answer:
    """An answer; the status is 0 when none came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)


NO_ANSWER = Answer(0, {}, b"")


class Client:
    """A client with one connection, which it opens anew when the server has closed it."""

    def __init__(self, port: int, token: str = "", address: str = ATTACKER) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=90, source_address=(address, 0))
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, method: str, path: str, body: Body = b"", **headers: str) -> Answer:
        """Send a request. A header is named with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            with contextlib.suppress(ConnectionError):  # the server may answer before it has everything
                self._connection.request(method, path, body or None, {**self._headers, **named})
            answer = self._connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return NO_ANSWER

    def get(self, path: str) -> Answer:
        """Read a path."""
        return self.ask("GET", path)

    def put(self, path: str, record: Mapping[str, Any]) -> Answer:
        """Create or replace a record."""
        return self.ask("PUT", path, json.dumps(record, ensure_ascii=False).encode(), Content_Type=JSON)

    def post(self, path: str, record: Mapping[str, Any]) -> Answer:
        """Create a record."""
        return self.ask("POST", path, json.dumps(record, ensure_ascii=False).encode(), Content_Type=JSON)

    def send(self, file: Body, media_type: str, **options: str) -> Answer:
        """Send a file to import, as a dry run."""
        query = "&".join(f"{name}={value}" for name, value in {"dry_run": "true", **options}.items())
        return self.ask("POST", f"/v1/imports?{query}", file, Content_Type=media_type)

    def send_table(self, file: Body, media_type: str, **options: str) -> Answer:
        """Send a table of projects to import, as a dry run."""
        return self.send(file, media_type, resource="projects", **options)

    def end_of(self, sent: Answer, waits: int = 6) -> str:
        """The status in which an import ends, or the one that it has after that many long polls."""
        status = str(sent.status)
        for _ in range(waits if sent.status == 202 else 0):
            status = str(self.get(f"{sent.headers['location']}?wait=20").json().get("status"))
            if status not in ("waiting", "receiving", "running"):
                break
        return status


def raw_answer(port: int, sent: bytes, *, half_closed: bool = False) -> bytes:
    """The answer to these bytes, up to the end of the connection; empty if none comes in ten seconds."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, contextlib.suppress(OSError):
        connection.sendall(sent)
        if half_closed:
            connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65_536):
            received += piece
    return received


class Target:
    """A server with default settings, unless others are given, over a database that is its own."""

    def __init__(self, url: str, *, full: bool, **settings: object) -> None:
        self.url = url
        self.patience = 1 if full else PATIENCE
        self.server = Server(url, **{**RATE_LIMITS, **settings})
        self.is_sqlite = url.startswith("sqlite")
        self.file = Path(url.removeprefix("sqlite:///"))
        self.partner_token = key_of(url, "records:write:own", "webhooks", partner="unido")
        self.other_token = key_of(url, "records:write:own", partner="other")

    def __enter__(self) -> "Target":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def client(self, token: str = "", address: str = ATTACKER) -> Client:
        """A client of this server."""
        return Client(self.server.port, token, address)

    def attacker(self) -> Client:
        """A client with the key of one partner."""
        return self.client(self.partner_token)

    def other(self) -> Client:
        """A client with the key of another partner, from another address."""
        return self.client(self.other_token, OTHERS)

    def new_token(self, *scopes: str) -> str:
        """The token of one more key."""
        return key_of(self.url, *scopes)

    def memory(self) -> float:
        """Megabytes that the server and its children hold."""
        return sum(_resident(process) for process in (self.server.process.pid, *self._children()))

    def disk(self) -> float:
        """Megabytes of the database, of its log, and of temporary files of the server."""
        return (self._database_bytes() + self._temporary_bytes()) / 1e6

    def write_ahead_log(self) -> float:
        """Megabytes of the write-ahead log of SQLite."""
        return _size(self.file.with_name(f"{self.file.name}-wal")) / 1e6

    def connections(self) -> int:
        """Connections to PostgreSQL that the server has open."""
        if self.is_sqlite:
            return 0
        others = "datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        with psycopg.connect(self.url) as connection:
            row = connection.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {others}".encode()).fetchone()
        return int(row[0]) if row else 0

    def _database_bytes(self) -> int:
        if self.is_sqlite:
            return sum(_size(self.file.with_name(f"{self.file.name}{suffix}")) for suffix in ("", "-wal", "-shm"))
        with psycopg.connect(self.url) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(row[0]) if row else 0

    def _temporary_bytes(self) -> int:
        total = 0
        for link in Path(f"/proc/{self.server.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if os.readlink(link).endswith("(deleted)"):  # noqa: PTH115 - the target may not exist
                    total += link.stat().st_size
        return total

    def _children(self) -> Iterator[int]:
        server = self.server.process.pid
        return (process for process, parent in running_processes() if parent == server)


def _size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _resident(process: int) -> float:
    with contextlib.suppress(OSError, IndexError):  # it has ended
        status = Path(f"/proc/{process}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024
    return 0
