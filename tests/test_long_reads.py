"""Long reads: what one client can run at once, what nobody waits for, and the deadline of SQL and Python."""

import asyncio
import contextlib
import itertools
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import text

from app.core.database.engine import Database
from app.core.database.fair_queue import FairQueue
from app.core.database.sqlite import SqliteReader
from app.core.database.statements import Query, Read, Reader
from app.core.errors import QueryTooSlow, TooMany, Unavailable
from app.core.reading.results import last_change_name
from app.core.request_cost import COST, Metered, RequestCost
from app.core.time_limit import clear_limit, is_out_of_time, set_limit
from app.core.values.json import from_json
from tests.support.databases import NewDatabase, url_of
from tests.support.keys import key_of
from tests.support.records import PARTNER
from tests.support.servers import server

COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT count(*) FROM n"
ENDLESS = Query(text(COUNT.format(10**12)))
SOME_ROWS = Query(text(COUNT.format(3)))


def endless() -> Read:
    return (yield ENDLESS, {})


def quick() -> Read:
    return (yield SOME_ROWS, {})


def run(url: str, work: Callable[[Database, Reader], Any], **settings: Any) -> Any:
    """The result of some reads in an event loop of their own."""

    async def main() -> Any:
        with Database(url, **settings) as database:
            reader = database.reader()
            try:
                return await work(database, reader)
            finally:
                await reader.close()

    return asyncio.run(main())


def queue(**limits: float) -> FairQueue:
    given: dict[str, Any] = {"running": 2, "running_of_client": 1, "waiting": 3, "waiting_of_client": 2, "patience": 60}
    return FairQueue(**{**given, **limits})


