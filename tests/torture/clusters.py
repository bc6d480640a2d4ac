"""PostgreSQL servers of our own that can be killed, copied while they run, and promoted."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from tools.local_servers import PROGRAMS, USER, free_ports, let_postgresql_use


class Cluster:
    """One PostgreSQL over a folder, at a port of the loopback address."""

    def __init__(self, data: Path) -> None:
        self.data, self.port = data, free_ports(1)[0]
        self._as: dict[str, Any] = {"user": USER} if os.geteuid() == 0 else {}

    @classmethod
    def made(cls, data: Path) -> "Cluster":
        """A new one, running."""
        cluster = cls(data)
        cluster._own()
        cluster._run("initdb", "-D", str(data), "--auth=trust", "--encoding=utf8", "-U", "postgres")
        cluster.start()
        return cluster

    def standby(self, data: Path) -> "Cluster":
        """A streaming replica of this one, for which nobody waits."""
        cluster = Cluster(data)
        cluster._own()
        source = f"host=127.0.0.1 port={self.port} user=postgres application_name=replica"
        self._run("pg_basebackup", "-D", str(data), "-d", source, "-R", "-X", "stream", "-c", "fast")
        cluster.start()
        return cluster

    def replica(self, data: Path) -> "Cluster":
        """A streaming replica of this one; from now on a commit waits for it."""
        cluster = self.standby(data)
        for statement in ("ALTER SYSTEM SET synchronous_standby_names = 'replica'", "SELECT pg_reload_conf()"):
            self.ask(statement)
        until = time.monotonic() + 120
        while self.ask("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") != 1:
            assert time.monotonic() < until, "the replica does not follow"
            time.sleep(0.1)
        cluster.ask("SELECT 1")
        return cluster

    @property
    def pid(self) -> int:
        """Its main process, which starts all others."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        """Start it; what a killed one has left may take some seconds to go."""
        options = f"-h 127.0.0.1 -p {self.port} -k {self.data}"
        for _ in range(20):
            with contextlib.suppress(subprocess.CalledProcessError):
                log = str(self.data / "log")
                self._run("pg_ctl", "-D", str(self.data), "-w", "-o", options, "-l", log, "start")
                return
            time.sleep(0.5)
        raise AssertionError((self.data / "log").read_text()[-2000:])

    def kill(self) -> None:
        """End all its processes as a power cut would. Stopped, the main process starts no more of them.

        Those that only notice the end of the main one do not wait for a synchronous replica any more, and show commits
        that it does not have.
        """
        pid = self.pid
        os.kill(pid, signal.SIGSTOP)
        others = [each for each, parent in running_processes() if parent == pid]
        for process in (*others, pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        until = time.monotonic() + 60
        while not {each for each, _ in running_processes()}.isdisjoint(others):
            assert time.monotonic() < until, "processes of a killed PostgreSQL are still there"
            time.sleep(0.05)

    def promote(self) -> None:
        """From a replica to a primary, for which nobody waits."""
        self._run("pg_ctl", "-D", str(self.data), "-w", "promote")
        for statement in ("ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()"):
            self.ask(statement)

    def close(self) -> None:
        """End it, if it runs, and take its folder away."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-D", str(self.data), "-m", "immediate", "stop")
        shutil.rmtree(self.data, ignore_errors=True)

    def ask(self, statement: str) -> Any:
        """The first value that a statement answers with."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            found = connection.execute(statement.encode())
            row = found.fetchone() if found.description else None
            return row[0] if row else None

    def url(self, database: str, *others: "Cluster") -> str:
        """The URL of a database; with others, which come first, that of whichever of them takes writes."""
        servers = ",".join(f"127.0.0.1:{each.port}" for each in (*others, self))
        return f"postgresql://postgres@{servers}/{database}" + "?target_session_attrs=read-write" * bool(others)

    def _run(self, program: str, *arguments: str) -> None:
        nowhere = subprocess.DEVNULL  # a server that is started keeps what it is given open
        command = [str(PROGRAMS / program), *arguments]
        subprocess.run(command, check=True, stdout=nowhere, stderr=nowhere, timeout=60, cwd="/", **self._as)

    def _own(self) -> None:
        self.data.mkdir(parents=True, mode=0o700)
        let_postgresql_use(self.data)
        if self._as:
            shutil.chown(self.data, USER)


@contextlib.contextmanager
def stopped(data: Path) -> Iterator[None]:
    """Stop all processes of the PostgreSQL of a folder: its connections stay open, and nobody answers."""
    postmaster = int((data / "postmaster.pid").read_text().split()[0])
    processes = [postmaster, *(each for each, parent in running_processes() if parent == postmaster)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def running_processes() -> Iterator[tuple[int, int]]:
    """Every process that runs, with its parent; not those that have ended and were not waited for."""
    for process in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state, parent, *_ = process.read_text("utf-8", "replace").rpartition(")")[2].split()
            if state not in "ZX":
                yield int(process.parent.name), int(parent)
