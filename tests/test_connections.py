"""Slow clients and many connections, against a real server process: deadlines end what stands still, nothing else."""

import contextlib
import errno
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx
import pytest

from app.core.database.engine import Database
from app.core.maintenance.schema import migrate
from app.core.settings import Settings
from app.server import accepting
from app.server.connections import Connections
from tests.support.keys import key_of
from tests.support.servers import answers, server
from tests.support.waiting import eventually

HALF = b"GET /v1 HTTP/1.1\r\nHost: x\r\nX-Slow: "
BODY = b"PUT /v1/partners/x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
SHORT: dict[str, Any] = {"head_deadline": "1", "stall_deadline": "1"}


@pytest.fixture(scope="module")
def url(folder: Path) -> str:
    """A database of one engine: what is here happens before a database is asked."""
    made = Database(f"sqlite:///{folder}/connections.db")
    migrate(made)
    made.close()
    return f"sqlite:///{folder}/connections.db"


@pytest.fixture(scope="module")
def base(url: str) -> Iterator[str]:
    """A server with short deadlines."""
    with server(url, **SHORT) as (address, _):
        yield address


def connect(base: str, source: str = "127.0.0.1", received: int = 0) -> socket.socket:
    host, port = base.removeprefix("http://").split(":")
    made = socket.socket()
    if received:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, received)
    made.bind((source, 0))
    made.settimeout(60)
    made.connect((host, int(port)))
    return made


def is_closed(connection: socket.socket, seconds: float) -> bool:
    """Whether the other end goes within so many seconds; what it still says is passed over."""
    until = time.monotonic() + seconds
    with contextlib.suppress(ConnectionError):
        while select.select([connection], [], [], max(0, until - time.monotonic()))[0]:
            if not connection.recv(65_536):
                return True
        return False
    return True


def ends(connection: socket.socket, drip: Callable[[], bytes], within: float = 120) -> float:
    """Seconds until a connection ends that gets these bytes every 0.1 s; fails when it does not."""
    began = time.monotonic()
    while time.monotonic() - began < within:
        with contextlib.suppress(ConnectionError):
            connection.sendall(drip())
            if not is_closed(connection, 0.1):
                continue
        return time.monotonic() - began
    pytest.fail("it goes on")


def is_refused(base: str) -> bool:
    """Whether a new connection of an address is closed without an answer."""
    with contextlib.suppress(ConnectionError), connect(base, "127.0.0.77") as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return not connection.recv(100)
    return True


@pytest.mark.parametrize(("requests", "connections"), [(0, 0), (1, 1_000), (12_000, 1_000), (120_000, 10_000)])
def test_the_limit_of_new_connections_follows_the_rate_limit(requests: int, connections: int) -> None:
    assert Connections(Settings(rate_limit_address=requests)).new_connections(5, 1_000) == connections


@pytest.mark.slow
def test_an_address_opens_a_limited_number_of_connections_in_a_time(url: str) -> None:
    """Many more are refused as soon as they are accepted, and others are answered meanwhile."""
    refused, sent = 0, 2 * accepting.MOST_OF_NETWORK + 400
    with server(url, rate_limit_address="10") as (base, _):
        began = time.monotonic()
        for number in range(sent):
            refused += is_refused(base)
            if number % 100 == 0:
                assert answers(base)
        windows = int(time.monotonic() - began) // accepting.WINDOW + 2  # into which the connections may fall
        assert answers(base)
    assert refused > 0 or windows > 3
    assert sent - refused <= windows * accepting.MOST_OF_NETWORK


