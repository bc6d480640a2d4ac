"""`make cluster`: the cluster of deploy/cluster/compose.yaml on the loopback address, without Docker.

It starts the processes of that file, with its commands, environments and configuration. Only names of machines, ports
and paths are replaced. PostgreSQL is the one that the tests use, Patroni comes from PyPI, etcd and HAProxy from Debian.
"""
# ruff: noqa: T201 - it says where the cluster is

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import yaml

from tools.local_servers import PROGRAMS, USER, free_ports, let_postgresql_use

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy" / "cluster"
PATRONI = FOLDER / ".venv" / "bin"
PATIENCE = 180.0  # seconds until a service must be ready
# Programs, and what to do if one is missing.
NEEDED = {
    "etcd": "apt install etcd-server",
    "haproxy": "apt install haproxy",
    "patroni": "make deploy/cluster/.venv/done",
}
_PATH = os.pathsep.join(map(str, (PATRONI, PROGRAMS, os.environ["PATH"], "/usr/sbin")))


class Missing(Exception):
    """A program is not installed; the message says what to do."""


class Machine:
    """A service of the compose file: a process, which can end and start again, with a folder of its own."""

    def __init__(self, name: str, service: Mapping[str, Any], folder: Path, replace: Callable[[str], str]) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self.command = [replace(part) for part in service["command"]]
        self.environment = {key: replace(str(value)) for key, value in service.get("environment", {}).items()}
        self.cwd = folder
        self._log = folder / f"{name}.log"
        self._as: dict[str, Any] = {}
        if name.startswith("postgres"):
            self.folder.chmod(0o700)
            if os.geteuid() == 0:
                self._as = {"user": USER, "group": USER, "extra_groups": []}
                shutil.chown(self.folder, USER, USER)
                let_postgresql_use(self.folder)

    def start(self) -> None:
        """Start the process. Signals of the terminal do not reach it, because it has a session of its own."""
        outside = {key: value for key, value in os.environ.items() if not key.startswith(("HOPTAC_", "PG", "ETCD_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{_PATH}" if self.command[0] in ("sh", "hoptac") else _PATH
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env={**outside, "HOME": str(self.folder), **self.environment, "PATH": path},
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._as,
            )

    @property
    def log(self) -> str:
        """What it has printed."""
        return self._log.read_text("utf-8", "replace")

    @property
    def postmaster(self) -> int | None:
        """The main process of its PostgreSQL, if there is one. It is no child of Patroni."""
        with contextlib.suppress(OSError, IndexError, ValueError):
            pid = int((self.folder / "postgresql" / "postmaster.pid").read_text().split()[0])
            if str(self.folder) in Path(f"/proc/{pid}/cmdline").read_text():
                return pid
        return None

    def end(self, seconds: float = 30) -> None:
        """End it as an operator would. If that takes too long, kill it, with its PostgreSQL."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if (postmaster := self.postmaster) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(postmaster, signal.SIGQUIT)


class LocalCluster:
    """All services of the compose file, at free ports; the entry at a given one."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        text = (FOLDER / "compose.yaml").read_text("utf-8")
        services: dict[str, Any] = yaml.safe_load(text)["services"]
        names = re.findall(r"\b([a-z]+\d):(\d+)", text + _read("haproxy.cfg"))
        entry = ("haproxy", 8000)
        servers = sorted({(name, int(number)) for name, number in names} | {entry})
        self.ports = dict(zip(servers, free_ports(len(servers)), strict=True))
        self.ports[entry] = port or self.ports[entry]
        for file in ("patroni.yml", "registry.sql", "haproxy.cfg"):
            (folder / file).write_text(self._replace("haproxy", _read(file)), "utf-8")
        self.machines: dict[str, Machine] = {}
        for name, service in services.items():
            machine = Machine(name, service, folder, lambda text, name=name: self._replace(name, text))  # type: ignore[misc]
            if "HOPTAC_PORT" in machine.environment:
                machine.environment |= {"HOPTAC_HOST": "127.0.0.1", "HOPTAC_PORT": str(self.ports.get((name, 8000), 0))}
            self.machines[name] = machine

    def _replace(self, name: str, text: str) -> str:
        """Replace in a text of a service what is different without containers."""
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
        text = re.sub(r"\b0\.0\.0\.0:(\d+)", lambda match: f"127.0.0.1:{self.ports[name, int(match[1])]}", text)
        text = re.sub(r"\b([a-z]+\d):(\d+)", lambda match: f"127.0.0.1:{self.ports[match[1], int(match[2])]}", text)
        text = re.sub(r"(?<![\w/])/etc/(?=[a-z]+\.(yml|sql|cfg))", f"{self.folder}/", text)
        return re.sub(r"(?<![\w/])/data\b", str(self.folder / name), text)

    def of_kind(self, kind: str) -> list[Machine]:
        """Return the machines of a kind, such as `api`."""
        return [machine for name, machine in self.machines.items() if name.rstrip("0123456789") == kind]

    def url(self, name: str, port: int, path: str = "") -> str:
        """Return the URL of a service on the loopback address."""
        return f"http://127.0.0.1:{self.ports[name, port]}{path}"

    def answers(self, url: str) -> bool:
        """Return whether a URL answers with 200."""
        with (
            contextlib.suppress(OSError),
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=3),
        ):
            return True
        return False

    def start(self) -> None:
        """Start all, in the order of their dependencies, and wait until the entry is ready."""
        for machine in (*self.of_kind("etcd"), *self.of_kind("postgres")):
            machine.start()
        for machine in self.of_kind("postgres"):
            self.wait_for(machine, lambda name=machine.name: self.answers(self.url(name, 8008, "/health")))  # type: ignore[misc]
        prepare = self.machines["prepare"]
        prepare.start()
        self.wait_for(prepare, lambda: prepare.process.poll() is not None)
        if prepare.process.returncode:
            raise RuntimeError(prepare.log)
        for machine in (*self.of_kind("api"), *self.of_kind("haproxy")):
            machine.start()
        for machine in self.of_kind("api"):
            self.wait_for(machine, lambda name=machine.name: self.answers(self.url(name, 8000, "/readyz")))  # type: ignore[misc]
        self.wait_for(self.machines["haproxy"], lambda: self.answers(self.url("haproxy", 8000, "/readyz")))

    def wait_for(self, machine: Machine, is_ready: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait until a machine is ready. Raise RuntimeError with its log if it is not."""
        until = time.monotonic() + seconds
        while not is_ready():
            if time.monotonic() > until or (machine.process.poll() and machine.name != "prepare"):
                raise RuntimeError(f"{machine.name} is not ready:\n{machine.log[-3000:]}")
            time.sleep(0.1)

    def leader(self) -> Machine | None:
        """Return the machine whose PostgreSQL is the primary, as Patroni says."""
        for machine in self.of_kind("postgres"):
            if self.answers(self.url(machine.name, 8008, "/primary")):
                return machine
        return None

    def close(self) -> None:
        """End all processes."""
        started = [machine for machine in self.machines.values() if hasattr(machine, "process")]
        for machine in started:  # all at once: the primary waits for its replicas
            if machine.name.startswith("postgres"):
                machine.process.send_signal(signal.SIGCONT)
                machine.process.terminate()
        for machine in reversed(started):
            machine.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_programs() -> None:
    """Raise Missing if a program is not installed, and let the user of PostgreSQL use the others."""
    if missing := [f"{name} ({how})" for name, how in NEEDED.items() if shutil.which(name, path=_PATH) is None]:
        raise Missing(f"Not installed: {', '.join(missing)}")
    let_postgresql_use(FOLDER)


def _read(file: str) -> str:
    return (FOLDER / file).read_text("utf-8")


def main() -> int:
    """Run the cluster until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        check_programs()
        with tempfile.TemporaryDirectory(prefix="hoptac-cluster-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            folder.chmod(0o755)
            with (
                contextlib.suppress(KeyboardInterrupt),
                LocalCluster(folder, int(os.environ.get("PORT", 8000))) as cluster,
            ):
                print(f"Starting three PostgreSQL, three etcd and two API servers, with logs in {folder}.", flush=True)
                cluster.start()
                _show(cluster)
                while True:
                    time.sleep(1)
    except (Missing, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _show(cluster: LocalCluster) -> None:
    print(f"Registry    {cluster.url('haproxy', 8000)}")
    for machine in cluster.of_kind("api"):
        print(f"  {machine.name:<10}{cluster.url(machine.name, 8000)}")
    for machine in cluster.of_kind("postgres"):
        number = cluster.ports[machine.name, 5432]
        url = f"postgresql://hoptac:{machine.environment['HOPTAC_PASSWORD']}@127.0.0.1:{number}/hoptac"
        print(f"  {machine.name:<10}{url}  process {machine.postmaster}")
    print(f"State       {PATRONI}/patronictl -d etcd3://127.0.0.1:{cluster.ports['etcd1', 2379]} list hoptac")
    print("Stop it with Ctrl-C.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
