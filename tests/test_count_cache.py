"""Counts that are kept until a Change that can alter them: each is what a scan of the records finds."""

from collections.abc import Hashable, Sequence
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.database.engine import Database
from app.core.database.statements import Read
from app.core.reading.counts.count_cache import MAX_CHANGES, MAX_COUNT_BYTES, CountCache
from tests.support.databases import url_of
from tests.support.http import client_of, drop, get, patch, put, walk
from tests.support.keys import Key
from tests.support.records import PARTNER, PROJECT, change

PLACE = {"name": {"en": "Somewhere"}, "level": "locality", "parent": "da-nang", "managed_by": "unido"}
COUNTED = (
    "/v1/projects?limit=1&total=true&title=factory",
    "/v1/projects?limit=2&total=true&title=factory&sort=-title",
    "/v1/projects?title=factory&status=active&sort=-updated_at&include=partners",
    "/v1/projects?title=nothing",
    "/v1/projects?title=nothing&sort=period",
    "/v1/projects?partner_none=true&sort=-status",
    "/v1/projects?period=2030&limit=1",
    "/v1/partners?name=wto&sort=-name",
    "/v1/partners?name=wto&id=wto",
    "/v1/projects?limit=1&total=true&title=factory&status=active",
    "/v1/projects?limit=1&total=true&place=da-nang",
    "/v1/projects?limit=1&total=true&partner=wto",
    "/v1/projects?limit=1&total=true&partner_none=true",
    "/v1/projects?limit=1&total=true&period=2030",
    "/v1/projects?limit=1&total=true&q=factory",
    "/v1/partners?limit=1&total=true&name=wto",
    "/v1/partners?limit=1&total=true&project=added",
    "/v1/partners?limit=1&total=true&project_none=false",
    "/v1/places?limit=1&total=true&name=where",
    "/v1/projects/facets?facet=partner&facet=place&limit=200",
    "/v1/projects/facets?facet=partner&facet=role&facet=place&title=factory",
    "/v1/projects/facets?facet=place&partner=wto",
    "/v1/projects/facets?facet=status&partner_none=true",
    "/v1/figures/facets?facet=partner&facet=place&limit=20",
)


@pytest.fixture
def registry_settings() -> dict[str, object]:
    return {"hot_cache": 0}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The keys of the counts that were made, of all caches."""
    keys: list[Any] = []
    keep = CountCache._keep

    def note(cache: CountCache, counts: Any, *more: Any) -> None:
        keys.extend(counts)
        keep(cache, counts, *more)

    monkeypatch.setattr(CountCache, "_keep", note)
    return keys


def test_each_count_is_that_of_the_records(
    registry: TestClient, editor: Key, seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of four resources are written in ways that alter who matches. Each answer is that of a scan."""
    factory = {"en": "A factory"}
    roles = [{"partner": "wto", "role": "lead"}]
    steps: list[Any] = [
        lambda: put(registry, editor, "partners/wto", {**PARTNER, "name": {"en": "WTO"}}),
        lambda: put(registry, editor, "places/new-place", PLACE),
        lambda: put(registry, editor, "projects/added", {**PROJECT, "title": factory, "places": ["new-place"]}),
        lambda: patch(registry, editor, "projects/added", roles=roles, period="2030"),
        lambda: patch(registry, editor, "places/new-place", parent="ha-noi"),
        lambda: patch(registry, editor, "projects/added", title={"en": "Nothing"}),
        lambda: patch(registry, editor, "partners/wto", name={"en": "Another"}),
        lambda: put(registry, editor, "projects/hidden", {**PROJECT, "title": factory, "state": "draft"}),
        lambda: patch(registry, editor, "projects/added", title=factory, state="draft"),
        lambda: patch(registry, editor, "projects/added", state="published"),
        lambda: change(seeded_database, "partners", "wto", "me", merged_into="unido"),
        lambda: drop(registry, editor, "projects/added"),
    ]
    monkeypatch.setattr("app.main.CountCache", lambda: CountCache(0))
    with client_of(url_of(seeded_database), hot_cache=0) as scanning:
        for number, step in enumerate(steps):
            for _ in range(2):
                for path in COUNTED:
                    one = registry.get(path)
                    assert (one.status_code, one.content) == (200, scanning.get(path).content), (number, path)
            step()


def test_a_count_is_made_again_after_a_change_that_can_alter_it(
    registry: TestClient, editor: Key, made: list[Any]
) -> None:
    path = "/v1/projects?limit=1&total=true&title=factory"
    total = get(registry, path)["total"]
    assert get(registry, f"{path}&limit=2".replace("limit=1&", ""))["total"] == total
    assert len(made) == 1
    put(registry, editor, "partners/wto", PARTNER)
    put(registry, editor, "projects/hidden", {**PROJECT, "title": {"en": "A factory"}, "state": "draft"})
    assert get(registry, path)["total"] == total
    assert len(made) == 1
    put(registry, editor, "projects/added", {**PROJECT, "title": {"en": "A factory"}})
    assert get(registry, path)["total"] == total + 1
    assert len(made) == 2
    registry.get("/v1/projects?limit=1&total=true&state=draft", headers=editor)
    assert len(made) == 2


