"""Lists, details, filters, sorts, includes and cursors over the dataset."""

import asyncio
import json
from collections import Counter
from itertools import permutations
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.catalogue import RESOURCES
from app.core.database.engine import Database
from app.core.database.statement_cache import StatementCache
from app.core.reading import filter_conditions, reads
from app.core.reading.counts.count_cache import CountCache
from app.core.reading.includes import IncludeStep
from app.core.stored_records import select_stored
from app.core.values.text import sort_key
from bench.apps.same_sql import recorded, runner
from seed.files import Dataset
from tests.support.databases import url_of
from tests.support.http import get, walk

NAMES = [resource.name for resource in RESOURCES]


@pytest.mark.parametrize("name", NAMES)
def test_list_shows_every_record_of_the_dataset(client: TestClient, dataset: Dataset, name: str) -> None:
    items = walk(client, f"/v1/{name}?limit=7")
    assert [item["id"] for item in items] == sorted(dataset.of(name))
    assert {item["version"] for item in items} <= {1}
    assert {item["resource"] for item in items} <= {name}


@pytest.mark.parametrize("name", NAMES)
def test_detail_is_the_bytes_of_the_list(client: TestClient, name: str) -> None:
    page = client.get(f"/v1/{name}?limit=200").text
    for item in json.loads(page)["items"][:20]:
        assert client.get(f"/v1/{name}/{item['id']}").text in page


SORTS = [(resource.name, sort) for resource in RESOURCES for sort in resource.all_sorts]


@pytest.mark.parametrize(("name", "sort"), SORTS)
@pytest.mark.parametrize(
    "form", ["{}", "-{},id", *(pytest.param(form, marks=pytest.mark.slow) for form in ("-{}", "{},-id"))]
)
def test_each_sort_walks_every_record_once(
    client: TestClient, dataset: Dataset, name: str, sort: str, form: str
) -> None:
    ids = [item["id"] for item in walk(client, f"/v1/{name}?limit=9&fields=id&sort={form.format(sort)}")]
    assert sorted(ids) == sorted(dataset.of(name))
    whole = get(client, f"/v1/{name}?limit=200&fields=id&sort={form.format(sort)}")["items"]
    assert [item["id"] for item in whole] == ids[:200]


def test_absent_values_come_last_in_both_directions(client: TestClient) -> None:
    for sort in ("period", "-period"):
        periods = [item["period"] for item in walk(client, f"/v1/projects?sort={sort}&limit=5")]
        present = [period for period in periods if period]
        assert periods[: len(present)] == present
        starts = [period["earliest"] or "0001" for period in present]
        assert starts == sorted(starts, reverse=sort.startswith("-"))


def test_names_sort_as_a_vietnamese_reader_expects(client: TestClient) -> None:
    names = [item["name"]["vi"] for item in walk(client, "/v1/places?sort=name&limit=4")]
    assert names == sorted(names, key=sort_key)
    assert names.index("Bắc Ninh") < names.index("Đà Nẵng") < names.index("Hà Nam") < names.index("Vĩnh Phúc")


def test_filters_of_one_parameter_are_or_and_of_several_and(client: TestClient) -> None:
    targets = {item["id"] for item in walk(client, "/v1/figures?kind=target")}
    actuals = {item["id"] for item in walk(client, "/v1/figures?kind=actual")}
    both = {item["id"] for item in walk(client, "/v1/figures?kind=target&kind=actual")}
    assert targets
    assert actuals
    assert both == targets | actuals
    assert {item["id"] for item in walk(client, "/v1/figures?kind=target&unit=enterprise")} < targets


def test_partner_and_role_hold_for_the_same_link(client: TestClient) -> None:
    funded = walk(client, "/v1/projects?partner=seco&role=funding")
    assert funded
    for project in funded:
        assert {"partner": "seco", "role": "funding"} in project["roles"]
    implementing = walk(client, "/v1/projects?partner=seco&role=implementing")
    assert all({"partner": "seco", "role": "implementing"} in project["roles"] for project in implementing)
    assert {project["id"] for project in funded} - {project["id"] for project in implementing}


