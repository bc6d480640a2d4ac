"""What a key permits: how long, from where, and that no key makes one that permits more."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from sqlmodel import Session
from starlette.testclient import TestClient

from app.core.access.caller import Caller
from app.core.access.keys import KEYS, caller_of, current_caller
from app.core.access.networks import are_within, contain, normal_networks
from app.core.change_log import instant
from app.core.database.engine import Database
from app.core.errors import Unauthorized
from app.core.values.text import printable
from app.keys import administration
from app.keys.command import _table
from app.keys.powers import log_last_administrator
from app.webhooks.limits import RATES
from tests.support.databases import url_of
from tests.support.http import PATCH, client_of, problem
from tests.support.keys import Key, change_key, id_of, key_of
from tests.support.records import PARTNER
from tests.support.servers import run, server

OFFICE = "192.0.2.0/24"
OTHER_ADDRESS = "198.51.100.7"


def in_days(days: float) -> str:
    return instant(datetime.now(UTC) + timedelta(days=days))


def create(client: TestClient, key: Key, **members: Any) -> Any:
    return client.post("/v1/keys", json={"name": "x", **members}, headers=key)


def header(created: Any) -> Key:
    assert created.status_code in (200, 201), created.text
    return {"Authorization": f"Bearer {created.json()['key']}"}


@pytest.fixture
def admin(seeded_database: Database) -> Key:
    """A key that may do everything, for ever."""
    key = key_of(seeded_database, "keys", "records:write")
    change_key(seeded_database, key, expires_at=None)
    return key


def test_a_key_lasts_a_year_unless_it_says_otherwise(registry: TestClient, admin: Key) -> None:
    year = create(registry, admin, scopes=["webhooks"]).json()["expires_at"]
    assert in_days(364) < year < in_days(366)
    assert create(registry, admin, scopes=["webhooks"], expires_at=None).json()["expires_at"] is None
    assert create(registry, admin, scopes=["webhooks"], expires_at="2099-01-01T00:00:00Z").json()["expires_at"]


def test_the_longest_life_of_keys(seeded_database: Database, admin: Key) -> None:
    with client_of(url_of(seeded_database), key_max_days=30) as client:
        made = create(client, admin, scopes=["webhooks"]).json()
        assert in_days(29) < made["expires_at"] < in_days(31)
        for expires_at in (None, in_days(31)):
            asked = create(client, admin, scopes=["webhooks"], expires_at=expires_at)
            assert problem(asked, 422, "invalid")["errors"][0]["pointer"] == "/expires_at"
            path, body = f"/v1/keys/{made['id']}", {"expires_at": expires_at}
            problem(client.patch(path, json=body, headers={**admin, **PATCH}), 422, "invalid")
        named = client.patch(f"/v1/keys/{id_of(admin)}", json={"name": "y"}, headers={**admin, **PATCH})
        assert named.json()["expires_at"] is None, "a key that is there stays as it is"


def test_networks_are_brought_into_one_form() -> None:
    given = ["10.1.2.3/8", "10.9.0.1", "2001:DB8::1/32", "::ffff:192.0.2.1/120", "192.0.3.0/24", "2001:db8:1::"]
    assert normal_networks(given) == ["10.0.0.0/8", "192.0.2.0/23", "2001:db8::/32"]
    for wrong in ("", "a", "10.0.0.0/33", "10.0.0", "1" * 100, "::1%eth0/200"):
        with pytest.raises(ValueError, match="is not a network"):
            normal_networks([wrong])


def test_addresses_in_networks() -> None:
    assert contain(None, "anything")
    networks = "10.0.0.0/8 2001:db8::/32"
    assert all(contain(networks, each) for each in ("10.9.9.9", "::ffff:10.0.0.1", "2001:db8::5", "2001:db8::5%eth0"))
    assert not any(contain(networks, each) for each in ("11.0.0.1", "2001:db9::", "::ffff:11.0.0.1", "", "testclient"))
    assert are_within("10.1.0.0/16 2001:db8:1::/48", networks)
    for wider in (None, "0.0.0.0/0", "10.0.0.0/7", "10.1.0.0/16 2001:db9::/48"):
        assert not are_within(wider, networks)
        assert are_within(wider, None)


@pytest.mark.slow
def test_a_key_is_refused_from_elsewhere(seeded_database: Database, admin: Key) -> None:
    """With a real server behind a proxy that it trusts: what counts is the address of the client."""
    bound = key_of(seeded_database, "records:write")
    change_key(seeded_database, bound, networks=OFFICE)
    with server(url_of(seeded_database), trusted_proxies="127.0.0.1") as (base, _):

        def ask(address: str, path: str = "/v1/keys/self") -> httpx.Response:
            return httpx.get(base + path, headers={**bound, "X-Forwarded-For": address}, trust_env=False)

        assert ask("192.0.2.200").json()["networks"] == [OFFICE]
        for address in (OTHER_ADDRESS, "::1", "192.0.2.200.example", f"192.0.2.200, {OTHER_ADDRESS}"):
            for path in ("/v1/keys/self", "/v1/projects"):
                refused = ask(address, path)
                assert (refused.status_code, "address" in refused.json()["detail"]) == (401, True), refused.text


def test_what_a_request_was_allowed_is_looked_at_again_by_its_write(seeded_database: Database) -> None:
    key = key_of(seeded_database, "records:write")
    caller = Caller(id_of(key), frozenset({"records:write"}), None, OTHER_ADDRESS)
    with seeded_database.write() as session:
        assert current_caller(session, caller).address == OTHER_ADDRESS
        session.execute(update(KEYS).where(KEYS.c.id == id_of(key)).values(networks=OFFICE))
        with pytest.raises(Unauthorized, match="address"):
            current_caller(session, caller)
        unattended = Caller(id_of(key), frozenset({"records:write"}))
        assert current_caller(session, unattended).key == id_of(key)


def test_a_holder_reads_and_rotates_its_own_key(registry: TestClient, unido: Key) -> None:
    before = registry.get("/v1/keys/self", headers=unido).json()
    assert (before["id"], before["partner"], before["scopes"]) == (id_of(unido), "unido", ["records:write:own"])
    made = registry.post("/v1/keys/self/rotate", json={"overlap": 0}, headers=unido)
    new = header(made)
    problem(registry.get("/v1/keys/self", headers=unido), 401, "unauthorized")
    after = registry.get("/v1/keys/self", headers=new).json()
    assert after["expires_at"] == before["expires_at"], "only an administrator prolongs a key"
    problem(registry.get(f"/v1/keys/{id_of(unido)}", headers=new), 403, "forbidden")
    problem(registry.post(f"/v1/keys/{id_of(unido)}/rotate", json={}, headers=new), 403, "forbidden")


def test_only_the_present_token_rotates_its_key(registry: TestClient, seeded_database: Database, unido: Key) -> None:
    """Rotations at once would leave their holders with tokens that are replaced already, as could a leaked old one."""
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: registry.post("/v1/keys/self/rotate", json={}, headers=unido), range(4)))
    [made] = [answer for answer in answers if answer.status_code == 200]
    for refused in answers:
        if refused is not made:
            problem(refused, 409, "conflict")
    new = header(made)
    assert registry.get("/v1/keys/self", headers=unido).status_code == 200, "the previous token is valid for a day"
    with seeded_database.engine.connect() as connection:
        key = connection.execute(select(KEYS).where(KEYS.c.id == id_of(unido))).one()
    waiting = caller_of(key, sent=key.hash)  # the caller of a write that waits for its turn
    registry.post("/v1/keys/self/rotate", json={"overlap": 0}, headers=new)
    with Session(seeded_database.engine) as session, pytest.raises(Unauthorized, match="replaced"):
        current_caller(session, waiting)


@pytest.mark.parametrize(
    ("own", "members", "status"),
    [
        ({"scopes": "keys"}, {"scopes": ["records:write"]}, 403),
        ({"scopes": "keys"}, {"scopes": ["records:write:own"], "partner": "unido"}, 403),
        ({"scopes": "keys"}, {"scopes": ["webhooks", "keys"]}, 201),
        ({"scopes": "records:write keys"}, {"scopes": ["records:write:own"], "partner": "unido"}, 201),
        ({"scopes": "records:write:own keys", "partner": "seco"}, {"scopes": ["records:write"]}, 403),
        ({"partner": "seco"}, {"scopes": ["keys"], "partner": "unido"}, 403),
        ({"partner": "seco"}, {"scopes": ["keys"], "partner": None}, 403),
        ({"partner": "seco"}, {"scopes": ["keys"], "partner": "seco"}, 201),
        ({"networks": "10.0.0.0/8"}, {"scopes": ["webhooks"], "networks": None}, 403),
        ({"networks": "10.0.0.0/8"}, {"scopes": ["webhooks"], "networks": ["10.0.0.0/7"]}, 403),
        ({"networks": "10.0.0.0/8"}, {"scopes": ["webhooks"], "networks": ["10.1.0.0/16"]}, 201),
        ({"expires_at": in_days(2)}, {"scopes": ["keys"], "expires_at": in_days(3)}, 403),
        ({"expires_at": in_days(2)}, {"scopes": ["keys"], "expires_at": None}, 403),
        ({"expires_at": in_days(2)}, {"scopes": ["keys"], "expires_at": in_days(1)}, 201),
        ({"expires_at": in_days(2)}, {"scopes": ["webhooks"], "expires_at": None}, 201),
    ],
)
def test_no_key_makes_what_it_does_not_have(
    seeded_database: Database, own: dict[str, str], members: dict[str, Any], status: int
) -> None:
    admin = key_of(seeded_database, "keys")
    change_key(seeded_database, admin, **own)
    with client_of(url_of(seeded_database), address="10.1.2.3") as client:
        made = create(client, admin, **members)
        assert made.status_code == status, made.text


def test_what_is_left_out_is_the_makers(seeded_database: Database) -> None:
    admin = key_of(seeded_database, "keys", "records:write")
    ends = in_days(2)
    change_key(seeded_database, admin, partner="unido", networks="10.0.0.0/8", expires_at=ends)
    with client_of(url_of(seeded_database), address="10.1.2.3") as client:
        for scopes, expiry in ((["keys"], ends), (["records:write:own"], None)):
            made = create(client, admin, scopes=scopes).json()
            assert (made["partner"], made["networks"]) == ("unido", ["10.0.0.0/8"])
            assert made["expires_at"] == (expiry or made["expires_at"])
            assert expiry or made["expires_at"] > in_days(364)


def test_a_stronger_key_can_be_revoked_and_nothing_else(
    registry: TestClient, seeded_database: Database, admin: Key
) -> None:
    weak, strong = key_of(seeded_database, "keys"), key_of(seeded_database, "records:write")
    path = f"/v1/keys/{id_of(strong)}"
    assert registry.get(path, headers=weak).status_code == 200
    problem(registry.post(f"{path}/rotate", json={}, headers=weak), 403, "forbidden")
    for patch in ({"name": "y"}, {"scopes": ["webhooks"]}, {"expires_at": None}):
        problem(registry.patch(path, json=patch, headers={**weak, **PATCH}), 403, "forbidden")
    own = f"/v1/keys/{id_of(weak)}"
    for patch in ({"scopes": ["keys", "records:write"]}, {"expires_at": None}):
        problem(registry.patch(own, json=patch, headers={**weak, **PATCH}), 403, "forbidden")
    assert registry.get("/v1/keys/self", headers=strong).json()["name"] == "a test's"
    assert registry.delete(path, headers=weak).status_code == 204


def test_an_administrator_changes_a_key(registry: TestClient, seeded_database: Database, admin: Key) -> None:
    key = key_of(seeded_database, "records:write:own", partner="unido")
    path, headers = f"/v1/keys/{id_of(key)}", {**admin, **PATCH}
    patch = {"name": "y", "networks": [OFFICE], "expires_at": "2099-01-01T00:00:00Z", "scopes": ["webhooks"]}
    changed = registry.patch(path, json=patch, headers=headers)
    assert changed.status_code == 200, changed.text
    assert changed.json() == registry.get(path, headers=admin).json()
    assert {name: changed.json()[name] for name in ("name", "networks", "scopes")} == {
        "name": "y",
        "networks": [OFFICE],
        "scopes": ["webhooks"],
    }
    assert registry.patch(path, json={"networks": None}, headers=headers).json()["networks"] is None
    wrong: Any
    for wrong in ({"partner": "seco"}, {"scopes": []}, {"expires_at": "2020-01-01T00:00:00Z"}, {"hash": "x"}, []):
        problem(registry.patch(path, json=wrong, headers=headers), 422, "invalid")
    change_key(seeded_database, key, expires_at="2020-01-01T00:00:00.000000Z")
    for answer in (
        registry.patch(path, json={"expires_at": None}, headers=headers),
        registry.post(f"{path}/rotate", json={}, headers=admin),
    ):
        problem(answer, 409, "conflict")


def test_the_last_administrator_stays(registry: TestClient, seeded_database: Database, admin: Key) -> None:
    expired = key_of(seeded_database, "keys")
    change_key(seeded_database, expired, expires_at="2020-01-01T00:00:00.000000Z")
    path, headers = f"/v1/keys/{id_of(admin)}", {**admin, **PATCH}
    problem(registry.delete(path, headers=admin), 409, "conflict")
    problem(registry.patch(path, json={"scopes": ["records:write"]}, headers=headers), 409, "conflict")
    assert registry.delete(f"/v1/keys/{id_of(expired)}", headers=admin).status_code == 204
    second = header(create(registry, admin, scopes=["keys"]))
    assert registry.patch(path, json={"scopes": ["records:write"]}, headers=headers).status_code == 200
    problem(registry.delete(f"/v1/keys/{id_of(second)}", headers=second), 409, "conflict")


@pytest.mark.slow
def test_administrators_who_revoke_each_other_leave_one(seeded_database: Database) -> None:
    """Twelve at once, through two server processes: each revokes its neighbour and then itself."""
    keys = [key_of(seeded_database, "keys") for _ in range(12)]
    url = url_of(seeded_database)
    with server(url) as (first, _), server(url) as (second, _), ThreadPoolExecutor(12) as pool:

        def revoke(number: int) -> list[int]:
            base, own = (first, second)[number % 2], keys[number]
            others = (keys[(number + 1) % 12], own)
            return [
                httpx.delete(f"{base}/v1/keys/{id_of(other)}", headers=own, trust_env=False, timeout=60).status_code
                for other in others
            ]

        statuses = [status for answers in pool.map(revoke, range(12)) for status in answers]
        alive = [key for key in keys if httpx.get(f"{first}/v1", headers=key, trust_env=False).status_code == 200]
    assert len(alive) == 1
    assert set(statuses) <= {204, 401, 409}


@pytest.mark.slow
def test_revoking_takes_effect_at_once_in_every_process(seeded_database: Database, admin: Key) -> None:
    url = url_of(seeded_database)
    with server(url) as (first, _), server(url) as (second, _), httpx.Client(trust_env=False) as client:
        for _ in range(20):
            key = key_of(seeded_database, "records:write")
            for base in (first, second, first):
                assert client.get(f"{base}/v1/partners/unido", headers=key).status_code == 200
            assert client.delete(f"{first}/v1/keys/{id_of(key)}", headers=admin).status_code == 204
            for base in (second, first):
                for path in ("/v1/partners/unido", "/v1/keys/self"):
                    assert client.get(base + path, headers=key).status_code == 401
                assert client.put(f"{base}/v1/partners/late", json=PARTNER, headers=key).status_code == 401


def test_a_registry_and_a_partner_have_a_number_of_valid_keys(
    registry: TestClient, admin: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(administration, "MAX_KEYS_OF_PARTNER", 2)
    of_partner = {"scopes": ["records:write:own"], "partner": "unido"}
    first = create(registry, admin, **of_partner)
    assert create(registry, admin, **of_partner).status_code == 201
    problem(create(registry, admin, **of_partner), 409, "conflict")
    assert registry.delete(f"/v1/keys/{first.json()['id']}", headers=admin).status_code == 204
    assert create(registry, admin, **of_partner).status_code == 201
    monkeypatch.setattr(administration, "MAX_KEYS", 1)
    problem(create(registry, admin, scopes=["webhooks"]), 409, "conflict")


def test_a_day_has_a_number_of_new_keys(registry: TestClient, admin: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stay stored after they were revoked."""
    monkeypatch.setattr(administration, "MAX_NEW_KEYS", 2)  # with that of the administrator
    made = create(registry, admin, scopes=["webhooks"]).json()["id"]
    assert registry.delete(f"/v1/keys/{made}", headers=admin).status_code == 204
    refused = create(registry, admin, scopes=["webhooks"])
    problem(refused, 429, "too_many_requests")
    assert refused.headers["retry-after"] == "3600"


