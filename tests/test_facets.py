"""Facets count what the lists find, on every resource and both engines."""

import random
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.catalogue import RESOURCES
from app.core.database.engine import Database
from app.core.database.sqlite import SqliteReader
from app.core.model.code_counts import COUNTS, coded, count_first_time, wrong_counts
from app.core.reading import reads
from app.core.reading.counts.facets import MAX_LEVELS, Facets, facets_of
from app.figures.models import FIGURES
from app.partners.models import PARTNERS
from app.places.models import PLACES
from app.projects.models import PROJECTS
from tests.support.databases import url_of
from tests.support.http import client_of, get, walk
from tests.support.records import change, delete, project, store

FACETS = [(resource.name, facet) for resource in RESOURCES for facet in facets_of(resource)]


def ids(client: TestClient, name: str, asked: list[tuple[str, str]]) -> set[str]:
    pairs = "&".join(f"{parameter}={value}" for parameter, value in asked)
    return {item["id"] for item in walk(client, f"/v1/{name}?limit=200&fields=id&{pairs}")}


def counted(client: TestClient, name: str, facet: str, query: str = "limit=200") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get(client, f"/v1/{name}/facets?facet={facet}&{query}")["facets"][facet]["values"]
    return found


@pytest.mark.parametrize(("name", "facet"), FACETS)
def test_a_count_is_what_the_list_finds(client: TestClient, name: str, facet: str) -> None:
    values = counted(client, name, facet)
    for each in values[:8] + values[-3:]:
        total = get(client, f"/v1/{name}?limit=1&total=true&{facet}={each['value']}")["total"]
        assert each["count"] == total > 0
        assert isinstance(each["value"], str)


@pytest.mark.parametrize("name", [resource.name for resource in RESOURCES])
def test_counts_hold_under_other_filters(client: TestClient, name: str) -> None:
    resource = next(each for each in RESOURCES if each.name == name)
    facets, chance = list(facets_of(resource)), random.Random(name)
    values = {facet: [each["value"] for each in counted(client, name, facet)] for facet in facets}
    present = [facet for facet in facets if values[facet]]
    for _ in range(6):
        asked = {(facet, chance.choice(values[facet])) for facet in chance.sample(present, min(2, len(present)))}
        facet = chance.choice(present)
        query = "&".join(f"{one}={value}" for one, value in sorted(asked))
        found = {each["value"]: each["count"] for each in counted(client, name, facet, f"limit=200&{query}")}
        others = [pair for pair in sorted(asked) if pair[0] != facet]
        for value in values[facet][:10]:
            assert found.get(value, 0) == len(ids(client, name, [*others, (facet, value)])), (asked, facet)


def test_values_come_by_count_then_value_with_labels(client: TestClient) -> None:
    values = counted(client, "projects", "status")
    assert values == sorted(values, key=lambda each: (-each["count"], each["value"]))
    assert {"value": "active", "count": 25, "label": {"vi": "Đang thực hiện", "en": "Active"}} in values
    partners = {each["value"]: each["label"] for each in counted(client, "projects", "partner")}
    assert partners["moit"] == get(client, "/v1/partners/moit")["name"]
    documents = {each["value"]: each["label"] for each in counted(client, "projects", "document")}
    assert documents["mofa-moit-2024"] == get(client, "/v1/documents/mofa-moit-2024")["title"]
    assert {each["label"] for each in counted(client, "figures", "dimension")} == {None}


def test_more_values_than_the_limit_are_said(client: TestClient) -> None:
    short = get(client, "/v1/projects/facets?facet=partner&facet=sector&limit=2")["facets"]
    assert list(short) == ["partner", "sector"]
    assert [(len(each["values"]), each["more"]) for each in short.values()] == [(2, True), (2, True)]
    assert short["partner"]["values"] == counted(client, "projects", "partner")[:2]
    assert get(client, "/v1/projects/facets?facet=partner&limit=200")["facets"]["partner"]["more"] is False


def test_a_link_is_counted_as_it_is_asked_for(client: TestClient) -> None:
    funders = {each["value"] for each in counted(client, "projects", "partner", "role=funding")}
    roles = [role for item in walk(client, "/v1/projects?limit=200") for role in item["roles"]]
    assert funders == {role["partner"] for role in roles if role["role"] == "funding"}


def test_a_record_counts_once_and_drafts_do_not(seeded_database: Database) -> None:
    twice = [{"partner": "wto", "role": "lead"}, {"partner": "wto", "role": "host"}]
    places = ["da-nang", "ha-noi"]
    store(seeded_database, PARTNERS, {"id": "wto", "name": {"en": "WTO"}, "kind": "other", "state": "draft"})
    store(seeded_database, PROJECTS, project("once", roles=twice, places=places, state="published"))
    store(seeded_database, PROJECTS, project("hidden", roles=twice, state="draft"))
    with client_of(url_of(seeded_database)) as client:
        (found,) = [each for each in counted(client, "projects", "partner") if each["value"] == "wto"]
        assert found == {"value": "wto", "label": None, "count": 1}
        (whole,) = [each for each in counted(client, "projects", "place", "id=once") if each["value"] == "viet-nam"]
        assert whole["count"] == 1


