"""The past of a record: its versions as each caller may see them, what changed between them, and as of an instant."""

import random
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from app.core.change_log import CHANGES
from app.core.database.engine import Database
from app.core.reading.history import compare
from tests.support.history import NAMES, ONE, delete_partner, history, put_partner, versions
from tests.support.http import get, walk
from tests.support.keys import id_of, key_of


@pytest.fixture
def editor(seeded_database: Database) -> dict[str, str]:
    return key_of(seeded_database, "records:write", partner="unido")


def test_who_changed_what_is_told_field_by_field(registry: TestClient, editor: dict[str, str]) -> None:
    put_partner(registry, editor, aliases=["Z", "ZZ"])
    put_partner(registry, editor, name={"en": NAMES[1], "vi": "Ngựa vằn"}, aliases=["Z", "Zed"], abbreviation="Z/S")
    put_partner(registry, editor, name={"en": NAMES[1]}, aliases=[])
    third, second, first = history(registry)
    assert (first["actor"], first["partner"], first["redacted"]) == (f"key:{id_of(editor)}", "unido", None)
    assert {"pointer": "/name", "after": {"en": NAMES[0]}} in first["changes"]
    assert all("before" not in each for each in first["changes"])
    assert second["changes"] == [
        {"pointer": "/name/en", "before": NAMES[0], "after": NAMES[1]},
        {"pointer": "/name/vi", "after": "Ngựa vằn"},
        {"pointer": "/abbreviation", "before": None, "after": "Z/S"},
        {"pointer": "/aliases/1", "before": "ZZ", "after": "Zed"},
    ]
    assert third["changes"] == [
        {"pointer": "/name/vi", "before": "Ngựa vằn"},
        {"pointer": "/abbreviation", "before": "Z/S", "after": None},
        {"pointer": "/aliases", "before": ["Z", "Zed"], "after": []},
    ]
    assert [each["version"] for each in (third, second, first)] == [3, 2, 1]


def test_pointers_escape_what_they_must() -> None:
    assert list(compare({"a/b~c": 1, "x": {"y": [1]}}, {"a/b~c": True, "x": {"y": [1.0]}})) == [
        {"pointer": "/a~1b~0c", "before": 1, "after": True},
        {"pointer": "/x/y/0", "before": 1, "after": 1.0},
    ]


def test_a_program_is_an_actor_without_a_partner(client: TestClient) -> None:
    (first,) = history(client, path="/v1/partners/unido")
    assert (first["actor"], first["partner"], first["action"]) == ("seed", None, "create")


def test_drafts_are_in_the_history_of_those_who_may_write_them_alone(
    registry: TestClient, seeded_database: Database, editor: dict[str, str]
) -> None:
    other = key_of(seeded_database, "records:write:own", partner="seco")
    manager = key_of(seeded_database, "records:write:own", partner="unido")
    put_partner(registry, editor, name={"en": "Secret one"}, state="draft")
    for key in ({}, other):
        assert registry.get(f"{ONE}/history", headers=key).status_code == 404
    put_partner(registry, editor, name={"en": "Public one"})
    put_partner(registry, editor, name={"en": "Secret two"}, state="draft")
    put_partner(registry, editor, name={"en": "Secret three"}, state="draft")
    put_partner(registry, editor, name={"en": "Public two"})
    delete_partner(registry, editor)
    for key in ({}, other):
        found = registry.get(f"{ONE}/history", headers=key)
        assert "Secret" not in found.text
        items = found.json()["items"]
        assert versions(items) == [("create", 2), ("delete", 3), ("create", 5), ("delete", 6)]
        assert {"pointer": "/name", "after": {"en": "Public two"}} in items[1]["changes"]
        assert [each["changes"] == [] for each in items] == [True, False, True, False]
        assert "private" not in found.headers["cache-control"]
    for key in (editor, manager):
        found = registry.get(f"{ONE}/history", headers=key)
        actions = ["create", "update", "update", "update", "update", "delete"]
        assert versions(found.json()["items"]) == list(zip(actions, range(1, 7), strict=True))
        assert "private" in found.headers["cache-control"]
        assert {"pointer": "/state", "before": "draft", "after": "published"} in found.json()["items"][1]["changes"]


def test_what_was_never_there_has_no_history(client: TestClient) -> None:
    for path in ("nobody", "facets", "UNIDO", "x" * 121, "a%00b"):
        assert client.get(f"/v1/partners/{path}/history").status_code == 404, path


def test_a_history_is_walked_by_pages(registry: TestClient, editor: dict[str, str]) -> None:
    for number in range(7):
        put_partner(registry, editor, name={"en": f"Zebra {number}"})
    whole = history(registry)
    assert walk(registry, f"{ONE}/history?limit=2") == whole
    assert [each["changes"][0]["after"] for each in whole[:-1]] == [f"Zebra {number}" for number in range(6, 0, -1)]
    cursor = registry.get(f"{ONE}/history?limit=2").json()["next"].rpartition("=")[2]
    other = "/v1/partners/unido/history"
    assert registry.get(f"{other}?cursor={cursor}").json()["code"] == "bad_cursor"
    for query in ("limit=0", "limit=201", "limit=x", "after=1", "limit=1&limit=2"):
        assert registry.get(f"{ONE}/history?{query}").status_code == 422, query
    for wrong in ("x", "%00", "9" * 30, "%ff"):
        assert registry.get(f"{ONE}/history?cursor={wrong}").status_code == 400, wrong


