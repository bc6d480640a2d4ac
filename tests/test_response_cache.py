"""The hot layer: it answers like the application behind it, and never later than its bound allows."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from app.core.asgi import freshness
from app.core.asgi.freshness import Freshness
from app.core.asgi.http_middleware import HttpMiddleware
from app.core.asgi.request_headers import RequestHeaders
from app.core.asgi.response_cache import MAX_KEY_SIZE, ResponseCache
from app.core.asgi.turns import Turns
from app.core.database.engine import Database
from app.core.settings import Settings
from app.main import create_app
from tests.support.databases import url_of
from tests.support.http import client_of
from tests.support.records import rename
from tests.support.servers import ROOT, memory_of, server

PATH = "/v1/partners/unido"
PATHS = [
    PATH,
    "/v1/partners?limit=3",
    "/v1/projects?status=active&include=partners",
    "/v1/codelists",
    "/v1/partners/nobody",
]


def shown(client: TestClient | httpx.Client) -> str:
    return str(client.get(PATH).json()["name"]["en"])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("coding", ["identity", "gzip", "br, gzip", "zstd"])
def test_an_answer_kept_ready_is_the_answer(client: TestClient, path: str, coding: str) -> None:
    def ask(method: str = "GET", **headers: str) -> Any:
        answer = client.request(method, path, headers={"Accept-Encoding": coding, **headers})
        kept = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
        return answer.status_code, kept, answer.content

    first, again = ask(), ask()
    assert again == first
    status, headers, _ = ask("HEAD")
    assert (status, headers) == first[:2]
    if status == 200:
        for tags in (headers["etag"], f'"other", W/{headers["etag"]}', "*"):
            status, unchanged, body = ask(**{"If-None-Match": tags})
            assert (status, body, unchanged["etag"]) == (304, b"", headers["etag"])
            assert "content-length" not in unchanged
        assert ask(**{"If-None-Match": '"other"'}) == first


def test_each_kept_answer_has_a_request_id_of_its_own(client: TestClient) -> None:
    assert len({client.get(PATH).headers["x-request-id"] for _ in range(5)}) == 5
    assert client.get(PATH, headers={"X-Request-ID": "mine"}).headers["x-request-id"] == "mine"


def test_a_write_through_this_process_is_seen_at_once(seeded_database: Database) -> None:
    """Under readers on other threads, which keep filling what the writes empty."""
    with client_of(url_of(seeded_database), hot_staleness=60) as client, ThreadPoolExecutor(3) as readers:
        busy = [readers.submit(lambda: [client.get(PATH) for _ in range(150)]) for _ in range(3)]
        for number in range(40):
            rename(seeded_database, f"UNIDO {number}")
            assert shown(client) == f"UNIDO {number}"
        assert all(answer.status_code == 200 for each in busy for answer in each.result())


WRITER = """
import sys, time
from app.core.database.engine import Database
from tests.support.records import rename
import app.catalogue
database = Database(sys.argv[1])
for line in sys.stdin:
    rename(database, line.strip())
    print(time.monotonic(), flush=True)
