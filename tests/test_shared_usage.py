"""Rate limits that several servers share through Redis: counts, debts, and what happens when Redis is lost."""

import asyncio
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from app.core.asgi import shared_usage
from app.core.asgi.shared_usage import SharedUsageTable
from app.core.asgi.usage_table import WINDOW, UsageTable
from tests.support.databases import NewDatabase
from tests.support.servers import run, server
from tests.support.waiting import eventually

PATH = "/v1/partners/unido"
QUOTA = 300
PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs redis-server or valkey-server, a package of Debian")


class Redis:
    """A real server on a socket of its own, which can be killed and started again, without what it had."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self.url = f"unix://{self._socket}"
        self.start()

    def start(self) -> None:
        options = {"--port": "0", "--unixsocket": str(self._socket), "--save": "", "--dir": str(self._socket.parent)}
        command = [str(PROGRAM), *(text for option in options.items() for text in option)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        eventually(lambda: self._socket.exists() or self._process.poll() is not None)
        assert self._process.poll() is None, "Redis has ended"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._socket.unlink(missing_ok=True)


@pytest.fixture
def redis() -> Iterator[Redis]:
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:  # the path of a socket has at most 107 bytes
        started = Redis(Path(folder))
        yield started
        started.kill()


async def until(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < limit
        await asyncio.sleep(0.02)


@asynccontextmanager
async def tables(url: str) -> AsyncIterator[list[SharedUsageTable]]:
    made = [SharedUsageTable(url) for _ in range(2)]
    for table in made:
        table.start()
    try:
        yield made
    finally:
        for table in made:
            await table.close()


def used(table: UsageTable, client: str) -> float:
    return table.add(table.tag_of(client), 0.0, time.monotonic())[0]


def test_processes_add_up_what_clients_use(redis: Redis) -> None:
    async def exchange() -> None:
        async with tables(redis.url) as (one, other):
            for number in range(500):  # more than one script has
                for table in one, other:
                    table.add(table.tag_of(f"client {number}"), 0.25, time.monotonic())
            await until(lambda: all(abs(used(one, f"client {number}") - 0.5) < 1e-9 for number in (0, 250, 499)))
            tag = one.tag_of("client 0")
            assert one.take(tag, 0.5, time.monotonic())[0]
            await until(lambda: abs(used(other, "client 0") - 1.0) < 1e-9)
            assert not other.take(other.tag_of("client 0"), 0.01, time.monotonic())[0]
            other.add(other.tag_of("client 0"), 100.0, time.monotonic())
            await until(lambda: used(one, "client 0") == 10.0)  # the largest debt
            end = one.add(tag, -0.5, time.monotonic())[1]
            assert 0 < end - time.monotonic() <= WINDOW
            await until(lambda: abs(used(other, "client 0") - 9.5) < 1e-9)

    asyncio.run(exchange())


def test_windows_end_and_debts_are_carried_over(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the table of one process, but by the clock of the server."""
    monkeypatch.setattr(shared_usage, "WINDOW", 1)

    async def exchange() -> None:
        async with tables(redis.url) as (one, other):
            one.add(one.tag_of("in debt"), 2.5, time.monotonic())
            one.add(one.tag_of("within"), 0.5, time.monotonic())
            await until(lambda: one._counted == {})
            await asyncio.sleep(1.1)
            for name in "in debt", "within":
                other.add(other.tag_of(name), 0.1, time.monotonic())
            await until(lambda: other._counted == {})
            assert used(other, "within") == pytest.approx(0.1)
            assert used(other, "in debt") == pytest.approx(1.6)

    asyncio.run(exchange())


def test_servers_share_limits_and_count_alone_without_redis(
    redis: Redis, new_database: NewDatabase, seeded: str
) -> None:
    lines: list[str] = []
    url = new_database(seeded)
    with (
        server(url, lines=lines, rate_limit_url=redis.url, rate_limit_address=str(QUOTA)) as (one, _),
        server(url, rate_limit_url=redis.url, rate_limit_address=str(QUOTA)) as (other, _),
        httpx.Client(trust_env=False) as client,
    ):

        def left_at(base: str) -> int:
            """The units that are left after one more request, which never fails for another reason than the limit."""
            answer = client.get(base + PATH)
            assert answer.status_code in (200, 429), answer.text
            return int(answer.headers["ratelimit"].partition("r=")[2].partition(";")[0])

        assert min(left_at(one) for _ in range(30)) <= QUOTA - 30
        eventually(lambda: left_at(other) < QUOTA - 30)
        redis.kill()
        eventually(lambda: left_at(one) and any("rate limits are not shared" in line for line in lines))
        redis.start()
        eventually(lambda: left_at(one) and any("shared between servers again" in line for line in lines))
        while left_at(one):
            pass
        eventually(lambda: left_at(other) == 0)
        assert client.get(other + PATH).status_code == 429


def test_the_address_of_redis_is_checked() -> None:
    refused = run("serve", HOPTAC_DATABASE_URL="sqlite:///none.db", HOPTAC_RATE_LIMIT_URL="http://secret@host")
    assert (refused.returncode, "HOPTAC_RATE_LIMIT_URL" in refused.stderr, "secret" in refused.stderr) == (
        2,
        True,
        False,
    )
