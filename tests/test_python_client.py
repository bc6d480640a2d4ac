"""The Python client: its requests, repetitions, cache, follower and webhooks, over the whole application."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from standardwebhooks import Webhook
from starlette.testclient import TestClient

from hoptac_client import (
    AsyncClient,
    Client,
    Gone,
    Invalid,
    InvalidWebhook,
    NotFound,
    PositionMismatch,
    Rewound,
    ServerError,
    Stale,
    TooManyRequests,
    UnexpectedResponse,
    Unreachable,
    verify_webhook,
)
from tests.support.http import get, walk
from tests.support.keys import Key

Handler = Callable[[httpx.Request], httpx.Response]
HOST = "http://hoptac.test"
PROJECT = "smart-factory-cooperation"
SECRET = "whsec_" + base64.b64encode(b"a secret of a test").decode()


class Wire:
    """Passes the requests of a client to the application, and keeps them with their responses."""

    def __init__(self, application: TestClient) -> None:
        self.application = application
        self.requests: list[httpx.Request] = []
        self.statuses: list[int] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.application.request(
            request.method,
            str(request.url),
            content=request.content,
            headers={**request.headers, "Accept-Encoding": "identity"},
            follow_redirects=False,
        )
        self.statuses.append(answer.status_code)
        return httpx.Response(answer.status_code, content=answer.content, headers=dict(answer.headers))


def connected(handler: Handler, **settings: Any) -> Client:
    return Client(HOST, transport=httpx.MockTransport(handler), **settings)


def problem(status: int, code: str = "busy", **headers: str) -> httpx.Response:
    body = {"type": f"/problems#{code}", "title": "T", "status": status, "detail": "D", "code": code, "errors": []}
    return httpx.Response(status, json=body, headers={"content-type": "application/problem+json", **headers})


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses of the client, which take no time."""
    made: list[float] = []
    monkeypatch.setattr("time.sleep", made.append)
    return made


def test_later_requests_state_what_was_seen(client: TestClient) -> None:
    wire = Wire(client)
    with connected(wire) as registry:
        registry.projects.read(PROJECT)
        assert registry.partners().first() is not None
        registry.partners.read("unido")
    sent = [request.headers.get("hoptac-at-least") for request in wire.requests]
    last = get(client, "/v1/changes?limit=1")["last"]
    assert sent[0] is None
    assert int(str(sent[1])) <= last
    assert sent[2] == str(last)
    assert set(wire.statuses) == {200}


def test_a_state_that_the_registry_has_lost_is_forgotten() -> None:
    """The registry was restored from a backup."""
    sent: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("hoptac-at-least"))
        if len(sent) == 2:
            return problem(412, "not_reached", **{"hoptac-sequence": "7"})
        headers = {"hoptac-sequence": "9" if len(sent) == 1 else "7", "etag": f'"{len(sent)}"'}
        return httpx.Response(200, json={"id": PROJECT}, headers=headers)

    with connected(answer, cache_bytes=0) as registry:
        for _ in range(3):
            assert registry.projects.read(PROJECT)[0]["id"] == PROJECT
    assert sent == [None, "9", None, "7"]


def test_lists_details_and_errors(client: TestClient) -> None:
    wire = Wire(client)
    with connected(wire) as registry:
        places = [place["id"] for place in registry.places(page_size=100)]
        assert places == [place["id"] for place in walk(client, "/v1/places?limit=200")]
        assert len(wire.requests) == len(places) // 100 + 1
        active = registry.projects(status=["active", "agreed"], place="viet-nam")
        assert active.count() == len(list(active)) > 0
        assert registry.projects(title="no such title").first() is None
        some = registry.projects(fields=["id", "title"], included_fields={"partners": "name"}, include="partners")
        page = next(some.pages())
        assert set(page["items"][0]) == {"id", "title"}
        assert all("citations" not in partner for partner in page["included"]["partners"].values())

        project = registry.project(PROJECT, include=["figures", "partners"])
        assert project == get(client, f"/v1/projects/{PROJECT}?include=figures,partners")
        assert (
            registry.search("nha may thogn minh").first() == get(client, "/v1/search?q=nha+may+thogn+minh")["items"][0]
        )
        assert registry.projects.facets("status", place="ha-noi") == get(
            client, "/v1/projects/facets?facet=status&place=ha-noi"
        )
        with pytest.raises(NotFound) as missing:
            registry.project("no-such-project")
        assert (missing.value.status, missing.value.code) == (404, "not_found")
        with pytest.raises(Invalid) as invalid:
            registry.get("/v1/projects", stauts="active")
        assert invalid.value.errors[0].get("parameter") == "stauts"
        assert "Did you mean status?" in str(invalid.value)
        with pytest.raises(NotFound):
            registry.project("../../livez")
        for path in ("https://elsewhere.test/v1", "http://hoptac.test:81/v1"):
            with pytest.raises(ValueError, match="is not a path of the registry"):
                registry.get(path)


