"""The shape of responses: chosen fields, fields of included records, progress, labels, and texts in one language."""

import json

import pytest
from starlette.testclient import TestClient

from app.core.values.date_texts import date_text
from tests.support.http import get, walk

PROJECT = "/v1/projects/smart-factory-cooperation"


def test_a_repeated_list_of_names_is_joined(client: TestClient) -> None:
    for path, repeated in (
        (
            f"{PROJECT}?fields=title,status&include=partners,places",
            "fields=title&include=partners&fields=status&include=places",
        ),
        ("/v1/agreements?sort=-signed_on,-id&fields=id", "sort=-signed_on&fields=id&sort=-id"),
        ("/v1/figures/aggregate?group_by=indicator,place&limit=3", "group_by=indicator&limit=3&group_by=place"),
    ):
        whole = get(client, path)
        again = get(client, f"{path.partition('?')[0]}?{repeated}")
        assert {**again, "next": ""} == {**whole, "next": ""}
    assert get(client, f"{PROJECT}?include=partners&include=partners") == get(client, f"{PROJECT}?include=partners")


def test_a_value_with_a_comma_is_said_to_be_repeated(client: TestClient) -> None:
    (error,) = get(client, "/v1/projects?status=active,past", 422)["errors"]
    assert error["detail"].endswith("For several values, repeat the parameter.")
    assert error["parameter"] == "status"


def test_the_fields_of_included_records_can_be_chosen(client: TestClient) -> None:
    query = "include=partners,agreements&fields[partners]=name&fields[partners]=kind&fields%5Bagreements%5D=title"
    found = get(client, f"{PROJECT}?{query}")["included"]
    assert {tuple(partner) for partner in found["partners"].values()} == {("id", "name", "kind")}
    assert {tuple(agreement) for agreement in found["agreements"].values()} == {("id", "title")}
    pages = walk(client, f"/v1/projects?limit=200&fields=id&{query}")
    assert walk(client, f"/v1/projects?limit=60&fields=id&{query}") == pages
    second = get(client, get(client, f"/v1/projects?limit=20&fields=id&{query}")["next"])
    assert {tuple(partner) for partner in second["included"]["partners"].values()} == {("id", "name", "kind")}


@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        ("fields[partners]=name", "fields[partners]", "unknown_include"),
        ("include=places&fields[partners]=name", "fields[partners]", "unknown_include"),
        ("include=partners&fields[partners]=titel", "fields[partners]", "unknown_field"),
        ("include=partners&fields[partners]=", "fields[partners]", "invalid_value"),
        ("include=partner", "include", "unknown_include"),
        ("fields=titel", "fields", "unknown_field"),
        ("labels=de", "labels", "invalid_value"),
        ("included_fields=name", "included_fields", "unknown_parameter"),
    ],
)
def test_a_wrong_shape_is_refused(client: TestClient, query: str, parameter: str, code: str) -> None:
    for path in ("/v1/projects", PROJECT):
        (error,) = get(client, f"{path}?{query}", 422)["errors"]
        assert (error["parameter"], error["code"]) == (parameter, code)
        assert "^" not in error["detail"]


def test_progress_can_be_included(client: TestClient) -> None:
    found = get(client, f"{PROJECT}?include=figures,progress&fields=id")["included"]
    alone = get(client, f"{PROJECT}/progress")
    assert found["progress"]["smart-factory-cooperation"]["indicators"] == alone["indicators"]
    page = get(client, "/v1/projects?include=progress&limit=20")
    assert set(page["included"]["progress"]) == {item["id"] for item in page["items"]}
    get(client, "/v1/partners?include=progress", 422)


def test_labels_stand_beside_codes_and_dates(client: TestClient) -> None:
    stored = get(client, PROJECT)
    for language, status, period in (("vi", "Đang thực hiện", "2022 – 2023"), ("en", "Active", "2022 to 2023")):
        record = get(client, f"{PROJECT}?labels={language}&include=partners")
        assert {name: record[name] for name in stored} == stored
        assert (record["labels"]["/status"], record["labels"]["/period"]) == (status, period)
        assert {f"/roles/{number}/role" for number in range(len(stored["roles"]))} <= set(record["labels"])
        assert all(partner["labels"]["/kind"] for partner in record["included"]["partners"].values())
        (item,) = get(client, f"/v1/projects?id=smart-factory-cooperation&labels={language}&fields=status")["items"]
        assert item == {"id": stored["id"], "status": "active", "labels": {"/status": status}}
    page = get(client, get(client, "/v1/projects?labels=vi&limit=5")["next"])
    assert all(item["labels"]["/status"] for item in page["items"])


def test_texts_are_in_one_language_and_the_key_says_which(client: TestClient) -> None:
    stored = get(client, PROJECT)
    for language in ("vi", "en"):
        record = get(client, f"{PROJECT}?lang={language}&include=figures,partners")
        assert record["title"] == {language: stored["title"][language]}
        offices = json.dumps(record)
        assert '"vi": ' not in offices or '"en": ' not in offices or language in record["title"]
        for partner in record["included"]["partners"].values():
            assert len(partner["name"]) == 1
    past = get(client, f"{PROJECT}?as_of=2999-01-01&lang=en&labels=en")
    assert (list(past["title"]), past["labels"]["/status"]) == (["en"], "Active")


