"""HTTP/1.1 against a real server: offers of other protocols, hosts, half-closed connections, responses nobody reads."""

import asyncio
import json
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.core.database.engine import Database
from app.core.maintenance.schema import migrate
from app.server import unsent_responses
from app.server.parse_turns import MAX_UNPARSED, ROUND, ParseTurns
from app.server.protocol import MAX_PIPELINED, MAX_PIPELINED_LINES
from app.server.unsent_responses import UnsentResponses
from tests.support.keys import Key, key_of
from tests.support.servers import ROOT, answers, memory_of, server
from tests.support.sockets import answers_to, connect, statuses
from tests.support.waiting import eventually

GET = b"GET /v1/partners HTTP/1.1\r\nHost: x\r\n"
LAST = GET + b"Connection: close\r\n\r\n"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YQ==\r\n"
BODY = json.dumps({"name": {"en": "Nobody"}, "kind": "other"}).encode()
UNPROVED = 422  # the status of that body: it was read, and lacks evidence
DOWNLOAD = b"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n\r\n"


@pytest.fixture(scope="module")
def url(folder: Path) -> str:
    """A database of one engine: what is here happens before a database is asked."""
    with Database(f"sqlite:///{folder}/protocol.db") as made:
        migrate(made)
    return f"sqlite:///{folder}/protocol.db"


@pytest.fixture(scope="module")
def key(url: str) -> Key:
    with Database(url) as database:
        return key_of(database, "records:write")


@pytest.fixture(scope="module")
def base(url: str) -> Iterator[str]:
    with server(url) as (address, _):
        yield address


def put(key: Key, record: str, *headers: bytes) -> bytes:
    head = f"PUT /v1/partners/{record} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
    return head + f"Authorization: {key['Authorization']}\r\n".encode() + b"".join(headers) + b"\r\n"


@pytest.mark.parametrize("offer", [H2C, WEBSOCKET])
def test_an_offer_of_another_protocol_is_ignored(base: str, key: Key, offer: bytes) -> None:
    assert statuses(answers_to(base, (GET + offer + b"\r\n") * 3 + LAST)) == [200] * 4
    name = offer[-8:-4].hex()
    length = b"Content-Length: %d\r\n" % len(BODY)
    chunked = b"Transfer-Encoding: chunked\r\n"
    whole = put(key, f"a-{name}", offer, length) + BODY
    parts = [put(key, f"b-{name}", offer, length) + BODY[:9], BODY[9:] + GET + offer + b"\r\n", LAST]
    chunks = [put(key, f"c-{name}", offer, chunked) + b"5\r\n" + BODY[:5], b"\r\n%x\r\n" % len(BODY[5:])]
    chunks += [BODY[5:] + b"\r\n0\r\n\r\n" + LAST]
    assert statuses(answers_to(base, whole + LAST)) == [UNPROVED, 200]
    assert statuses(answers_to(base, *parts)) == [UNPROVED, 200, 200]
    assert statuses(answers_to(base, *chunks)) == [UNPROVED, 200]


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n",
        b"Transfer-Encoding: gzip, chunked, identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
    ],
)
def test_an_offer_hides_no_second_request(base: str, key: Key, framing: bytes) -> None:
    for offer in (b"", H2C):
        assert statuses(answers_to(base, put(key, "d", offer, framing) + b"0\r\n\r\n" + LAST)) == [400]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_may_offer_http2(base: str, key: Key) -> None:
    command = ["curl", "-s", "--noproxy", "*", "--http2", "-X", "PUT", "-d", BODY.decode(), "-w", "%{http_code}"]
    command += ["-H", "Content-Type: application/json", "-H", f"Authorization: {key['Authorization']}"]
    done = subprocess.run([*command, f"{base}/v1/partners/curl"], capture_output=True, text=True, check=False)
    assert done.stdout.endswith(str(UNPROVED)), done


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /livez HTTP/1.1\r\n", 400),
        (b"GET /livez HTTP/1.0\r\n", 200),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nHost:\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nHost: a b\r\n", 400),
        (b"GET http://a/livez HTTP/1.1\r\nHost: a\r\n", 200),
        (b"CONNECT /livez HTTP/1.1\r\nHost: a\r\n", 405),
        (b"GET * HTTP/1.1\r\nHost: a\r\n", 404),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 17_000 + b"\r\n", 400),
    ],
)
def test_one_valid_host_is_required(base: str, head: bytes, status: int) -> None:
    assert statuses(answers_to(base, head + b"Connection: close\r\n\r\n")) == [status]