@pytest.mark.parametrize("sort", ["id", "-id", "title", "-period"])
def test_all_pages_are_the_same_when_the_ids_are_known(
    client: TestClient, seeded: str, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/v1/projects?title=th&fields=id&limit=4&sort={sort}"
    with client_of(seeded, hot_cache=0) as kept:
        total = get(kept, f"{path}&total=true")["total"]
        assert 10 < total < 200
        pages = walk(kept, f"{path}&total=true")
        assert len(pages) == total
        assert pages == walk(kept, path) == walk(client, path)


def test_a_list_that_ended_is_not_searched_for_again(registry: TestClient, editor: Key, made: list[Any]) -> None:
    assert get(registry, "/v1/projects?title=no-such-title")["items"] == []
    assert get(registry, "/v1/projects?title=no-such-title&sort=-title&total=true")["total"] == 0
    assert len(made) == 1
    put(registry, editor, "projects/added", {**PROJECT, "title": {"en": "A no-such-title"}})
    assert [record["id"] for record in get(registry, "/v1/projects?title=no-such-title")["items"]] == ["added"]
    assert len(made) == 2
    get(registry, "/v1/projects?partner=unido")
    assert len(made) == 2


class Log:
    """A log of Changes, each with its name, resource and public action, and a read that counts."""

    def __init__(self, *changes: tuple[str, str, str | None]) -> None:
        self.changes = list(changes)
        self.counted = 0

    @property
    def last(self) -> str:
        return self.changes[-1][0]

    def _count(self, keys: Sequence[Hashable]) -> Read:
        yield from ()
        self.counted += 1
        return dict.fromkeys(keys, self.counted)

    def read(self, cache: CountCache, key: Hashable = "key", last: str = "", depends_on: Any = ("projects",)) -> int:
        """The count, with the rows that the log has for the statement of the cache."""
        read = cache.read([key], last or self.last, depends_on, self._count)
        rows: Any = None
        try:
            while True:
                _, values = read.send(rows)
                since = values["since"]
                rows = [row for row in self.changes if int(row[0].partition("-")[0]) >= since][: MAX_CHANGES + 1]
        except StopIteration as done:
            result: int = done.value[key]
            return result


@pytest.fixture
def log() -> Log:
    return Log(("1-a", "partners", "create"), ("2-b", "projects", "create"))


def test_a_count_holds_until_a_change_of_what_it_depends_on(log: Log) -> None:
    cache = CountCache()
    assert [log.read(cache), log.read(cache)] == [1, 1]
    log.changes.append(("3-c", "partners", "update"))
    assert log.read(cache) == 1
    assert log.read(cache, depends_on=None) == 2  # any Change
    log.changes.append(("4-d", "projects", None))  # of a draft
    assert log.read(cache, depends_on=None) == 3
    log.changes.append(("5-e", "projects", "delete"))
    assert log.read(cache) == 4


def test_the_state_of_the_search_index_is_part_of_the_state(log: Log) -> None:
    cache = CountCache()
    assert [log.read(cache, last=f"2-b.{index}", depends_on=None) for index in "xxy"] == [1, 1, 2]


def test_an_earlier_state_gets_no_count_of_a_later_one(log: Log) -> None:
    cache = CountCache()
    assert log.read(cache) == 1
    log.changes.append(("3-c", "projects", "update"))
    assert log.read(cache) == 2
    assert log.read(cache, last="2-b") == 3  # an older snapshot
    assert log.read(cache) == 2


@pytest.mark.parametrize("restored", [("2-x",), ("2-x", "3-y"), ("2-b", "3-y", "4-z")])
def test_counts_of_another_log_are_forgotten(log: Log, restored: Sequence[str]) -> None:
    """A backup was restored, and other Changes followed."""
    cache = CountCache()
    log.changes.append(("3-c", "figures", "update"))
    assert log.read(cache) == 1
    log.changes[1:] = [(name, "figures", "update") for name in restored]
    assert log.read(cache) == 2


def test_many_changes_at_once_are_not_read(log: Log) -> None:
    cache = CountCache()
    assert log.read(cache) == 1
    log.changes += [(f"{number}-x", "figures", "update") for number in range(3, MAX_CHANGES + 10)]
    assert [log.read(cache), log.read(cache)] == [2, 2]


def test_the_cache_is_bounded(log: Log) -> None:
    cache = CountCache(2, 10_000)
    assert [log.read(cache, key) for key in ("a", "b", "a", "c", "b", "a")] == [1, 2, 1, 3, 4, 5]
    assert [log.read(cache, "x" * MAX_COUNT_BYTES) for _ in range(2)] == [6, 7]
    log.read(cache, "y" * 9_900)
    assert log.read(cache, "a") == 9
