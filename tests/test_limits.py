"""Rate limits: by key and by address, by what requests cost, with headers that say what is left."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from app.core.access.clients import network_of
from app.core.access.keys import new_token
from app.core.asgi import rate_limits as limits
from app.core.asgi.http_middleware import HttpMiddleware
from app.core.asgi.rate_limits import RateLimit, RateLimitMiddleware
from app.core.asgi.request_headers import RequestHeaders
from app.core.asgi.usage_table import UsageTable
from app.core.database.engine import Database
from app.core.errors import TooMany
from app.core.request_cost import add_cost
from app.core.settings import Settings
from tests.support.databases import NewDatabase, url_of
from tests.support.http import client_of, problem
from tests.support.keys import change_key, key_of
from tests.support.records import PARTNER
from tests.support.servers import server

PATH = "/v1/partners/unido"
DEFAULT = 12_000


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


@pytest.fixture
def one_unit_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request costs one unit, however busy the machine is."""
    monkeypatch.setattr(limits, "UNIT_SECONDS", 1_000.0)


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


def ratelimit(headers: list[tuple[bytes, bytes]]) -> str:
    return dict(headers)[b"ratelimit"].decode()


def refused(limit: RateLimit, tag: int) -> int:
    """The seconds after which a client that has no units left may try again; the two headers agree."""
    with pytest.raises(TooMany) as error:
        limit.take(tag)
    seconds = int(error.value.headers["Retry-After"])
    assert error.value.headers["ratelimit"].endswith(f";r=0;t={seconds}")
    return seconds


def test_a_limit_begins_anew_after_a_minute() -> None:
    clock = Clock()
    limit = RateLimit("key", 2, UsageTable(), clock)
    a = limit.tag_of("a")
    assert limit.take(a) == [(b"ratelimit-policy", b'"key";q=2;w=60'), (b"ratelimit", b'"key";r=1;t=60')]
    clock.at += 59.5
    assert ratelimit(limit.take(a)) == '"key";r=0;t=1'
    assert refused(limit, a) == 1
    assert ratelimit(limit.take(limit.tag_of("b"))) == '"key";r=1;t=60'
    clock.at += 0.5
    assert ratelimit(limit.take(a)) == '"key";r=1;t=60'


def test_a_debt_is_paid_off_by_later_minutes() -> None:
    clock = Clock()
    limit = RateLimit("address", 100, UsageTable(), clock)
    tag = limit.tag_of("a")
    limit.take(tag)
    assert ratelimit(limit.charge(tag, 49)) == '"address";r=50;t=60'
    assert ratelimit(limit.charge(tag, 300)) == '"address";r=0;t=180'
    clock.at += 30
    assert refused(limit, tag) == 150
    clock.at += 149
    assert refused(limit, tag) == 1
    clock.at += 1
    assert ratelimit(limit.take(tag)) == '"address";r=49;t=60'


def test_a_debt_ends_after_ten_minutes_at_most() -> None:
    clock = Clock()
    limit = RateLimit("address", 100, UsageTable(), clock)
    tag = limit.tag_of("a")
    limit.take(tag)
    limit.charge(tag, 1_000_000)
    assert [refused(limit, tag) for _ in range(2_000)] == [600] * 2_000  # being refused pays nothing off
    clock.at += 600
    assert ratelimit(limit.take(tag)) == '"address";r=99;t=60'


@pytest.mark.parametrize(
    ("seconds", "units"), [(0, 1), (0.002, 1), (0.0021, 2), (0.004, 2), (0.0041, 3), (0.2, 100), (5, 2_500)]
)
def test_a_request_costs_what_the_server_works_for_it(seconds: float, units: int) -> None:
    app = charged(lambda: add_cost(seconds))
    assert left_after(app) == 12_000 - units
    assert left_after(app) == max(0, 12_000 - 2 * units)


def test_work_after_the_response_has_started_is_charged_too() -> None:
    app = charged(lambda: None, lambda: add_cost(1.0))
    assert left_after(app) == 11_999
    assert left_after(app) == 11_999 - 499 - 1


def test_no_work_is_charged_before_a_request_is_refused() -> None:
    app = charged(lambda: add_cost(60.0))
    assert left_after(app) == 0
    with pytest.raises(AssertionError, match="429"):
        left_after(app)


def charged(work: Callable[[], None], afterwards: Callable[[], None] = lambda: None) -> RequestHeaders:
    """An application with the default limits that works before and after its response starts."""

    async def respond(_scope: Scope, _receive: Receive, send: Send) -> None:
        await asyncio.create_task(as_task(work))  # as a reader does
        await send({"type": "http.response.start", "status": 200, "headers": []})
        afterwards()
        await send({"type": "http.response.body", "body": b""})

    async def as_task(function: Callable[[], None]) -> None:
        function()

    http = HttpMiddleware(respond, access_log=False)
    limited = RateLimitMiddleware(http, http, UsageTable(), of_key=DEFAULT, of_address=DEFAULT)
    return RequestHeaders(limited, http)