def test_a_place_stands_for_its_parts_too(client: TestClient) -> None:
    inside = {item["id"] for item in walk(client, "/v1/figures?place=viet-nam")}
    assert {item["id"] for item in walk(client, "/v1/figures?place=bac-ninh")} < inside
    assert {item["id"] for item in walk(client, "/v1/places/viet-nam/figures")} == inside


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("signed_on=2022", True),
        ("signed_on=2022-02", True),
        ("signed_on_gte=2022-02-28", True),
        ("signed_on_gt=2022-02-28", False),
        ("signed_on_lte=2022-02-01", True),
        ("signed_on_lt=2022-02", False),
        ("signed_on=2021/2022-02-15", True),
        ("signed_on=2022-03", False),
    ],
)
def test_a_date_filter_matches_what_can_fall_in_it(client: TestClient, asked: str, found: bool) -> None:
    ids = [item["id"] for item in walk(client, f"/v1/agreements?{asked}&project=smart-factory-cooperation")]
    (signed,) = [
        item["id"]
        for item in walk(client, "/v1/agreements?project=smart-factory-cooperation")
        if item["signed_on"] and item["signed_on"]["edtf"] == "2022-02"
    ]
    assert (signed in ids) is found


@pytest.mark.parametrize("typed", ["Bộ Công Thương", "bo cong thuong", "BỘ CÔNG THƯƠNG", "MOIT", "moit"])
def test_names_are_found_with_and_without_diacritics(client: TestClient, typed: str) -> None:
    assert "moit" in [item["id"] for item in walk(client, f"/v1/partners?name={typed}")]


@pytest.mark.parametrize("typed", ["%", "_", "\\", "a%b"])
def test_wildcards_in_a_text_filter_are_plain_characters(client: TestClient, typed: str) -> None:
    assert get(client, f"/v1/partners?name={typed.replace('%', '%25')}")["items"] == []


def test_a_province_is_found_by_its_iso_code(client: TestClient) -> None:
    assert {item["id"] for item in get(client, "/v1/places?code=VN-DN")["items"]} == {"da-nang"}
    assert get(client, "/v1/places?identifier=iso3166-2:VN-XX")["items"] == []


def test_total_counts_what_matches(client: TestClient, dataset: Dataset) -> None:
    page = get(client, "/v1/figures?total=true&limit=2")
    assert page["total"] == len(dataset.of("figures"))
    assert get(client, page["next"])["total"] == page["total"]
    assert "total" not in get(client, "/v1/figures?limit=2")


def test_fields_leave_the_others_out(client: TestClient) -> None:
    item = get(client, "/v1/projects/smart-factory-cooperation?fields=status,title")
    assert set(item) == {"id", "status", "title"}
    problem = get(client, "/v1/projects?fields=nonsense", 422)
    assert problem["errors"][0]["parameter"] == "fields"


def test_include_follows_links_of_included_records_in_any_order(client: TestClient) -> None:
    path = "/v1/projects/smart-factory-cooperation?include="
    names = ["figures", "indicators", "agreements", "partners"]
    found = get(client, path + ",".join(names))["included"]
    for order in permutations(names):
        assert get(client, path + "&include=".join(order))["included"] == found
    page = get(client, "/v1/milestones?include=places,parent,projects,partners")["included"]
    assert get(client, "/v1/milestones?include=partners,projects&include=parent,places")["included"] == page
    assert {figure["indicator"] for figure in found["figures"].values()} == set(found["indicators"])
    parties = {party["partner"] for each in found["agreements"].values() for party in each["parties"]}
    assert parties <= set(found["partners"])
    assert found["partners"]["moit"] == get(client, "/v1/partners/moit")
    get(client, "/v1/projects/smart-factory-cooperation?include=indicators", 422)


def test_include_on_a_list_covers_its_page(client: TestClient) -> None:
    page = get(client, "/v1/figures?include=indicators&limit=10")
    assert set(page["included"]["indicators"]) == {item["indicator"] for item in page["items"]}