"""


@pytest.mark.slow
def test_a_write_by_another_process_is_seen_within_the_bound(seeded_database: Database) -> None:
    url, bound = url_of(seeded_database), 0.3
    command = [sys.executable, "-c", WRITER, url]
    with (
        server(url, hot_staleness=str(bound)) as (base, _),
        httpx.Client(base_url=base, trust_env=False) as client,
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer,
    ):
        assert writer.stdin is not None
        assert writer.stdout is not None
        for number in range(5):
            before = shown(client)
            writer.stdin.write(f"other {number}\n")
            writer.stdin.flush()
            written = float(writer.stdout.readline())
            last_old, asked = written, time.monotonic()
            while (now := shown(client)) == before:
                last_old, asked = asked, time.monotonic()
            assert now == f"other {number}"
            # The last request that was answered as before must have been sent within the bound.
            assert last_old - written <= bound + 0.05
        writer.stdin.close()


class Counting:
    """An application behind the hot layer: counts what reaches it."""

    def __init__(self, cache_control: bytes = b"public", body: bytes = b"{}") -> None:
        self.asked, self.cache_control, self.body = 0, cache_control, body

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        self.asked += 1
        headers = [(b"etag", b'"1"'), (b"cache-control", self.cache_control)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def hot_of(app: Counting, look: Any = None, megabytes: int = 1) -> ResponseCache:
    async def always() -> object:
        return 1

    return ResponseCache(HttpMiddleware(app, access_log=False), Freshness(look or always, lambda: 0, 60), megabytes)


def ask(hot: ResponseCache, *paths: str, **headers: str) -> None:
    async def send(_: Message) -> None:
        return None

    async def receive() -> Message:
        return {"type": "http.request"}

    async def run() -> None:
        for path, _, query in [path.partition("?") for path in paths]:
            named = [(name.encode(), value.encode()) for name, value in headers.items()]
            scope = {"type": "http", "method": "GET", "path": path, "headers": named, "query_string": query.encode()}
            await RequestHeaders(hot, hot.app)(scope, receive, send)

    asyncio.run(run())


def test_what_is_kept_is_bounded() -> None:
    app = Counting(body=b"x" * 95_000)
    hot = hot_of(app)
    ask(hot, *(f"/v1/{number}" for number in range(25)))
    assert (app.asked, len(hot._entries)) == (25, 10)
    assert hot._size == sum(entry.size for entry in hot._entries.values()) <= 1_000_000
    ask(hot, "/v1/24", "/v1/15")
    assert app.asked == 25
    ask(hot, "/v1/0")  # the oldest went first
    assert app.asked == 26


def test_codings_that_choose_the_same_share_an_entry() -> None:
    app = Counting()
    hot = hot_of(app)
    for coding in ("gzip", "gzip, deflate", "GZIP;q=0.3", "x-gzip, gzip", "br;q=0, gzip", "gzip, made-up"):
        ask(hot, "/v1/a", **{"accept-encoding": coding})
    assert app.asked == 1
    for coding in ("identity", "", "made-up", "gzip;q=0", "a" * 10_000):
        ask(hot, "/v1/a", **{"accept-encoding": coding})
    assert (app.asked, len(hot._entries)) == (2, 2)


def test_what_has_a_long_name_is_never_kept() -> None:
    app = Counting()
    hot = hot_of(app)
    ask(hot, *["/v1/partners?q=" + "a" * MAX_KEY_SIZE] * 2)
    assert (app.asked, len(hot._entries)) == (2, 0)


def made_up(number: int) -> list[tuple[str, dict[str, str]]]:
    """Requests whose answers cannot have been kept: codings, queries, names that are too long, tags."""
    long = "&".join(f"id={number:06}{'a' * 20}x{each}" for each in range(45))
    tags = ",".join(f'"{number}-{each}"' for each in range(150))
    return [
        ("/v1/partners/unido", {"Accept-Encoding": f"{number:06}{'a' * 15_000}"}),
        ("/v1/partners/unido", {"Accept-Encoding": f"gzip, x-{number}"}),
        (f"/v1/projects?fields=id&limit=1&id={number:06}{'a' * 60}", {}),
        (f"/v1/projects?fields=id&limit=1&{long}", {}),
        (f"/v1/figures?limit=100&value_gte=-{number}", {"Accept-Encoding": "identity", "If-None-Match": tags}),
    ]


@pytest.mark.slow
def test_a_process_grows_by_twice_the_setting_at_most(seeded: str) -> None:
    """Keys, queries and headers are weighed too: what anyone can make up in them fills no memory."""
    megabytes = 8
    with (
        server(seeded, hot_cache=str(megabytes)) as (base, process),
        httpx.Client(base_url=base, trust_env=False, timeout=60) as client,
    ):
        for number in range(50):  # statements are compiled, and pools filled
            for path, headers in made_up(number):
                client.get(path, headers=headers)
        before = memory_of(process.pid)
        for number in range(1_000, 2_200):
            for path, headers in made_up(number):
                assert client.get(path, headers=headers).status_code == 200
        assert memory_of(process.pid) - before < 2 * megabytes * 1_000_000


@pytest.mark.parametrize(
    ("app", "headers"),
    [
        (Counting(), {"authorization": "Bearer hoptac_x"}),
        (Counting(cache_control=b"private, max-age=9"), {}),
        (Counting(cache_control=b"no-store"), {}),
        (Counting(body=b"x" * 1_000_001), {}),
    ],
)
def test_some_answers_are_never_kept(app: Counting, headers: dict[str, str]) -> None:
    hot = hot_of(app, megabytes=10)
    ask(hot, "/v1/a", "/v1/a", **headers)
    assert app.asked == 2


def test_without_an_answer_from_the_database_nothing_is_kept() -> None:
    async def silent() -> object:
        return None

    app = Counting()
    ask(hot_of(app, silent), "/v1/a", "/v1/a")
    assert app.asked == 2


def test_a_new_day_empties_it(monkeypatch: pytest.MonkeyPatch) -> None:
    app, days = Counting(), iter([1, 2, 3, 4, 5])
    monkeypatch.setattr(freshness, "today", lambda: next(days))
    hot = hot_of(app)
    hot.freshness._staleness = -1
    ask(hot, "/v1/a", "/v1/a")
    assert app.asked == 2


@pytest.fixture
def plain(seeded: str) -> Iterator[TestClient]:
    with client_of(seeded, hot_cache=0) as client:
        yield client


def test_it_can_be_switched_off(plain: TestClient) -> None:
    assert isinstance(plain.app, Turns)
    assert isinstance(plain.app.app, RequestHeaders)
    assert isinstance(plain.app.app.app, HttpMiddleware)
    assert plain.get(PATH).content == plain.get(PATH).content
    whole = create_app(Settings(rate_limit_key=0, rate_limit_address=0))
    assert isinstance(whole, Turns)
    assert isinstance(whole.app, RequestHeaders)
    assert isinstance(whole.app.app, ResponseCache)