def test_a_server_without_files_for_connections_accepts_again(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    class Exhausted:
        """A listening socket of a process that has no file left."""

        accepted = 0

        def setblocking(self, _: bool) -> None:
            """It never blocks."""

        def accept(self) -> None:
            self.accepted += 1
            raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(accepting, "PAUSE", 0.01)
    loop: Any = Mock()
    listening = Exhausted()
    listener = accepting.Listener(loop, listening, Mock(), Connections(Settings()))  # type: ignore[arg-type]
    accept = loop.add_reader.call_args.args[1]
    accept()
    assert listening.accepted == 1
    loop.remove_reader.assert_called_once_with(listening)
    delay, continue_ = loop.call_later.call_args.args
    assert delay == accepting.PAUSE
    continue_()
    assert loop.add_reader.call_count == 2
    listener.close()
    continue_()
    assert loop.add_reader.call_count == 2


@pytest.mark.parametrize(
    ("begun", "drip"),
    [(b"", b""), (HALF, b""), (HALF, b"a"), (b"", b"\r\n"), (b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n")],
    ids=["nothing", "half a head", "a head in drips", "blank lines", "blank lines after an answer"],
)
def test_a_head_has_a_deadline(base: str, begun: bytes, drip: bytes) -> None:
    with connect(base) as connection:
        connection.sendall(begun)
        if b"\r\n\r\n" in begun:
            assert b"200 OK" in connection.recv(65_536)
        assert ends(connection, lambda: drip) > 0.5


@pytest.mark.parametrize("path", [b"/v1/partners/x", b"/livez"])
def test_a_body_that_stalls_or_drips_is_cut(base: str, path: bytes) -> None:
    """Before the answer and after it: a 401 and a 405 do not wait for the body."""
    for drip in (b"", b" "):
        with connect(base) as connection:
            connection.sendall((BODY % 100_000).replace(b"/v1/partners/x", path))
            assert b" 40" in connection.recv(65_536)[:20]
            ends(connection, lambda drip=drip: drip)  # type: ignore[misc]


@pytest.mark.slow
def test_a_body_that_comes_slowly_but_comes_is_read(url: str) -> None:
    with Database(url) as database:
        key = key_of(database, "records:write")["Authorization"].encode()
    with server(url, stall_deadline="4") as (base, _), connect(base) as connection:
        connection.sendall((BODY % 12_000).replace(b"Host", b"Authorization: %s\r\nHost" % key))
        for _ in range(60):
            connection.sendall(b" " * 200)  # 2,000 bytes a second
            time.sleep(0.1)
        assert b"400" in connection.recv(65_536)[:20]
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in connection.recv(65_536)


ASSET = b"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"


def test_an_answer_that_nobody_takes_is_cut(base: str) -> None:
    with connect(base, received=4096) as connection:
        with contextlib.suppress(TimeoutError, ConnectionError):
            connection.settimeout(0.5)
            for _ in range(2_000):
                connection.sendall(ASSET)  # until the server, which cannot send, no longer reads
        time.sleep(4)
        connection.settimeout(5)
        taken = 0
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(1 << 20):
                taken += len(chunk)
        assert taken < 20_000_000


@pytest.mark.slow
def test_an_answer_that_is_taken_slowly_is_whole(url: str) -> None:
    with server(url, stall_deadline="3") as (base, _), connect(base, received=4096) as connection:
        connection.sendall(ASSET.replace(b"Host", b"Connection: close\r\nHost"))
        received, began = b"", time.monotonic()
        while chunk := connection.recv(200_000 if time.monotonic() - began > 5 else 8_000):
            received += chunk
            time.sleep(0.02 if time.monotonic() - began < 5 else 0)
    head, _, body = received.partition(b"\r\n\r\n")
    assert int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]) == len(body) > 500_000


def test_heads_have_a_size(base: str) -> None:
    for line in (b"X-A: " + b"a" * 2_000, b"X-%d: a", b"\r\n"):
        with connect(base) as connection:
            connection.sendall(HALF + b"\r\n")
            with contextlib.suppress(ConnectionError):
                for number in range(200_000):
                    connection.sendall(line.replace(b"%d", b"%d" % number) + b"\r\n")
                pytest.fail("it goes on")
    with connect(base) as connection, contextlib.suppress(ConnectionError):
        chunk = b"1;" + b"a" * 500_000 + b"\r\n \r\n"
        connection.sendall((BODY.replace(b"Content-Length: %d", b"Transfer-Encoding: chunked")) + chunk)
        assert is_closed(connection, 60) or b" 40" in connection.recv(65_536)[:20]


@pytest.mark.slow
def test_connections_are_bounded_and_those_that_wait_make_room(url: str) -> None:
    with server(url, max_connections="50", max_connections_address="20", head_deadline="60") as (base, _):
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(connect(base)) for _ in range(30)]
            eventually(lambda: [is_closed(each, 0.01) for each in held] == [False] * 20 + [True] * 10)
            others = [stack.enter_context(connect(base, f"127.0.1.{each % 9 + 1}")) for each in range(100)]
            for each in others:
                each.sendall(HALF)
            eventually(lambda: sum(not is_closed(each, 0.01) for each in [*held, *others]) == 50)
            assert [is_closed(each, 0.01) for each in others[-50:]] == [False] * 50
            assert httpx.get(f"{base}/livez", trust_env=False).status_code == 200
        assert httpx.get(f"{base}/v1/partners", trust_env=False).status_code == 200
    with (
        server(url, max_connections_address="2", trusted_proxies="127.0.0.1") as (base, _),
        contextlib.ExitStack() as stack,
    ):
        held = [stack.enter_context(connect(base)) for _ in range(30)]
        assert not any(is_closed(each, 0.01) for each in held)


@pytest.mark.slow
@pytest.mark.parametrize(
    "begun", [BODY % 6_000, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n\r\n" * 40]
)
def test_where_all_send_or_take_nothing_the_slowest_makes_room(url: str, begun: bytes) -> None:
    with server(url, max_connections="5", stall_deadline="60") as (base, _), contextlib.ExitStack() as stack:
        made = httpx.get(f"{base}/openapi.json", trust_env=False, timeout=60)  # to make it takes a while
        assert made.status_code == 200
        for _ in range(5):
            stack.enter_context(connect(base, received=4096)).sendall(begun)
        eventually(lambda: answers(base), 45)  # before the deadline of 60 seconds
        assert answers(base)


@pytest.mark.slow
def test_workers_have_deadlines_too(url: str) -> None:
    with server(url, "--workers", "2", **SHORT) as (base, _):
        for _ in range(4):
            with connect(base) as connection:
                assert is_closed(connection, 120)


@pytest.mark.slow
def test_who_waits_for_a_change_has_no_deadline_and_counts_once(url: str) -> None:
    """Longer than any deadline, and again on the same connection."""
    settings: dict[str, Any] = {"head_deadline": "5", "stall_deadline": "5", "rate_limit_address": "100"}
    with (
        server(url, **settings) as (base, _),
        httpx.Client(base_url=base, trust_env=False, timeout=30) as client,
    ):
        left = []
        for _ in range(2):
            began = time.monotonic()
            answer = client.get("/v1/changes?wait=12")
            assert (answer.status_code, answer.json()["items"]) == (200, [])
            assert time.monotonic() - began >= 12
            left.append(int(answer.headers["ratelimit"].partition("r=")[2].partition(";")[0]))
        assert left[1] in (left[0] - 1, left[0] - 2, 98, 99)  # or a new minute began; the reads may cost a unit