def left_after(app: RequestHeaders) -> int:
    """The units that are left after one more request."""
    response = TestClient(app).get("/")
    assert response.status_code == 200, response.status_code
    return int(response.headers["ratelimit"].partition("r=")[2].partition(";")[0])


def test_limits_are_on_unless_switched_off(seeded_database: Database) -> None:
    defaults = {name: Settings.model_fields[name].default for name in ("rate_limit_key", "rate_limit_address")}
    with client_of(url_of(seeded_database), **defaults) as client:
        assert client.get(PATH).headers["ratelimit-policy"] == '"address";q=12000;w=60'
        key = key_of(seeded_database, "records:write")
        assert client.get(PATH, headers=key).headers["ratelimit-policy"] == '"key";q=12000;w=60'
    with client_of(url_of(seeded_database), rate_limit_key=0, rate_limit_address=0) as client:
        assert "ratelimit" not in client.get(PATH).headers


@pytest.mark.usefixtures("one_unit_each")
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


@pytest.mark.usefixtures("one_unit_each")
def test_a_key_has_its_own_count(seeded_database: Database) -> None:
    keys = [key_of(seeded_database, "records:write") for _ in range(2)]
    with client_of(url_of(seeded_database), rate_limit_address=1, rate_limit_key=3) as client:
        found = [client.get(PATH, headers=keys[0])]
        assert client.get(PATH).status_code == 200
        assert client.get(PATH).status_code == 429
        found += [client.put("/v1/partners/new-one", json=PARTNER, headers=keys[0]) for _ in range(3)]
        assert [each.status_code for each in found] == [200, 201, 200, 429]
        assert [left(each)[1] for each in found] == [f'"key";r={each}' for each in (2, 1, 0, 0)]
        assert found[-1].headers.get_list("ratelimit") == [found[-1].headers["ratelimit"]]
        problem(found[-1], 429, "too_many_requests")
        assert left(client.get(PATH, headers=keys[1]))[1] == '"key";r=2'


@pytest.mark.usefixtures("one_unit_each")
def test_others_at_the_address_do_not_keep_out_a_new_key(
    seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNKNOWN_TOKENS", 3)
    guesses = [{"Authorization": f"Bearer {new_token(str(number) * 10)}"} for number in range(3)]
    with client_of(url_of(seeded_database), rate_limit_address=1, rate_limit_key=9) as client:
        assert [client.get(PATH).status_code for _ in range(2)] == [200, 429]
        known = key_of(seeded_database, "records:write")
        assert client.get(PATH, headers=known).status_code == 200
        assert [client.get(PATH, headers=each).status_code for each in guesses] == [429] * 3
        late = key_of(seeded_database, "records:write")
        assert client.get(PATH, headers=late).status_code == 429  # three unknown tokens were looked up
        assert client.get(PATH, headers=known).status_code == 200


@pytest.mark.usefixtures("one_unit_each")
def test_what_needs_no_key_counts_for_the_address(seeded_database: Database) -> None:
    key = key_of(seeded_database, "records:write")
    with client_of(url_of(seeded_database), rate_limit_address=4, rate_limit_key=9) as client:
        assert client.get(PATH, headers=key).headers["ratelimit-policy"].startswith('"key"')
        assert left(client.get("/openapi.json", headers=key))[1] == '"address";r=3'
        preflight = {**key, "Origin": "http://x", "Access-Control-Request-Method": "PUT"}
        assert left(client.options(PATH, headers=preflight))[1] == '"address";r=2'
        assert left(client.post("/livez", headers=key))[1] == '"address";r=1'
        malformed = [*key.items(), ("User-Agent", "a"), ("User-Agent", "b")]
        assert client.get(PATH, headers=malformed).status_code == 400
        assert client.get(PATH).status_code == 429


@pytest.mark.usefixtures("one_unit_each")
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


def test_every_request_counts_for_somebody(seeded_database: Database) -> None:
    """Outside of `/v1` no key is looked at, so a request with one counts for the address, as does a malformed one."""
    key = key_of(seeded_database, "records:write")
    with client_of(url_of(seeded_database), rate_limit_key=1_000, rate_limit_address=1_000) as client:
        assert client.get(PATH, headers=key).headers["ratelimit-policy"] == '"key";q=1000;w=60'
        for method, path in (("GET", "/openapi.json"), ("GET", "/nothing"), ("OPTIONS", "/docs"), ("POST", "/livez")):
            assert client.request(method, path, headers=key).headers["ratelimit-policy"] == '"address";q=1000;w=60'
        repeated = [("Authorization", key["Authorization"])] * 2
        assert client.get(PATH, headers=repeated).headers["ratelimit-policy"] == '"key";q=1000;w=60'
        assert "ratelimit" not in client.get("/livez").headers
