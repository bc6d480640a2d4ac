"""`hoptac purge`: what is deleted from a cache in front of the server, and how often."""

import json
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from app.changes import purging
from app.changes.purging import Cache, NotPurged, Position, Purger
from app.commands import caches
from app.core.database.engine import Database
from app.documents.texts.tables import count_change
from app.partners.models import PARTNERS
from tests.support.databases import NewDatabase, url_of
from tests.support.http import drop, patch, put
from tests.support.keys import Key
from tests.support.receivers import receiving
from tests.support.records import PARTNER, rename, store
from tests.support.servers import run


class Requests:
    """What a cache was asked to delete; it answers with `statuses`, one after the other, and then with 200."""

    def __init__(self, *statuses: int) -> None:
        self.deleted: list[list[str]] = []
        self.statuses = list(statuses)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            tags = json.loads(request.content)["tags"] if request.content else None
            self.deleted.append(tags or request.headers["surrogate-key"].split(" "))
        return httpx.Response(status)

    def cache(self, *, takes_json: bool = False) -> Cache:
        client = httpx.Client(transport=httpx.MockTransport(self))
        return Cache(client, "http://cache.test/", "PURGE", takes_json=takes_json)

    def taken(self) -> list[list[str]]:
        taken, self.deleted = self.deleted, []
        return taken


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "position"


@pytest.fixture
def requests() -> Requests:
    return Requests()


@pytest.fixture
def purger(seeded_database: Database, requests: Requests, file: Path) -> Purger:
    """One that has deleted everything already, twice."""
    made = Purger(seeded_database, requests.cache(), file, repeat_after=0)
    made.step()
    made.step()
    assert requests.taken() == [["registry"], ["registry"]]
    return made


RENAMED = ["partners/unido", "partners", "changes"]


def test_a_change_is_deleted_twice(
    purger: Purger, requests: Requests, registry: TestClient, editor: Key, seeded_database: Database
) -> None:
    purger.step()
    assert requests.taken() == []
    rename(seeded_database, "Renamed")
    purger.step()
    assert (requests.taken(), purger.is_complete) == ([RENAMED], False)
    purger.step()
    assert (requests.taken(), purger.is_complete) == ([RENAMED], True)
    put(registry, editor, "partners/fresh", {**PARTNER, "state": "draft"})
    purger.step()
    assert requests.taken() == [["changes"]]
    patch(registry, editor, "partners/fresh", state="published")
    drop(registry, editor, "partners/fresh")
    purger.step()
    assert requests.taken() == [["changes"], ["partners/fresh", "partners", "changes"]]


def test_one_that_was_killed_goes_on_where_it_was_sure(
    purger: Purger, requests: Requests, seeded_database: Database, file: Path
) -> None:
    rename(seeded_database, "Renamed")
    purger.step()  # and is killed before it has deleted this a second time
    rename(seeded_database, "Other", "moit")
    requests.taken()
    Purger(seeded_database, requests.cache(), file, 0).step()
    assert requests.taken() == [["partners/unido", "partners", "changes", "partners/moit"]]
    file.write_text("[")
    Purger(seeded_database, requests.cache(), file, 0).step()
    assert requests.taken() == [["registry"]]


def test_what_is_no_change_is_deleted_too(
    purger: Purger, requests: Requests, seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with seeded_database.write() as session:
        count_change(session.connection())
    purger.step()
    assert requests.taken() == [["changes"]], "a text"
    monkeypatch.setattr(purging, "today_in_utc", lambda: "2100-01-01")
    purger.step()
    assert requests.taken()[1:] == [["changes"]], "a day"
    monkeypatch.setattr(purging, "__version__", "another")
    purger.step()
    assert requests.taken()[1:] == [["registry"]], "a program"
    assert purger.position is not None
    purger.position = Position("684-00000000", *purger.position[1:])
    purger.step()
    assert requests.taken()[1:] == [["registry"]], "a log that was restored"
    monkeypatch.setattr(purging, "MAX_CHANGES", 1)
    rename(seeded_database, "One")
    rename(seeded_database, "Two")
    purger.step()
    assert requests.taken()[1:] == [["registry"]], "many Changes"


def test_an_empty_registry_gets_its_first_record(
    new_database: NewDatabase, migrated: str, requests: Requests, file: Path
) -> None:
    with Database(new_database(migrated)) as database:
        purger = Purger(database, requests.cache(), file, 60)
        purger.step()
        store(database, PARTNERS, {"id": "first", "name": {"en": "First"}, "kind": "other"})
        purger.step()
        assert requests.taken() == [["registry"], ["partners/first", "partners", "changes"]]


def test_a_cache_that_fails_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "MIN_PAUSE", 0.0)
    requests = Requests(503, 429)
    requests.cache(takes_json=True).delete([f"partners/{number}" for number in range(31)])
    assert list(map(len, requests.taken())) == [30, 1]
    with pytest.raises(NotPurged, match="its status is 502"):
        Requests(*[502] * 8).cache().delete(["registry"])
    refused = Requests(403)
    with pytest.raises(NotPurged, match="its status is 403"):
        refused.cache().delete(["registry"])
    assert refused.deleted == []


def test_the_command(seeded_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "MAX_MAKING", 0.0)
    monkeypatch.setattr(caches, "TRANSFER", 0.0)
    headers = tmp_path / "headers"
    headers.write_text("Fastly-Key: secret\n\n")
    url = url_of(seeded_database)
    with receiving() as cache:
        arguments = ("purge", cache.url, "--once", "--every", "0.1", "--method", "POST", "--file", str(tmp_path / "it"))
        for more, count in ((("--headers", str(headers)), 2), ((), 2), (("--all",), 4)):
            done = run(*arguments, *more, HOPTAC_DATABASE_URL=url, NO_PROXY="*")
            assert (done.returncode, len(cache.messages)) == (0, count), done.stderr
        assert cache.messages[0].headers["surrogate-key"] == "registry"
        assert cache.messages[0].headers["fastly-key"] == "secret"
    headers.write_text("secret")
    assert run(*arguments, "--headers", str(headers), HOPTAC_DATABASE_URL=url).returncode == 2
