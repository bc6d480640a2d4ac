"""How well the search answers judged queries, on both engines; a change of the ranking must not make it worse."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from app.core.database.engine import Database
from app.core.maintenance.reindex import is_refresh_needed, refresh_index
from app.core.model.resource import RESOURCES
from app.core.search import linked
from app.core.search.query import synonyms
from app.core.search.query.synonyms import SynonymTable
from app.core.search.tokens import is_syllable, tokenize
from app.core.search.vocabulary import stem_of
from bench.search_quality import Scores, measure, read_queries
from tests.support.databases import url_of
from tests.support.http import client_of
from tests.support.records import store

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "search" / "queries.jsonl"


def ask(client: TestClient, query: str, **more: Any) -> Any:
    response = client.get("/v1/search", params={"q": query, "limit": 200, **more})
    assert response.status_code == 200, response.text
    return response.json()


def ids(page: Any) -> list[str]:
    return [f"{item['resource']}/{item['id']}" for item in page["items"]]


def assert_good(scores: Scores) -> None:
    assert scores.ndcg >= 0.85, scores
    assert scores.recall >= 0.80, scores
    assert scores.first_is_right >= 0.85, scores
    assert scores.honest >= 0.95, scores
    assert scores.absent_hits <= 5, scores


def test_the_search_is_as_good_as_it_was(client: TestClient) -> None:
    assert_good(measure(read_queries(ROOT / "bench" / "judged_queries.jsonl"), lambda query: ask(client, query)))


def test_the_search_is_good_for_the_queries_of_others(client: TestClient) -> None:
    if not SHARED.is_file():
        pytest.skip("the judged queries of others are not on this machine")
    assert_good(measure(read_queries(SHARED), lambda query: ask(client, query)))


def test_scores_are_those_of_their_definitions() -> None:
    pages = {"a": ["p/1", "p/2"], "b": ["p/9"], "c": []}
    queries: list[dict[str, Any]] = [
        {"q": "a", "relevant": {"p/1": 3, "p/2": 1, "p/3": 2}},
        {"q": "b", "relevant": {"p/1": 3}},
        {"q": "c", "absent": True},
    ]

    def search(query: str) -> Any:
        items = [dict(zip(("resource", "id"), hit.split("/"), strict=True)) for hit in pages[query]]
        return {"items": items, "reading": "all_words"}

    scores = measure(queries, search)
    assert scores.ndcg == pytest.approx((7 + 1 / 1.58496) / (7 + 3 / 1.58496 + 1 / 2) / 2, abs=1e-4)
    assert (scores.recall, scores.first_is_right, scores.honest, scores.absent_hits) == (0.25, 0.5, 1, 0)


@pytest.mark.parametrize("query", ["Nhật Bản", "phở bò", "World Bank", "Bank", "nông nghiệp hữu cơ", "Trung Quoc"])
def test_what_no_record_is_about_has_no_hits(client: TestClient, query: str) -> None:
    page = ask(client, query)
    assert (page["items"], page["corrected"]) == ([], None)
    assert page["not_found"]


@pytest.mark.parametrize(("query", "first"), [("SECO", "partners/seco"), ("Vietnam", "partners/viet-nam"),
    ("MPI", "partners/mpi"), ("50 enterprises", "figures/"), ("Hung Yen enterprises", "figures/smart-factory")],
)  # fmt: skip
def test_the_first_hit_is_what_is_meant(client: TestClient, query: str, first: str) -> None:
    assert ids(ask(client, query))[0].startswith(first)


def test_an_acronym_is_a_whole_word(client: TestClient) -> None:
    assert not {record for record in ids(ask(client, "SECO")) if "second" in record}


def test_a_missing_word_is_stated_with_few_hits(client: TestClient) -> None:
    page = ask(client, "Samsung zeppelin")
    assert (page["reading"], page["found"], page["not_found"]) == ("some_words", ["Samsung"], ["zeppelin"])
    assert 0 < len(page["items"]) <= 10


# -- what a record links to ----------------------------------------------------------------------------------------


def partner(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name.lower().replace(" ", "-"), "name": {"en": name}, "kind": "company", "citations": [], **more}


def project(number: int, partner_id: str) -> dict[str, Any]:
    roles = [{"partner": partner_id, "role": "funding"}]
    fields = {"title": {"en": f"Bridge {number}"}, "kind": "project", "status": "active", "roles": roles}
    return {"id": f"bridge-{number}", "citations": [], **fields}


def test_a_new_name_of_a_partner_finds_its_projects_at_once(database: Database) -> None:
    store(database, RESOURCES["partners"], partner("Quixotry"))
    store(database, RESOURCES["projects"], *(project(number, "quixotry") for number in range(3)))
    with client_of(url_of(database)) as client:
        assert len(ids(ask(client, "quixotry"))) == 4
        store(database, RESOURCES["partners"], {**partner("Zymurgy"), "id": "quixotry"})
        found = ids(ask(client, "zymurgy"))
        assert found[0] == "partners/quixotry"
        assert len(found) == 4
        assert ask(client, "quixotry", resource="projects")["items"] == []


@pytest.mark.parametrize(("bound", "value"), [("AT_ONCE", 2), ("BYTES_AT_ONCE", 1_200)])
def test_a_new_name_of_a_partner_with_many_or_large_projects_reaches_them_in_the_background(
    database: Database, bound: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linked, bound, value)
    store(database, RESOURCES["partners"], partner("Quixotry"))
    store(database, RESOURCES["projects"], *(project(number, "quixotry") for number in range(5)))
    store(database, RESOURCES["partners"], {**partner("Zymurgy"), "id": "quixotry"})
    # The server must not do this itself, so that each state of the index can be looked at.
    monkeypatch.setattr("app.main.REFRESHED_EVERY", 3_600)
    monkeypatch.setattr("app.core.maintenance.pruning.FIRST_AFTER", 3_600)
    with client_of(url_of(database), hot_staleness=0) as client:
        paths = ("/v1/search?q=zymurgy", "/v1/projects?q=zymurgy&sort=id", "/v1/projects?q=zymurgy")
        found: list[set[int]] = [set(), set(), set()]
        tags: list[list[str]] = [[], [], []]
        is_waiting = True
        while is_waiting:
            for number, path in enumerate(paths):
                for _ in range(2):  # the second one from the response cache
                    response = client.get(path, headers={"If-None-Match": ", ".join(tags[number])})
                    if response.status_code == 200:
                        tags[number].append(response.headers["etag"])
                        found[number].add(len(response.json()["items"]))
            is_waiting = refresh_index(database)
        assert [(max(each), min(each)) for each in found] == [(6, 1), (5, 0), (5, 0)]
        assert len(ids(ask(client, "zymurgy"))) == 6
        assert ask(client, "quixotry", resource="projects")["items"] == []


@pytest.mark.parametrize("most_bytes", [linked.BYTES_AT_ONCE, 0])
def test_a_place_that_no_record_refers_to_is_found_among_places_only(
    database: Database, most_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If places are large, whether a record refers to them shows after the background task has indexed them again."""
    monkeypatch.setattr(linked, "BYTES_AT_ONCE", most_bytes)
    monkeypatch.setattr("app.main.REFRESHED_EVERY", 3_600)
    monkeypatch.setattr("app.core.maintenance.pruning.FIRST_AFTER", 3_600)

    def refresh() -> None:
        assert is_refresh_needed(database) == (most_bytes == 0)
        while refresh_index(database):
            pass

    place = {
        "id": "japan",
        "name": {"en": "Japan", "vi": "Nhật Bản"},
        "level": "country",
        "code": "JP",
        "citations": [],
    }
    store(database, RESOURCES["places"], place)
    with client_of(url_of(database)) as client:
        for query in ("Japan", "Nhật Bản"):
            assert ask(client, query)["items"] == []
            assert ask(client, query)["not_found"] == [query]
            assert ids(ask(client, query, resource="places")) == ["places/japan"]
            assert [item["id"] for item in client.get("/v1/places", params={"q": query}).json()["items"]] == ["japan"]
        store(database, RESOURCES["partners"], partner("Kaisha", country="japan"))
        refresh()
        assert ids(ask(client, "Nhật Bản")) == ["places/japan", "partners/kaisha"]
        store(database, RESOURCES["partners"], partner("Kaisha"))
        refresh()
        assert ask(client, "Japan")["items"] == []


