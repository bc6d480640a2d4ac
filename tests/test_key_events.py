"""The traces of keys: who did what, which uses were refused, and keys that are revoked by their text."""

import json
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import httpx
import pytest
from sqlalchemy import event, func, insert, select
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from app.core.access import key_events
from app.core.access.key_activity import MAX_REFUSALS, KeyActivity
from app.core.access.key_events import KEY_EVENTS, MAX_ADDRESSES, Refusal, RefusalCount, add_refusals, remove_old_events
from app.core.access.keys import new_token
from app.core.change_log import now
from app.core.database.engine import Database
from tests.support.databases import url_of
from tests.support.http import PATCH, client_of, problem, put, walk
from tests.support.keys import Key, change_key, id_of, key_of
from tests.support.records import PARTNER
from tests.support.servers import server
from tests.support.waiting import eventually

LONG_AGO = "2020-01-01T00:00:00.000000Z"


@pytest.fixture
def admin(seeded_database: Database) -> Key:
    return key_of(seeded_database, "keys", "records:write")


def events(client: TestClient, admin: Key, key: Key) -> list[dict[str, Any]]:
    client.headers.update(admin)
    found = walk(client, f"/v1/keys/{id_of(key)}/events?limit=2")
    client.headers.pop("Authorization")
    return found


def token_of(key: Key) -> str:
    return key["Authorization"].removeprefix("Bearer ")


def rows(database: Database, key: Key) -> int:
    with database.engine.connect() as connection:
        count = select(func.count()).where(KEY_EVENTS.c.key == id_of(key), KEY_EVENTS.c.action == "refuse")
        return int(connection.execute(count).scalar_one())


def test_everything_done_to_a_key_is_recorded(seeded_database: Database, admin: Key) -> None:
    with client_of(url_of(seeded_database)) as client, capture_logs() as logs:
        made = client.post("/v1/keys", json={"name": "x", "scopes": ["webhooks"]}, headers=admin).json()
        path, key = f"/v1/keys/{made['id']}", {"Authorization": f"Bearer {made['key']}"}
        client.patch(path, json={"name": "y", "networks": ["10.0.0.0/8"]}, headers={**admin, **PATCH})
        client.patch(path, json={"name": "y"}, headers={**admin, **PATCH})
        client.patch(path, json={"networks": None}, headers={**admin, **PATCH})
        new = client.post("/v1/keys/self/rotate", json={}, headers=key).json()["key"]
        client.post(f"{path}/rotate", json={"overlap": 0}, headers=admin)
        client.delete(path, headers=admin)
        client.delete(path, headers=admin)
        found = events(client, admin, key)
        problem(client.get(f"{path}/events?cursor=0", headers=admin), 422, "invalid")
        problem(client.get(f"{path}/events?cursor={2**64}", headers=admin), 422, "invalid")
    by_admin, by_holder = f"key:{id_of(admin)}", f"key:{made['id']}"
    assert [(each["action"], each["actor"]) for each in found] == [
        ("revoke", by_admin),
        ("rotate", by_admin),
        ("rotate", by_holder),
        ("change", by_admin),
        ("change", by_admin),
        ("create", by_admin),
    ]
    assert all((each["count"], each["reason"], each["address"]) == (1, None, "testclient") for each in found)
    assert found[4]["detail"] == "name: x → y; networks: - → 10.0.0.0/8"
    assert "scopes: webhooks" in found[5]["detail"]
    lines = [line for line in logs if line["event"] == "key" and line["key"] == made["id"]]
    assert [line["action"] for line in lines] == [each["action"] for each in reversed(found)]
    for secret in (made["key"], new):
        assert secret[18:] not in json.dumps([found, logs], default=str)


