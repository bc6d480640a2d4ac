"""Rate limits: by key, by address, with headers that say what is left; none at all unless asked for."""

from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from app.core.access.clients import network_of
from app.core.access.keys import new_token
from app.core.asgi import rate_limits as limits
from app.core.asgi.rate_limits import RateLimit
from app.core.database.engine import Database
from app.core.errors import TooMany
from app.core.settings import Settings
from tests.support.databases import NewDatabase, url_of
from tests.support.http import client_of, problem
from tests.support.keys import change_key, key_of
from tests.support.records import PARTNER
from tests.support.servers import server

PATH = "/v1/partners/unido"


def left(response: Any) -> tuple[str, str]:
    """Policy, and what it says is left, without the seconds."""
    return response.headers["ratelimit-policy"], response.headers["ratelimit"].partition(";t=")[0]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", "unix"),
        ("x" * 100, "x" * 64),
    ],
)
def test_an_address_of_ipv6_is_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_limit_begins_anew_after_a_minute() -> None:
    at = [0.0]
    limit = RateLimit("key", 2, lambda: at[0])
    assert limit.take("a") == [(b"ratelimit-policy", b'"key";q=2;w=60'), (b"ratelimit", b'"key";r=1;t=60')]
    at[0] = 59.5
    assert limit.take("a")[1] == (b"ratelimit", b'"key";r=0;t=1')
    with pytest.raises(TooMany) as refused:
        limit.take("a")
    assert refused.value.headers["Retry-After"] == "1"
    assert limit.take("b")[1] == (b"ratelimit", b'"key";r=1;t=60')
    at[0] = 60.0
    assert limit.take("a")[1] == (b"ratelimit", b'"key";r=1;t=60')


def test_callers_are_forgotten_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_CALLERS", 10)
    limit = RateLimit("address", 5)
    for number in range(1_000):
        limit.take("busy")
        limit.refund("busy")
        limit.take(str(number))
    assert len(limit._windows) == 10
    assert "busy" in limit._windows


def test_there_is_no_limit_unless_asked_for(client: TestClient) -> None:
    assert "ratelimit" not in client.get(PATH).headers


def test_an_address_has_so_many_requests_a_minute(seeded_database: Database) -> None:
    with client_of(url_of(seeded_database), rate_limit_address=4) as client:
        found = [client.get(PATH, headers={"Origin": "http://x"}) for _ in range(5)]  # most of them kept ready
        assert [each.status_code for each in found] == [200] * 4 + [429]
        assert [left(each) for each in found] == [
            ('"address";q=4;w=60', f'"address";r={each}') for each in (3, 2, 1, 0, 0)
        ]
        refused = found[-1]
        problem(refused, 429, "too_many_requests")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert "RateLimit-Policy" in refused.headers["access-control-expose-headers"]
        assert refused.headers["x-request-id"]
        assert client.head(PATH).status_code == 429
        assert client.get("/nope").status_code == 429
        assert {client.get(path).status_code for path in ("/livez", "/readyz")} == {200}


def test_a_key_has_its_own_count(seeded_database: Database) -> None:
    keys = [key_of(seeded_database, "records:write") for _ in range(2)]
    with client_of(url_of(seeded_database), rate_limit_address=1, rate_limit_key=3) as client:
        assert client.get(PATH).status_code == 200
        problem(
            client.get(PATH, headers=keys[1]), 429, "too_many_requests"
        )  # not yet known, and the address has none left
    with client_of(url_of(seeded_database), rate_limit_address=1, rate_limit_key=3) as client:
        found = [client.get(PATH, headers=keys[0])]
        assert client.get(PATH).status_code == 200
        assert client.get(PATH).status_code == 429
        found += [client.put("/v1/partners/new-one", json=PARTNER, headers=keys[0]) for _ in range(3)]
        assert [each.status_code for each in found] == [200, 201, 200, 429]
        assert [left(each)[1] for each in found] == [f'"key";r={each}' for each in (2, 1, 0, 0)]
        assert found[-1].headers.get_list("ratelimit") == [found[-1].headers["ratelimit"]]
        problem(found[-1], 429, "too_many_requests")


def test_guesses_of_keys_count_for_the_address(seeded_database: Database) -> None:
    known = key_of(seeded_database, "records:write")
    guesses = [
        {"Authorization": f"Bearer {text}"} for text in (new_token("0" * 10), "hoptac_x", "", new_token("1" * 10))
    ]
    with client_of(url_of(seeded_database), rate_limit_address=3) as client:
        assert client.get(PATH, headers=known).status_code == 200
        found = [client.get(PATH, headers=each) for each in guesses]
        assert [each.status_code for each in found] == [401, 401, 401, 429]
        assert left(found[0])[1] == '"address";r=2'
        last = client.get(PATH, headers=known)
        assert (last.status_code, "ratelimit" in last.headers) == (200, False)  # no limit by key
        change_key(seeded_database, known, revoked_at="2020-01-01T00:00:00.000000Z")
        assert client.get(PATH, headers=known).status_code == 429


@pytest.mark.slow
def test_only_trusted_proxies_say_who_asks(new_database: NewDatabase, seeded: str) -> None:
    def statuses(base: str) -> list[int]:
        return [
            httpx.get(f"{base}{PATH}", headers={"X-Forwarded-For": address}, trust_env=False).status_code
            for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.9, 192.0.2.3, 127.0.0.1", "192.0.2.3")
        ]

    url = new_database(seeded)
    with server(url, rate_limit_address="1", trusted_proxies="127.0.0.0/8") as (base, _):
        assert statuses(base) == [200, 429, 200, 200, 429]
    with server(url, rate_limit_address="1") as (base, _):
        assert statuses(base) == [200, 429, 429, 429, 429]


@pytest.mark.parametrize("given", ["proxy.example", "10.0.0.0/33", "10.0.0.1 10.0.0.2"])
def test_proxies_are_addresses_or_networks(given: str) -> None:
    with pytest.raises(ValidationError):
        Settings(trusted_proxies=given)
    assert Settings(trusted_proxies="10.0.0.1, ::1/128,").trusts() == ["10.0.0.1", "::1/128"]