# -- the table of synonyms -----------------------------------------------------------------------------------------


def test_the_table_of_synonyms_has_no_problem() -> None:
    content = yaml.safe_load(synonyms.FILE.read_text("utf-8"))
    assert list(synonyms.problems(content)) == []


def test_problems_of_a_table_are_named() -> None:
    rows = [{"words": ["a b", "c"], "reason": "r"}, {"words": ["c", "d"]}, {"words": [], "reason": "r", "x": 1}]
    found = list(synonyms.problems({"synonyms": rows, "questions": [], "stop_words": []}))
    assert [line.partition(":")[0] for line in found] == ["synonyms, row 2", "synonyms, row 3", "synonyms, row 2"]
    assert list(synonyms.problems({})) == ["the table has other parts than synonyms, stop_words and questions"]


def test_the_longest_phrase_of_the_table_is_meant() -> None:
    rows = [{"words": ["park", "công viên"], "reason": "r"}, {"words": ["industrial park", "KCN"], "reason": "r"}]
    table = SynonymTable({"synonyms": rows, "questions": [], "stop_words": []})
    match = table.longest(tokenize("industrial park here"))
    assert match is not None
    assert match.length == 2
    assert table.longest(tokenize("cong vien")) is not None
    assert table.longest(tokenize("cống viện")) is None


@pytest.mark.parametrize("word", ["nhat", "nghiep", "thuy", "quoc", "giai", "yen", "ban", "loan"])
def test_syllables_of_vietnamese(word: str) -> None:
    assert is_syllable(word)
    assert stem_of(word) == word


@pytest.mark.parametrize("word", ["ngiep", "china", "bank", "park", "factory", "laos"])
def test_words_that_are_no_syllables(word: str) -> None:
    assert not is_syllable(word)


def test_inflected_forms_have_one_stem() -> None:
    assert stem_of("factories") == stem_of("factory")
    assert stem_of("laos") == "laos"  # not «lao»
