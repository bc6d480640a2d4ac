"""Keys: who may do what, how long, and that the text of a key is nowhere but in the answer that makes it."""

import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlmodel import SQLModel
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from app.core.access.keys import KEYS, TOKEN_PATTERN, id_of_token, new_token
from app.core.change_log import CHANGES
from app.core.database.engine import Database
from app.core.errors import Unauthorized
from tests.support.databases import url_of
from tests.support.http import client_of, problem
from tests.support.keys import change_key, id_of, key_of
from tests.support.waiting import eventually


@pytest.fixture
def admin(seeded_database: Database) -> dict[str, str]:
    return key_of(seeded_database, "keys", "records:write")


def test_the_text_of_a_key_can_be_recognised() -> None:
    made = new_token("0123456789")
    assert TOKEN_PATTERN.fullmatch(made)
    assert id_of_token(made) == "0123456789"
    for wrong in (made[:-1] + ("0" if made[-1] != "0" else "1"), made + "0", made[1:], made.replace("_", "-"), ""):
        with pytest.raises(Unauthorized):
            id_of_token(wrong)
    assert len({new_token("0123456789") for _ in range(100)}) == 100


def test_an_administrator_creates_sees_rotates_and_revokes(registry: TestClient, admin: dict[str, str]) -> None:
    asked = {"name": "UNIDO, mỗi đêm", "scopes": ["records:write:own"], "partner": "unido"}
    made = registry.post("/v1/keys", json=asked, headers=admin)
    assert made.status_code == 201, made.text
    assert made.headers["cache-control"] == "no-store"
    body = made.json()
    path, key = made.headers["location"], {"Authorization": f"Bearer {body['key']}"}
    shown = registry.get(path, headers=admin).json()
    assert shown == {name: value for name, value in body.items() if name != "key"}
    assert shown["id"] in [each["id"] for each in registry.get("/v1/keys", headers=admin).json()["items"]]
    assert registry.get("/v1/projects", headers=key).status_code == 200
    again = registry.post(f"{path}/rotate", json={"overlap": 60}, headers=admin).json()
    assert again["key"] != body["key"]
    for each in (body, again):
        assert registry.get("/v1", headers={"Authorization": f"bearer {each['key']}"}).status_code == 200
    assert registry.post(f"{path}/rotate", json={"overlap": 0}, headers=admin).status_code == 200
    for each in (body, again):
        problem(registry.get("/v1", headers={"Authorization": f"Bearer {each['key']}"}), 401, "unauthorized")
    assert registry.delete(path, headers=admin).status_code == 204
    assert registry.delete(path, headers=admin).status_code == 204
    assert registry.get(path, headers=admin).json()["revoked_at"]
    problem(registry.post(f"{path}/rotate", json={}, headers=admin), 404, "not_found")


def test_pages_of_keys(registry: TestClient, seeded_database: Database, admin: dict[str, str]) -> None:
    ids = {id_of(admin), *(id_of(key_of(seeded_database, "webhooks")) for _ in range(4))}
    found, path = [], "/v1/keys?limit=2"
    while path:
        page = registry.get(path, headers=admin).json()
        found += [each["id"] for each in page["items"]]
        path = page["next"]
    assert found == sorted(ids)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": "x", "scopes": []}, "/scopes"),
        ({"name": "x", "scopes": ["everything"]}, "/scopes/0"),
        ({"name": "x", "scopes": ["records:write:own"]}, "/partner"),
        ({"name": "x", "scopes": ["keys"], "partner": "nobody"}, "/partner"),
        ({"name": "x", "scopes": ["keys"], "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "x", "scopes": ["keys"], "expires_at": "2099-13-01T00:00:00Z"}, "/expires_at"),
        ({"name": "x", "scopes": ["keys"], "expires_at": 4102444800}, "/expires_at"),
        ({"name": "x", "scopes": ["keys"], "networks": []}, "/networks"),
        ({"name": "x", "scopes": ["keys"], "networks": ["office"]}, "/networks"),
        ({"name": "x", "scopes": ["keys"], "networks": ["10.0.0.0/33"]}, "/networks"),
        ({"name": "x", "scopes": ["keys"], "networks": ["1" * 65]}, "/networks/0"),
        ({"name": "x", "scopes": ["keys"], "networks": [f"10.0.0.{number}" for number in range(51)]}, "/networks"),
        ({"name": "x\u0000", "scopes": ["keys"]}, "/name"),
        ({"name": "x", "scopes": ["keys"], "zq7": 1}, "/zq7"),
        ({"name": "x", "scopes": ["keys"], "zq 7": 1}, ""),
        ([], ""),
    ],
)
def test_what_is_wrong_with_a_key_is_told(
    registry: TestClient, admin: dict[str, str], body: object, pointer: str
) -> None:
    found = problem(registry.post("/v1/keys", json=body, headers=admin), 422, "invalid")
    assert pointer in [each["pointer"] for each in found["errors"]]
    assert "zq 7" not in str(found)


