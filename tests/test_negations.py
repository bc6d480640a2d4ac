"""Filters for none of some values and for no value at all, on every list and on both engines."""

import pytest
from starlette.testclient import TestClient

from app.catalogue import RESOURCES
from app.core.model.resource import Resource
from app.core.reading.counts.facets import facets_of
from tests.support.http import get, walk

NAMES = [resource.name for resource in RESOURCES]
BY_NAME = {resource.name: resource for resource in RESOURCES}


def ids(client: TestClient, name: str, query: str = "") -> set[str]:
    return {item["id"] for item in walk(client, f"/v1/{name}?limit=200&fields=id&{query}")}


def flags(resource: Resource) -> list[str]:
    return [name for name, parameter in resource.parameters.items() if parameter.is_flag]


def values_of(client: TestClient, name: str, facet: str, limit: int = 3) -> list[str]:
    path = f"/v1/{name}/facets?facet={facet}&limit={limit}"
    return [each["value"] for each in get(client, path)["facets"][facet]["values"]]


@pytest.mark.parametrize("name", NAMES)
def test_not_is_everything_else(client: TestClient, name: str) -> None:
    whole = ids(client, name)
    for facet in facets_of(BY_NAME[name]):
        negated = f"{facet}_not"
        if negated not in BY_NAME[name].parameters:
            continue
        values = values_of(client, name, facet)
        if facet == "merged_into" or not values:
            continue
        query = "&".join(f"{facet}={value}" for value in values)
        expected = whole - ids(client, name, query)
        assert ids(client, name, query.replace(f"{facet}=", f"{negated}=")) == expected, facet


@pytest.mark.parametrize("name", NAMES)
def test_none_and_its_opposite_part_the_list(client: TestClient, name: str) -> None:
    whole = ids(client, name)
    for flag in flags(BY_NAME[name]):
        absent = ids(client, name, f"{flag}=true")
        present = ids(client, name, f"{flag}=false")
        if flag != "merged_into_none":
            assert absent | present == whole, flag
        assert not absent & present, flag
        facet = flag.removesuffix("_none")
        if facet in facets_of(BY_NAME[name]):
            for value in values_of(client, name, facet):
                assert ids(client, name, f"{facet}={value}") <= present, flag


def test_what_a_record_has_decides(client: TestClient) -> None:
    for project in walk(client, "/v1/projects?limit=200&period_none=true"):
        assert project["period"] is None
    for project in walk(client, "/v1/projects?limit=200&status_not=active&status_not=past"):
        assert project["status"] not in ("active", "past")
    for figure in walk(client, "/v1/figures?limit=200&value_none=true"):
        assert figure["value"] is None
    for partner in walk(client, "/v1/partners?limit=200&identifier_none=false"):
        assert partner["identifiers"]
    for project in walk(client, "/v1/projects?limit=200&figure_none=true"):
        assert not get(client, f"/v1/projects/{project['id']}/figures?limit=1")["items"]


def test_filters_combine(client: TestClient) -> None:
    combined = ids(client, "projects", "status=active&partner_not=moit&period_none=false")
    expected = ids(client, "projects", "status=active") & ids(client, "projects", "period_none=false")
    assert combined == expected - ids(client, "projects", "partner=moit")


def test_a_place_is_left_out_with_its_parts(client: TestClient) -> None:
    inside = ids(client, "projects", "place=viet-nam")
    assert inside
    assert ids(client, "projects", "place_not=viet-nam") == ids(client, "projects") - inside


def test_a_group_of_sectors_is_left_out_with_its_codes(client: TestClient) -> None:
    assert ids(client, "projects", "sector_not=321") == ids(client, "projects") - ids(client, "projects", "sector=321")


def test_pages_follow_a_negation(client: TestClient) -> None:
    pages = [item["id"] for item in walk(client, "/v1/figures?limit=7&project_none=true&fields=id&sort=-value")]
    assert len(pages) == len(set(pages))
    assert set(pages) == ids(client, "figures", "project_none=true")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/figures/aggregate?period_none=true&place_not=viet-nam",
        "/v1/projects/facets?facet=status&period_none=true&partner_not=unido",
        "/v1/progress?place_none=true&project_not=smart-factory-cooperation",
        "/v1/projects?q=samsung&period_none=false&status_not=requested",
        "/v1/partners/unido/projects?status_not=active",
        "/v1/projects?total=true&limit=1&period_none=true",
    ],
)
def test_whatever_takes_filters_takes_these(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 200


def test_facets_hold_under_negations(client: TestClient) -> None:
    query = "period_none=true&partner_not=unido"
    facet = get(client, f"/v1/projects/facets?facet=status&limit=200&{query}")["facets"]["status"]["values"]
    assert {each["value"]: each["count"] for each in facet} == {
        status: count
        for status in values_of(client, "projects", "status", 200)
        if (count := len(ids(client, "projects", f"{query}&status={status}")))
    }


def test_a_facet_keeps_the_other_values_of_its_own_filter(client: TestClient) -> None:
    whole = get(client, "/v1/projects/facets?facet=status&limit=200")["facets"]["status"]["values"]
    path = "/v1/projects/facets?facet=status&facet=kind&limit=200&status=active"
    narrowed = get(client, path)["facets"]
    assert narrowed["status"]["values"] == whole
    assert sum(each["count"] for each in narrowed["kind"]["values"]) == len(ids(client, "projects", "status=active"))


def test_only_what_can_be_absent_has_a_flag(client: TestClient) -> None:
    assert client.get("/v1/projects?status_none=true").status_code == 422
    assert client.get("/v1/projects?period_none=maybe").status_code == 422