def test_an_expiry_outside_of_time_is_refused(registry: TestClient, admin: Key) -> None:
    problem(create(registry, admin, scopes=["webhooks"], expires_at="9999-12-31T23:59:59-12:00"), 422, "invalid")


def test_an_administrator_who_ends_soon_replaces_no_other(registry: TestClient, admin: Key) -> None:
    path, headers = f"/v1/keys/{id_of(admin)}", {**admin, **PATCH}
    soon = create(registry, admin, scopes=["keys"], expires_at=in_days(0.5))
    assert soon.status_code == 201
    problem(registry.delete(path, headers=header(soon)), 409, "conflict")
    problem(registry.patch(path, json={"expires_at": in_days(0.5)}, headers=headers), 409, "conflict")
    assert create(registry, admin, scopes=["keys"], expires_at=in_days(30)).status_code == 201
    assert registry.patch(path, json={"expires_at": in_days(0.5)}, headers=headers).status_code == 200


def test_names_of_keys_do_nothing_to_a_terminal() -> None:
    assert printable("red \x9b31m\u202eábc") == "red \\u009b31m\\u202eábc"
    assert _table([("ID", "DETAIL"), ("a", "name: \x9b31m")]) == ["ID  DETAIL", "a   name: \\u009b31m"]


def test_the_only_administrator_is_not_bound_to_fewer_networks(registry: TestClient, admin: Key) -> None:
    """Whoever has its token could shut out everybody else by that."""
    path = f"/v1/keys/{id_of(admin)}"
    narrow = {"networks": ["203.0.113.0/24"]}
    problem(registry.patch(path, json=narrow, headers={**admin, **PATCH}), 409, "conflict")
    assert registry.get("/v1/keys/self", headers=admin).status_code == 200
    other = registry.post("/v1/keys", json={"name": "b", "scopes": ["keys"], "expires_at": None}, headers=admin)
    assert other.status_code == 201, other.text
    assert registry.patch(path, json=narrow, headers={**admin, **PATCH}).status_code == 200


