"""`Hoptac-Sequence` and `Hoptac-At-Least`: no client sees an earlier state than it has seen, whoever answers."""

import asyncio
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from app.core.asgi.freshness import Freshness
from app.core.database import log_position
from app.core.database.engine import Database
from app.core.database.log_position import LogPosition
from tests.support.databases import url_of
from tests.support.http import PATCH, client_of
from tests.support.keys import Key
from tests.support.log import changes
from tests.support.records import rename

PATH = "/v1/partners/unido"
LIST = "/v1/partners?limit=3"


@pytest.fixture
def other(seeded_database: Database) -> Iterator[TestClient]:
    """A process beside `registry`, which looks for the commits of others once a minute."""
    folder, _, name = url_of(seeded_database).rpartition("/")
    with client_of(f"{folder}/./{name}", hot_staleness=60) as made:  # another name: commits are counted by name
        yield made


def sequence(client: TestClient, path: str, seen: int | None = None) -> int:
    answer = client.get(path, headers={} if seen is None else {"Hoptac-At-Least": str(seen)})
    assert answer.status_code == 200, answer.text
    return int(answer.headers["hoptac-sequence"])


def name_at(client: TestClient, **headers: str) -> str:
    return str(client.get(PATH, headers=headers).json()["name"]["en"])


def test_a_response_names_its_state(registry: TestClient, seeded_database: Database, editor: Key) -> None:
    last = changes(seeded_database)[-1].sequence
    own = max(each.sequence for each in changes(seeded_database) if each.record_id == "unido")
    assert (sequence(registry, PATH), sequence(registry, f"{PATH}?fields=name")) == (own, last)
    for path in (LIST, "/v1/search?q=unido", "/v1/changes", "/v1/changes?wait=1", "/v1/audit", "/v1/places.csv"):
        assert sequence(registry, path) == last, path
    for path in (PATH, LIST):
        first = registry.get(path)
        again = registry.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.headers["hoptac-sequence"]) == (304, first.headers["hoptac-sequence"])
        assert registry.head(path).headers["hoptac-sequence"] == first.headers["hoptac-sequence"]
    assert registry.get("/v1/partners/nobody").headers["hoptac-sequence"] == str(last)
    written = registry.patch(PATH, json={"abbreviation": "U"}, headers={**editor, **PATCH, "If-Match": "*"})
    assert written.headers["hoptac-sequence"] == str(last + 1)
    deleted = registry.delete("/v1/transactions/none", headers={**editor, "If-Match": "*"})
    assert deleted.headers["hoptac-sequence"] == str(last + 1)
    assert sequence(registry, PATH) == sequence(registry, LIST) == last + 1


def test_a_client_that_names_what_it_saw_sees_nothing_older(
    registry: TestClient, other: TestClient, editor: Key
) -> None:
    before = name_at(other)
    change = {"name": {"en": "Renamed"}}
    written = registry.patch(PATH, json=change, headers={**editor, **PATCH, "If-Match": "*"})
    seen = written.headers["hoptac-sequence"]
    assert name_at(other) == before, "the other process has not looked again"
    assert name_at(other, **{"Hoptac-At-Least": seen}) == "Renamed"
    assert name_at(other) == "Renamed", "the process has shown the later state already"
    assert sequence(other, LIST) == int(seen)


def test_the_states_of_one_process_never_go_back(other: TestClient, seeded_database: Database) -> None:
    """Whether a response comes from the response cache or not."""
    old = sequence(other, LIST)
    rename(seeded_database, "Renamed")
    assert sequence(other, LIST) == old
    fresh = other.get(f"{PATH}?fields=name", headers={"Cache-Control": "no-cache"})
    assert int(fresh.headers["hoptac-sequence"]) == sequence(other, LIST) == old + 1


@pytest.mark.parametrize("seen", ["", "x", "-1", "1.5", "0x1", "1e3", "1 2", "+1", "1" * 19, "1, 2"])
def test_other_values_than_numbers_are_refused(client: TestClient, seen: str) -> None:
    for path in (PATH, "/projects", "/v1/codelists"):
        answer = client.get(path, headers={"Hoptac-At-Least": seen})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_a_change_that_does_not_exist_is_refused(client: TestClient) -> None:
    last = sequence(client, LIST)
    assert sequence(client, LIST, last) == last
    for seen in (last + 1, 10**18 - 1):
        for method in ("GET", "POST", "DELETE"):
            answer = client.request(method, LIST, headers={"Hoptac-At-Least": str(seen)})
            assert (answer.status_code, answer.json()["code"]) == (412, "not_reached")
            assert answer.headers["hoptac-sequence"] == str(last)
    assert sequence(client, LIST) == last


def test_a_change_that_a_replica_showed_first_is_waited_for() -> None:
    """A synchronous replica shows a commit before the primary does."""
    states = iter(["6-a", "6-a", "6-a", "7-b"])

    async def look() -> object:
        return next(states)

    async def run() -> None:
        freshness = Freshness(look, lambda: 0, 0.0)
        await freshness.ensure_reached(7)
        assert freshness.position.reached == 7

    asyncio.run(run())


def test_a_log_that_was_rewound_is_followed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    position = LogPosition()
    position.observe(10, 0.0)
    position.observe(7, float("inf"))
    assert position.reached == 7
    position.note(9)
    monkeypatch.setattr(log_position, "REWOUND_AFTER", float("inf"))
    position.observe(7, 0.0)
    assert position.reached == 9, "it can be the log of a server that is no longer the primary"
