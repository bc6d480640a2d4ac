"""The quota of bytes that a key writes in a day, the largest record, and the bytes of writes that wait."""

import hashlib
import json
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from select import select as select_sockets
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update
from starlette.testclient import TestClient

from app.core.change_log import CHANGES
from app.core.database.engine import Database, WriteLimits
from app.core.search import vocabulary
from app.core.writing.write_quota import WRITTEN_BYTES, prune_written_bytes
from app.exchange.imports import chunk_reader
from app.exchange.imports.pace import Pace
from app.exchange.imports.run import run
from tests.support.databases import url_of
from tests.support.http import PATCH, client_of, drop, get, patch, problem, put
from tests.support.imports import COAST, PORTS, counts, ended, lines_of, ports, received, state
from tests.support.keys import Key, key_of
from tests.support.log import count_changes
from tests.support.servers import server
from tests.support.sockets import connect, statuses
from tests.support.waiting import eventually

PORT = {name: value for name, value in PORTS.items() if name != "resource"}
AGENCY = {name: value for name, value in COAST.items() if name != "resource"}
LONG = "x" * 4_000


@pytest.fixture
def free_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let new words cost nothing, so that the bytes of the log are what is counted."""
    monkeypatch.setattr(vocabulary, "bytes_on_disk", lambda _: 0)


def counted(database: Database) -> dict[str, int]:
    """The bytes of each key that were counted."""
    with database.snapshot() as connection:
        rows = connection.execute(select(WRITTEN_BYTES.c.key, func.sum(WRITTEN_BYTES.c.bytes)).group_by("key"))
        return {key: int(size) for key, size in rows}


def logged(database: Database, key: Key) -> int:
    """The bytes of the representations that a key has in the log."""
    with database.snapshot() as connection:
        rows = connection.execute(select(CHANGES.c.body).where(CHANGES.c.actor == f"key:{id_of(key)}"))
        return sum(len(body.encode()) for (body,) in rows)


def id_of(key: Key) -> str:
    return key["Authorization"].split("_")[1]


def try_put(client: TestClient, key: Key, record_id: str, **members: Any) -> Any:
    return client.put(f"/v1/projects/{record_id}", json={**PORT, "id": record_id, **members}, headers=key)


def test_a_key_that_has_used_up_its_quota_waits_until_the_next_day(seeded_database: Database, editor: Key) -> None:
    other = key_of(seeded_database, "records:write")
    with client_of(url_of(seeded_database), write_quota=15_000) as client:
        put(client, editor, "projects/port-1", {**PORT, "id": "port-1", "description": {"en": LONG, "vi": LONG}})
        changes = count_changes(seeded_database)
        refused = try_put(client, editor, "port-2", description={"en": LONG, "vi": LONG})
        body = problem(refused, 429, "too_many_requests")
        assert "15,000 bytes" in body["detail"]
        assert 1 <= int(refused.headers["retry-after"]) <= 86_400
        assert count_changes(seeded_database) == changes
        get(client, "/v1/projects/port-2", 404)
        assert try_put(client, editor, "port-2").status_code == 201  # a small one still fits
        assert try_put(client, other, "port-3", description={"en": LONG, "vi": LONG}).status_code == 201
        with seeded_database.write() as session:
            session.execute(update(WRITTEN_BYTES).values(day="2020-01-01"))
        assert try_put(client, editor, "port-4", description={"en": LONG, "vi": LONG}).status_code == 201
    prune_written_bytes(seeded_database)
    with seeded_database.snapshot() as connection:
        assert connection.execute(select(WRITTEN_BYTES.c.key)).scalars().all() == [id_of(editor)]


def test_what_was_published_can_be_withdrawn_when_the_quota_is_used_up(
    seeded_database: Database, editor: Key, free_words: None
) -> None:
    with client_of(url_of(seeded_database), write_quota=20_000) as client:
        for number in (1, 2):
            assert try_put(client, editor, f"port-{number}").status_code == 201
        with seeded_database.write() as session:
            session.execute(update(WRITTEN_BYTES).values(bytes=20_000))
        problem(try_put(client, editor, "port-3"), 429, "too_many_requests")
        patch(client, editor, "projects/port-1", state="draft")
        drop(client, editor, "projects/port-2")
        assert try_put(client, editor, "port-1", state="published").status_code in (412, 428, 429)
        with seeded_database.write() as session:
            session.execute(update(WRITTEN_BYTES).values(bytes=22_000))
        headers = {**editor, "If-Match": "*"}
        problem(client.delete("/v1/partners/unido", headers=headers), 409, "referred_to")
        problem(client.delete("/v1/projects/port-1", headers=headers), 429, "too_many_requests")


@pytest.mark.usefixtures("free_words")
def test_every_version_counts_and_what_is_not_written_does_not(seeded_database: Database, editor: Key) -> None:
    with client_of(url_of(seeded_database)) as client:
        put(client, editor, "projects/green-ports", PORT)
        put(client, editor, "projects/green-ports", PORT)  # unchanged
        patch(client, editor, "projects/green-ports", title={"vi": "Cảng sạch"})
        problem(try_put(client, editor, "no", places=["nowhere"]), 422, "invalid")
        put(client, editor, "partners/coast-agency", AGENCY)
        put(client, editor, "partners/coast-2", {**AGENCY, "id": "coast-2"})
        merged = client.post(
            "/v1/partners/coast-2/merge", json={"into": "coast-agency"}, headers={**editor, "If-Match": "*"}
        )
        assert merged.status_code == 200, merged.text
        drop(client, editor, "projects/green-ports")
        assert counts(ended(client, editor, lines_of(*ports(3), {**PORTS, "kind": "no"}), "?mode=rows")[0])[0] == 3
        ended(client, editor, lines_of({**PORTS, "id": "port-9"}), "?mode=rows&dry_run=true")
        ended(client, editor, lines_of({**PORTS, "id": "port-9"}, {**PORTS, "kind": "no"}))  # refused as a whole
    assert counted(seeded_database) == {id_of(editor): logged(seeded_database, editor)}


def test_words_that_are_new_to_the_search_count_with_what_they_take(seeded_database: Database, editor: Key) -> None:
    words = " ".join(first + second + "qzxwvkjy" for first, second in product("abcdefghij", repeat=2))
    with client_of(url_of(seeded_database)) as client:
        put(client, editor, "projects/green-ports", {**PORT, "description": {"en": words}})
        taken = counted(seeded_database)[id_of(editor)] - logged(seeded_database, editor)
        assert 50_000 < taken < 100_000
        put(client, editor, "projects/port-2", {**PORT, "id": "port-2", "description": {"en": words}})
        assert counted(seeded_database)[id_of(editor)] - logged(seeded_database, editor) < taken + 1_000


def test_a_text_counts_with_what_its_paragraphs_take(seeded_database: Database, editor: Key) -> None:
    """Ten thousand paragraphs of one letter are 20 kB, and take more than 2 MB."""
    text = b"a\n" * 500
    digest = {"sha256": hashlib.sha256(text).hexdigest(), "paragraphs": 500}
    document = {"kind": "news", "title": {"en": "Letters"}, "url": "https://example.org/letters"}
    with client_of(url_of(seeded_database)) as client:
        put(client, editor, "documents/letters", {**document, **digest, "managed_by": "unido"})
        before = counted(seeded_database)[id_of(editor)]
        headers = {**editor, "Content-Type": "text/plain"}
        sent = client.put("/v1/documents/letters/text?shown=nobody", content=text, headers=headers)
        assert sent.status_code == 200, sent.text
    assert 50_000 < counted(seeded_database)[id_of(editor)] - before < 100_000


def test_without_a_quota_and_without_a_key_nothing_is_counted(
    seeded_database: Database, editor: Key, tmp_path: Path
) -> None:
    with client_of(url_of(seeded_database), write_quota=0) as client:
        put(client, editor, "projects/green-ports", PORT)
    limited = Database(url_of(seeded_database), limits=WriteLimits(quota=10))
    with limited:
        import_id = received(limited, tmp_path / "x.jsonl", lines_of(*ports(3)), "one", mode="rows")
        run(limited, import_id, "one", Pace())
    assert state(seeded_database, import_id)["status"] == "done"
    assert counted(seeded_database) == {}


@pytest.mark.usefixtures("free_words")
@pytest.mark.parametrize("mode", ["rows", "all"])
def test_an_import_ends_at_the_chunk_that_would_exceed_the_quota(
    seeded_database: Database, editor: Key, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(chunk_reader, "CHUNK", 10)
    with client_of(url_of(seeded_database), write_quota=30_000) as client:
        found, lines = ended(client, editor, lines_of(*ports(100)), f"?mode={mode}")
        assert found["status"] == "failed"
        assert "30,000 bytes" in found["reason"]
        written = count_written_records(client)
        assert found["created"] == written
        assert [line["verdict"] for line in lines] == ["created"] * written + [None] * (100 - written)
        assert 0 < written < 100 if mode == "rows" else written == 0
        assert logged(seeded_database, editor) == counted(seeded_database).get(id_of(editor), 0) <= 30_000
        with seeded_database.write() as session:  # the next days: what is written already costs nothing
            session.execute(update(WRITTEN_BYTES).values(day="2020-01-01"))
        rest = lines_of(*ports(written + 20))
        assert counts(ended(client, editor, rest, f"?mode={mode}")[0]) == (20, 0, written, 0)


def count_written_records(client: TestClient) -> int:
    return sum(client.get(f"/v1/projects/port-{number}").status_code == 200 for number in range(100))


def test_a_record_is_not_larger_than_a_body_may_be(seeded_database: Database, editor: Key) -> None:
    titles = {"title": {"en": "x" * 1_000, "vi": "x" * 1_000}}
    headers = {**editor, **PATCH, "If-Match": "*"}
    with client_of(url_of(seeded_database), max_body=10_000) as client:
        put(client, editor, "projects/green-ports", {**PORT, "description": {"en": LONG, "vi": LONG}})
        before = get(client, "/v1/projects/green-ports")
        refused = client.patch("/v1/projects/green-ports", content=json.dumps(titles), headers=headers)
        [error] = problem(refused, 422, "invalid")["errors"]
        assert (error["pointer"], error["code"]) == ("", "large_record")
        assert "10,000" in error["detail"]
        line = {"resource": "projects", "id": "green-ports", **titles}
        for query in ("", "?mode=rows", "?mode=rows&dry_run=true"):
            found, lines = ended(client, editor, lines_of(line, {**PORTS, "id": "port-1"}), query)
            assert found["refused"] == 1
            assert [each["code"] for each in lines[0]["errors"]] == ["large_record"]
            assert lines[0]["errors"][0]["pointer"] == ""
        assert get(client, "/v1/projects/green-ports") == before


def test_a_record_that_is_too_large_already_can_be_read_and_made_smaller(
    seeded_database: Database, editor: Key
) -> None:
    with client_of(url_of(seeded_database)) as client:
        put(client, editor, "projects/green-ports", {**PORT, "description": {"en": LONG, "vi": LONG, "fr": LONG}})
    with client_of(url_of(seeded_database), max_body=5_000) as client:
        assert len(get(client, "/v1/projects/green-ports")["description"]) == 3
        headers = {**editor, **PATCH, "If-Match": "*"}
        refused = client.patch("/v1/projects/green-ports", content='{"status": "completed"}', headers=headers)
        assert problem(refused, 422, "invalid")["errors"][0]["code"] == "large_record"
        patch(client, editor, "projects/green-ports", description={"fr": None})
        patch(client, editor, "projects/green-ports", description={"vi": None})
        patch(client, editor, "projects/green-ports", status="completed")
        drop(client, editor, "projects/green-ports")


def test_the_bodies_of_one_client_that_wait_are_bounded(seeded_database: Database, editor: Key) -> None:
    """A key whose writes wait keeps their bodies in memory, as those that it never completes. Others still write."""
    head = (
        "POST /v1/partners HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 55000\r\n"
        f"Authorization: {editor['Authorization']}\r\n\r\n"
    ).encode()
    other = key_of(seeded_database, "records:write")
    body = {"name": {"en": "A name" + "e" * 300}, "kind": "other", "managed_by": "unido"}
    with ExitStack() as stack:
        base, _ = stack.enter_context(server(url_of(seeded_database), max_body="60000", stall_deadline="600"))
        client = stack.enter_context(httpx.Client(base_url=base, trust_env=False, timeout=120))

        def write(key: Key) -> httpx.Response:
            return client.post("/v1/partners", json=body, headers=key)

        incomplete = [stack.enter_context(connect(base)) for _ in range(5)]
        for connection in incomplete:
            connection.sendall(head + b" " * 54_000)
        answered, _, _ = select_sockets(incomplete, [], [], 120)  # four times the largest body are 240,000 bytes
        refused = answered[0].recv(65_536)
        while b"}" not in refused:  # the body may come after the head
            refused += answered[0].recv(65_536)
        assert statuses(refused) == [429], refused
        assert b"Too many bytes" in refused
        assert b"retry-after: 2\r\n" in refused
        assert write(other).status_code == 201
        for connection in incomplete:
            connection.close()
        eventually(lambda: write(editor).status_code == 201)