def test_nested_lists_are_the_filtered_lists(client: TestClient) -> None:
    nested = walk(client, "/v1/projects/smart-factory-cooperation/figures?limit=3")
    assert nested == walk(client, "/v1/figures?project=smart-factory-cooperation&limit=200")
    assert nested
    assert walk(client, "/v1/partners/unido/projects") == walk(client, "/v1/projects?partner=unido")
    get(client, "/v1/partners/nobody/projects", 404)
    get(client, "/v1/partners/unido/projects?partner=seco", 422)


def test_a_document_leads_to_everything_that_cites_it(client: TestClient) -> None:
    for name in ("projects", "agreements", "milestones", "statements", "figures"):
        cited = walk(client, f"/v1/documents/samsung-smart-factory-2023/{name}")
        assert cited
        assert all("samsung-smart-factory-2023" in str(item["citations"]) for item in cited)


def test_links_to_records_of_the_same_resource_lead_both_ways(client: TestClient) -> None:
    links = {"part_of": ("wholes", "whole_of"), "follows": ("earlier", "followed_by")}
    for field, (include, parameter) in links.items():
        record = next(item for item in walk(client, f"/v1/projects?{field}_none=false") if item[field])
        included = get(client, f"/v1/projects/{record['id']}?include={include}")["included"][include]
        listed = get(client, f"/v1/projects?{parameter}={record['id']}")["items"]
        assert set(included) == {item["id"] for item in listed} == set(record[field])


def test_link_header_and_next_agree(client: TestClient) -> None:
    response = client.get("/v1/figures?limit=1")
    assert response.headers["link"] == f'<{response.json()["next"]}>; rel="next"'


@pytest.mark.parametrize("name", NAMES)
def test_opposite_parameters_agree_with_includes(client: TestClient, name: str) -> None:
    resource = next(each for each in RESOURCES if each.name == name)
    ids = [item["id"] for item in get(client, f"/v1/{name}?limit=5&fields=id")["items"]]
    for include in resource.includes.values():
        for record_id in ids:
            path = f"/v1/{include.resource.name}?{include.parameter}={record_id}&limit=200"
            listed = {item["id"]: item for item in walk(client, path)}
            included = get(client, f"/v1/{name}/{record_id}?include={include.name}")["included"][include.name]
            assert included == dict(sorted(listed.items())[:200])


@pytest.mark.parametrize(
    "path",
    [
        "/v1/figures?place=viet-nam&sort=value",
        "/v1/figures?place=viet-nam&sort=-period&q=nghiep",
        "/v1/projects?place=viet-nam&place=da-nang&sort=period&total=true",
        "/v1/places/viet-nam?include=projects,figures,milestones",
        "/v1/places?include=projects,figures",
    ],
)
def test_a_tree_may_be_asked_more_than_once_in_one_statement(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.json().get("items", response.json().get("included"))


def test_included_records_are_read_in_few_statements(seeded_database: Database) -> None:
    """If included records link to others, a second statement adds these. PostgreSQL plans it once."""
    path = "/v1/projects/smart-factory-cooperation?include=agreements,milestones,figures"
    url = url_of(seeded_database)
    (alone,), (first, *others) = asyncio.run(recorded(url, [path, f"{path},partners,places"]))
    assert alone[1].count("smart-factory-cooperation") == 4  # the record and each include
    assert first[1].count("smart-factory-cooperation") == 6
    assert 1 <= len(others) <= 2
    if seeded_database.is_sqlite:
        return
    plans = "SELECT generic_plans > 0 FROM pg_prepared_statements WHERE starts_with(statement, 'SELECT anon')"
    with runner(url) as run:
        for _ in range(20):  # the driver prepares a statement at the sixth time, and the server plans five more times
            run(others[0])
        assert run((plans, [])) == [(True,)]


@pytest.mark.parametrize("name", NAMES)
def test_no_link_of_an_included_record_is_overlooked(seeded_database: Database, name: str) -> None:
    """The members that are looked for in the stored JSON contain each id that the tables of links lead to."""
    resource = next(each for each in RESOURCES if each.name == name)
    links = [include for include in resource.includes.values() if not include.nested]
    steps = [IncludeStep(number, link.name, link, name) for number, link in enumerate(links)]
    with seeded_database.snapshot() as connection:
        for record_id, body in connection.execute(select_stored(resource, resource.table.id).limit(150)).all():
            for step in steps:
                linked = {row.id for row in connection.execute(step.keys(0, "id", True), {"id": record_id})}
                assert linked <= {each.decode() for each in step.ids_in(body)}, (record_id, step.name)


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("/v1/figures?partner=unido", "figures_done_by"),
        ("/v1/agreements?partner=unido", "agreements_parties"),
        ("/v1/figures/smart-factory-batch-1-2023-enterprises/evidence", "figures_relations"),
    ],
)
def test_postgresql_can_use_the_index_of_each_of_several_links(seeded_database: Database, path: str, link: str) -> None:
    """A partner with few figures is not looked for in all figures. The settings leave no other way to use an index."""
    if seeded_database.is_sqlite:
        pytest.skip("SQLite uses all indexes of an OR")
    url = url_of(seeded_database)
    sql, values = next(each for each in asyncio.run(recorded(url, [path]))[0] if link in each[0])
    with runner(url) as run:
        scans = "name ~ '^enable_(seq|index|indexonly)scan$'"
        run((f"SELECT set_config(name, 'off', false) FROM pg_settings WHERE {scans}", []))
        plan = "\n".join(line for (line,) in run((f"EXPLAIN {sql}", values)))
    assert "Bitmap Index Scan on pk_" in plan
    assert "SubPlan" not in plan