def test_a_response_is_used_again_only_if_the_registry_confirms_it(registry: TestClient, editor: Key) -> None:
    wire = Wire(registry)
    key = editor["Authorization"].split()[1]
    with connected(wire, key=key) as client:
        read = client.projects.read(PROJECT)
        assert client.projects.read(PROJECT) == read
        assert wire.statuses == [200, 304]
        project, etag = read
        changed = client.projects.patch(PROJECT, {"status": "completed"}, if_match=etag)
        assert client.project(PROJECT)["version"] == changed["version"] == project["version"] + 1
        with pytest.raises(Stale):
            client.projects.put(PROJECT, project, if_match=etag)
    with connected(Wire(registry), cache_bytes=1000) as small:
        assert small.project(PROJECT) == small.project(PROJECT)


def test_records_are_written(registry: TestClient, editor: Key) -> None:
    wire = Wire(registry)
    evidence: Any = {"document": "samsung-smart-factory-2023", "paragraph": 11, "as_written": "2022 – 2023"}
    with connected(wire, key=editor["Authorization"].split()[1]) as client:
        made = client.projects.create(
            {"title": {"en": "Green ports"}, "kind": "project", "status": "active", "citations": [evidence]}
        )
        assert wire.requests[-1].headers["Idempotency-Key"]
        assert made["id"] == "green-ports"
        detail, etag = client.projects.read("green-ports", include="documents")
        detail["period"] = {"edtf": "2026/2028"}
        assert client.projects.put("green-ports", detail, if_match=etag)["version"] == 2
        assert [version["version"] for version in client.projects.history("green-ports")] == [2, 1]
        client.projects.delete("green-ports", if_match="*")
        with pytest.raises(Gone):
            client.project("green-ports")


def test_requests_are_repeated_as_the_registry_asks(pauses: list[float]) -> None:
    outcomes: Iterator[httpx.Response | Exception]

    def handler(request: httpx.Request) -> httpx.Response:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    page = httpx.Response(200, json={"items": [], "next": None})
    with connected(handler, retries=3, longest_pause=60) as client:
        outcomes = iter([problem(503), problem(429, **{"retry-after": "30"}), httpx.ReadError("lost"), page])
        assert list(client.projects()) == []
        assert pauses[0] < 1
        assert pauses[1:2] == [30]

        pauses.clear()
        outcomes = iter([problem(429, **{"retry-after": "3600"})])
        with pytest.raises(TooManyRequests):
            client.projects().first()
        outcomes = iter([problem(503, **{"retry-after": "Wed, 21 Oct 2099 07:28:00 GMT"})])
        with pytest.raises(ServerError):
            client.projects().first()
        assert pauses == []

        outcomes = iter([httpx.ConnectError("refused")] * 4)
        with pytest.raises(Unreachable, match=r"hoptac\.test/v1/projects cannot be reached: refused"):
            client.projects().first()
        assert len(pauses) == 3

        outcomes = iter([httpx.Response(200, text="<html>")])
        with pytest.raises(UnexpectedResponse, match="Is it a registry"):
            client.projects().first()
        for status in (404, 502):
            outcomes = iter([httpx.Response(status, text="<html>")] * 4)
            with pytest.raises(UnexpectedResponse, match="Is it a registry"):
                client.projects().first()


@pytest.mark.parametrize(
    ("write", "is_repeated"),
    [
        (lambda client: client.projects.create({}), True),
        (lambda client: client.projects.put("a", {}), True),
        (lambda client: client.projects.delete("a", if_match="*"), True),
        (lambda client: client.projects.put("a", {}, if_match='"1"'), False),
        (lambda client: client.projects.patch("a", {}, if_match="*"), False),
    ],
)
def test_a_write_is_repeated_only_if_that_has_no_further_effect(
    write: Callable[[Client], Any], is_repeated: bool, pauses: list[float]
) -> None:
    sent: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        if len(sent) == 1:
            raise httpx.ReadError("the response was lost")
        return httpx.Response(200, json={})

    with connected(handler) as client:
        if is_repeated:
            write(client)
            assert sent[0].headers.get("Idempotency-Key") == sent[1].headers.get("Idempotency-Key")
        else:
            with pytest.raises(Unreachable):
                write(client)
    assert len(sent) == 1 + is_repeated == 1 + len(pauses)


