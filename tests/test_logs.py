"""The logs of a real server: JSON to the last line, in ASCII, with who asked, and without a token in full."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs
from uvicorn.supervisors.multiprocess import Multiprocess

from app.core.access.keys import new_token
from app.core.asgi.refusal_log import MAX_LINES, RefusalLog
from app.core.database.engine import Database
from app.core.maintenance.schema import migrate
from app.core.settings import Settings
from app.main import create_app
from app.server.run import Supervisor
from tests.support.databases import url_of
from tests.support.keys import id_of, key_of
from tests.support.servers import server
from tests.support.sockets import answers_to

ODD = "%E2%80%A8%C2%85%C2%9B%7F%1B%5B31m%E2%80%AE%ED%A0%80%0A{}"


@pytest.fixture(scope="module")
def url(folder: Path) -> str:
    """A database of one engine: what is here happens around it."""
    with Database(f"sqlite:///{folder}/logs.db") as made:
        migrate(made)
    return f"sqlite:///{folder}/logs.db"


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_every_line_is_json_and_has_no_token(url: str, workers: str) -> None:
    with Database(url) as database:
        key = key_of(database, "keys")
    token = new_token("0123456789")
    lines: list[str] = []
    with server(url, "--workers", workers, lines=lines, access_log="true") as (base, _):
        with httpx.Client(base_url=base, trust_env=False) as client:
            client.get(f"/v1/keys/{ODD}", headers=key)
            client.delete(f"/v1/keys/{token}", headers=key)
            agent = f"\x9b odd {token} ".encode("latin-1") + b"a" * 9_000
            odd_headers = {b"User-Agent": agent, b"X-Request-ID": token.encode()}
            client.get(f"/v1/partners?q={token}&a={token.replace('_', '%5f')}{ODD * 99}", headers=odd_headers)
            client.get("/v1/partners", headers={"Authorization": f"Bearer {token}"})
        for malformed in (b"\x16\x03\x01\xe2\x80\xa8\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nA b: c\r\n\r\n"):
            answered = answers_to(base, malformed)
            assert answered.startswith(b"HTTP/1.1 400 ")
            assert json.loads(answered.partition(b"\r\n\r\n")[2])["code"] == "bad_request"
        for _ in range(MAX_LINES):
            answers_to(base, b"\x16\r\n\r\n")
        answers_to(base, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n")
    written = [
        line for line in lines if not line.startswith(("  docs", "  reference", "  try"))
    ]  # the rest of the start
    assert token[19:] not in "".join(written)
    assert token[:17] in "".join(written)
    entries: list[dict[str, Any]] = [json.loads(line) for line in written]
    assert all(
        line.rstrip("\n").isascii() and line.rstrip("\n").isprintable() and len(line) < 6_000 for line in written
    )
    mine = [entry for entry in entries if entry.get("path") != "/livez"]
    assert {entry["client"] for entry in mine} == {"127.0.0.1"}
    assert mine[0]["key"] == id_of(key)
    assert mine[0]["bytes"] > 50
    assert [entry.get("refused") for entry in mine].count("unknown_key") == 1
    assert 2 < sum(entry["event"] == "malformed" for entry in mine) <= MAX_LINES * int(workers)


def test_refused_requests_are_logged_up_to_a_number() -> None:
    """Nobody can fill the log with requests that are refused. Their number is logged a minute later."""
    now = [0.0]
    refusals = RefusalLog(lambda: now[0])
    with capture_logs() as lines:
        admitted = [refusals.admits("192.0.2.1") for _ in range(MAX_LINES + 40)]
        assert refusals.admits("192.0.2.2")
        now[0] = 61.0
        assert refusals.admits("192.0.2.1")
    assert admitted == [True] * MAX_LINES + [False] * 40
    assert [(line["client"], line["count"]) for line in lines] == [("192.0.2.1", 40)]


def test_no_network_fills_the_log(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The addresses of one IPv6 network are one client, and probes are logged up to a number too."""
    app = create_app(Settings(database_url=url, access_log=True))
    with TestClient(app, client=("2001:db8::1", 1)):
        for number in range(MAX_LINES + 20):
            client = TestClient(app, client=(f"2001:db8::{number:x}", 1))
            client.get("/livez?a=1")
            client.get("/v1/partners", headers={"Authorization": "Bearer nothing"})
    written = "".join(capfd.readouterr())
    assert written.count('"event": "request"') == MAX_LINES


@pytest.mark.parametrize(
    ("setting", "address", "logged"),
    [
        ("full", "192.0.2.77", {"client": "192.0.2.77", "agent": "tester"}),
        ("network", "192.0.2.77", {"client": "192.0.2.0/24"}),
        ("network", "2001:db8:1:2::3", {"client": "2001:db8:1::/48"}),
        ("network", "nobody", {"client": ""}),
        ("none", "192.0.2.77", {}),
    ],
)
def test_the_log_has_as_much_of_a_client_as_the_operator_wants(
    url: str, setting: Any, address: str, logged: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    app = create_app(Settings(database_url=url, access_log=True, log_clients=setting))
    with TestClient(app, client=(address, 1), headers={"user-agent": "tester"}) as client:
        for _ in range(2):  # the second one from the response cache
            client.get("/v1/partners")
    entries = [json.loads(line) for line in "".join(capfd.readouterr()).splitlines() if '"request"' in line]
    assert len(entries) == 2
    for entry in entries:
        assert {name: entry[name] for name in ("client", "agent") if name in entry} == logged
        assert address in str(entry) or setting != "full"


def test_the_log_has_the_partner_of_a_key(seeded_database: Database, capfd: pytest.CaptureFixture[str]) -> None:
    key = key_of(seeded_database, "records:write:own", partner="unido")
    app = create_app(Settings(database_url=url_of(seeded_database), access_log=True))
    with TestClient(app) as client:
        client.get("/v1/partners/unido", headers=key)
    (entry,) = [json.loads(line) for line in "".join(capfd.readouterr()).splitlines() if '"request"' in line]
    assert (entry["key"], entry["partner"]) == (id_of(key), "unido")


def test_a_worker_that_ended_is_replaced_and_logged() -> None:
    class Worker:
        def __init__(self, pid: int) -> None:
            self.pid = pid
            self.exitcode = -9 if pid == 1 else None

    supervisor = Supervisor.__new__(Supervisor)
    supervisor.processes = [Worker(1), Worker(2)]  # type: ignore[list-item]

    def replace_first(own: Multiprocess) -> None:
        own.processes[0] = Worker(3)  # type: ignore[call-overload]

    with pytest.MonkeyPatch.context() as patched, capture_logs() as lines:
        patched.setattr(Multiprocess, "keep_subprocess_alive", replace_first)
        supervisor.keep_subprocess_alive()
    assert [(line["event"], line["process"], line["exit_code"], line["by"]) for line in lines] == [
        ("worker replaced", 1, -9, 3)
    ]
