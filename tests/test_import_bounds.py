"""The bounds of imports: how much one may store, how long others wait for it, and how it ends before its end."""

import contextlib
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, insert, select, update
from starlette.testclient import TestClient

from app.changes import long_poll
from app.core.change_log import instant, now
from app.core.database.engine import Database
from app.core.maintenance import pruning
from app.core.values.json import to_json
from app.core.writing.idempotency import REPLAYS
from app.exchange.formats.lines import ParsedLine
from app.exchange.formats.media_types import CSV, JSON_LINES
from app.exchange.imports import chunk_reader, receiving, worker, write_lines
from app.exchange.imports import run as importing
from app.exchange.imports.database_tables import IMPORTS, LINES
from app.exchange.imports.models import ImportOptions
from app.exchange.imports.pace import Pace
from app.exchange.imports.planning import plan
from app.exchange.imports.run import begin_run, run
from app.exchange.imports.storage import claims, deletion, line_chunks, quotas, reading, store
from app.exchange.imports.storage.claims import ClaimLost, import_transaction
from app.webhooks.models import DELIVERIES
from app.webhooks.queue import new_delivery
from tests.support.databases import url_of
from tests.support.http import client_of, get, problem, walk
from tests.support.imports import ALL, COAST, FIGURE, PORTS, counts, ended, lines_of, ports, received, send, state
from tests.support.keys import Key, key_of
from tests.support.log import count_changes
from tests.support.servers import server
from tests.support.waiting import eventually

LONG_AGO = "2020-01-01T00:00:00.000000Z"


def count_rows(database: Database, table: Any) -> int:
    with database.snapshot() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def long_from_now(part: float = 0.9) -> str:
    """The end of a lease, as a part of the longest one."""
    return instant(datetime.now(UTC) + part * claims.LONGEST_LEASE)


def open_imports(database: Database, key: str | None, number: int, **values: Any) -> None:
    """Imports that wait for the whole test."""
    row = dict.fromkeys(IMPORTS.c.keys(), 0) | {
        "partner": None,
        "resource": None,
        "report": None,
        "mode": "rows",
        "dry_run": True,
        "complete": False,
        "missing": "list",
    }
    row |= {"key": key, "status": "waiting", "reason": None, "created_at": now(), "finished_at": None, "claim": "x"}
    with import_transaction(database) as session:
        for position in range(number):
            own = {"id": f"{key}{position}", "claimed_until": long_from_now(), **values}
            session.execute(insert(IMPORTS), {**row, **own})