def test_an_interrupted_statement_is_prepared_once_more_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite asks the authorizer about each part of a statement that it prepares."""
    prepared: list[int] = []
    connect = sqlite3.connect

    def note(code: int, *_: Any) -> int:
        prepared.append(code)
        return sqlite3.SQLITE_OK

    def watched(*arguments: Any, **settings: Any) -> sqlite3.Connection:
        driver: sqlite3.Connection = connect(*arguments, **settings)
        driver.set_authorizer(note)
        return driver

    query = Query(text("SELECT 0 UNION ALL SELECT * FROM (" + COUNT.format(":most") + ")"))  # has a row at once

    def counting(most: int) -> Callable[[], Read]:
        def read() -> Read:
            return (yield query, {"most": most})

        return read

    async def main() -> list[int]:
        sizes: list[int] = []
        reader = SqliteReader(str(tmp_path / "a.db"), deadline=0.1)
        with pytest.raises(QueryTooSlow):
            await reader.run(counting(10**12))
        for most in (1, 2, 3, 4):
            assert await reader.run(counting(most)) == [(0,), (most,)]
            sizes.append(len(prepared))
        await reader.close()
        return sizes

    with contextlib.closing(connect(tmp_path / "a.db")) as driver:
        driver.execute("CREATE TABLE a (b)")
    monkeypatch.setattr(sqlite3, "connect", watched)
    first, *others = asyncio.run(main())
    assert others == [first] * 3


def test_waiting_clients_take_turns() -> None:
    started: list[str] = []

    async def work(places: FairQueue, client: str) -> None:
        await places.enter(client)
        started.append(client)
        await asyncio.sleep(0.01)
        places.leave(client)

    async def main() -> None:
        places = queue(running=1, waiting=20, waiting_of_client=20)
        await asyncio.gather(*(work(places, client) for client in "aaaaabbc"))
        await places.enter("a")  # everybody has left

    asyncio.run(main())
    assert "".join(started) == "aabcabaa"


def test_what_waits_is_bounded_for_one_client_and_for_all() -> None:
    async def main() -> None:
        places = queue()
        await places.enter("a")
        waiting = [asyncio.ensure_future(places.enter("a")) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(TooMany) as refused:
            await places.enter("a")
        assert refused.value.headers["Retry-After"] == "2"
        await places.enter("b")  # the second place is not for the first client
        waiting.append(asyncio.ensure_future(places.enter("b")))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await places.enter("c")
        waiting[0].cancel()
        await asyncio.sleep(0.01)
        waiting.append(asyncio.ensure_future(places.enter("c")))
        places.leave("a")
        await waiting[1]
        places.leave("a")
        await waiting[3]

    asyncio.run(main())


def test_nobody_waits_for_ever() -> None:
    async def main() -> None:
        places = queue(running=1, patience=0.05)
        await places.enter("a")
        with pytest.raises(Unavailable):
            await places.enter("b")
        places.leave("a")
        await places.enter("b")

    asyncio.run(main())


def test_a_client_runs_two_long_reads_at_a_time(new_database: NewDatabase, migrated: str) -> None:
    now: list[str] = []
    most: list[int] = []

    def counted(client: str) -> Read:
        now.append(client)
        most.append(now.count("a"))
        try:
            return (yield ENDLESS, {})
        finally:
            now.remove(client)

    async def work(_: Database, reader: Reader) -> float:
        crowd = [asyncio.ensure_future(reader.run(lambda: counted("a"), long=True, client="a")) for _ in range(8)]
        await asyncio.sleep(0.1)
        started = time.monotonic()
        assert await reader.run(quick, long=True, client="b") == [(3,)]
        waited = time.monotonic() - started
        results = await asyncio.gather(*crowd, return_exceptions=True)
        assert {type(each) for each in results} <= {QueryTooSlow, Unavailable}
        return waited

    assert run(new_database(migrated), work, deadline=1.5) < 1
    assert max(most) == 2


def test_what_python_does_is_under_the_deadline(new_database: NewDatabase, migrated: str) -> None:
    def parses() -> Read:
        yield SOME_ROWS, {}
        until = time.monotonic() + 8
        while time.monotonic() < until:
            from_json(b"{}")

    async def work(_: Database, reader: Reader) -> tuple[float, float]:
        silences: list[float] = []

        async def listen() -> None:
            while True:
                started = time.monotonic()
                await asyncio.sleep(0.005)
                silences.append(time.monotonic() - started)

        listening = asyncio.ensure_future(listen())
        started = time.monotonic()
        with pytest.raises(QueryTooSlow):
            await reader.run(parses)
        listening.cancel()
        return time.monotonic() - started, max(silences)

    took, silence = run(new_database(migrated), work, deadline=0.5)
    assert took < 3
    assert silence < 0.4


def test_a_client_with_many_long_reads_gets_less_of_the_event_loop(new_database: NewDatabase, migrated: str) -> None:
    loop_thread = threading.get_ident()
    spent: dict[str, list[float]] = {"a": [], "b": []}

    def parses(client: str) -> Read:
        yield SOME_ROWS, {}
        started = time.thread_time()
        try:
            while threading.get_ident() == loop_thread:
                from_json(b"{}")
        finally:
            spent[client].append(time.thread_time() - started)

    async def work(_: Database, reader: Reader) -> None:
        crowd = [asyncio.ensure_future(reader.run(endless, long=True, client="a")) for _ in range(20)]
        await asyncio.sleep(0.05)
        await asyncio.gather(reader.run(lambda: parses("b"), client="b"), return_exceptions=True)
        last = asyncio.ensure_future(reader.run(lambda: parses("a"), client="a"))
        await asyncio.gather(last, *crowd, return_exceptions=True)

    run(new_database(migrated), work, deadline=0.5, inline_budget=0.05)
    assert spent["a"][0] < 0.02 < spent["b"][0]


def test_a_kind_of_read_that_became_long_begins_as_a_long_read(new_database: NewDatabase, migrated: str) -> None:
    loop_thread = threading.get_ident()
    in_loop: list[str] = []
    statements = itertools.count()

    def compiles(client: str) -> Read:
        """Take the time of the event loop to compile statements that nobody has used."""
        if threading.get_ident() == loop_thread:
            in_loop.append(client)
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            yield Query(text(f"SELECT {next(statements)}"), alone=True), {}

    async def work(_: Database, reader: Reader) -> None:
        for client in "aaaaab":
            await reader.run(lambda client=client: compiles(client), client=client, kind="list")  # type: ignore[misc]
        await reader.run(lambda: compiles("a"), client="a", kind="detail")

    run(new_database(migrated), work)
    assert in_loop == ["a", "a", "b", "a"]


def test_a_short_read_ends_soon_also_if_each_operation_takes_long(folder: Path) -> None:
    """SQLite sorts whole records: some hundred operations can copy a hundred megabytes."""
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
    large = Query(text(f"{rows} SELECT sum(length(hex(randomblob(i + 500000)))) FROM n"))
    spent: list[float] = []

    def read() -> Read:
        started = time.thread_time()
        try:
            return (yield large, {})
        finally:
            spent.append(time.thread_time() - started)

    async def work(_: Database, reader: Reader) -> None:
        await reader.run(read)

    (folder / "large.db").touch()
    run(f"sqlite:///{folder}/large.db", work)
    in_loop, in_thread = spent
    assert in_loop < in_thread / 2


def test_one_long_read_at_a_time_runs_python(new_database: NewDatabase, migrated: str) -> None:
    """The event loop competes with one thread for the interpreter, however many long reads there are."""
    now: list[int] = []
    most: list[int] = []

    def busy() -> Read:
        for _ in range(5):
            now.append(1)
            most.append(len(now))
            time.sleep(0.005)
            now.pop()
            yield SOME_ROWS, {}

    async def work(_: Database, reader: Reader) -> None:
        await asyncio.gather(*(reader.run(busy, long=True, client=str(number)) for number in range(4)))

    run(new_database(migrated), work)
    assert max(most) == 1


def test_a_read_adds_its_time_to_the_cost_of_the_request(new_database: NewDatabase, migrated: str) -> None:
    async def work(_: Database, reader: Reader) -> list[float]:
        costs = []
        for read in (quick, endless):
            cost = RequestCost()
            COST.set(cost)
            with contextlib.suppress(QueryTooSlow):
                await Metered(reader.run(read), cost)
            costs.append(cost.seconds)
        return costs

    cheap, dear = run(new_database(migrated), work, deadline=0.5)
    assert 0 < cheap < 0.2
    assert dear > max(cheap, 0.05)


def test_a_short_read_costs_a_part_of_what_its_statements_take(postgres: str) -> None:
    """A statement takes longer under the load of others, which should cost little."""
    waits = Query(text("SELECT 1 FROM pg_sleep(0.1)"))

    def read() -> Read:
        return (yield waits, {})

    async def work(_: Database, reader: Reader) -> tuple[float, float]:
        cost = RequestCost()
        COST.set(cost)
        began = time.monotonic()
        await reader.run(read)
        return cost.seconds, time.monotonic() - began

    cost, seconds = run(postgres, work)
    assert 0.019 <= cost <= seconds / 5


def test_postgresql_begins_a_transaction_only_for_several_statements(postgres: str) -> None:
    """The first time, a read with several statements starts again, and each of its results is of one snapshot."""
    table = "of_one_snapshot"
    isolation = "SELECT current_setting('transaction_isolation')"
    rows = text(f"SELECT current_setting('transaction_isolation'), count(*)::text FROM {table}")
    first, second, only = Query(rows), Query(rows), Query(text(isolation))

    def written_to(driver: psycopg.Connection[Any]) -> Read:
        before = yield first, {}
        driver.execute(f"INSERT INTO {table} VALUES (1)".encode())
        after = yield second, {}
        return [*before, *after]

    def alone() -> Read:
        return (yield only, {})

    async def work(_: Database, reader: Reader) -> None:
        for _time in range(3):
            before, after = await reader.run(lambda: written_to(driver))
            assert before == after
            assert before[0] == "repeatable read"
            assert await reader.run(alone) == [("read committed",)]

    with psycopg.connect(postgres.replace("+psycopg", ""), autocommit=True) as driver:
        driver.execute(f"CREATE TABLE {table} (number int)".encode())
        try:
            run(postgres, work)
        finally:
            driver.execute(f"DROP TABLE {table}".encode())


def test_the_last_change_never_waits_for_reads_of_clients(new_database: NewDatabase, migrated: str) -> None:
    async def work(database: Database, reader: Reader) -> float:
        separate = database.separate_reader()
        await separate.run(last_change_name)
        clients = [f"client-{number}" for number in range(30)]
        crowd = [asyncio.ensure_future(reader.run(endless, client=client)) for client in clients]
        await asyncio.sleep(0.3)
        started = time.monotonic()
        assert await separate.run(last_change_name) in ("0", b"0")
        waited = time.monotonic() - started
        await asyncio.gather(*crowd, return_exceptions=True)
        await separate.close()
        return waited

    assert run(new_database(migrated), work, deadline=1) < 0.5


def test_a_process_takes_no_more_connections_than_it_may(postgres: str, folder: Path) -> None:
    """A busy PostgreSQL is no lost one: nobody opens further connections beside those that work."""
    slow = Query(text("SELECT 1 FROM pg_sleep(0.2)"))
    counts: list[int] = []

    def sleeps() -> Read:
        return (yield slow, {})

    async def count() -> None:
        async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
            while True:
                rows = await connection.execute("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(0%'")
                counts.append((await rows.fetchone())[0] - 1)  # type: ignore[index]
                await asyncio.sleep(0.02)

    async def work(_: Database, reader: Reader) -> None:
        counting = asyncio.ensure_future(count())
        reads = [reader.run(sleeps, long=number % 3 == 0, client=str(number % 9)) for number in range(120)]
        await asyncio.gather(*reads, return_exceptions=True)
        counting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await counting

    run(postgres, work, deadline=5)
    assert 6 <= max(counts) <= 10


@pytest.mark.slow
def test_all_followers_of_a_partner_are_answered_at_its_change(seeded_database: Database) -> None:
    key = key_of(seeded_database, "records:write")

    async def follow(base: str) -> list[int]:
        how: dict[str, Any] = {"limits": httpx.Limits(max_connections=400), "headers": {"Connection": "close"}}
        async with httpx.AsyncClient(base_url=base, timeout=120, trust_env=False, **how) as client:
            path = "/v1/changes?after=0&limit=200&partner=unido"
            while (page := (await client.get(path)).json())["items"]:
                path = page["next"]
            polls = [asyncio.ensure_future(client.get(f"{path}&wait=60")) for _ in range(200)]
            await asyncio.sleep(2)
            await client.put("/v1/partners/follower", json={**PARTNER, "managed_by": "unido"}, headers=key)
            return [poll.status_code for poll in await asyncio.gather(*polls)]

    with server(url_of(seeded_database)) as (base, _):
        assert set(asyncio.run(follow(base))) == {200}


def test_the_clock_of_a_limit_is_read_only_when_it_can_have_passed() -> None:
    readings = iter([0.0, *[100.0] * 9])
    try:
        set_limit(lambda: next(readings), 50.0)
        assert not any(is_out_of_time() for _ in range(100))
        assert next(readings) == 100.0  # it was read once
        set_limit(lambda: next(readings), 50.0)
        assert all(is_out_of_time() for _ in range(3))
    finally:
        clear_limit()
    assert not is_out_of_time()
