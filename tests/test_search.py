"""Search over HTTP: what a reader of Vietnamese expects to find, on both engines alike, each hit once."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text as sql
from sqlalchemy import update
from starlette.testclient import TestClient

from app.core.database.engine import Database
from app.core.database.statements import Query
from app.core.errors import PROBLEM_JSON
from app.core.maintenance.schema import migrate
from app.core.model.resource import RESOURCES
from app.core.reading.cursors import CURSOR_KEY
from app.core.reading.reads import ResourceReads
from app.core.search import candidates, ranking
from app.core.search.counts import read_counts
from app.core.search.query import understanding
from app.core.search.tokens import tokenize
from app.core.writing.batch import Batch
from app.search import routes
from seed.files import Dataset
from seed.loader import load
from tests.support.cursors import signed
from tests.support.databases import NewDatabase, new_postgres, new_sqlite, url_of
from tests.support.http import client_of
from tests.support.records import store
from tests.support.selection import examples
from tests.support.servers import run

Item = dict[str, Any]
NO_HITS: Item = {"items": [], "next": None, "reading": "all_words", "corrected": None}


def ask(client: TestClient, query: str, **more: Any) -> Any:
    response = client.get("/v1/search", params={"q": query, **more})
    assert response.status_code == 200, response.text
    return response.json()


def ids(page: Any) -> list[tuple[str, str]]:
    return [(item["resource"], item["id"]) for item in page["items"]]


def walk(client: TestClient, path: str | None) -> list[Item]:
    items: list[Item] = []
    while path:
        response = client.get(path)
        assert response.status_code == 200, response.text
        page = response.json()
        assert page["items"] or not items, "a page that is announced is not empty"
        items += page["items"]
        assert len(items) < 5000
        path = page["next"]
    return items


def marked(item: Item) -> list[str]:
    return [item["snippet"][start:end] for start, end in item["highlights"]]


@pytest.mark.parametrize(
    ("query", "resource", "record_id", "tier", "found"),
    [
        ("khu cong nghiep sinh thai", "projects", "geipp", "in_names", ["Khu", "công", "nghiệp", "sinh", "thái"]),
        ("da nang", "places", "da-nang", "whole_name", ["Đà", "Nẵng"]),
        ("bo cong thuong", "partners", "moit", "whole_name", ["Bộ", "Công", "Thương"]),
        ("MOIT", "partners", "moit", "whole_name", ["MOIT"]),
        ("bct", "partners", "moit", "whole_name", ["BCT"]),
        ("SECO", "partners", "seco", "whole_name", ["SECO"]),
        ("unido", "partners", "unido", "whole_name", ["UNIDO"]),
        ("Thuỵ Sĩ", "partners", "switzerland", "whole_name", ["Thụy", "Sỹ"]),
        ("35/2022/nd-cp", "documents", "decree-35-2022-nd-cp", "whole_name", ["35", "2022", "NĐ", "CP"]),
        ("VN-DN", "places", "da-nang", "whole_name", ["VN", "DN"]),
        ("moit-focal-units", "partners", "moit-focal-units", "whole_name", ["moit", "focal", "units"]),
        ("may thong mi", "projects", "smart-factory-cooperation", "in_names", ["máy", "thông", "minh"]),
        ("danang", "places", "da-nang", "whole_name", ["Đà Nẵng"]),
        ("VietNam", "places", "viet-nam", "whole_name", ["Việt Nam"]),
        ("hano", "places", "ha-noi", "in_names", ["Hà Nội"]),
        ("sams", "partners", "samsung-vietnam", "in_names", ["Samsung"]),
    ],
)  # fmt: skip
def test_what_a_reader_expects_is_found(
    client: TestClient, query: str, resource: str, record_id: str, tier: str, found: list[str]
) -> None:
    page = ask(client, query)
    (item,) = [each for each in page["items"] if (each["resource"], each["id"]) == (resource, record_id)]
    assert (item["tier"], marked(item)) == (tier, found)
    assert (page["reading"], page["corrected"]) == ("all_words", None)
    if tier == "whole_name":
        assert page["items"].index(item) <= 1
    assert client.get(item["path"]).json()["id"] == record_id


@pytest.mark.parametrize(
    ("query", "corrected", "found"),
    [
        ("samsng", "samsung", ("partners", "samsung-vietnam")),
        ("uniddo", "unido", ("partners", "unido")),
        ("thogn minh", "thong minh", ("projects", "smart-factory-cooperation")),
        ("Bộ Công Thwơng", "Bộ Công thuong", ("partners", "moit")),
    ],
)
def test_a_slip_still_finds_and_is_told(client: TestClient, query: str, corrected: str, found: tuple[str, str]) -> None:
    page = ask(client, query)
    assert (page["reading"], page["corrected"]) == ("corrected", corrected)
    assert found in ids(page)[:3]


def test_when_nothing_holds_all_words_some_are_enough(client: TestClient) -> None:
    page = ask(client, "samsung qwertyuiop")
    assert (page["reading"], page["corrected"]) == ("some_words", None)
    assert (page["found"], page["not_found"]) == (["samsung"], ["qwertyuiop"])
    code = ask(client, "VN-56")
    assert (code["found"], code["not_found"], code["items"][0]["id"]) == (["VN", "56"], [], "bac-ninh")
    assert ("partners", "samsung-vietnam") in ids(page)[:2]
    assert {item["tier"] for item in page["items"]} == {"some_words"}
    assert ask(client, "qwertyuiop")["items"] == []
    page = ask(client, "consultants for mold technology")  # no record has two of them
    assert (page["reading"], page["not_found"]) == ("some_words", [])
    programmes = ("samsung-mould-industry-training-programme", "samsung-consultant-training-programme")
    assert ids(page)[:2] == [("projects", name) for name in programmes]


SPELLINGS = [
    ("bộ công thương", ["Bộ Công Thương", "BỘ CÔNG THƯƠNG", unicodedata.normalize("NFD", "Bộ Công Thương")]),
    ("bo cong thuong", ["BO CONG THUONG", "  bo,cong;thuong  ", "bo-cong-thuong"]),
    ("Thụy Sỹ", ["Thụy Sĩ", "Thuỵ Sỹ", "thuỵ sĩ", unicodedata.normalize("NFD", "Thuỵ Sĩ")]),
    ("hòa nhập", ["hoà nhập", unicodedata.normalize("NFD", "hòa nhập")]),
    ("kỹ thuật", ["kĩ thuật", "KỸ THUẬT"]),
    ("bo truong", ['"bo truong"', "bo AND-truong".replace("AND", ""), "(bo) -truong*", "bo:truong^", "«bo» ‘truong’"]),
]


@pytest.mark.parametrize(("query", "others"), SPELLINGS)
def test_spellings_of_one_query_find_the_same(client: TestClient, query: str, others: list[str]) -> None:
    expected = ask(client, query)
    for other in others:
        assert ask(client, other)["items"] == expected["items"], other


@pytest.mark.parametrize("query", ["", " ", "«»", '""', "-", "*", "()", "…", "🙂", "\u0301"])
def test_a_query_without_a_word_finds_nothing(client: TestClient, query: str) -> None:
    assert ask(client, query) == {**NO_HITS, "found": [], "not_found": []}


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "AND",
                "OR",
                "NOT",
                "NEAR(",
                '"',
                "'",
                "*",
                "-",
                "^",
                "unido",
                "bộ",
                ":",
                "&",
                "|",
                "!",
                "(",
                ")",
                "\\",
                "y",
            ]
        ),
        max_size=30,
    ).map(" ".join)
)
def test_no_text_breaks_a_query(client: TestClient, query: str) -> None:
    safe = query.encode("utf-8", "ignore").decode()
    for path in ("/v1/search", "/v1/partners"):
        response = client.get(f"{path}?q={quote(safe)}")
        assert response.status_code in (200, 400), response.text
        if response.status_code == 400:
            assert response.json()["code"] == "bad_query"


def test_long_queries_use_their_first_words(client: TestClient) -> None:
    query = " ".join(["unido"] * 12 + ["qwertyuiop"])
    assert ask(client, query)["reading"] == "all_words"
    assert ("partners", "unido") in ids(ask(client, query))


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ("", 422, "invalid"),
        ("q=a&limit=0", 422, "invalid"),
        ("q=a&limit=201", 422, "invalid"),
        ("q=a&limit=9223372036854775808", 422, "invalid"),
        ("q=a&resource=nothing", 422, "invalid"),
        ("q=a&q=b", 422, "invalid"),
        ("q=a&sort=id", 422, "invalid"),
        (f"q={'a' * 301}", 422, "invalid"),
        ("q=%00", 400, "bad_query"),
        ("q=%ED%A0%80", 400, "bad_query"),
        ("q=a&cursor=x", 400, "bad_cursor"),
        ("q=a&cursor=", 400, "bad_cursor"),
    ],
)
def test_what_is_no_query_is_refused(client: TestClient, asked: str, status: int, code: str) -> None:
    response = client.get(f"/v1/search?{asked}")
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == PROBLEM_JSON


@pytest.mark.parametrize(
    "place",
    ["9.0.0.0", "-1.0.0.0", "0.0.0", "0.0.0.0.0", "0.0.0.x", "٠.a.b.c", f"0.0.{1 << 63}.0", "", None, 7, ["0.0.0.0"]],
)
def test_a_cursor_that_names_no_place_is_refused(client: TestClient, seeded: str, place: Any) -> None:
    for path, more in (("/v1/search", ""), ("/v1/partners", "")):
        given = signed(seeded, path, [("q", "unido")], place, "")
        response = client.get(f"{path}?q=unido{more}&cursor={given}")
        assert (response.status_code, response.json()["code"]) == (400, "bad_cursor"), place


@pytest.mark.parametrize(
    ("place", "finds"),
    [("0.99.0.0", False), ("1.0.0.0", False), ("2.3.4.5", False), (f"0.0.{(1 << 62) - 1}.0", True), ("0.0.0.99", True)],
)
def test_a_place_that_is_no_more_is_passed(client: TestClient, seeded: str, place: str, finds: bool) -> None:
    for path in ("/v1/search", "/v1/partners"):
        response = client.get(f"{path}?q=unido&cursor={signed(seeded, path, [('q', 'unido')], place, '')}")
        assert (response.status_code, bool(response.json()["items"])) == (200, finds)


def test_a_cursor_is_bound_to_its_query_and_resources(client: TestClient) -> None:
    following = ask(client, "unido", limit=2)["next"]
    assert client.get(following).status_code == 200
    for other in (following.replace("q=unido", "q=moit"), f"{following}&resource=projects"):
        assert client.get(other).json()["code"] == "bad_cursor"


def test_an_answer_has_a_tag_and_links_its_next_page(client: TestClient) -> None:
    first = client.get("/v1/search?q=unido&limit=3", headers={"Accept-Encoding": "identity"})
    assert first.headers["link"] == f'<{first.json()["next"]}>; rel="next"'
    again = client.get("/v1/search?q=unido&limit=3", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/v1/search?q=moit&limit=3", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


@pytest.mark.parametrize(
    "query", ["unido", "cong nghiep", "Bộ Công Thương", "cong ng", "samsng", "samsung smart factory qwertyuiop"]
)
def test_cursors_walk_every_hit_once(client: TestClient, query: str) -> None:
    whole = walk(client, f"/v1/search?q={quote(query)}&limit=200")
    assert len({(item["resource"], item["id"]) for item in whole}) == len(whole) > 3
    for limit in (1, 7):
        assert walk(client, f"/v1/search?q={quote(query)}&limit={limit}") == whole


def test_resources_narrow_the_search(client: TestClient) -> None:
    everything = walk(client, "/v1/search?q=unido&limit=200")
    names = {item["resource"] for item in everything}
    assert len(names) > 4
    for asked in (["projects"], ["figures", "partners"], ["partners", "projects", "statements"]):
        path = "/v1/search?q=unido&limit=5" + "".join(f"&resource={name}" for name in asked)
        found = walk(client, path)
        assert {item["id"] for item in found} == {item["id"] for item in everything if item["resource"] in asked}


def test_each_hit_shows_where_it_was_found(client: TestClient) -> None:
    for query in ("hop tac", "unido", "khu công nghiệp", "doanh nghiep viet nam"):
        for item in walk(client, f"/v1/search?q={quote(query)}&limit=200"):
            is_named_by_link = RESOURCES[item["resource"]].named_by  # such as a figure by its indicator
            assert item["highlights"] or is_named_by_link or item["tier"] in ("in_links", "some_words"), item
            assert len(item["snippet"]) <= 162
            record = client.get(item["path"]).json()
            assert item["snippet"].strip("…") in unicodedata.normalize("NFC", str(at(record, item["field"])))
            assert item["name"]


def at(record: Any, path: str) -> Any:
    for part in path.replace("[", ".").replace("]", "").split("."):
        record = record[int(part)] if isinstance(record, list) else record[part]
    return record


# -- lists ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(RESOURCES))
@pytest.mark.parametrize("query", ["cong nghiep", "Bộ Công Thương", "thong mi", "samsng"])
def test_a_list_finds_what_search_finds(client: TestClient, name: str, query: str) -> None:
    found = walk(client, f"/v1/{name}?q={quote(query)}&limit=200&fields=id")
    first = client.get(f"/v1/{name}?q={quote(query)}&total=true").json()
    assert first["total"] == len(found) == len({item["id"] for item in found})
    search = ask(client, query, resource=name, limit=200)
    assert [item["id"] for item in search["items"]] == [item["id"] for item in found]
    assert (first["reading"], first["corrected"]) == (search["reading"], search["corrected"])
    assert walk(client, f"/v1/{name}?q={quote(query)}&limit=2&fields=id") == found
    sorted_ = walk(client, f"/v1/{name}?q={quote(query)}&limit=2&fields=id&sort=-id")
    assert [item["id"] for item in sorted_] == sorted((item["id"] for item in found), reverse=True)


def test_a_list_finds_under_its_other_filters(client: TestClient) -> None:
    found = {item["id"] for item in walk(client, "/v1/projects?q=hop+tac&limit=3")}
    active = {item["id"] for item in walk(client, "/v1/projects?status=active&limit=3")}
    for more in ("", "&sort=title"):
        both = walk(client, f"/v1/projects?q=hop+tac&status=active&limit=2{more}")
        assert {item["id"] for item in both} == found & active
        assert client.get(f"/v1/projects?q=hop+tac&status=active&total=true{more}").json()["total"] == len(both)
    assert found & active


def test_a_nested_list_finds_too(client: TestClient) -> None:
    inside = {item["id"] for item in walk(client, "/v1/partners/unido/projects?limit=4")}
    found = {item["id"] for item in walk(client, "/v1/projects?q=khu+cong+nghiep")}
    assert {
        item["id"] for item in walk(client, "/v1/partners/unido/projects?q=khu+cong+nghiep&limit=2")
    } == inside & found
    assert inside & found


def test_a_list_that_finds_nothing_says_so_however_it_is_asked(client: TestClient) -> None:
    for query in ("qwertyuiop", "", "-"):
        for more in ("", "&sort=title"):
            page = client.get(f"/v1/projects?q={query}&total=true{more}").json()
            assert page == {"items": [], "next": None, "total": 0, "reading": "all_words", "corrected": None}


def test_a_list_is_corrected_within_its_filters(client: TestClient) -> None:
    page = client.get("/v1/partners?q=uniddo&kind=international_organisation&total=true").json()
    assert (page["reading"], page["corrected"], page["items"][0]["id"]) == ("corrected", "unido", "unido")


def test_found_records_bring_what_is_included(client: TestClient) -> None:
    page = client.get("/v1/figures?q=26+doanh+nghiep&include=indicators,projects&limit=5").json()
    assert page["items"][0]["indicator"] in page["included"]["indicators"]


# -- records of our own --------------------------------------------------------------------------------------------


def partner(name: str, **more: Any) -> dict[str, Any]:
    return {"name": {"vi": name}, "kind": "company", "citations": [], **more}


def store_by_id(database: Database, resource: str, records: dict[str, dict[str, Any]]) -> None:
    store(database, RESOURCES[resource], *({"id": key, **fields} for key, fields in records.items()))


@pytest.fixture
def roads(database: Database) -> Iterator[TestClient]:
    """Partners whose names differ in their diacritics only."""
    store_by_id(
        database,
        "partners",
        {
            "a-duong": partner("Tập đoàn Dương"),
            "b-duong": partner("Tập đoàn Đường"),
            "c-duong": partner("Tập đoàn Đương"),
            "d-duong": partner("Tập đoàn Dưỡng"),
            "bo": partner("Bò"),
            "bo-2": partner("Bộ"),
            "hoa": partner("Hòa"),
            "hoa-2": partner("Hoà Bình"),
            "hoa-3": partner("Hoa"),
            "nfd": partner(unicodedata.normalize("NFD", "Xí nghiệp Thuỷ Điện")),
            "ky": partner("Kỹ nghệ"),
            "ki": partner("Kĩ nghệ"),
            "myanmar": partner("Myanmar"),
            "my": partner("Mỹ"),
        },
    )
    with client_of(url_of(database)) as client:
        yield client


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("đường", ["b-duong"]),
        ("dương", ["a-duong"]),
        ("Dưỡng", ["d-duong"]),
        ("bộ", ["bo-2"]),
        ("bò", ["bo"]),
        ("hoà", ["hoa", "hoa-2"]),
        ("tập đoàn đường", ["b-duong"]),
    ],
)
def test_words_with_diacritics_find_the_same_diacritics(roads: TestClient, query: str, first: list[str]) -> None:
    page = ask(roads, query)
    assert page["reading"] == "all_words"
    assert [item["id"] for item in page["items"] if item["tier"] != "some_words"] == first
    for item in page["items"][: len(first)]:
        shown = [unicodedata.normalize("NFC", text).lower() for text in marked(item)]
        assert {each.exact for text in shown for each in tokenize(text)} <= {each.exact for each in tokenize(query)}


def test_without_diacritics_all_of_them_are_found(roads: TestClient) -> None:
    found = {item["id"] for item in ask(roads, "duong")["items"]}
    assert found == {"a-duong", "b-duong", "c-duong", "d-duong"}


def test_a_decomposed_name_is_found_and_marked(roads: TestClient) -> None:
    for query in ("thủy điện", "thuy dien", "THUỶ ĐIỆN"):
        (item,) = ask(roads, query)["items"]
        assert (item["id"], marked(item)) == ("nfd", ["Thuỷ", "Điện"])


def test_i_and_y_are_one_at_the_end_and_while_typing(roads: TestClient) -> None:
    assert {item["id"] for item in ask(roads, "kĩ nghệ")["items"]} == {"ky", "ki"}
    assert [item["id"] for item in ask(roads, "my")["items"]] == ["my"]
    assert "myanmar" in [item["id"] for item in ask(roads, "mya")["items"]]


def test_what_is_not_public_is_not_found(database: Database) -> None:
    url = url_of(database)
    with client_of(url) as client:
        store_by_id(database, "partners", {"one": partner("Quixotry"), "two": partner("Quixotry", state="draft")})
        assert ids(ask(client, "quixotry")) == [("partners", "one")]
        store_by_id(database, "partners", {"one": partner("Quixotry", state="draft"), "two": partner("Quixotry")})
        assert ids(ask(client, "quixotry")) == [("partners", "two")]
        store_by_id(database, "partners", {"two": partner("Zymurgy")})
        assert ids(ask(client, "zymurgy")) == [("partners", "two")]
        for query in ("quixotry", "quixotri", "quix"):
            assert ask(client, query) == {**NO_HITS, "found": [], "not_found": [query]}
        kind = RESOURCES["partners"]
        with database.write() as session:
            batch = Batch(session, "test")
            batch.delete(kind, "two", batch.stored(kind, ["two"])["two"])
            batch.flush()
        assert ask(client, "zymurgi")["items"] == []


def test_windows_stages_and_resources_are_crossed_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    many = candidates.WINDOW * 2 + 30
    names = ["Solar {}", "Farm solar {}", "Solarium {}", "Wind {}"]
    store_by_id(database, "partners", {f"p{n}": partner(names[n % 4].format(n)) for n in range(many)})
    store_by_id(
        database,
        "projects",
        {
            f"q{n}": {
                "title": {"en": names[n % 4].format(n)},
                "description": {"vi": "solar" if n % 8 == 3 else "wind"},
                "kind": "project",
                "status": "active" if n % 3 else "past",
            }
            for n in range(many)
        },
    )
    with client_of(url_of(database)) as client:
        expected = {("partners", f"p{n}") for n in range(many) if n % 4 < 2}
        projects = {("projects", f"q{n}") for n in range(many) if n % 4 < 2 or n % 8 == 3}
        for limit, frequent in ((200, len(expected)), (37, len(expected)), (37, 0)):
            monkeypatch.setattr(ranking, "FREQUENT", frequent)  # with 0, PostgreSQL searches blocks
            items = walk(client, f"/v1/search?q=solar&limit={limit}")
            assert len(items) == len(expected | projects)
            assert {(item["resource"], item["id"]) for item in items} == expected | projects
        order = ["in_names", "in_texts"]
        tiers = [item["tier"] for item in items]
        assert tiers == sorted(tiers, key=order.index)
        page = client.get("/v1/projects?q=solar&status=past&total=true&limit=9").json()
        past = {key for _, key in projects if int(key[1:]) % 3 == 0}
        assert page["total"] == len(past)
        assert {item["id"] for item in walk(client, "/v1/projects?q=solar&status=past&limit=9")} == past


def test_the_closest_names_come_first(database: Database) -> None:
    names = [
        "Green Energy Fund of Asia",
        "The Energy for Green Growth",
        "Green",
        "Asia Green Energy",
        "Green Energy Fund",
    ]
    store_by_id(database, "partners", {f"p{n}": partner(name) for n, name in enumerate(names)})
    with client_of(url_of(database)) as client:
        items = ask(client, "green energy")["items"]
        assert [item["name"]["vi"] for item in items] == [names[4], names[0], names[3], names[1], names[2]]
        assert [item["tier"] for item in items] == ["in_names"] * 4 + ["some_words"]
        assert ask(client, "green")["items"][0]["name"] == {"vi": "Green"}


# -- both engines --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def both(folder: Path, postgres: str, dataset: Dataset) -> Iterator[list[TestClient]]:
    """A client of the dataset on each engine."""
    urls = [new_sqlite(folder, None), new_postgres(postgres, None)]
    for url in urls:
        database = Database(url)
        migrate(database)
        with database.write() as session:
            session.execute(update(CURSOR_KEY).values(key="00"))  # so that both sign alike
        load(database, dataset)
        database.close()
    with client_of(urls[0]) as one, client_of(urls[1]) as other:
        yield [one, other]


@pytest.mark.slow
def test_both_engines_answer_alike(both: list[TestClient], dataset: Dataset) -> None:
    spoken = [
        str(text)
        for fields in dataset.records.values()
        for texts in (getattr(fields, "title", None), getattr(fields, "name", None), getattr(fields, "summary", None))
        if texts
        for text in texts.values()
    ]
    queries = [*spoken[::9], *(text[: len(text) // 3] for text in spoken[1::9]), *(text[1:9] for text in spoken[2::9])]
    queries += [" ".join(text.split()[1:4]) for text in spoken[3::7]] + [text[:3] for text in spoken[4::17]]
    queries += ["samsng", "uniddo", "ddoanh nghiep", "hop tac qwerty", "thogn minh", "the of and", "a", "y", "10", "2"]
    assert len(queries) > 200
    for query in queries:
        answers = [client.get("/v1/search", params={"q": query[:300], "limit": 30}) for client in both]
        assert answers[0].json() == answers[1].json(), query
        pages = [
            client.get("/v1/projects", params={"q": query[:300], "fields": "id", "total": True}) for client in both
        ]
        assert pages[0].json() == pages[1].json(), query


def test_a_database_with_the_index_of_another_version_is_indexed_by_migrate(
    new_database: NewDatabase, seeded: str
) -> None:
    url = new_database(seeded)
    database = Database(url)
    with database.write() as session:
        session.connection().execute(sql("UPDATE search_state SET indexing = indexing - 1"))
        session.connection().execute(sql("DELETE FROM search_records"))
    database.close()
    assert "records were indexed again" in run("migrate", HOPTAC_DATABASE_URL=url).stdout
    assert "anew" not in run("migrate", HOPTAC_DATABASE_URL=url).stdout
    with client_of(url) as client:
        assert ids(ask(client, "moit"))[0] == ("partners", "moit")


def test_a_hit_by_its_name_or_links_is_shown_without_its_record(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = ["khu cong nghiep", "da nang", "MOIT", "Thuỵ Sĩ", "ministry", "smart factory", "UNIDO Bộ Công Thương"]
    queries += [
        "figure",
        "commitment",
        "export growth 2024",
        "hanoi",
        "vietnam",
        "MoU 2024",
        "Bắc Ninh quy mô",
        "thu truong",
    ]
    by_names = [ask(client, query, limit=200) for query in queries]
    read: list[str] = []
    monkeypatch.setattr(routes._Items, "part_by_names", lambda _, hit: read.append(hit.record_id))
    assert [ask(client, query, limit=199)["items"] for query in queries] == [page["items"][:199] for page in by_names]
    assert read
    monkeypatch.undo()
    monkeypatch.setattr(ResourceReads, "bodies", None)
    in_links = ask(client, "figure", resource="figures", limit=200)["items"]
    assert in_links == [item for item in by_names[queries.index("figure")]["items"] if item["resource"] == "figures"]
    assert any(item["project"] for item in in_links)


def test_concepts_are_read_once_for_all_interpretations(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []

    def counted(stems: Any, names: Any) -> Any:
        read.append(stems)
        return read_counts(stems, names)

    ask(client, "Xquáng qwertyui")  # on PostgreSQL, the first read of several statements starts twice
    monkeypatch.setattr(understanding, "read_counts", counted)
    assert ask(client, "Xquáng qwertyuiop")["items"] == []
    assert len(read) == 1


def test_a_stage_is_read_only_if_it_can_have_hits(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    window = routes._window
    read: list[bool] = []

    def counted(in_blocks: bool) -> Query:
        read.append(in_blocks)
        return window(in_blocks)

    monkeypatch.setattr(routes, "_window", counted)
    for query, stages in (("khu cong nghiep", 1), ("hop tac", 1), ("Việt Nam", 2), ("qwertyuiop", 0)):
        read.clear()
        ask(client, query, limit=3)
        assert len(read) == stages, query


def test_a_name_that_the_index_has_no_room_for_is_shown(database: Database) -> None:
    aliases = [f"{'Công ty thép ' * 25}{number}" for number in range(9)]
    fields = {"name": {"vi": "Thép Sao Mai"}, "aliases": [*aliases, "Sao Hôm"], "kind": "company"}
    store(database, RESOURCES["partners"], {"id": "steel", **fields})
    with client_of(url_of(database)) as client:
        for query, field in (("sao mai", "name.vi"), ("hôm", "aliases[9]"), ("sao hom", "aliases[9]")):
            assert [item["field"] for item in ask(client, query)["items"]] == [field]
            assert ask(client, query)["items"][0]["name"]["vi"] == "Thép Sao Mai"
