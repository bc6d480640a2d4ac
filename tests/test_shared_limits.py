"""The table of rate limits: bounded memory, shared between the workers of a server, whatever happens to one of them."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from app.core.asgi import usage_table
from app.core.asgi.usage_table import SIZE, UsageTable, open_usage_table, usage_file
from tests.support.databases import NewDatabase
from tests.support.servers import ROOT, server
from tests.support.waiting import eventually

PATH = "/v1/partners/unido"
ADDER = """
import sys, time
from app.core.asgi.usage_table import open_usage_table
table = open_usage_table(sys.argv[1])
tag = table.tag_of("busy")
print(flush=True)
sys.stdin.readline()
for _ in range(5_000):
    table.add(tag, 0.0001, time.monotonic())
    until = time.perf_counter() + 0.00005
    while time.perf_counter() < until:
        pass
"""


def test_clients_that_share_all_slots_keep_debts() -> None:
    table = UsageTable()
    sets = usage_table.SLOTS // usage_table.SLOTS_OF_SET
    tags = [7 + sets * number for number in range(200)]  # all of them in one set of slots
    for tag in tags[:7]:
        table.add(tag, 2.5, 100.0)
    for tag in tags[7:]:
        assert table.add(tag, 0.01, 100.0)[0] == 0.01  # never what another client has used
    assert [table.add(tag, 0.0, 100.0)[0] for tag in tags[:7]] == [2.5] * 7
    assert [table.add(tag, 0.0, 170.0)[0] for tag in tags[:7]] == [1.5] * 7


def test_tags_cannot_be_predicted() -> None:
    assert UsageTable().tag_of("address:192.0.2.1") != UsageTable().tag_of("address:192.0.2.1")


def test_processes_share_a_file_that_is_deleted_at_the_end() -> None:
    with usage_file() as path:
        assert (Path(path).stat().st_size, Path(path).stat().st_mode & 0o777) == (SIZE, 0o600)
        first = open_usage_table(path)
        second = open_usage_table(path)
        assert first.tag_of("a") == second.tag_of("a")
        first.add(first.tag_of("a"), 0.25, 100.0)
        assert second.add(second.tag_of("a"), 0.25, 101.0) == (0.5, 160.0)
    assert not Path(path).exists()


def test_a_worker_that_starts_after_the_file_is_gone_counts_alone(tmp_path: Path) -> None:
    table = open_usage_table(str(tmp_path / "gone"))
    assert table.add(table.tag_of("a"), 0.25, 100.0) == (0.25, 160.0)
    (tmp_path / "short").write_bytes(b"x")
    assert open_usage_table(str(tmp_path / "short")).add(1, 0.25, 100.0) == (0.25, 160.0)


@pytest.mark.slow
def test_two_processes_at_once_lose_few_counts() -> None:
    with usage_file() as path:
        command = [sys.executable, "-c", ADDER, path]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        adders = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(2)]  # type: ignore[call-overload]
        for adder in adders:
            adder.stdout.readline()
        for adder in adders:
            adder.stdin.write(b"\n")
            adder.stdin.flush()
        for adder in adders:
            adder.communicate(timeout=60)
        table = open_usage_table(path)
        assert 0.9 <= table.add(table.tag_of("busy"), 0.0, time.monotonic())[0] <= 1.0001


def maps_of(process: str) -> str:
    """The files that a process has mapped; an empty text if it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{process}/maps").read_text()
    return ""


def workers_of(process: "subprocess.Popen[str]") -> list[int]:
    """The worker processes of a server that have made their application and mapped the file."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children if "hoptac-usage-" in maps_of(child)]


def two_workers_of(process: "subprocess.Popen[str]", killed: int | None = None) -> list[int]:
    """The two workers of a server, once both are ready and neither is the killed one; until then, an empty list."""
    workers = workers_of(process)
    return workers if len(workers) == 2 and killed not in workers else []


def status_of(base: str) -> int:
    """The status of a request on a connection of its own."""
    connection = HTTPConnection(base.removeprefix("http://"), timeout=30)
    with closing(connection):
        connection.request("GET", PATH)
        return connection.getresponse().status


def answered_by(worker: int, workers: list[int], base: str, count: int) -> list[int]:
    """The statuses of requests that this worker answers, because the others stand still."""
    others = [each for each in workers if each != worker]
    for other in others:
        os.kill(other, signal.SIGSTOP)
    try:
        return [status_of(base) for _ in range(count)]
    finally:
        for other in others:
            with suppress(ProcessLookupError):
                os.kill(other, signal.SIGCONT)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_workers_count_together(
    new_database: NewDatabase, seeded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever worker answers. One that was killed changes nothing, and the next one counts with the others."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with server(new_database(seeded), "--workers", "2", rate_limit_address="100") as (base, process):
        before = eventually(lambda: two_workers_of(process))
        first = answered_by(before[0], before, base, 5)
        assert first == [200] * 5
        response = httpx.get(f"{base}{PATH}", trust_env=False)
        left = int(response.headers["ratelimit"].partition("r=")[2].partition(";")[0])
        assert left <= 100 - 6
        os.kill(before[0], signal.SIGKILL)
        after = eventually(lambda: two_workers_of(process, before[0]))
        statuses = [status for worker in after for status in answered_by(worker, after, base, 60)]
        assert 40 <= statuses.count(200) <= left
        assert statuses[-1] == 429
        assert list(tmp_path.glob("hoptac-usage-*"))
    assert not list(tmp_path.glob("hoptac-usage-*"))