def _partners(record: dict[str, Any]) -> set[str]:
    """The partners that a figure or agreement links to, in each of its fields."""
    voices = [record.get("said_by"), record.get("relayed_for"), *record.get("signatories", ())]
    named = {voice["partner"] for voice in [*voices, *record.get("parties", ())] if voice}
    named |= {signatory["for"] for signatory in record.get("signatories", ())}
    return named | {record.get("partner"), *record.get("done_by", ())}


@pytest.mark.parametrize("name", ["figures", "agreements"])
@pytest.mark.parametrize("sort", ["id", "-updated_at"])
def test_a_filter_on_several_links_finds_each_of_them(client: TestClient, name: str, sort: str) -> None:
    records = walk(client, f"/v1/{name}?limit=200")
    partners = set().union(*map(_partners, records)) - {None}
    assert len(partners) > 5
    for partner in sorted(partners):
        wanted = sorted(record["id"] for record in records if partner in _partners(record))
        found = walk(client, f"/v1/{name}?partner={partner}&sort={sort}&limit=7")
        assert sorted(record["id"] for record in found) == wanted
        assert get(client, f"/v1/{name}?partner={partner}&total=true&limit=1")["total"] == len(wanted)
        others = walk(client, f"/v1/{name}?partner_not={partner}&fields=id&limit=200")
        assert len(others) == len(records) - len(wanted)


MANY_LINKED = (
    "projects?place=viet-nam",
    "projects?place=viet-nam&sort=-period",
    "projects?role=counterpart&partner=moit",
    "projects?partner=moit&place=viet-nam&sort=title",
    "projects?place=bac-ninh&place=ha-noi&role=counterpart",
    "figures?place=viet-nam&partner=moit",
    "milestones?partner=moit&sort=-date",
    "figures?document=samsung-smart-factory-2023&sort=-updated_at",
)


@pytest.mark.parametrize("query", MANY_LINKED)
def test_lists_of_many_linked_records_are_those_of_few(
    client: TestClient, engine: str, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite reads the pages of a list in another way if there are many links."""
    few = [record["id"] for record in walk(client, f"/v1/{query}&limit=6")]
    assert few
    monkeypatch.setattr(reads, "STATEMENTS", StatementCache())
    monkeypatch.setattr(filter_conditions, "MANY_LINKS", 1)
    monkeypatch.setattr(CountCache, "peek", lambda *_: None)  # another test may have counted these records
    probed = Counter[str]()

    def has_link(linked: Any) -> Any:
        probed[linked.link.name] += 1
        return original(linked)

    original = filter_conditions._Linked.has_link
    monkeypatch.setattr(filter_conditions._Linked, "has_link", has_link)
    assert [record["id"] for record in walk(client, f"/v1/{query}&limit=5")] == few
    assert bool(probed) == (engine == "sqlite")