def test_one_key_creates_so_many_keys_in_a_minute(registry: TestClient, admin: Key) -> None:
    """Every key has a share of the server of its own."""
    body = {"name": "b", "scopes": ["webhooks"]}
    statuses = [registry.post("/v1/keys", json=body, headers=admin).status_code for _ in range(RATES["keys"][1] + 3)]
    assert statuses == [201] * RATES["keys"][1] + [429] * 3


def test_an_operator_is_warned_before_the_last_administrator_expires(
    seeded_database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    def warned(days: int) -> list[bool]:
        """Whether the commands and the log warn if the only administrator has so many days left."""
        until = instant(datetime.now(UTC) + timedelta(days=days))
        change_key(seeded_database, administrator, expires_at=until)
        said = [run(command, HOPTAC_DATABASE_URL=url_of(seeded_database)) for command in ("status", "check")]
        assert [each.returncode for each in said] == [0, 0]
        assert f"administrators until: {until}" in said[0].stdout
        capfd.readouterr()
        assert log_last_administrator(seeded_database) is False
        logged = capfd.readouterr()
        texts = [*(each.stderr for each in said), logged.err + logged.out]
        return ["The last key with the scope keys expires at" in text for text in texts]

    administrator = key_of(seeded_database, "keys", "records:write")
    key_of(seeded_database, "records:write")
    assert warned(31) == [False, False, False]
    assert warned(29) == [True, True, True]
    change_key(seeded_database, key_of(seeded_database, "keys"), expires_at=None)
    said = run("status", HOPTAC_DATABASE_URL=url_of(seeded_database))
    assert ("administrators until: none" in said.stdout, said.stderr) == (True, "")
