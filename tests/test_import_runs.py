"""Imports as work that goes on: followed, resumed, never twice, beside single writes; for whom; and the command."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update
from starlette.testclient import TestClient

from app.core.change_log import CHANGES
from app.core.database.engine import Database
from app.exchange.formats.media_types import JSON_LINES, parse_file
from app.exchange.imports.database_tables import IMPORTS, LINES
from app.exchange.imports.models import ImportOptions
from app.exchange.imports.pace import Interrupted, Pace
from app.exchange.imports.planning.ordering import components
from app.exchange.imports.planning.plan import Plan
from app.exchange.imports.run import run
from app.exchange.imports.storage import claims, store
from app.exchange.imports.storage.claims import import_transaction
from app.exchange.imports.storage.compact import IntLists
from tests.support.databases import NewDatabase, url_of
from tests.support.http import client_of, problem, walk
from tests.support.imports import (
    ALL,
    COAST,
    FIGURE,
    PORTS,
    counts,
    ended,
    expire,
    lines_of,
    ports,
    received,
    send,
    state,
)
from tests.support.keys import Key, change_key, id_of, key_of
from tests.support.log import count_changes
from tests.support.servers import ROOT, server
from tests.support.servers import run as command
from tests.support.waiting import eventually


def links_of(*targets: list[int]) -> IntLists:
    links = IntLists()
    for each in targets:
        links.append(each)
    return links


def test_components_come_after_what_they_point_to() -> None:
    chain = components(links_of(*([number + 1] for number in range(50_000)), []))
    assert next(chain) == [50_000]
    found = list(components(links_of([1, 2], [0], [3, 5], [2], [], [])))
    assert sorted(map(tuple, found)) == [(0, 1), (2, 3), (4,), (5,)]
    assert found.index([5]) < found.index([2, 3]) < found.index([0, 1])


@pytest.mark.parametrize("mode", ["rows", "all"])
def test_a_run_that_breaks_off_is_gone_on_with(seeded_database: Database, tmp_path: Path, mode: str) -> None:
    """Row by row it goes on behind the chunks that are there; all at once it begins anew."""
    before = count_changes(seeded_database)
    chain = [{**each, "part_of": [f"port-{n - 1}"] if n else []} for n, each in enumerate(ports(600))]
    import_id = received(seeded_database, tmp_path / "x.jsonl", lines_of(*chain[::-1]), "one", mode=mode)
    asked = iter([False] * 12 + [True])  # while it plans, and before it is written
    with pytest.raises(Interrupted):
        run(
            seeded_database,
            import_id,
            "one",
            Pace(lambda: count_changes(seeded_database) > before if mode == "rows" else next(asked)),
        )
    found = state(seeded_database, import_id)
    kept = count_changes(seeded_database) - before
    assert (found["status"], found["created"]) == ("running", kept)
    assert 0 < kept < 600 if mode == "rows" else kept == 0
    assert run(seeded_database, import_id, "two", Pace())
    found = state(seeded_database, import_id)
    assert (found["status"], found["created"], found["refused"]) == ("done", 600, 0)
    assert count_changes(seeded_database) == before + 600
    assert not run(seeded_database, import_id, "two", Pace())


def test_of_two_runs_one_writes(seeded_database: Database, tmp_path: Path) -> None:
    before = count_changes(seeded_database)
    import_id = received(seeded_database, tmp_path / "x.jsonl", lines_of(*ports(300)), "one", mode="rows")
    assert not run(seeded_database, import_id, "two", Pace())
    taken_over = iter([False, False, False, True])

    def other() -> bool:
        if next(taken_over, False):
            expire(seeded_database)
            run(seeded_database, import_id, "two", Pace())
        return False

    assert run(seeded_database, import_id, "one", Pace(other))
    found = state(seeded_database, import_id)
    assert (found["status"], found["created"]) == ("done", 300)
    assert count_changes(seeded_database) == before + 300


def test_what_broke_off_while_it_was_received_is_given_up(seeded_database: Database, tmp_path: Path) -> None:
    def breaking() -> Any:
        with (tmp_path / "x.jsonl").open("rb") as file:
            yield from parse_file(file, JSON_LINES, None)
        raise ConnectionError

    (tmp_path / "x.jsonl").write_bytes(lines_of(*ports(3)))
    with pytest.raises(ConnectionError):
        store.store_import(seeded_database, ALL, ImportOptions(), breaking(), "one")
    with seeded_database.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(LINES)).scalar() == 0
    import_id = received(seeded_database, tmp_path / "x.jsonl", lines_of(*ports(3)), "one")
    with import_transaction(seeded_database) as session:
        session.execute(update(IMPORTS).values(status="receiving"))
    expire(seeded_database)
    assert not run(seeded_database, import_id, "two", Pace())
    assert state(seeded_database, import_id)["status"] == "failed"


def test_one_that_ends_every_process_is_given_up(seeded_database: Database, tmp_path: Path) -> None:
    import_id = received(seeded_database, tmp_path / "x.jsonl", lines_of(*ports(3)), "one")
    with import_transaction(seeded_database) as session:
        session.execute(update(IMPORTS).values(attempts=claims.MAX_ATTEMPTS, status="running"))
    assert not run(seeded_database, import_id, "one", Pace())
    assert "too often" in state(seeded_database, import_id)["reason"]


def test_one_that_fails_here_ends_at_once(
    seeded_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = received(seeded_database, tmp_path / "x.jsonl", lines_of(*ports(3)), "one")
    monkeypatch.setattr(Plan, "make", None)
    assert run(seeded_database, import_id, "one", Pace())
    found = state(seeded_database, import_id)
    assert (found["status"], found["reason"]) == ("failed", "An internal error occurred. It was logged.")


def test_only_the_sender_and_administrators_see_an_import(registry: TestClient, seeded_database: Database) -> None:
    mine, other = (key_of(seeded_database, "records:write:own", partner="unido") for _ in range(2))
    admin = key_of(seeded_database, "keys")
    found, _ = ended(registry, mine, lines_of(PORTS))
    path = f"/v1/imports/{found['id']}"
    for key, status in ((mine, 200), (admin, 200), (other, 404)):
        assert registry.get(path, headers=key).status_code == status
        assert registry.get(f"{path}/lines", headers=key).status_code == status
        listed = registry.get("/v1/imports", headers=key).json()["items"]
        assert [each["id"] for each in listed] == ([found["id"]] if status == 200 else [])
    problem(registry.get(path), 401, "unauthorized")
    problem(send(registry, admin, lines_of(PORTS)), 403, "forbidden")
    for bad in ("%00", "nothing", "a" * 5000, found["id"].upper(), found["id"] + "%00"):
        problem(registry.get(f"/v1/imports/{bad}", headers=admin), 404, "not_found")
        problem(registry.get(f"/v1/imports/{bad}/lines", headers=admin), 404, "not_found")
    for query in ("?limit=0", "?cursor=x", "?verdict=x", "?zq7=1", "?cursor=99999999999"):
        problem(registry.get(f"{path}/lines{query}", headers=mine), 422, "invalid")
    problem(registry.get(f"{path}?wait=31", headers=mine), 422, "invalid")


def test_imports_and_lines_come_in_pages(registry: TestClient, editor: Key) -> None:
    many = ports(7)
    for each in many[2:5]:
        each["kind"] = "nope"
    sent = [ended(registry, editor, lines_of(*many), "?mode=rows")[0]["id"] for _ in range(3)]
    registry.headers.update(editor)
    assert [each["id"] for each in walk(registry, "/v1/imports?limit=2")] == sent[::-1]
    path = f"/v1/imports/{sent[0]}/lines"
    assert [each["number"] for each in walk(registry, f"{path}?limit=3")] == list(range(1, 8))
    assert [each["number"] for each in walk(registry, f"{path}?verdict=refused&limit=2")] == [3, 4, 5]


def test_a_key_that_is_revoked_meanwhile_ends_its_import(
    registry: TestClient, editor: Key, seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoked = threading.Event()
    monkeypatch.setattr(Pace, "pause", lambda _: revoked.wait(120))
    sent = send(registry, editor, lines_of(*ports(3)), "?mode=rows").json()
    change_key(seeded_database, editor, revoked_at="2020-01-01T00:00:00.000000Z")
    revoked.set()
    eventually(lambda: state(seeded_database, sent["id"])["finished_at"] is not None)
    found = state(seeded_database, sent["id"])
    assert (found["status"], found["created"]) == ("failed", 0)
    assert "revoked" in found["reason"]
    assert found["key"] == id_of(editor)


@pytest.mark.slow
def test_single_writes_go_on_beside_an_import(registry: TestClient, editor: Key, seeded_database: Database) -> None:
    sent = send(registry, editor, lines_of(*ports(1500)), "?mode=rows")
    slowest, writes = 0.0, 0
    while registry.get(sent.headers["location"], headers=editor).json()["finished_at"] is None:
        began = time.monotonic()
        body = {**PORTS, "id": f"single-{writes}"}
        assert registry.put(f"/v1/projects/single-{writes}", json=body, headers=editor).status_code == 201
        slowest, writes = max(slowest, time.monotonic() - began), writes + 1
    found = registry.get(sent.headers["location"], headers=editor).json()
    assert counts(found) == (1500, 0, 0, 0)
    assert writes > 3
    assert slowest < 30  # what a request waits for the lock at most


@pytest.mark.slow
def test_a_killed_server_goes_on_when_it_starts_again(seeded_database: Database, editor: Key) -> None:
    """kill -9 in the middle of an import: what it wrote is whole, and the next start brings it to its end."""
    before = count_changes(seeded_database)
    headers = {**editor, "Content-Type": JSON_LINES}
    for mode, count in (("rows", 2000), ("all", 600)):
        content = lines_of(*({**each, "id": f"{mode}-{each['id']}"} for each in ports(count)))
        with server(url_of(seeded_database)) as (base, process):
            sent = httpx.post(
                f"{base}/v1/imports?mode={mode}", content=content, headers=headers, trust_env=False, timeout=60
            )
            assert sent.status_code == 202, sent.text
            import_id, until = sent.json()["id"], time.monotonic() + 120
            while time.monotonic() < until:
                found = state(seeded_database, import_id)
                if found["created"] or (mode == "all" and found["status"] == "running"):
                    break
                time.sleep(0.01)
            time.sleep(0.3 if mode == "all" else 0)
            process.send_signal(signal.SIGKILL)
            process.wait()
        written = count_changes(seeded_database) - before
        found = state(seeded_database, import_id)
        assert found["created"] == written
        assert written < count if mode == "rows" else written in (0, count)
        expire(seeded_database)
        with server(url_of(seeded_database)) as (base, _):
            asked = f"{base}/v1/imports/{import_id}?wait=10"

            def is_done(asked: str = asked) -> bool:
                return bool(httpx.get(asked, headers=editor, trust_env=False, timeout=60).json()["finished_at"])

            eventually(is_done)
            found = httpx.get(asked, headers=editor, trust_env=False, timeout=60).json()
        assert (found["status"], found["created"]) == ("done", count)
        assert count_changes(seeded_database) == before + count
        before += count
    with seeded_database.engine.connect() as connection:
        last, number = connection.execute(select(func.max(CHANGES.c.sequence), func.count()).select_from(CHANGES)).one()
    assert last == number


def test_the_command_brings_in_a_file(seeded_database: Database, tmp_path: Path) -> None:
    url, path = url_of(seeded_database), tmp_path / "records.jsonl"
    path.write_bytes(lines_of(FIGURE, PORTS, {**COAST, "kind": "nope"}))
    table = tmp_path / "table.csv"
    table.write_text("id,title.en,kind,status\nfrom-table,From a table,project,active\n", "utf-8")

    def bring(*arguments: str, code: int = 0) -> str:
        found = command("import", *arguments, HOPTAC_DATABASE_URL=url)
        assert found.returncode == code, found
        assert "Traceback" not in found.stderr
        return found.stdout + found.stderr

    before = count_changes(seeded_database)
    assert "line 3: /kind" in (said := bring(str(path), code=1))
    assert "3 lines: 2 created, 0 updated, 0 unchanged, 1 refused, 0 absent. Nothing was written." in said
    assert count_changes(seeded_database) == before
    bring(str(path), "--dry-run", "--row-by-row", code=1)
    assert count_changes(seeded_database) == before
    assert "2 created" in bring(str(path), "--row-by-row", code=1)
    assert "2 unchanged" in bring(str(path), "--row-by-row", code=1)
    assert "1 created" in bring(str(table), "--resource", "projects", "--as", "moit")
    with seeded_database.engine.connect() as connection:
        last = connection.execute(select(CHANGES).order_by(CHANGES.c.sequence.desc()).limit(1)).mappings().one()
    assert (last["actor"], json.loads(last["body"])["managed_by"]) == ("command", "moit")
    assert "only records that its partner manages" in bring(str(path), "--as", "moit", "--row-by-row", code=1)
    assert "--resource" in bring(str(table), code=2)
    assert "There is no file" in bring(str(tmp_path / "none.csv"), code=2)
    table.write_text("id,zq7\n", "utf-8")
    assert "Column 2" in bring(str(table), "--resource", "projects", code=1)


@pytest.mark.slow
def test_a_killed_command_leaves_nothing_or_is_gone_on_with(seeded_database: Database, tmp_path: Path) -> None:
    before, path = count_changes(seeded_database), tmp_path / "records.jsonl"
    path.write_bytes(lines_of(*ports(1000)))
    arguments = [sys.executable, "-m", "app", "import", str(path)]
    environment = {**os.environ, "HOPTAC_DATABASE_URL": url_of(seeded_database)}
    process = subprocess.Popen(
        arguments, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with seeded_database.engine.connect() as connection:
        running = select(IMPORTS.c.id).where(IMPORTS.c.status == "running")
        while connection.execute(running).first() is None and process.poll() is None:
            connection.rollback()
            time.sleep(0.02)
    time.sleep(0.2)
    process.kill()
    process.wait()
    assert count_changes(seeded_database) in (before, before + 1000)
    expire(seeded_database)
    with seeded_database.engine.connect() as connection:
        (import_id,) = connection.execute(select(IMPORTS.c.id)).one()
    run(seeded_database, import_id, "another", Pace())
    assert state(seeded_database, import_id)["status"] == "done"
    assert count_changes(seeded_database) == before + 1000


def test_a_new_database_has_no_imports(new_database: NewDatabase, migrated: str) -> None:
    url = new_database(migrated)
    database = Database(url)
    key = key_of(database, "records:write")
    database.close()
    with client_of(url) as client:
        assert client.get("/v1/imports", headers=key).json() == {"items": [], "next": None}
        found, lines = ended(client, key, b"\n \n")
        assert (found["status"], found["lines"], lines) == ("done", 0, [])