def test_a_history_has_a_tag_that_moves(registry: TestClient, editor: dict[str, str]) -> None:
    put_partner(registry, editor)
    first = registry.get(f"{ONE}/history")
    tag = {"If-None-Match": first.headers["etag"]}
    assert registry.get(f"{ONE}/history", headers=tag).status_code == 304
    assert registry.head(f"{ONE}/history").headers["etag"] == first.headers["etag"]
    put_partner(registry, editor, name={"en": NAMES[1]})
    assert registry.get(f"{ONE}/history", headers=tag).json()["items"][0]["version"] == 2


def test_a_merged_partner_keeps_its_history(registry: TestClient, editor: dict[str, str]) -> None:
    put_partner(registry, editor)
    before = history(registry)[0]["at"]
    merged = registry.post(f"{ONE}/merge", json={"into": "unido"}, headers={**editor, "If-Match": "*"})
    assert merged.status_code == 200, merged.text
    assert history(registry)[0]["changes"] == [{"pointer": "/merged_into", "before": None, "after": "unido"}]
    assert registry.get(f"{ONE}?as_of={before}").json()["merged_into"] is None
    now = registry.get(f"{ONE}?as_of=2999-01-01", follow_redirects=False)
    assert (now.status_code, now.headers["location"]) == (308, "/v1/partners/unido?as_of=2999-01-01")


def test_what_was_is_read_without_include(client: TestClient) -> None:
    answer = client.get("/v1/projects/smart-factory-cooperation?as_of=2999-01-01&include=partners")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "of_the_past")


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30", "2026-01-01T00:00:00", "0001-01-01T00:00:00%2B07:00"])
def test_an_instant_is_checked(client: TestClient, text: str) -> None:
    assert client.get(f"/v1/partners/unido?as_of={text}").status_code == 422


def test_an_instant_may_have_an_offset(client: TestClient) -> None:
    everything = get(client, "/v1/partners?limit=1&total=true")["total"]
    for written in ("2999-01-01T00:00:00Z", "2999-01-01T07:00:00%2B07:00", "2999-01-01T07:00:00+07:00"):
        assert client.get(f"/v1/partners/unido?as_of={written}").status_code == 200
        assert get(client, f"/v1/partners?limit=1&total=true&updated_at_lt={written}")["total"] == everything
    created = get(client, "/v1/partners/unido")["updated_at"]
    local = datetime.fromisoformat(created).astimezone(timezone(timedelta(hours=7))).isoformat().replace("+", "%2B")
    assert get(client, f"/v1/partners?id=unido&updated_at_gte={local}")["items"]
    assert not get(client, f"/v1/partners?id=unido&updated_at_gt={local}")["items"]


def test_a_day_counts_to_its_end_and_what_is_to_come_is_as_now(registry: TestClient, editor: dict[str, str]) -> None:
    now = put_partner(registry, editor).content
    day = history(registry)[0]["at"][:10]
    assert registry.get(f"{ONE}?as_of={day}").content == registry.get(f"{ONE}?as_of=9999-12-31").content == now
    assert registry.get(f"{ONE}?as_of={day}T00:00:00Z").status_code == 404
    assert registry.get(f"{ONE}?as_of=0001-01-01").status_code == 404
    assert registry.get(f"{ONE}?as_of={day}&fields=kind").json() == {"id": "zebra", "kind": "other"}
    assert registry.get(f"{ONE}?as_of={day}&fields=nothing").status_code == 422


@pytest.mark.parametrize("seed", range(2))
def test_as_of_any_instant_a_record_reads_as_it_read_then(
    registry: TestClient, seeded_database: Database, editor: dict[str, str], seed: int
) -> None:
    """After each of some random writes, what everybody and its keeper read; later, the same again by instant."""
    chosen = random.Random(seed)
    other = key_of(seeded_database, "records:write:own", partner="seco")
    seen: list[tuple[str, str, dict[str, str], int, bytes]] = []
    for number in range(14):
        path = f"{ONE}-{chosen.randrange(2)}"
        if chosen.random() < 0.15 and registry.get(path, headers=editor).status_code == 200:
            delete_partner(registry, editor, path)
        elif registry.get(path, headers=editor).status_code != 410:
            state = chosen.choice(["published", "published", "draft"])
            put_partner(registry, editor, path, name={"en": chosen.choice(NAMES)}, aliases=[f"{number}"], state=state)
        with seeded_database.engine.connect() as connection:
            at = connection.execute(select(CHANGES.c.at).order_by(CHANGES.c.sequence.desc())).scalars().first()
        for name in range(2):
            for key in ({}, other, editor):
                found = registry.get(f"{ONE}-{name}", headers=key)
                seen.append((f"{ONE}-{name}", str(at), key, found.status_code, found.content))
    assert {status for *_, status, _ in seen} >= {200, 404}
    for path, at, key, status, body in seen:
        past = registry.get(f"{path}?as_of={at}", headers=key)
        assert (past.status_code, past.content if status == 200 else body) == (status, body), (path, at, key)
        if status == 200:
            tag = {**key, "If-None-Match": past.headers["etag"]}
            assert registry.get(f"{path}?as_of={at}", headers=tag).status_code == 304