def test_one_key_has_few_open_imports_and_leaves_places_to_others(
    registry: TestClient, editor: Key, seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = editor["Authorization"].split("_")[1]
    open_imports(seeded_database, mine, quotas.MAX_OPEN_OF_KEY)
    refused = send(registry, editor, b"")
    problem(refused, 429, "too_many_requests")
    assert refused.headers["retry-after"]
    other = key_of(seeded_database, "records:write")
    ended(registry, other, lines_of(PORTS))
    monkeypatch.setattr(quotas, "MAX_OPEN", quotas.MAX_OPEN_OF_KEY)
    refused = send(registry, other, lines_of(PORTS))
    problem(refused, 503, "unavailable")
    assert refused.headers["retry-after"]


def test_stored_imports_of_one_key_and_of_all_have_a_quota(seeded_database: Database) -> None:
    writer = key_of(seeded_database, "records:write")
    other = key_of(seeded_database, "records:write")
    with client_of(url_of(seeded_database), import_quota=100_000) as client:
        first, _ = ended(client, writer, lines_of(*ports(250)), "?mode=rows&dry_run=true")
        assert first["bytes"] >= 250 * line_chunks.LINE_BYTES
        refused = send(client, writer, lines_of(*ports(200)))  # which fits no more
        problem(refused, 429, "too_many_requests")
        assert count_rows(seeded_database, LINES) == 250
        assert client.delete(f"/v1/imports/{first['id']}", headers=writer).status_code == 204
        eventually(lambda: count_rows(seeded_database, IMPORTS) == 0)
        ended(client, writer, lines_of(*ports(200)))
        open_imports(seeded_database, "somebody", 1, bytes=100_000 * quotas.QUOTAS_OF_ALL, status="done")
        problem(send(client, other, lines_of(PORTS)), 503, "unavailable")
        assert len(client.get("/v1/imports", headers=writer).json()["items"]) == 1


@pytest.mark.parametrize(("query", "name"), [("", "MAX_LINES_AT_ONCE"), ("?mode=rows", "MAX_LINES")])
def test_an_import_has_a_bound_of_lines_and_of_bytes(
    registry: TestClient, editor: Key, seeded_database: Database, monkeypatch: pytest.MonkeyPatch, query: str, name: str
) -> None:
    monkeypatch.setattr(store, name, 600)
    problem(send(registry, editor, lines_of(*ports(601)), query), 413, "too_large")
    assert counts(ended(registry, editor, lines_of(*ports(600)), query)[0]) == (600, 0, 0, 0)
    monkeypatch.setattr(store, name.replace("LINES", "BYTES"), 10_000)
    problem(send(registry, editor, lines_of(*ports(100)), query), 413, "too_large")
    assert count_rows(seeded_database, IMPORTS) == 1
    assert count_rows(seeded_database, LINES) == 600


def test_refused_lines_take_little(seeded_database: Database, tmp_path: Path) -> None:
    import_id = received(seeded_database, tmp_path / "x.jsonl", b"x\n" * 2_000, "one", mode="rows")
    with seeded_database.snapshot() as connection:
        assert connection.execute(select(LINES.c.errors).limit(1)).scalar() == '["bad_line"]'
    assert state(seeded_database, import_id)["bytes"] == 2_000 * (line_chunks.LINE_BYTES + len('["bad_line"]'))


def test_what_is_stored_of_verdicts_is_bounded(
    registry: TestClient, editor: Key, seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_DIFF_BYTES", 500)
    ended(registry, editor, lines_of(PORTS, {**PORTS, "id": "other"}))
    changed = [{**PORTS, "description": {"en": "x" * 2_000}}, {**PORTS, "id": "other", "status": "completed"}]
    found, lines = ended(registry, editor, lines_of(*changed))
    assert counts(found) == (0, 2, 0, 0)
    assert [line["diff"] and [each["pointer"] for each in line["diff"]] for line in lines] == [None, ["/status"]]
    monkeypatch.setattr(store, "MAX_ERRORS_BYTES", 100)
    many = {**PORTS, "kind": "no", "status": "no", "places": ["nowhere"], "roles": [{"partner": "x"}]}
    _, lines = ended(registry, editor, lines_of(many))
    assert len(lines[0]["errors"]) == 1
    assert lines[0]["errors"][0]["detail"]


def test_a_page_of_lines_is_bounded_by_bytes(
    registry: TestClient, editor: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, lines = ended(registry, editor, lines_of(*ports(30)))
    monkeypatch.setattr(reading, "PAGE_LENGTH", 300)
    registry.headers.update(editor)
    path = f"/v1/imports/{found['id']}/lines?limit=20"
    assert len(get(registry, path)["items"]) < 20
    assert walk(registry, path) == lines


def test_chunks_are_bounded_by_bytes(
    seeded_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few lines it takes: nothing reads 500 lines of 1 MB at once."""
    large = [{**each, "description": {"en": "x" * 15_000}} for each in ports(40)]
    import_id = received(seeded_database, tmp_path / "x.jsonl", lines_of(*large), "one", mode="rows")
    sizes: list[int] = []
    read = line_chunks.lines_by_number

    def counted(*arguments: Any) -> Any:
        lines = read(*arguments)
        sizes.append(sum(len(line.record) for line in lines.values()))
        return lines

    monkeypatch.setattr(chunk_reader, "lines_by_number", counted)
    monkeypatch.setattr(chunk_reader, "CHUNK_BYTES", 50_000)
    with import_transaction(seeded_database) as session:
        assert len(line_chunks.pending_lines(session, import_id, -1)) == 40
        assert line_chunks.end_of_chunk(session, LINES.c.import_id == import_id, max_bytes=50_000) == 3
    assert run(seeded_database, import_id, "one", Pace())
    assert counts(state(seeded_database, import_id)) == (40, 0, 0, 0)
    assert max(sizes) < 60_000
    monkeypatch.setattr(chunk_reader, "CHUNK_BYTES", 1_000_000)
    monkeypatch.setattr(chunk_reader, "PRESENT_BYTES", 50_000)  # of the records that the next lines change
    changed = [{"resource": "projects", "id": each["id"], "status": "completed"} for each in large]
    import_id = received(seeded_database, tmp_path / "x.jsonl", lines_of(*changed), "one", mode="rows")
    sizes.clear()
    assert run(seeded_database, import_id, "one", Pace())
    assert counts(state(seeded_database, import_id)) == (0, 40, 0, 0)
    assert len(sizes) >= 13


def test_a_dry_run_in_chunks_sees_the_lines_to_which_others_link(
    registry: TestClient, editor: Key, seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its verdicts are those of the import, also if a chunk is one line and lines have no ids."""
    monkeypatch.setattr(chunk_reader, "CHUNK", 1)
    before = count_changes(seeded_database)
    nameless = {name: value for name, value in PORTS.items() if name != "id"}
    lines: list[dict[str, Any]] = [
        FIGURE,
        {**nameless, "roles": [{"partner": "Coast Agency", "role": "lead"}]},
        COAST,
        {**PORTS, "id": "pier", "part_of": ["green-ports"]},
        {**PORTS, "id": "lost", "part_of": ["refused"]},
        {**PORTS, "id": "refused", "kind": "nope"},
        *({**PORTS, "id": f"chain-{n}", "part_of": [f"chain-{n - 1}"] if n else []} for n in range(5)),
    ]
    dry, dry_lines = ended(registry, editor, lines_of(*lines), "?mode=rows&dry_run=true")
    assert count_changes(seeded_database) == before
    assert count_rows(seeded_database, select(LINES).where(LINES.c.given.is_not(None)).subquery()) == 0
    real, real_lines = ended(registry, editor, lines_of(*lines), "?mode=rows")
    only_dry: dict[str, Any] = {"record": None, "resolved": []}
    assert counts(dry) == counts(real)
    assert [line | only_dry for line in dry_lines] == [line | only_dry for line in real_lines]
    assert counts(real) == (9, 0, 0, 2)


def test_a_dry_run_goes_on_where_it_was_interrupted(seeded_database: Database, tmp_path: Path) -> None:
    chain = [{**each, "part_of": [f"port-{n - 1}"] if n else []} for n, each in enumerate(ports(600))]
    content = lines_of(*chain)
    import_id = received(seeded_database, tmp_path / "x.jsonl", content, "one", mode="rows", dry_run=True)
    import_run = begin_run(seeded_database, import_id, "one", Pace())
    assert import_run is not None
    while not state(seeded_database, import_id)["created"]:
        assert import_run.step()
    import_run.release()
    assert run(seeded_database, import_id, "two", Pace())
    assert counts(state(seeded_database, import_id)) == (600, 0, 0, 0)


def test_too_many_lines_in_a_circle_are_refused(
    registry: TestClient, editor: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "MAX_GROUP", 2)
    agencies = [{**COAST, "id": f"agency-{n}", "name": {"en": f"Agency {n}"}, "aliases": []} for n in range(3)]
    for number, agency in enumerate(agencies):
        agency["part_of"] = f"agency-{(number + 1) % 3}"
        agency["managed_by"] = agency["part_of"]
    found, lines = ended(registry, editor, lines_of(*agencies), "?mode=rows")
    assert [[each["code"] for each in line["errors"]] for line in lines] == [["large_group"]] * 3, found


@pytest.mark.parametrize(("mode", "transactions"), [("rows", 9), ("all", 7)])
def test_an_open_import_can_be_cancelled(
    registry: TestClient,
    editor: Key,
    seeded_database: Database,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    transactions: int,
) -> None:
    """After so many transactions: seven for the plan, and with the mode `rows` two chunks that are written."""
    before = count_changes(seeded_database)
    monkeypatch.setattr(chunk_reader, "CHUNK", 5)
    free = threading.Event()
    pauses = iter(range(1_000))
    monkeypatch.setattr(Pace, "pause", lambda _: next(pauses) >= transactions and free.wait(120))
    sent = send(registry, editor, lines_of(*ports(30)), f"?mode={mode}").json()
    path = f"/v1/imports/{sent['id']}"
    other = key_of(seeded_database, "records:write")
    problem(registry.delete(path, headers=editor), 409, "conflict")
    problem(registry.post(f"{path}/cancel", headers=other), 404, "not_found")
    problem(registry.post(f"{path}/cancel"), 401, "unauthorized")
    if mode == "rows":
        eventually(lambda: state(seeded_database, sent["id"])["created"])
    cancelled = registry.post(f"{path}/cancel", headers=editor)
    assert cancelled.status_code == 200, cancelled.text
    assert cancelled.json()["status"] == "cancelled"
    assert registry.post(f"{path}/cancel", headers=key_of(seeded_database, "keys")).status_code == 200
    free.set()
    ended(registry, other, lines_of(COAST))  # after which the other one's turn has come too
    found = state(seeded_database, sent["id"])
    assert found["status"] == "cancelled"
    assert found["created"] == count_changes(seeded_database) - before - 1
    assert found["created"] < 30
    assert mode == "rows" or found["created"] == 0
    assert registry.delete(path, headers=editor).status_code == 204
    problem(registry.get(path, headers=editor), 404, "not_found")
    problem(registry.post(f"{path}/cancel", headers=editor), 404, "not_found")


def test_an_ended_import_is_deleted_by_its_key_or_an_administrator(
    registry: TestClient, editor: Key, seeded_database: Database
) -> None:
    admin, other = key_of(seeded_database, "keys"), key_of(seeded_database, "records:write")
    for key in (editor, admin):
        found, _ = ended(registry, editor, lines_of(PORTS))
        path = f"/v1/imports/{found['id']}"
        problem(registry.post(f"{path}/cancel", headers=editor), 409, "conflict")
        problem(registry.delete(path, headers=other), 404, "not_found")
        assert registry.delete(path, headers=key).status_code == 204
        problem(registry.delete(path, headers=key), 404, "not_found")
        assert registry.get("/v1/imports", headers=admin).json()["items"] == []
        problem(registry.get(f"{path}/lines", headers=editor), 404, "not_found")
        eventually(lambda: count_rows(seeded_database, IMPORTS) + count_rows(seeded_database, LINES) == 0)
    assert registry.get("/v1/projects/green-ports").status_code == 200


def test_an_import_that_is_cancelled_or_revoked_while_it_is_received_stores_no_more(
    seeded_database: Database,
) -> None:
    def lines_until(act: Any) -> Iterator[ParsedLine]:
        for number, record in enumerate(ports(1_500)):
            if number == 1_100:
                act()
            yield ParsedLine(number + 1, to_json(record), "projects")

    def cancel() -> None:
        with import_transaction(seeded_database) as session:
            session.execute(update(IMPORTS).values(status="cancelled", finished_at=now()))

    with pytest.raises(Exception, match="cancelled"):
        store.store_import(seeded_database, ALL, ImportOptions(), lines_until(cancel), "one")
    assert count_rows(seeded_database, LINES) == 1_000

    def lose() -> None:
        raise ClaimLost

    with pytest.raises(Exception, match="interrupted"):
        store.store_import(seeded_database, ALL, ImportOptions(), lines_until(lose), "one")


def test_what_is_old_is_pruned_without_requests(
    seeded_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "FIRST_AFTER", 0.1)
    monkeypatch.setattr(deletion, "BATCH", 20)
    old = received(seeded_database, tmp_path / "x.jsonl", lines_of(*ports(50)), "one")
    new = received(seeded_database, tmp_path / "x.jsonl", lines_of(COAST), "one")
    for import_id in (old, new):
        assert run(seeded_database, import_id, "one", Pace())
    replay = {"key": "k", "request": "r", "change": 1, "rendering": 1}
    delivery = {**new_delivery("old", "w", "{}", LONG_AGO), "state": "accepted", "done_at": LONG_AGO}
    with import_transaction(seeded_database) as session:
        session.execute(update(IMPORTS).where(IMPORTS.c.id == old).values(finished_at=LONG_AGO))
        session.execute(insert(REPLAYS), [{**replay, "token": "old", "at": LONG_AGO}])
        session.execute(insert(REPLAYS), [{**replay, "token": "new", "at": now()}])
        session.execute(insert(DELIVERIES), [delivery])

    def remaining() -> list[int]:
        return [count_rows(seeded_database, table) for table in (IMPORTS, LINES, REPLAYS, DELIVERIES)]

    assert remaining() == [2, 51, 2, 1]
    with client_of(url_of(seeded_database)):
        eventually(lambda: remaining() == [1, 1, 1, 0])


def test_an_idempotency_key_can_be_used_again_after_its_time(
    registry: TestClient, editor: Key, seeded_database: Database
) -> None:
    headers = {**editor, "Idempotency-Key": "again"}
    for name in ("first", "second"):
        body = {**COAST, "id": name}
        assert registry.post("/v1/partners", json=body, headers=headers).status_code == 201
        with import_transaction(seeded_database) as session:
            session.execute(update(REPLAYS).values(at=LONG_AGO))


def test_a_claim_of_a_clock_that_was_far_ahead_ends(seeded_database: Database) -> None:
    for name, part in {"ahead": 1.5, "claimed": 0.9}.items():
        open_imports(seeded_database, name, 1, claimed_until=long_from_now(part))
    assert not claims.end_wrong_leases(seeded_database)
    with import_transaction(seeded_database) as session:
        free = session.execute(select(IMPORTS.c.key).where(IMPORTS.c.claimed_until < now())).scalars().all()
    assert free == ["ahead"]


def test_a_file_that_takes_long_to_its_next_line_is_not_given_up(
    seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a process receives, it renews its claim by time, so that no other process ends the import."""
    monkeypatch.setattr(claims, "RENEWED_EVERY", 0.1)
    monkeypatch.setattr(claims, "LEASE", claims.LEASE / 30)

    def slow() -> Iterator[ParsedLine]:
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            time.sleep(0.05)
            with import_transaction(seeded_database) as session:
                open_now = session.execute(select(IMPORTS.c.id).where(IMPORTS.c.claimed_until < instant_now())).all()
            assert open_now == []
        yield ParsedLine(1, to_json(PORTS), "projects")

    def instant_now() -> str:
        return now()

    import_id = store.store_import(seeded_database, ALL, ImportOptions(), slow(), "one")
    assert state(seeded_database, import_id)["status"] == "waiting"


def test_a_large_import_delays_a_small_one_of_another_key_by_few_chunks(
    registry: TestClient, editor: Key, seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk_reader, "CHUNK", 5)
    large = send(registry, editor, lines_of(*ports(900)), "?mode=rows").json()["id"]
    eventually(lambda: state(seeded_database, large)["created"])
    small, _ = ended(registry, key_of(seeded_database, "records:write"), lines_of(COAST), "?mode=rows")
    assert small["status"] == "done"
    assert state(seeded_database, large)["status"] == "running"
    assert registry.post(f"/v1/imports/{large}/cancel", headers=editor).status_code == 200


def test_one_key_uploads_few_files_at_once(registry: TestClient, editor: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "MAX_FILES_CLIENT", 0)
    refused = send(registry, editor, lines_of(PORTS))
    problem(refused, 429, "too_many_requests")
    monkeypatch.setattr(receiving, "MAX_FILES_CLIENT", 3)
    monkeypatch.setattr(receiving, "MAX_FILES", 1)
    assert send(registry, editor, lines_of(PORTS)).status_code == 202  # a place is reserved for a key that has none
    monkeypatch.setattr(receiving, "MAX_FILES", 0)
    problem(send(registry, editor, lines_of(PORTS)), 503, "unavailable")


@pytest.mark.slow
@pytest.mark.parametrize("query", ["?mode=rows&dry_run=true", "?mode=rows"])
def test_others_write_and_a_key_is_revoked_beside_a_large_import(
    seeded_database: Database, editor: Key, query: str
) -> None:
    """No write of another key waits longer than some seconds, and revoking the key ends the import."""
    admin = key_of(seeded_database, "keys")
    other = key_of(seeded_database, "records:write")
    content = lines_of(*ports(20_000))
    with (
        server(url_of(seeded_database)) as (base, _),
        httpx.Client(base_url=base, trust_env=False, timeout=60) as client,
    ):
        headers = {**editor, "Content-Type": JSON_LINES}
        sent = client.post(f"/v1/imports{query}", content=content, headers=headers)
        assert sent.status_code == 202, sent.text
        import_id = sent.json()["id"]
        eventually(lambda: state(seeded_database, import_id)["created"])
        slowest = 0.0
        for number in range(30):
            began = time.monotonic()
            body = {**COAST, "id": f"agency-{number}", "managed_by": f"agency-{number}"}
            assert client.put(f"/v1/partners/agency-{number}", json=body, headers=other).status_code == 201
            slowest = max(slowest, time.monotonic() - began)
        assert state(seeded_database, import_id)["status"] == "running"
        assert slowest < 5  # 0.3 on a machine that does nothing else
        began = time.monotonic()
        key_id = editor["Authorization"].split("_")[1]
        assert client.delete(f"/v1/keys/{key_id}", headers=admin).status_code == 204
        assert time.monotonic() - began < 5
        eventually(lambda: state(seeded_database, import_id)["status"] == "failed", 10)
        assert "revoked" in state(seeded_database, import_id)["reason"]


def test_a_table_of_blank_rows_is_received(
    seeded_database: Database, editor: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes several leases until its last row, and has no line."""
    monkeypatch.setattr(claims, "LEASE", claims.LEASE / 20)
    monkeypatch.setattr(claims, "RENEWED_EVERY", 0.1)
    monkeypatch.setattr(worker, "CHECK_SECONDS", 0.05)
    with client_of(url_of(seeded_database)) as client:
        content = b"id,title.en,kind,status\n" + b"\n" * 1_500_000
        sent = send(client, editor, content, "?resource=projects&dry_run=true", CSV)
        assert sent.status_code in (202, 413, 422), sent.text


@pytest.mark.parametrize("bound", ["MAX_SECONDS_AT_ONCE", "MAX_WAIT_AT_ONCE"])
def test_too_much_work_for_one_transaction_fails_and_writes_nothing(
    registry: TestClient, editor: Key, seeded_database: Database, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    before = count_changes(seeded_database)
    monkeypatch.setattr(importing, bound, 0.0)
    found, _ = ended(registry, editor, lines_of(*ports(20)))
    assert (found["status"], found["created"]) == ("failed", 0)
    assert "mode=rows" in found["reason"]
    assert count_changes(seeded_database) == before


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_slow_chunk_begins_again_with_fewer_lines(
    seeded_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, dry_run: bool
) -> None:
    """Nobody waits for 60 lines of 0.1 s each."""
    monkeypatch.setattr(chunk_reader, "MAX_CHUNK_SECONDS", 0.3)
    put_line = write_lines.LineWriter._put_line
    held: list[float] = []
    writing = importing.ImportRun._writing

    def slow(*arguments: Any, **options: Any) -> None:
        time.sleep(0.05)
        put_line(*arguments, **options)

    @contextlib.contextmanager
    def timed(import_run: Any) -> Iterator[Any]:
        with writing(import_run) as session:
            began = time.monotonic()
            try:
                yield session
            finally:
                held.append(time.monotonic() - began)

    monkeypatch.setattr(write_lines.LineWriter, "_put_line", slow)
    monkeypatch.setattr(importing.ImportRun, "_writing", timed)
    content = lines_of(*ports(60))
    import_id = received(seeded_database, tmp_path / "x.jsonl", content, "one", mode="rows", dry_run=dry_run)
    assert run(seeded_database, import_id, "one", Pace())
    assert counts(state(seeded_database, import_id)) == (60, 0, 0, 0)
    assert sorted(held)[-2] < 2
    assert len(held) > 5


def test_all_lines_at_once_end_within_their_time_though_the_database_does_the_work(
    seeded_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MAX_WAIT_AT_ONCE", 0.5)
    monkeypatch.setattr(importing, "MAX_SECONDS_AT_ONCE", 0.4)
    put_line = write_lines.LineWriter._put_line

    def slow(*arguments: Any, **options: Any) -> None:
        time.sleep(0.1)
        put_line(*arguments, **options)

    monkeypatch.setattr(write_lines.LineWriter, "_put_line", slow)
    import_id = received(seeded_database, tmp_path / "x.jsonl", lines_of(*ports(200)), "one")
    began = time.monotonic()
    assert run(seeded_database, import_id, "one", Pace())
    assert time.monotonic() - began < 10
    found = state(seeded_database, import_id)
    assert (found["status"], found["reason"]) == ("failed", importing.TOO_MUCH_AT_ONCE)


def test_few_requests_of_a_client_wait_for_an_import_and_ask_less_and_less(
    registry: TestClient, editor: Key, seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = editor["Authorization"].split("_")[1]
    open_imports(seeded_database, mine, 1)
    reads: list[str] = []
    read = reading.read_own_import

    async def counted(*arguments: Any) -> Any:
        reads.append(arguments[2])
        return await read(*arguments)

    monkeypatch.setattr("app.exchange.imports.routes.read_own_import", counted)
    assert registry.get(f"/v1/imports/{mine}0?wait=4", headers=editor).json()["status"] == "waiting"
    assert 3 < len(reads) < 14
    monkeypatch.setattr(long_poll, "MAX_OF_CLIENT", 0)
    problem(registry.get(f"/v1/imports/{mine}0?wait=30", headers=editor), 429, "too_many_requests")


def test_a_dry_run_writes_no_search_index(registry: TestClient, editor: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes much of the time for which others wait, and is rolled back anyway."""
    monkeypatch.setattr("app.core.search.index.update_index", None)
    for mode in ("rows", "all"):
        found, _ = ended(registry, editor, lines_of(*ports(3)), f"?dry_run=true&mode={mode}")
        assert counts(found) == (3, 0, 0, 0)


def test_after_a_long_transaction_others_get_as_much_time() -> None:
    pace = Pace(is_busy=lambda: True)
    pace.note_lock(1.5)
    began = time.monotonic()
    pace.pause()
    assert time.monotonic() - began >= 1.5
    began = time.monotonic()
    pace.pause()
    assert time.monotonic() - began < 1.5
