"""Metrics on a port of their own: the sums of all processes, and the numbers of the registry."""

import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from app.server import metrics_server
from tests.support.servers import ROOT, run, server
from tests.support.waiting import eventually


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def value(text: str, name: str) -> float:
    """The sum of a metric over its labels, of the requests for one partner if it has a route."""
    lines = [line for line in text.splitlines() if re.match(rf"{name}(?:[{{ ]|$)", line)]
    chosen = [line for line in lines if "route=" not in line or 'route="/v1/partners/{partner_id}"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in chosen)


@pytest.mark.slow
def test_all_processes_are_counted_together(folder: Path) -> None:
    url = f"sqlite:///{folder}/metrics.db"
    assert run("migrate", HOPTAC_DATABASE_URL=url).returncode == 0
    assert run("backup", f"{folder}/metrics.backup", HOPTAC_DATABASE_URL=url).returncode == 0
    port = free_port()
    with (
        server(url, "--workers", "2", metrics_port=str(port)) as (base, parent),
        httpx.Client(trust_env=False) as client,
    ):

        def text() -> str:
            return client.get(f"http://127.0.0.1:{port}/metrics").text

        for _ in range(20):  # each on a connection of its own, so that both processes answer some
            httpx.get(f"{base}/v1/partners/nobody", trust_env=False)
        eventually(lambda: value(text(), "hoptac_requests_total") == 20)
        eventually(lambda: len(pids(text())) == 2)
        assert client.get(f"{base}/metrics").status_code == 404
        first = text()
        assert (value(first, "hoptac_database_up"), value(first, "hoptac_log_head")) == (1, 0)
        assert value(first, "hoptac_database_bytes") > 10_000
        assert value(first, "hoptac_backup_age_seconds") > 0
        ended = min(pids(first))
        os.kill(int(ended), signal.SIGKILL)
        eventually(lambda: len(pids(text()) - {ended}) == 2 and ended not in pids(text()))
        assert value(text(), "hoptac_requests_total") == 20
        former = pids(text())
        parent.send_signal(signal.SIGHUP)  # new processes replace the others
        eventually(lambda: len(pids(text())) == 2 and not former & pids(text()))


def pids(text: str) -> set[str]:
    return set(re.findall(r'hoptac_writes{pid="(\d+)"}', text))


def test_idle_clients_of_the_metrics_port_take_no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs in the process of the API, whose clients need the files and the CPU time."""
    monkeypatch.setattr(metrics_server, "MAX_CONNECTIONS", 3)
    monkeypatch.setattr(metrics_server, "MAX_SECONDS", 1.0)
    monkeypatch.setattr(metrics_server, "REFRESH_SECONDS", 3_600)
    made = itertools.count()
    metrics = metrics_server.MetricsServer("127.0.0.1", 0, lambda: b"%d" % next(made), "text/plain")
    thread = threading.Thread(target=metrics.serve_forever)
    thread.start()

    def connected() -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", metrics.server_port), timeout=60)
        connection.sendall(b"GET /metrics HTTP/1.1\r\n")
        return connection

    def scrape() -> str:
        with suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{metrics.server_port}/metrics", trust_env=False).text
        return ""

    try:
        with ExitStack() as stack:
            idle = [stack.enter_context(connected()) for _ in range(4)]
            with suppress(ConnectionResetError):
                assert idle[3].recv(10) == b""  # one too many
            for connection in idle[:3]:
                assert connection.recv(10) == b""  # their time is over
        monkeypatch.setattr(metrics_server, "MAX_SECONDS", 60)
        eventually(scrape)
        assert {scrape() for _ in range(3)} == {"0"}
    finally:
        metrics.shutdown()
        thread.join()
        metrics.server_close()


@pytest.mark.slow
def test_a_worker_serves_the_numbers_of_the_registry(folder: Path) -> None:
    url = f"sqlite:///{folder}/metrics-of-worker.db"
    assert run("migrate", HOPTAC_DATABASE_URL=url).returncode == 0
    port = free_port()
    command = [sys.executable, "-m", "app", "worker", "--metrics-port", str(port)]
    environment = {**os.environ, "HOPTAC_DATABASE_URL": url}
    worker = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    with worker.stdout:
        try:
            assert worker.stdout.readline() == "Hoptac sends webhooks.\n"
            shown = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
            assert (value(shown, "hoptac_database_up"), value(shown, "hoptac_open_imports")) == (1, 0)
        finally:
            worker.terminate()
            assert worker.wait(timeout=120) == 0


def test_a_metrics_port_in_use_is_reported(folder: Path) -> None:
    url = f"sqlite:///{folder}/metrics-in-use.db"
    assert run("migrate", HOPTAC_DATABASE_URL=url).returncode == 0
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        taken = str(bound.getsockname()[1])
        found = run("serve", "--port", "0", HOPTAC_DATABASE_URL=url, HOPTAC_METRICS_PORT=taken)
    assert (found.returncode, "HOPTAC_METRICS_PORT: Address already in use" in found.stderr) == (2, True), found
