"""The cluster of deploy/cluster under writers and readers, while its parts are killed, stopped and restarted."""

import contextlib
import hashlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psycopg

from app.core.maintenance.schema import head
from tests.support.servers import NO_RATE_LIMITS, ROOT
from tests.torture.clusters import running_processes
from tests.torture.replicas import Readers
from tests.torture.setting import Row, Writers, client_of, new_key, unexpected
from tests.torture.whole import broken
from tools.cluster import LocalCluster, Machine

LAST = "SELECT sequence, chain FROM changes ORDER BY sequence DESC LIMIT 1"
NEXT = "9999"  # the revision of a version that is installed
MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "{next}", "{head}", None, None


def upgrade() -> None:
    op.create_table("of_the_drill", sa.Column("id", sa.Text(), primary_key=True))
    op.add_column("partners", sa.Column("of_the_drill", sa.Text()))
"""
OF_POSTGRESQL, OF_MACHINE = 5.0, 25.0  # seconds for which writes may be refused


@dataclass(frozen=True)
class Entry:
    """Where clients reach the cluster."""

    base: str


class Observers(Writers):
    """Writers that read each acknowledged write at once, and note when it was acknowledged."""

    def __init__(self, entry: Entry, key: dict[str, str], clients: int) -> None:
        super().__init__(entry, key, clients)
        self.times, self.unseen = [time.monotonic()], list[str]()
        self._client = client_of(entry, {})

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._client.close()

    def _note(self, path: str, answer: httpx.Response) -> None:
        super()._note(path, answer)
        if answer.status_code not in (200, 201):
            return
        self.times.append(time.monotonic())
        token = {"Hoptac-At-Least": answer.headers["hoptac-sequence"]}
        try:
            seen = self._client.get(path, headers=token)
        except httpx.TransportError as error:
            self.unseen.append(f"{type(error).__name__} of {path}")
            return
        if hashlib.sha256(seen.content).hexdigest() != hashlib.sha256(answer.content).hexdigest():
            self.unseen.append(f"{path} was {seen.status_code} at once after it was written")

    def longest_gap(self, since: float) -> float:
        """The longest time without an acknowledged write since a moment."""
        times = [since, *sorted(moment for moment in self.times if moment > since), time.monotonic()]
        return max(later - earlier for earlier, later in pairwise(times))


@dataclass
class Drill:
    """A cluster, its clients, and what happened to them."""

    cluster: LocalCluster
    writers: Observers
    readers: Readers

    def happens(self, name: str, bound: float, outage: Callable[[LocalCluster], Any]) -> Row:
        """Carry out an outage. Then writes must be acknowledged again."""
        began, told, refused = time.monotonic(), len(self.writers.told), self.writers.statuses[503]
        reads = self.readers.statuses.total()
        outage(self.cluster)
        self.writers.wait_for(len(self.writers.told) + 20)
        gap = self.writers.longest_gap(began)
        figures = {
            "acknowledged": len(self.writers.told) - told,
            "writes refused": self.writers.statuses[503] - refused,
            "seconds without a write": round(gap, 1),
            "reads": self.readers.statuses.total() - reads,
        }
        row = Row(name, figures)
        row.need(gap <= bound, f"no write was acknowledged for {gap:.1f} seconds")
        return row


def drill(folder: Path, *, full: bool, clients: int = 4) -> list[Row]:
    """All outages, one after the other, under the same clients; in the small form, those that take a few seconds."""
    with LocalCluster(folder) as cluster:
        for machine in cluster.of_kind("api"):
            machine.environment |= {**NO_RATE_LIMITS, "HOPTAC_ACCESS_LOG": "false"}
        cluster.start()
        url = cluster.machines["api1"].environment["HOPTAC_DATABASE_URL"]
        entry = Entry(cluster.url("haproxy", 8000))
        with (
            Observers(entry, new_key(url, "records:write"), clients) as writers,
            Readers([entry], lambda: [write.path for write in writers.told], clients) as readers,
        ):
            writers.wait_for(20)
            happens = Drill(cluster, writers, readers).happens
            # On a machine that is busy with other tests, an election takes longer.
            rows = [
                happens("the PostgreSQL of the leader is killed", OF_POSTGRESQL * (1 if full else 3), leader_killed)
            ]
            rows.append(happens("the API servers are restarted in turn", OF_POSTGRESQL, restarted))
            if full:
                rows += [
                    happens("the machine of the leader hangs", OF_MACHINE, leader_hangs),
                    happens("a member of etcd is killed", OF_POSTGRESQL, etcd_killed),
                    happens("a replica is killed and rebuilt", OF_POSTGRESQL, replica_rebuilt),
                    happens("a version with another schema is installed", OF_MACHINE, upgraded),
                ]
            wait_for_all(cluster)
        return [*rows, of_all(cluster, url, writers, readers)]


def of_all(cluster: LocalCluster, url: str, writers: Observers, readers: Readers) -> Row:
    """Compare what clients were told with the log, and the logs of the servers with each other."""
    problems = broken(url, writers.told)
    lost = sum(problem.startswith("lost") for problem in problems)
    figures = {
        "acknowledged": len(writers.told),
        "lost": lost,
        "not seen at once": len(writers.unseen),
        "reads": readers.statuses.total(),
        "backwards or failed": len(readers.backwards),
        "connections lost": writers.lost,
    }
    row = Row("all of it", figures, [*problems, *writers.unseen[:5], *readers.backwards[:5]])
    row.need(not (odd := unexpected(readers.statuses, (200, 404))), f"reads were answered {odd}")
    row.need(not (odd := unexpected(writers.statuses, (200, 201, 502, 503))), f"writes were answered {odd}")
    row.need(not writers.without_retry, "503 without Retry-After")
    row.need(len(set(last_changes(cluster))) == 1, "the servers have different logs")
    return row


def leader_killed(cluster: LocalCluster) -> None:
    """End all processes of its PostgreSQL at once, when its replicas have not received its last half second."""
    leader = _leader(cluster)
    processes = _processes_of_postgres(leader)
    for process in processes:
        if "walsender" in _command(process):
            os.kill(process, signal.SIGSTOP)
    time.sleep(0.5)
    os.kill(processes[0], signal.SIGSTOP)  # it starts no more of them
    for process in [*_processes_of_postgres(leader)[1:], processes[0]]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    _wait_for_another(cluster, leader)


def leader_hangs(cluster: LocalCluster) -> None:
    """Stop PostgreSQL and Patroni of the leader until another one has taken its place, then let them go on."""
    leader = _leader(cluster)
    processes = [leader.process.pid, *_children(leader.process.pid), *_processes_of_postgres(leader)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    _wait_for_another(cluster, leader)
    time.sleep(5)
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)
    _wait_for_replica(cluster, leader)


def etcd_killed(cluster: LocalCluster) -> None:
    """Kill the first one, and start it again after some seconds."""
    member = cluster.machines["etcd1"]
    member.process.kill()
    member.process.wait()
    time.sleep(8)
    member.start()
    time.sleep(3)


def replica_rebuilt(cluster: LocalCluster) -> None:
    """Kill one with its Patroni, and start it again without its data."""
    leader = _leader(cluster)
    replica = next(machine for machine in cluster.of_kind("postgres") if machine is not leader)
    processes = _processes_of_postgres(replica)
    replica.process.kill()
    replica.process.wait()
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    time.sleep(3)
    shutil.rmtree(replica.folder / "postgresql")
    replica.start()
    _wait_for_replica(cluster, replica)


def restarted(cluster: LocalCluster) -> None:
    """Restart each API server, as a new version would be installed."""
    for machine in cluster.of_kind("api"):
        machine.end()
        machine.start()
        cluster.wait_for(machine, lambda name=machine.name: cluster.answers(cluster.url(name, 8000, "/readyz")))  # type: ignore[misc]
        time.sleep(2)  # HAProxy looks every second


def upgraded(cluster: LocalCluster) -> None:
    """Install a version with another schema: migrate the database first, and then restart the API servers in turn."""
    version = cluster.folder / "version"
    for name in ("app", "migrations", "seed"):
        shutil.copytree(ROOT / name, version / name)
    migration = MIGRATION.format(head=head(), next=NEXT)
    (version / "migrations" / "versions" / f"{NEXT}_add_a_table.py").write_text(migration, "utf-8")
    prepare = cluster.machines["prepare"]
    for machine in (prepare, *cluster.of_kind("api")):
        machine.environment["PYTHONPATH"] = str(version)
    prepare.start()
    assert prepare.process.wait(120) == 0, prepare.log
    restarted(cluster)
    assert NEXT in httpx.get(cluster.url("haproxy", 8000, "/readyz"), trust_env=False).text


def wait_for_all(cluster: LocalCluster) -> None:
    """Wait until all servers of PostgreSQL are there."""
    leader = _leader(cluster)
    for machine in cluster.of_kind("postgres"):
        if machine is not leader:
            _wait_for_replica(cluster, machine)


def last_changes(cluster: LocalCluster) -> list[tuple[Any, ...]]:
    """The last Change in each server."""
    return [_last_change(cluster, machine) for machine in cluster.of_kind("postgres")]


def _last_change(cluster: LocalCluster, machine: Machine) -> tuple[Any, ...]:
    password, port = machine.environment["HOPTAC_PASSWORD"], cluster.ports[machine.name, 5432]
    with psycopg.connect(f"postgresql://hoptac:{password}@127.0.0.1:{port}/hoptac") as connection:
        return connection.execute(LAST).fetchone() or ()


def _leader(cluster: LocalCluster) -> Machine:
    until = time.monotonic() + 60
    while (leader := cluster.leader()) is None:
        assert time.monotonic() < until, "there is no leader"
        time.sleep(0.2)
    return leader


def _wait_for_another(cluster: LocalCluster, leader: Machine) -> None:
    others = [machine for machine in cluster.of_kind("postgres") if machine is not leader]
    until = time.monotonic() + 90
    while not any(cluster.answers(cluster.url(machine.name, 8008, "/primary")) for machine in others):
        assert time.monotonic() < until, "no replica became the primary"
        time.sleep(0.2)


def _wait_for_replica(cluster: LocalCluster, machine: Machine) -> None:
    cluster.wait_for(machine, lambda: cluster.answers(cluster.url(machine.name, 8008, "/replica")))


def _processes_of_postgres(machine: Machine) -> list[int]:
    """The main process first."""
    postmaster = machine.postmaster
    assert postmaster is not None, machine.log[-1000:]
    return [postmaster, *_children(postmaster)]


def _children(process: int) -> Iterator[int]:
    return (child for child, parent in running_processes() if parent == process)


def _command(process: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_text("utf-8", "replace")
    return ""