def test_a_merge_of_partners_is_an_event_of_their_keys(
    registry: TestClient, seeded_database: Database, admin: Key
) -> None:
    put(registry, admin, "partners/twin", PARTNER)
    key = key_of(seeded_database, "records:write:own", partner="twin")
    merged = registry.post("/v1/partners/twin/merge", json={"into": "moit"}, headers={**admin, "If-Match": "*"})
    assert merged.status_code == 200, merged.text
    assert registry.get("/v1/keys/self", headers=key).json()["partner"] == "moit"
    newest = events(registry, admin, key)[0]
    assert (newest["action"], newest["actor"]) == ("change", f"key:{id_of(admin)}")
    assert newest["detail"] == "partner: twin → moit"


def test_what_is_rolled_back_leaves_no_trace(registry: TestClient, seeded_database: Database, admin: Key) -> None:
    with capture_logs() as logs:
        problem(registry.delete(f"/v1/keys/{id_of(admin)}", headers=admin), 409, "conflict")
        problem(registry.post("/v1/keys", json={"name": "x", "scopes": []}, headers=admin), 422, "invalid")
    assert [each["action"] for each in events(registry, admin, admin)] == ["create"]
    assert not [line for line in logs if line["event"] == "key"]


def test_each_refused_use_is_counted(seeded_database: Database, admin: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.core.access.key_activity.PAUSE", 0.05)
    keys = {name: key_of(seeded_database, "webhooks") for name in ("expired", "revoked", "wrong_network", "replaced")}
    keys["missing_scope"] = keys["wrong_secret"] = key_of(seeded_database, "webhooks")
    change_key(seeded_database, keys["expired"], expires_at=LONG_AGO)
    change_key(seeded_database, keys["revoked"], revoked_at=LONG_AGO)
    change_key(seeded_database, keys["wrong_network"], networks="10.0.0.0/8")
    with client_of(url_of(seeded_database)) as client, capture_logs() as logs:
        client.post(f"/v1/keys/{id_of(keys['replaced'])}/rotate", json={"overlap": 0}, headers=admin)
        texts = {}
        for reason, key in keys.items():
            wrong = {"Authorization": f"Bearer {new_token(id_of(key))}"}
            for _ in range(3):
                answer = client.get("/v1/keys", headers=wrong if reason == "wrong_secret" else key)
                assert answer.status_code == (403 if reason == "missing_scope" else 401)
                texts[reason] = answer.json()["detail"]

        def refused(reason: str) -> list[dict[str, Any]]:
            return [each for each in events(client, admin, keys[reason]) if each["reason"] == reason]

        for reason in keys:
            eventually(lambda reason=reason: sum(each["count"] for each in refused(reason)) == 3)  # type: ignore[misc]
            assert {each["address"] for each in refused(reason)} == {"testclient"}
            assert {each["actor"] for each in refused(reason)} == {None}
        unknown = client.get("/v1", headers={"Authorization": f"Bearer {new_token('0' * 10)}"})
    assert len(set(texts.values())) == len(texts), "each reason has its own text"
    assert unknown.json()["detail"] == texts["wrong_secret"], "who guesses learns nothing"
    counted = Counter(dict.fromkeys(keys, 0))
    for line in logs:
        if line["event"] == "key refused":
            counted[line["reason"]] += line["number"]
    assert counted == dict.fromkeys(keys, 3)


def test_refused_uses_wait_in_a_bounded_place(monkeypatch: pytest.MonkeyPatch) -> None:
    activity = KeyActivity(Database("sqlite:///unused.db"))
    monkeypatch.setattr(activity, "_start", lambda: None)
    for number in range(5_000):
        activity.refused(f"key{number % 1_000}", "wrong_secret", f"10.0.{number // 250}.{number % 250}")
    assert len(activity._refusals) <= 2 * MAX_REFUSALS


def test_refused_uses_take_a_bounded_place(seeded_database: Database) -> None:
    key = key_of(seeded_database, "webhooks")
    at = now()
    for batch in range(3):
        refusals = {
            Refusal(id_of(key), reason, f"192.0.{batch}.{number}"): RefusalCount(2, at, at)
            for reason in ("wrong_secret", "expired")
            for number in range(100)
        }
        with seeded_database.write() as session:
            add_refusals(session, refusals)
    assert rows(seeded_database, key) <= 2 * (MAX_ADDRESSES + 1)
    with seeded_database.engine.connect() as connection:
        total = select(func.sum(KEY_EVENTS.c.count)).where(KEY_EVENTS.c.action == "refuse")
        assert connection.execute(total).scalar_one() == 2 * 2 * 300


def test_a_batch_of_refused_uses_takes_few_statements(seeded_database: Database) -> None:
    """Other writes wait for its transaction."""
    keys = [id_of(key_of(seeded_database, "webhooks")) for _ in range(10)]
    statements: list[str] = []
    event.listen(seeded_database.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    for _ in range(2):
        refusals = {
            Refusal(keys[number % 10], "expired", f"192.0.2.{number}"): RefusalCount(1, now(), now())
            for number in range(200)
        }
        with seeded_database.write() as session:
            add_refusals(session, refusals)
    assert len(statements) <= 2 * 8, statements
    assert rows(seeded_database, {"Authorization": f"Bearer hoptac_{keys[0]}_"}) == 20


def test_refused_uses_write_few_lines_of_log(seeded_database: Database) -> None:
    activity, key = KeyActivity(seeded_database), key_of(seeded_database, "webhooks")
    refusals = {
        Refusal(id_of(key), "expired", f"192.0.2.{number}"): RefusalCount(2, now(), now()) for number in range(200)
    }
    with capture_logs() as logs:
        activity._write(set(), refusals)
    assert len(logs) <= 21
    assert sum(line["number"] for line in logs) == 400


def test_old_events_go_and_refused_uses_displace_no_others(
    seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_events, "MAX_OF_KEY", 5)
    key, other = key_of(seeded_database, "webhooks"), key_of(seeded_database, "webhooks")
    at = now()
    with seeded_database.write() as session:
        for number in range(20):
            add_refusals(session, {Refusal(id_of(key), "expired", f"192.0.2.{number}"): RefusalCount(1, at, at)})
        for _ in range(20):
            key_events.add_event(session, id_of(other), "rotate", "command")
        old = {"id": 9999, "key": id_of(key), "action": "revoke", "count": 1, "first_at": LONG_AGO, "last_at": LONG_AGO}
        session.execute(insert(KEY_EVENTS).values(old))
        remove_old_events(session)
        found = session.execute(select(KEY_EVENTS.c.key, KEY_EVENTS.c.action)).all()
    counts = Counter((key_id, action) for key_id, action in found)
    assert counts == {(id_of(key), "create"): 1, (id_of(key), "refuse"): 5, (id_of(other), "rotate"): 5}


@pytest.mark.slow
def test_refused_uses_neither_slow_reads_nor_fill_the_disk(seeded_database: Database) -> None:
    """A real server, 1,500 refused uses from as many addresses: some rows, and reads that do not wait."""
    key = key_of(seeded_database, "webhooks")
    with (
        server(url_of(seeded_database), trusted_proxies="127.0.0.1") as (base, _),
        httpx.Client(trust_env=False, base_url=base) as client,
    ):
        seconds = []
        for number in range(1_500):
            wrong = {"Authorization": f"Bearer {new_token(id_of(key))}"}
            address = {"X-Forwarded-For": f"10.0.{number // 250}.{number % 250 + 1}"}
            assert client.get("/v1/projects", headers={**wrong, **address}).status_code == 401
            if number % 10 == 0:
                started = time.perf_counter()
                assert client.get("/v1/partners/unido").status_code == 200
                seconds.append(time.perf_counter() - started)
    assert 1 <= rows(seeded_database, key) <= 2 * (MAX_ADDRESSES + 1)  # an hour may begin meanwhile
    assert sorted(seconds)[len(seconds) // 2] < 0.1


def test_a_leaked_key_is_revoked_by_its_text(registry: TestClient, seeded_database: Database, admin: Key) -> None:
    leaked, rotated = key_of(seeded_database, "records:write"), key_of(seeded_database, "records:write")
    change_key(seeded_database, leaked, networks="10.0.0.0/8")
    new = registry.post(f"/v1/keys/{id_of(rotated)}/rotate", json={}, headers=admin).json()["key"]

    def revoke(token: str) -> tuple[int, bytes]:
        answer = registry.post("/v1/keys/revoke", json={"key": token})
        return answer.status_code, answer.content

    answers = {
        revoke(each)
        for each in (token_of(leaked), token_of(leaked), f" {token_of(rotated)}\n", new_token("0123456789"))
    }
    answers |= {revoke(new_token(id_of(admin)))}
    assert answers == {(204, b"")}
    assert events(registry, admin, leaked)[0]["actor"] == "token"
    problem(registry.get("/v1", headers=leaked), 401, "unauthorized")
    problem(registry.get("/v1", headers=rotated), 401, "unauthorized")
    assert registry.get("/v1", headers={"Authorization": f"Bearer {new}"}).status_code == 200
    assert registry.get("/v1", headers=admin).status_code == 200
    body: Any
    for body in ({"key": "hoptac_x"}, {"key": token_of(admin)[:-1]}, {"key": "x" * 201}, {}, {"key": 1}, []):
        found = problem(registry.post("/v1/keys/revoke", json=body), 422, "invalid")
        assert token_of(admin)[:20] not in str(found)
    problem(registry.post("/v1/keys/revoke", json={"key": "x" * 1000}), 413, "too_large")


def test_the_last_administrator_is_revoked_if_its_text_leaks(registry: TestClient, admin: Key) -> None:
    assert registry.post("/v1/keys/revoke", json={"key": token_of(admin)}).status_code == 204
    problem(registry.get("/v1/keys", headers=admin), 401, "unauthorized")


def test_a_revocation_takes_the_same_time_for_any_text(registry: TestClient, seeded_database: Database) -> None:
    tokens = {
        "valid": token_of(key_of(seeded_database, "webhooks")),
        "unknown": new_token("0123456789"),
        "wrong": new_token(id_of(key_of(seeded_database, "webhooks"))),
    }
    for token in tokens.values():
        started = time.monotonic()
        assert registry.post("/v1/keys/revoke", json={"key": token}).status_code == 204
        assert time.monotonic() - started >= 0.25


@pytest.mark.slow
def test_revocations_by_text_are_limited(seeded_database: Database) -> None:
    """A real server: one address has one revocation at a time."""
    with server(url_of(seeded_database)) as (base, _):
        text = json.dumps({"key": new_token("0123456789")})
        command = [sys.executable, "-c", ASK, f"{base}/v1/keys/revoke", text]
        found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        statuses = Counter(json.loads(found.stdout))
    assert set(statuses) == {204, 429}
    assert statuses[429] >= 10


ASK = """
import sys, json, httpx
from concurrent.futures import ThreadPoolExecutor
def ask(_):
    headers = {"Content-Type": "application/json"}
    return httpx.post(sys.argv[1], content=sys.argv[2], headers=headers, trust_env=False, timeout=60).status_code
with ThreadPoolExecutor(20) as pool:
    print(json.dumps(list(pool.map(ask, range(20)))))
"""


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH", "POST"])
def test_a_token_in_a_path_is_answered_with_what_to_do(registry: TestClient, admin: Key, method: str) -> None:
    for headers in ({}, admin):
        for end in ("", "/events", "/rotate"):
            path = f"/v1/keys/{token_of(admin)}{end}"
            found = problem(registry.request(method, path, headers=headers), 400, "bad_request")
            assert "/v1/keys/revoke" in found["detail"]
            assert id_of(admin) not in str(found)
    assert registry.get("/v1", headers=admin).status_code == 200


def test_a_scope_that_only_a_parameter_needs_leaves_a_trace_too(
    seeded_database: Database, admin: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.core.access.key_activity.PAUSE", 0.05)
    key = key_of(seeded_database, "webhooks")
    with client_of(url_of(seeded_database)) as client:
        problem(client.get("/v1/projects?state=draft", headers=key), 403, "forbidden")
        eventually(lambda: "missing_scope" in [each["reason"] for each in events(client, admin, key)])