def test_a_follower_continues_where_it_stopped(registry: TestClient, tmp_path: Path) -> None:
    file = tmp_path / "position.json"
    everything = [change["sequence"] for change in walk_feed(registry)]
    with connected(Wire(registry)) as client:
        followed: list[int] = []
        for change in client.follow(file, page_size=200):
            followed.append(change["sequence"])
            if len(followed) == 250:
                break
        failing = client.follow(file, page_size=200)
        followed.append(next(failing)["sequence"])
        with pytest.raises(RuntimeError):
            failing.throw(RuntimeError())
        assert followed[-1] == followed[-2], "the change that was not processed comes again"
        followed.pop()
        followed += [change["sequence"] for change in client.follow(file, page_size=200, forever=False)][1:]
        assert followed == everything
        assert list(client.follow(file, page_size=200, forever=False)) == []
        assert list(client.follow(tmp_path / "late.json", after=everything[-1], forever=False)) == []

        with pytest.raises(PositionMismatch):
            next(client.follow(file, resource="places"))
        position = json.loads(file.read_text())
        file.write_text(json.dumps({**position, "next": position["next"].replace("chain=", "chain=0")}))
        with pytest.raises(Rewound):
            next(client.follow(file, page_size=200))
        file.write_text("{")
        with pytest.raises(PositionMismatch):
            next(client.follow(file, page_size=200))


def walk_feed(registry: TestClient) -> list[dict[str, Any]]:
    changes: list[dict[str, Any]] = []
    page = get(registry, "/v1/changes?limit=200")
    while page["items"]:
        changes += page["items"]
        page = get(registry, page["next"])
    return changes


def test_a_registry_below_a_path() -> None:
    paths: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path.decode())
        following = None if len(paths) > 1 else "/registry/v1/projects?cursor=a"
        return httpx.Response(200, json={"items": [{"id": "a"}], "next": following})

    with Client(f"{HOST}/registry", transport=httpx.MockTransport(handler)) as client:
        assert len(list(client.projects(status="active"))) == 2
    assert paths == ["/registry/v1/projects?status=active&limit=100", "/registry/v1/projects?cursor=a"]


def test_the_asynchronous_client_does_the_same(client: TestClient, tmp_path: Path) -> None:
    wire = Wire(client)

    async def read() -> list[Any]:
        async with AsyncClient(HOST, transport=httpx.MockTransport(wire)) as registry:
            places = [place["id"] async for place in registry.places(level="country")]
            first = await registry.search("smart factory").first()
            detail = await registry.project(PROJECT, include=["figures"])
            with pytest.raises(NotFound):
                await registry.project("no-such-project")
            changes = [change async for change in registry.follow(tmp_path / "position", forever=False, page_size=200)]
            return [places, first, detail, changes, await registry.places(level="country").count()]

    with connected(Wire(client)) as same:
        places = [place["id"] for place in same.places(level="country")]
        assert anyio.run(read) == [
            places,
            same.search("smart factory").first(),
            same.project(PROJECT, include=["figures"]),
            list(same.follow(tmp_path / "other", forever=False, page_size=200)),
            len(places),
        ]


def test_webhooks_are_verified() -> None:
    body = b'{"type": "project.updated", "timestamp": "2026-11-22T00:00:00Z", "data": {}}'
    now = datetime.now(UTC)
    signature = Webhook(SECRET).sign("evt_1", now, body.decode())
    headers = {
        "Webhook-Id": "evt_1",
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": signature,
    }
    assert verify_webhook(SECRET, headers, body)["type"] == "project.updated"
    wrong: list[tuple[dict[str, str], bytes]] = [
        ({}, body),
        (headers, body + b" "),
        (headers, b"\xff"),
        ({**headers, "Webhook-Timestamp": "1"}, body),
        ({**headers, "Webhook-Signature": "v1"}, body),
        ({**headers, "Webhook-Signature": "v1,x"}, body),
    ]
    for given, content in wrong:
        with pytest.raises(InvalidWebhook):
            verify_webhook(SECRET, given, content)