def test_a_client_that_half_closes_gets_its_answers(base: str, key: Key) -> None:
    length = b"Content-Length: %d\r\n" % len(BODY)
    write = put(key, "half", length) + BODY
    uncached = b"".join(b"GET /v1/projects?limit=%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(5, 8))
    assert statuses(answers_to(base, uncached + write, half_close=True)) == [200, 200, 200, UNPROVED]
    assert answers_to(base, DOWNLOAD, half_close=True).count(b"HTTP/1.1 200") == 1
    table = answers_to(base, b"GET /v1/projects.xlsx HTTP/1.1\r\nHost: x\r\n\r\n", half_close=True)
    assert table.endswith(b"\r\n0\r\n\r\n"), table
    assert answers_to(base, GET, half_close=True, seconds=5) == b""  # the request is not complete


def test_a_head_has_so_many_lines_before_it_is_complete(base: str) -> None:
    head = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
    began = time.monotonic()
    assert statuses(answers_to(base, head + b"a:\r\n" * 200)) == [400]
    assert time.monotonic() - began < 5  # not when the deadline of the head has passed
    assert statuses(answers_to(base, head + b"a:\r\n" * 50 + b"Connection: close\r\n\r\n")) == [200]


def test_a_connection_keeps_some_requests_that_wait(base: str) -> None:
    """The connection ends after them, so the client knows which ones it has to send again."""
    found = statuses(answers_to(base, b"GET /v1/projects?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n" * 500))
    assert found == [200] * (MAX_PIPELINED + 1)
    many = GET + b"a:\r\n" * 60 + b"\r\n"  # the lines of the requests that wait take memory, however short they are
    assert statuses(answers_to(base, many * 20)) == [200] * (MAX_PIPELINED_LINES // 61 + 1)
    last = httpx.get(f"{base}/v1/changes", trust_env=False).json()["last"]
    poll = b"GET /v1/changes?wait=1&after=%d HTTP/1.1\r\nHost: x\r\n\r\n" % last
    assert statuses(answers_to(base, poll + (GET + b"\r\n") * 20 + LAST, seconds=10)) == [200] * 22


@pytest.mark.parametrize("path", ["/v1/partners?limit=3", "/v1/nothing", "/livez"])
def test_head_and_body_arrive_together(base: str, path: str) -> None:
    """Written apart, a head arrives alone, since the body is written later. HEAD has the same head."""
    request = f"{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    for _ in range(5):
        with connect(base) as connection:
            connection.sendall(b"GET " + request)
            head, _, body = connection.recv(65_536).partition(b"\r\n\r\n")
            assert f"content-length: {len(body)}".encode() in head.split(b"\r\n")
            assert body
            connection.sendall(b"HEAD " + request)
            answered = connection.recv(65_536)
    assert answered.endswith(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in answered


def test_a_long_poll_ends_when_its_client_goes(base: str) -> None:
    last = httpx.get(f"{base}/v1/changes", trust_env=False).json()["last"]
    began = time.monotonic()
    poll = b"GET /v1/changes?wait=30&after=%d HTTP/1.1\r\nHost: x\r\n\r\n" % last
    assert statuses(answers_to(base, poll, half_close=True)) == [200]
    assert time.monotonic() - began < 15


def test_broken_off_downloads_leave_no_trace(url: str) -> None:
    """Also with requests behind them, and where the server itself ends them."""
    lines: list[str] = []
    with server(url, lines=lines, stall_deadline="0.5") as (base, _):
        for number in range(12):
            with connect(base, 4096) as connection:
                connection.sendall(DOWNLOAD * (1 if number % 2 else 5))
                connection.recv(2_000)
                if number % 3 == 0:  # reset it
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                elif number % 3 == 1:
                    time.sleep(1.2)
        time.sleep(1)
        assert answers(base)
    assert [line for line in lines if "Traceback" in line or "handler is closed" in line] == []


LARGE_RESPONSES = """
import os, socket, uvicorn
from app.core.asgi.turns import Turns
from app.core.settings import Settings
from app.server.config import ServerConfig

async def application(scope, receive, send):
    headers = [(b"content-length", b"4000000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": os.urandom(4_000_000)})

config = ServerConfig(Settings(port=0, stall_deadline=120), Turns(application), lifespan="off")
listening = config.bind_socket()
print(listening.getsockname()[1], flush=True)
uvicorn.Server(config).run(sockets=[listening])
"""


@pytest.mark.slow
def test_what_clients_do_not_read_is_bounded() -> None:
    """From one address, over many connections, with more requests behind; a client that reads gets all of it."""
    command = [sys.executable, "-c", LARGE_RESPONSES]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process, ExitStack() as stack:
        stack.callback(process.terminate)
        assert process.stdout is not None
        base = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        eventually(lambda: answers(base))
        before = memory_of(process.pid)
        for _ in range(60):
            stack.enter_context(connect(base, 4096)).sendall((GET + b"\r\n") * 3 + LAST)
        time.sleep(3)
        assert memory_of(process.pid) - before < 2 * unsent_responses.MAX_UNSENT_CLIENT
        assert len(httpx.get(base, trust_env=False, timeout=60).content) == 4_000_000


class Closing:
    """A connection that notes that it is closed."""

    def __init__(self) -> None:
        self.is_closed = False

    def abort_soon(self) -> None:
        self.is_closed = True


def test_the_client_with_the_most_unsent_bytes_loses_its_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsent_responses, "MAX_UNSENT", 100)
    monkeypatch.setattr(unsent_responses, "MAX_UNSENT_CLIENT", 60)
    unsent = UnsentResponses()
    greedy = [Closing() for _ in range(4)]
    other = Closing()
    large = Closing()
    for connection in greedy:
        unsent.note(connection, "greedy", 20)
    assert [each.is_closed for each in greedy] == [True, False, False, False]
    unsent.note(other, "other", 30)
    unsent.note(large, "large", 70)  # more than a client may have, but all that it has
    assert [each.is_closed for each in greedy] == [True, True, True, True] or large.is_closed
    assert not other.is_closed
    unsent.note(other, "other", 5)
    unsent.forget(other)
    unsent.forget(other)
    assert unsent.total() <= 100


def test_the_lines_of_a_head_are_bounded_while_it_arrives(base: str) -> None:
    """A head with many short lines would take far more memory than bytes, for as long as it may be incomplete."""
    many = GET + b"".join(b"x-%d:\r\n" % number for number in range(200))
    assert statuses(answers_to(base, many, seconds=5)) == [400]
    assert statuses(answers_to(base, GET + b"x: " + b"y" * 17_000 + b"\r\nz: 1\r\n", seconds=5)) == [400]
    few = GET + b"".join(b"x-%d:\r\n" % number for number in range(90)) + b"Connection: close\r\n\r\n"
    assert statuses(answers_to(base, few)) == [200]


def test_pieces_of_a_body_are_bounded(base: str, key: Key) -> None:
    """Each piece costs time, however small it is, before and after the response."""
    pieces = b"1\r\na\r\n" * 20_000
    chunked = b"Transfer-Encoding: chunked\r\n"
    assert statuses(answers_to(base, put(key, "pieces", chunked) + pieces, seconds=10)) == [400]
    began = time.monotonic()
    assert statuses(answers_to(base, GET + chunked + b"\r\n" + pieces * 5, seconds=10))[:1] in ([200], [400], [])
    assert time.monotonic() - began < 9  # the connection is closed
    few = b"".join(b"%x\r\n%s\r\n" % (1, BODY[place : place + 1]) for place in range(len(BODY)))
    assert statuses(answers_to(base, put(key, "d", chunked) + few + b"0\r\n\r\n" + LAST)) == [UNPROVED, 200]


def test_nothing_is_parsed_after_a_response_before_the_end_of_the_body(base: str) -> None:
    """The client gets the response, and is told that the connection ends. What it goes on to send costs no time."""
    head = GET + b"Transfer-Encoding: chunked\r\n\r\n"
    pieces = b"10\r\n0123456789abcdef\r\n" * 1_000
    began = time.monotonic()
    received = answers_to(base, head, pieces, b"0\r\n\r\n" + LAST)
    assert statuses(received) == [200]
    assert b"connection: close\r\n" in received
    assert time.monotonic() - began < 15  # the end of the connection does not wait for the client
    refused = answers_to(
        base, b"PUT /v1/partners/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n", b"a" * 3_900_000
    )
    assert statuses(refused) == [401]


class Received:
    """Pieces that a client has sent on one connection. Each takes half of a round to parse."""

    def __init__(self, turns: ParseTurns, name: str, pieces: int, parsed: list[str]) -> None:
        self.turns = turns
        self.name = name
        self.pieces = pieces
        self.parsed = parsed

    def parse(self) -> None:
        while self.pieces and self.turns.may_parse(self.name):
            began = time.perf_counter()
            while time.perf_counter() - began < ROUND / 2:
                pass
            self.turns.spend(self.name, began)
            self.pieces -= 1
            self.parsed.append(self.name)
        if self.pieces:
            assert self.turns.wait(self.name, self, 1)  # type: ignore[arg-type]


def test_connections_of_one_client_do_not_keep_others_from_being_parsed() -> None:
    parsed: list[str] = []

    async def run() -> None:
        turns = ParseTurns()
        for _ in range(20):
            Received(turns, "many", 3, parsed).parse()
        Received(turns, "one", 1, parsed).parse()
        while turns.is_waiting("many"):
            await asyncio.sleep(0)
        assert not turns.wait("many", Received(turns, "many", 1, parsed), MAX_UNPARSED + 1)  # type: ignore[arg-type]

    asyncio.run(run())
    assert parsed.index("one") <= 4
    assert parsed.count("many") == 60


def test_tags_of_a_condition_are_bounded(base: str) -> None:
    """Each tag is compared, however short it is."""
    head = GET + b"Connection: close\r\nIf-None-Match: "
    assert statuses(answers_to(base, head + b"," * 3_000 + b"\r\n\r\n")) == [400]
    assert statuses(answers_to(base, head + b'"1-2-3", ' * 200 + b"\r\n\r\n")) == [200]


def test_trailers_are_no_headers(base: str, key: Key) -> None:
    """A proxy checks the headers alone, so a client must not be able to add one after the body."""
    head = b"POST /v1/keys/self/rotate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    trailer = f"Authorization: {key['Authorization']}\r\n".encode()
    request = head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + trailer + b"\r\n"
    assert statuses(answers_to(base, request + LAST)) == [401, 200]


def test_spaces_around_a_value_are_no_part_of_it(base: str) -> None:
    etag = httpx.get(f"{base}/v1/codelists/scope", trust_env=False).headers["etag"]
    head = f"GET /v1/codelists/scope HTTP/1.1\r\nHost: x\r\nConnection: close\r\nIf-None-Match: \t{etag} \t \r\n"
    assert statuses(answers_to(base, f"{head}X-Request-ID:  own  \r\n\r\n".encode())) == [304]
    assert b"x-request-id: own\r\n" in answers_to(base, f"{head}X-Request-ID:  own  \r\n\r\n".encode()).lower()


def test_long_paths_cost_little(base: str) -> None:
    paths = {b"/docs/assets/" + b"a/" * 30_000: 404, b"/v1/projects/" + b"%41" * 20_000: 400}
    for path, status in paths.items():
        request = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert statuses(answers_to(base, request)) == [status]
