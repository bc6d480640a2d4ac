"""Many at once, through two servers over one database: one effect each, and nobody is told otherwise."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.database.engine import Database
from tests.support.databases import url_of
from tests.support.http import client_of
from tests.support.keys import Key
from tests.support.log import count_changes
from tests.support.records import PARTNER, PROJECT

AT_ONCE = 20


@pytest.fixture
def servers(seeded_database: Database) -> Iterator[list[TestClient]]:
    """Two servers over one database."""
    with client_of(url_of(seeded_database)) as one, client_of(url_of(seeded_database)) as other:
        yield [one, other]


def at_once(servers: list[TestClient], ask: Callable[[TestClient, int], Any]) -> list[Any]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda number: ask(servers[number % 2], number), range(AT_ONCE)))


@pytest.mark.parametrize("_", range(3))
def test_of_writers_with_one_tag_one_succeeds(
    servers: list[TestClient], editor: Key, seeded_database: Database, _: int
) -> None:
    path = "/v1/partners/contested"
    tag = servers[0].put(path, json=PARTNER, headers=editor).headers["etag"]
    before = count_changes(seeded_database)

    def ask(server: TestClient, number: int) -> Any:
        body = {**PARTNER, "abbreviation": f"N{number}"}
        return server.put(path, json=body, headers={**editor, "If-Match": tag})

    found = at_once(servers, ask)
    assert Counter(each.status_code for each in found) == {200: 1, 412: AT_ONCE - 1}
    (won,) = (each for each in found if each.status_code == 200)
    assert servers[1].get(path).json() == won.json()
    assert count_changes(seeded_database) == before + 1


def test_of_records_with_one_id_one_is_created(
    servers: list[TestClient], editor: Key, seeded_database: Database
) -> None:
    before = count_changes(seeded_database)

    def ask(server: TestClient, number: int) -> Any:
        body = {**PROJECT, "id": "wanted", "title": {"en": f"Title {number}"}}
        return server.post("/v1/projects", json=body, headers=editor)

    found = at_once(servers, ask)
    assert Counter(each.status_code for each in found) == {201: 1, 409: AT_ONCE - 1}
    assert count_changes(seeded_database) == before + 1


def test_records_of_one_title_get_an_id_each(servers: list[TestClient], editor: Key, seeded_database: Database) -> None:
    found = at_once(servers, lambda server, _: server.post("/v1/projects", json=PROJECT, headers=editor))
    assert {each.json()["id"] for each in found} == {"a", *(f"a-{number}" for number in range(2, AT_ONCE + 1))}


def test_simultaneous_twins_have_one_effect(servers: list[TestClient], editor: Key, seeded_database: Database) -> None:
    before, headers = count_changes(seeded_database), {**editor, "Idempotency-Key": "twins"}
    found = at_once(servers, lambda server, _: server.post("/v1/projects", json=PROJECT, headers=headers))
    assert {(each.status_code, each.content, each.headers["etag"]) for each in found} == {
        (201, found[0].content, found[0].headers["etag"])
    }
    assert sum("idempotency-replayed" in each.headers for each in found) == AT_ONCE - 1
    assert count_changes(seeded_database) == before + 1


def test_no_update_is_lost(servers: list[TestClient], editor: Key) -> None:
    path = "/v1/partners/counted"
    servers[0].put(path, json={**PARTNER, "aliases": []}, headers=editor)

    def add(server: TestClient, number: int) -> None:
        while True:
            read = server.get(path, headers=editor)
            body = {**read.json(), "aliases": [*read.json()["aliases"], f"Alias {number}"]}
            done = server.put(path, json=body, headers={**editor, "If-Match": read.headers["etag"]})
            if done.status_code == 200:
                return
            assert done.status_code == 412

    at_once(servers, add)
    assert sorted(servers[0].get(path, headers=editor).json()["aliases"]) == sorted(
        f"Alias {number}" for number in range(AT_ONCE)
    )
