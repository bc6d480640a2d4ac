"""Receiving files: turns of clients, limits of uploads, and what files take from other requests."""

import asyncio
import io
import os
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from starlette.requests import Request

from app.core.database.engine import Database
from app.core.errors import Invalid, Problem, TooLarge, TooMany, Unavailable
from app.core.model.resource import RESOURCES
from app.exchange.formats import lines as limits
from app.exchange.formats.columns import Columns
from app.exchange.formats.lines import Reading
from app.exchange.formats.media_types import CSV, JSON_LINES, XLSX, parse_file
from app.exchange.formats.workbook import process
from app.exchange.imports import receiving
from app.exchange.imports.database_tables import IMPORTS
from app.exchange.imports.receiving import MAX_FILES, MAX_FILES_CLIENT, FileReceiver, Turns
from tests.support.databases import url_of
from tests.support.imports import PORTS, lines_of, ports
from tests.support.keys import key_of
from tests.support.servers import server
from tests.support.waiting import eventually
from tests.support.workbooks import HEAD, raw_workbook, row

PROJECTS = RESOURCES["projects"]


def test_one_client_never_has_two_turns() -> None:
    async def work() -> list[str]:
        turns, order, working = Turns(2), [], set()

        async def task(client: str) -> None:
            async with turns.turn(client, 10):
                assert client not in working
                working.add(client)
                assert len(working) <= 2
                order.append(client)
                await asyncio.sleep(0.01)
                working.discard(client)

        await asyncio.gather(*map(task, "aaaabbc"))
        return order

    order = asyncio.run(work())
    assert sorted(order) == list("aaaabbc")
    assert order.index("c") < 4


def test_a_turn_that_does_not_come_is_refused() -> None:
    async def work() -> None:
        turns = Turns(1)
        async with turns.turn("a", 1):
            with pytest.raises(Unavailable):
                async with turns.turn("b", 0.05):
                    pass
        async with turns.turn("b", 1):
            pass

    asyncio.run(work())


def upload(key: str, gate: "asyncio.Event | None" = None, size: int = 1) -> Request:
    async def receive() -> dict[str, Any]:
        if gate is not None:
            await gate.wait()
        return {"type": "http.request", "body": b"x" * size, "more_body": False}

    scope = {"type": "http", "method": "POST", "headers": [], "caller": SimpleNamespace(key=key)}
    return Request(scope, receive)


async def outcomes(receiver: FileReceiver, requests: list[Request], gate: asyncio.Event) -> list[type | None]:
    async def send(request: Request) -> type | None:
        try:
            async with receiver.receive(request):
                await asyncio.sleep(0.05)
                return None
        except Problem as problem:
            return type(problem)

    tasks = [asyncio.ensure_future(send(request)) for request in requests]
    await asyncio.sleep(0.05)
    gate.set()
    return await asyncio.gather(*tasks)


def test_files_that_are_sent_at_once_are_bounded() -> None:
    async def work() -> None:
        receiver, gate = FileReceiver(1_000), asyncio.Event()
        of_one = await outcomes(receiver, [upload("a", gate) for _ in range(6)], gate)
        assert of_one == [None] * MAX_FILES_CLIENT + [TooMany] * 2
        gate.clear()
        of_all = await outcomes(receiver, [upload(str(n), gate) for n in range(20)], gate)
        assert of_all == [None] * MAX_FILES + [Unavailable] * 4
        assert await outcomes(receiver, [upload("a", gate, 900) for _ in range(4)], gate) == [
            None,
            None,
            TooMany,
            TooMany,
        ]
        by_size = await outcomes(receiver, [upload(str(n), gate, 900) for n in range(6)], gate)
        assert by_size == [None] * 4 + [Unavailable] * 2
        assert await outcomes(receiver, [upload("a", gate, 900)], gate) == [None]
        await receiver.close()

    asyncio.run(work())