def test_hits_and_entries_have_labels_and_one_language(client: TestClient) -> None:
    for path in ("/v1/search?q=nha may thong minh", "/v1/timeline?sort=-date"):
        page = get(client, f"{path}&labels=vi&lang=en&limit=3")
        following = get(client, page["next"])
        assert all(item["labels"] for item in [*page["items"], *following["items"]])
        texts = [item.get("title") or item["name"] for item in page["items"]]
        assert {tuple(text) for text in texts if "und" not in text} == {("en",)}


def test_a_hit_names_its_project(client: TestClient) -> None:
    hits = get(client, "/v1/search?q=26 doanh nghiep&resource=figures&limit=50")["items"]
    projects = {hit["id"]: hit["project"] for hit in hits}
    for hit_id, project in projects.items():
        figure = get(client, f"/v1/figures/{hit_id}")
        assert (project or {}).get("id") == figure["project"]
    project = next(filter(None, projects.values()))
    assert project["title"] == get(client, f"/v1/projects/{project['id']}")["title"]


def test_an_entry_of_the_timeline_names_the_lists_of_its_codes(client: TestClient) -> None:
    for entry in get(client, "/v1/timeline?limit=100&labels=en")["items"]:
        for name in ("kind", "status"):
            if entry[name] is None:
                assert entry[f"{name}_list"] is None
                continue
            codes = get(client, f"/v1/codelists/{entry[f'{name}_list']}")["codes"]
            labels = {code["code"]: code["label"]["en"] for code in codes}
            assert entry["labels"][f"/{name}"] == labels[entry[name]]


def test_the_responses_can_be_cached(client: TestClient) -> None:
    for path in (f"{PROJECT}?labels=vi", "/v1/projects?lang=en", "/v1/search?q=unido&labels=en&lang=en"):
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, "public" in first.headers["cache-control"]) == (304, True)


@pytest.mark.parametrize(
    ("edtf", "english", "vietnamese"),
    [
        ("2022", "2022", "2022"),
        ("2022-02", "February 2022", "02/2022"),
        ("2022-02-08", "8 February 2022", "08/02/2022"),
        ("2022-02-08T14:15", "8 February 2022, 14:15", "14:15 08/02/2022"),
        ("2024-33", "quarter 1 of 2024", "quý 1/2024"),
        ("2022~", "about 2022", "khoảng 2022"),
        ("2022-02?", "February 2022 (uncertain)", "02/2022 (chưa chắc chắn)"),
        ("2024/2028", "2024 to 2028", "2024 – 2028"),
        ("2015/..", "from 2015", "từ 2015"),
        ("../2022-12", "to the end of December 2022", "đến 12/2022"),
        ("[..2024-05-31]", "to 31 May 2024", "đến 31/05/2024"),
    ],
)
def test_a_date_has_a_text(edtf: str, english: str, vietnamese: str) -> None:
    assert date_text(edtf, "en", is_extent=True) == english
    assert date_text(edtf, "vi", is_extent=True) == vietnamese


def test_an_interval_in_a_date_bounds_one_moment() -> None:
    assert date_text("../2022-12", "en", is_extent=False) == "by the end of December 2022"
    assert date_text("../2024-05-31", "vi", is_extent=False) == "chậm nhất 31/05/2024"
    assert date_text("2024/2026", "en", is_extent=False) == "between 2024 and 2026"
    assert date_text("2024/..", "en", is_extent=False) == "not before 2024"


def test_every_answer_with_codes_can_have_labels_or_one_language(client: TestClient) -> None:
    project = "smart-factory-cooperation"
    shaped = "labels=vi&lang=vi"
    for path in (f"/v1/projects/{project}/progress?{shaped}", f"/v1/progress?project={project}&{shaped}"):
        body = get(client, path)
        shown = body["items"][0] if "items" in body else body
        assert set(shown["title"]) == {"vi"}
        assert shown["labels"]["/status"] == "Đang thực hiện"
        assert shown["labels"]["/period"] == "2022 – 2023"
        assert "labels" not in (get(client, path.partition("?")[0]).get("items") or [{}])[0]
    included = get(client, f"/v1/projects/{project}?include=progress&{shaped}")["included"]["progress"][project]
    assert included == shown
    page = get(client, f"/v1/progress?limit=1&{shaped}")
    assert "labels=vi&lang=vi" in page["next"]

    facet = get(client, "/v1/projects/facets?facet=status&facet=partner&lang=en")["facets"]
    assert {tuple(value["label"]) for name in facet for value in facet[name]["values"] if value["label"]} == {("en",)}
    page = get(client, f"/v1/audit?as_of=2026-11-22&limit=1&{shaped}")
    (finding,) = page["items"]
    assert set(finding["message"]) == {"vi"}
    assert finding["labels"].keys() >= {"/rule", "/severity", "/evidence/0/basis"}
    assert get(client, page["next"])["items"][0]["labels"]
    (group, *_) = get(client, "/v1/figures/aggregate?labels=vi")["groups"]
    assert set(group["labels"]) >= {"/key/kind", "/key/unit"}
    assert "labels" not in get(client, "/v1/figures/aggregate")["groups"][0]