def test_a_record_counts_for_the_places_on_twenty_levels(seeded_database: Database) -> None:
    """All ancestors of all places would be the square of the length of a chain, so that no count was ever ready."""
    made = {"name": {"en": "A place"}, "level": "locality", "managed_by": "unido"}
    chain = [{**made, "id": f"level-{level:02}", "parent": f"level-{level - 1:02}"} for level in range(1, 26)]
    store(seeded_database, PLACES, {**made, "id": "level-00"}, *chain)
    store(seeded_database, PROJECTS, project("deep", places=["level-25"]))
    with client_of(url_of(seeded_database)) as client:
        found = {each["value"] for each in counted(client, "projects", "place", "id=deep&limit=200")}
        assert found == {f"level-{level:02}" for level in range(25 - MAX_LEVELS, 26)}
        cyclic = [{**made, "id": "level-05", "parent": "level-25"}, {**made, "id": "level-25", "parent": "level-05"}]
        store(seeded_database, PLACES, *cyclic)
        found = {each["value"] for each in counted(client, "projects", "place", "id=deep&limit=200")}
        assert found == {"level-05", "level-25"}


CODED = [
    *(
        f"/v1/{each.name}/facets?{'&'.join(f'facet={name}' for name in coded(each))}"
        for each in RESOURCES
        if coded(each)
    ),
    *(f"/v1/{each.name}?limit=1&total=true" for each in RESOURCES),
    "/v1/projects/facets?facet=kind&facet=partner&facet=status&status=active&status=completed",
    "/v1/projects/facets?facet=kind&status=active&kind=project&limit=2",
    "/v1/figures/facets?facet=unit&facet=qualifier&kind=target&measured=at_date&qualifier=exact&lang=vi",
    "/v1/figures/facets?facet=kind&unit=USD&measured_none=true",
    "/v1/partners/facets?facet=collective&facet=kind&collective=false",
    "/v1/partners?limit=1&total=true&collective=true",
    "/v1/figures?limit=1&total=true&kind=target&kind=actual&unit=USD",
]


def test_stored_counts_are_those_of_the_records(seeded_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are created, changed, hidden, published, merged and deleted. Then each answer is that of a scan."""
    store(seeded_database, PARTNERS, {"id": "wto", "name": {"en": "WTO"}, "kind": "other", "state": "draft"})
    change(seeded_database, "partners", "wto", "me", state="published", collective=True)
    change(seeded_database, "partners", "wto", "me", merged_into="unido")
    store(seeded_database, PROJECTS, project("one"), project("two"))
    change(seeded_database, "projects", "one", "me", kind="programme", status="completed")
    change(seeded_database, "projects", "two", "me", state="draft")
    delete(seeded_database, "projects", "one", "me")
    delete(seeded_database, "figures", "net-zero-target-2050-stated-2024", "me")
    with seeded_database.snapshot() as connection:
        assert [problem for each in RESOURCES for problem in wrong_counts(connection, each)] == []
    with client_of(url_of(seeded_database)) as client:
        stored = [client.get(path) for path in CODED]
    monkeypatch.setattr(Facets, "_is_counted", lambda *_: False)
    monkeypatch.setattr(reads, "is_counted", lambda *_: False)
    with client_of(url_of(seeded_database)) as client:
        scanned = [client.get(path) for path in CODED]
    for path, one, other in zip(CODED, stored, scanned, strict=True):
        assert (one.status_code, one.content) == (200, other.content), path
    with seeded_database.write() as session:
        session.execute(COUNTS.delete())
        count_first_time(session.connection())
    with seeded_database.snapshot() as connection:
        assert [problem for each in RESOURCES for problem in wrong_counts(connection, each)] == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 422),
        ("facet=", 422),
        ("facet=stauts", 422),
        ("facet=status&facet=%00", 400),
        ("facet=status&limit=0", 422),
        ("facet=status&limit=9223372036854775808", 422),
        ("facet=status&sort=id", 422),
        ("facet=status&total=true", 422),
        ("facet=status&cursor=x", 422),
        ("facet=status&partner=%ED%A0%80", 400),
        ("&".join(["facet=status"] * 201), 422),
    ],
)
def test_what_cannot_be_counted_is_refused(client: TestClient, query: str, status: int) -> None:
    answered = client.get(f"/v1/projects/facets?{query}")
    assert answered.status_code == status
    assert "stauts" not in answered.text


def test_facets_have_a_tag(client: TestClient) -> None:
    path = "/v1/projects/facets?facet=status"
    tag = client.get(path).headers["etag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert client.get("/v1/projects/facets?facet=kind").headers["etag"] != tag


def test_a_filter_that_searches_a_tree_selects_the_records_once() -> None:
    """Each facet by itself would search the tree again, which takes most of the time."""
    filters = (("place", True), ("kind", True))
    names = ("kind", "partner", "place", "unit")
    searching, *_ = Facets(FIGURES)._build(names, filters).compile(SqliteReader.dialect)
    assert searching.count("matching AS MATERIALIZED") == 1
    assert searching.count("places.parent") <= 4  # of the filter, and of the facet of places
    plain, *_ = Facets(FIGURES)._build(names, filters[1:]).compile(SqliteReader.dialect)
    assert "matching AS MATERIALIZED" not in plain