def test_files_leave_space_for_those_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the folder of temporary files is: one client fills half of it, and all never the rest."""

    async def work() -> None:
        receiver, gate = FileReceiver(1_000), asyncio.Event()
        monkeypatch.setattr(receiving, "RESERVE", 500)
        free = [1_500]
        usage = SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=free[0] - receiver._spooled.total()))
        monkeypatch.setattr(receiving, "shutil", usage)
        assert await outcomes(receiver, [upload("a", gate, 700), upload("a", gate, 700)], gate) == [None, TooMany]
        by_size = await outcomes(receiver, [upload(str(n), gate, 350) for n in range(4)], gate)
        assert by_size == [None, None, Unavailable, Unavailable]
        await receiver.close()

    asyncio.run(work())


@pytest.mark.slow
def test_a_full_disk_is_said_and_leaves_nothing(seeded_database: Database) -> None:
    """The files of the server may have 1 MB each, as if that was all the space."""
    lines: list[str] = []
    key = key_of(seeded_database, "records:write")
    headers = {**key, "Content-Type": JSON_LINES}
    with (
        server(url_of(seeded_database), lines=lines) as (base, running),
        httpx.Client(base_url=base, trust_env=False, timeout=60) as client,
    ):
        assert client.post("/v1/imports?mode=rows", content=lines_of(PORTS), headers=headers).status_code == 202
        resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
        for _ in range(3):
            large = client.post("/v1/imports?mode=rows", content=lines_of(*ports(20_000)), headers=headers)
            assert (large.status_code, large.json()["code"]) == (503, "unavailable")
            assert large.headers["retry-after"]
        body = {**PORTS, "id": "large", "description": {"en": "x" * 15_000}}
        del body["resource"]
        statuses = {
            client.put(f"/v1/projects/large-{n}", json={**body, "id": f"large-{n}"}, headers=key).status_code
            for n in range(200)
        }
        assert 500 not in statuses
        assert not seeded_database.is_sqlite or 503 in statuses
        assert client.get("/v1/projects?limit=1").status_code == 200
        resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert client.post("/v1/imports?mode=rows", content=lines_of(*ports(2)), headers=headers).status_code == 202
    assert not any("Traceback" in line or "unhandled" in line for line in lines), lines[-30:]
    with seeded_database.snapshot() as connection:
        receiving_imports = select(func.count()).select_from(IMPORTS).where(IMPORTS.c.status == "receiving")
        assert connection.execute(receiving_imports).scalar() == 0


def test_a_cancelled_reading_ends_before_its_file_is_closed() -> None:
    async def work() -> list[str]:
        receiver, events = FileReceiver(1_000), []

        def read(reading: Reading) -> None:
            events.append("start")
            try:
                while True:
                    reading.check()
                    time.sleep(0.01)
            except Unavailable:
                events.append("stopped")

        task = asyncio.ensure_future(receiver.read(upload("a"), read, in_child=True))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        events.append("cancelled")
        await receiver.close()
        return events

    assert asyncio.run(work()) == ["start", "stopped", "cancelled"]


@pytest.mark.parametrize("kind", [CSV, JSON_LINES])
def test_blank_lines_are_bounded(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"id,title.en\n" if kind == CSV else b"\n"
    content += b"\n" * limits.MAX_LINES
    resource = PROJECTS if kind == CSV else None
    assert list(parse_file(io.BytesIO(content[:-1]), kind, resource)) == []
    with pytest.raises(TooLarge):
        list(parse_file(io.BytesIO(content + b"\n"), kind, resource))


def test_a_large_row_of_a_table_is_refused_alone() -> None:
    cells = ",".join(["ệ" * 100_000] * 4)
    content = f"id,title.vi,title.en,description.vi,description.en\na,{cells}\nb,B,B,,\n"
    large, small = parse_file(io.BytesIO(content.encode()), CSV, PROJECTS)
    assert [error.code for error in large.errors] == ["bad_line"]
    assert (large.number, large.resource, large.record) == (2, "projects", None)
    assert small.record is not None


def test_only_the_first_unknown_columns_get_a_suggestion() -> None:
    began = time.process_time()
    with pytest.raises(Invalid) as few:
        Columns(PROJECTS, [f"titel.v{number}" + "x" * 100_000 for number in range(50)])
    assert sum("Did you mean" in error.detail for error in few.value.errors) <= 5
    assert len(few.value.errors) == 50
    with pytest.raises(Invalid) as many:
        Columns(PROJECTS, [f"titel.v{number}" + "x" * 100_000 for number in range(900)])
    assert len(many.value.errors) == 1
    assert time.process_time() - began < 2


def test_reading_is_bounded_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_SECONDS", -1)
    with pytest.raises(TooLarge):
        list(parse_file(io.BytesIO(b"id\na\n"), CSV, PROJECTS))


def child_of(pid: int) -> list[int]:
    """The processes that read a workbook for a server."""
    listed = subprocess.run(
        ["pgrep", "-P", str(pid), "-f", process.MODULE], capture_output=True, text=True, check=False
    )
    return [int(child) for child in listed.stdout.split()]


LONG_BOOK = raw_workbook(HEAD + ("<row>" + "<c/>" * 16_000 + "</row>") * 2_400)


@pytest.mark.slow
def test_busy_files_delay_nobody_and_end_with_the_server(seeded_database: Database) -> None:
    busy = key_of(seeded_database, "records:write:own", partner="unido")
    other = key_of(seeded_database, "records:write:own", partner="seco")
    with server(url_of(seeded_database)) as (base, running), httpx.Client(base_url=base, trust_env=False) as client:
        statuses: list[int] = []

        def send() -> None:
            try:
                headers = {**busy, "Content-Type": XLSX}
                path = f"{base}/v1/imports?resource=projects&dry_run=true"
                answer = httpx.post(path, content=LONG_BOOK, headers=headers, timeout=120, trust_env=False)
                statuses.append(answer.status_code)
            except httpx.TransportError:
                statuses.append(0)

        threads = [threading.Thread(target=send) for _ in range(7)]
        for thread in threads:
            thread.start()
        eventually(lambda: child_of(running.pid))
        slowest = 0.0
        for _ in range(20):
            began = time.monotonic()
            assert client.get("/livez").status_code == 200
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 2
        assert len(child_of(running.pid)) == 1
        began = time.monotonic()
        book = raw_workbook(HEAD + row("of-another", "Of another", "project", "active"))
        headers = {**other, "Content-Type": XLSX}
        sent = client.post("/v1/imports?resource=projects&dry_run=true", content=book, headers=headers, timeout=60)
        assert sent.status_code == 202, sent.text
        assert time.monotonic() - began < 15
        (child,) = child_of(running.pid)
        os.kill(running.pid, signal.SIGKILL)
        eventually(lambda: not Path(f"/proc/{child}").exists())
        for thread in threads:
            thread.join(timeout=60)
        assert statuses.count(429) == 3