def test_a_key_that_does_not_count_is_refused_everywhere(registry: TestClient, seeded_database: Database) -> None:
    expired, revoked, good = (key_of(seeded_database, "keys", "records:write") for _ in range(3))
    change_key(seeded_database, expired, expires_at="2020-01-01T00:00:00.000000Z")
    change_key(seeded_database, revoked, revoked_at="2020-01-01T00:00:00.000000Z")
    unknown = {"Authorization": f"Bearer {new_token('0123456789')}"}
    other_secret = {"Authorization": f"Bearer {new_token(id_of(good))}"}
    texts = ["", "Bearer", "Bearer x", "Basic eDp5", good["Authorization"][:-1], "Bearer \xff", "hoptac_x"]
    for headers in (expired, revoked, unknown, other_secret, *({"Authorization": each} for each in texts)):
        for path in ("/v1/projects", "/v1/projects/nobody", "/v1", "/v1/keys", "/v1/nope"):
            coded = {"Authorization": headers["Authorization"].encode("latin-1")}
            found = registry.get(path, headers=coded)  # type: ignore[arg-type]
            problem(found, 401, "unauthorized")
            assert found.headers["www-authenticate"].startswith("Bearer")
    assert registry.get("/v1/projects", headers=good).status_code == 200
    assert registry.get("/livez", headers=unknown).status_code == 200
    twice = [("Authorization", good["Authorization"])] * 2
    problem(registry.get("/v1", headers=twice), 400, "bad_request")


def test_a_revoked_key_stops_at_once_in_another_process(registry: TestClient, seeded_database: Database) -> None:
    key, admin = key_of(seeded_database, "records:write"), key_of(seeded_database, "keys")
    with client_of(url_of(seeded_database)) as other:
        assert other.get("/v1/projects", headers=key).status_code == 200
        registry.delete(f"/v1/keys/{id_of(key)}", headers=admin)
        problem(other.get("/v1/projects", headers=key), 401, "unauthorized")


def test_use_is_noted_without_a_change(registry: TestClient, seeded_database: Database) -> None:
    key = key_of(seeded_database, "webhooks")

    def state() -> Any:
        with seeded_database.engine.connect() as connection:
            used = connection.execute(select(KEYS.c.last_used_at).where(KEYS.c.id == id_of(key))).scalar()
            return used, connection.execute(select(CHANGES.c.sequence).order_by(CHANGES.c.sequence.desc())).scalar()

    before = state()
    assert before[0] is None
    for _ in range(5):
        registry.get("/v1/projects", headers=key)
    eventually(lambda: state()[0] is not None)
    first = state()
    assert abs(datetime.fromisoformat(first[0]) - datetime.now(UTC)) < timedelta(seconds=120)
    assert first[1] == before[1]
    registry.get("/v1/projects", headers=key)
    time.sleep(0.1)
    assert state() == first


def test_the_text_of_a_key_is_nowhere_else(seeded_database: Database) -> None:
    with client_of(url_of(seeded_database), access_log=True) as client, capture_logs() as logs:
        admin = key_of(seeded_database, "keys", "records:write")
        made = client.post("/v1/keys", json={"name": "x", "scopes": ["records:write"]}, headers=admin)
        secret = made.json()["key"]
        key = {"Authorization": f"Bearer {secret}"}
        answers = [client.get(f"/v1/keys/{made.json()['id']}", headers=admin), client.get("/v1/keys", headers=admin)]
        body = {"name": {"en": "Nobody"}, "kind": "other", "managed_by": "unido"}
        answers += [client.put("/v1/partners/a", json=body, headers=key), client.get("/v1/partners/a?x=1", headers=key)]
        answers += [client.put("/v1/partners/a", content=b"{", headers={**key, "Content-Type": "application/json"})]
        assert [each.status_code for each in answers] == [200, 200, 201, 422, 400]
    assert secret not in str([answer.text + str(answer.headers) for answer in answers]) + str(logs)
    with seeded_database.engine.connect() as connection:
        for table in SQLModel.metadata.tables.values():
            assert secret[18:] not in str(connection.execute(select(table)).all())
        assert re.fullmatch("[0-9a-f]{64}", str(connection.execute(text("SELECT hash FROM keys")).scalar()))


@pytest.mark.parametrize("path", ["/v1/keys/%00", "/v1/keys/a%00b", "/v1/keys/nobody", "/v1/keys/" + "a" * 5000])
def test_a_key_that_is_not_there_is_not_found(registry: TestClient, admin: dict[str, str], path: str) -> None:
    problem(registry.get(path, headers=admin), 404, "not_found")
    problem(registry.delete(path, headers=admin), 404, "not_found")


def test_keys_are_for_administrators(registry: TestClient, seeded_database: Database) -> None:
    problem(registry.get("/v1/keys"), 401, "unauthorized")
    other = key_of(seeded_database, "records:write", "webhooks")
    problem(registry.get("/v1/keys", headers=other), 403, "forbidden")
    problem(registry.post("/v1/keys", json={}, headers=other), 403, "forbidden")
    assert json.loads(registry.get("/v1/keys", headers=key_of(seeded_database, "keys")).content)["next"] is None
