"""The Reconciliation API: candidates with reasons, certain only if nobody else can be meant, as OpenRefine reads it."""

import json
from itertools import product
from typing import Any
from urllib.parse import urlencode

import jsonschema_rs
import pytest
from starlette.testclient import TestClient

from tests.support.http import get, problem
from tests.support.keys import Key

PARTNERS = "/v1/reconcile/partners"
PLACES = "/v1/reconcile/places"
CITATION = {"document": "unido-moit-2021", "paragraph": 3, "as_written": "ngày 6.9"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# What the specification 0.2 requires of responses.
TEXT = {"type": "string"}
TEMPLATE = {"type": "string", "pattern": r"^https?://.*\{\{id\}\}"}
TYPES = {"type": "array", "items": {"type": "object", "properties": {"id": TEXT, "name": TEXT}, "required": ["id"]}}
FEATURES = {"type": "array", "items": {"type": "object", "properties": {"value": {"type": ["boolean", "number"]}}}}
CANDIDATE = {
    "type": "object",
    "properties": {
        "description": TEXT,
        "features": FEATURES,
        "id": TEXT,
        "match": {"type": "boolean"},
        "name": TEXT,
        "score": {"type": "number", "minimum": 0, "maximum": 100},
        "type": TYPES,
    },
    "required": ["id", "name", "score", "match", "features"],
    "additionalProperties": False,
}
RESULTS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "properties": {"result": {"type": "array", "items": CANDIDATE}},
        "required": ["result"],
    },
}
MANIFEST = {
    "type": "object",
    "properties": {
        "versions": {"type": "array", "contains": {"const": "0.2"}},
        "name": TEXT,
        "identifierSpace": {"type": "string", "pattern": "^https?://"},
        "schemaSpace": {"type": "string", "pattern": "^https?://"},
        "defaultTypes": TYPES,
        "view": {"type": "object", "properties": {"url": TEMPLATE}, "required": ["url"]},
        "preview": {
            "type": "object",
            "properties": {"url": TEMPLATE, "width": {"type": "integer"}, "height": {"type": "integer"}},
            "required": ["url", "width", "height"],
        },
    },
    "required": ["versions", "name", "identifierSpace", "schemaSpace", "view", "suggest"],
}
SUGGESTIONS = {
    "type": "object",
    "properties": {
        "result": {
            "type": "array",
            "items": {"type": "object", "properties": {"id": TEXT, "name": TEXT}, "required": ["id", "name"]},
        }
    },
    "required": ["result"],
}


def ask(client: TestClient, path: str, *queries: dict[str, Any] | str) -> list[list[dict[str, Any]]]:
    """The candidates of each query; a text is only a name."""
    batch = {
        f"q{number}": {"query": query} if isinstance(query, str) else query for number, query in enumerate(queries)
    }
    answer = client.post(path, content=urlencode({"queries": json.dumps(batch)}), headers=FORM)
    assert answer.status_code == 200, answer.text
    results = answer.json()
    jsonschema_rs.validate(RESULTS, results)
    assert client.get(path, params={"queries": json.dumps(batch)}).json() == results
    assert list(results) == list(batch)
    return [results[key]["result"] for key in batch]


def certain(candidates: list[dict[str, Any]]) -> list[str]:
    matches = [candidate["id"] for candidate in candidates if candidate["match"]]
    assert len(matches) < 2
    return matches


def of(country: Any) -> dict[str, Any]:
    return {"properties": [{"pid": "country", "v": country}]}


def test_a_name_is_certain_if_it_means_one_record(client: TestClient) -> None:
    unido, long, typo, code, nothing = ask(
        client,
        PARTNERS,
        "unido",
        "united nations  Industrial Development Organization",
        "United Nations Industrial Development Organisaton",
        {"query": "moit", "limit": 1},
        "zzzz qqqq",
    )
    assert [certain(found) for found in (unido, long, typo, code, nothing)] == [["unido"], ["unido"], [], ["moit"], []]
    assert (long[0]["score"], typo[0]["id"]) == (100, "unido")
    assert 60 < typo[0]["score"] < 75
    assert len(code) == 1
    assert unido[0]["type"] == [{"id": "international_organisation", "name": "International organisation"}]
    features = {feature["id"]: feature["value"] for feature in long[0]["features"]}
    assert (features["name_equal"], features["alternative_name_equal"]) == (True, False)
    assert features["name_similarity"] == 100
    (ports,) = ask(client, PARTNERS, {"query": "UNIDO", "type": "company"})
    assert ports == []


def test_a_ministry_of_one_country_is_never_anothers(registry: TestClient, editor: Key) -> None:
    vi, en = "Bộ Công Thương", "Ministry of Industry and Trade"
    unproven, without = ask(registry, PARTNERS, en, "Bo Cong Thuong")
    assert (unproven[0]["id"], unproven[0]["match"], unproven[0]["score"]) == ("moit", False, 90)
    assert (without[0]["id"], without[0]["match"]) == ("moit", False)
    here = ("Viet Nam", "VN", "Vietnam", {"id": "viet-nam"})
    ours = [{"query": name, **of(country)} for name, country in product((vi, en), here)]
    ours += [{"query": name} for name in (f"{en} of Viet Nam", f"{en} (Vietnam)", f"{vi} Việt Nam")]
    assert [certain(found) for found in ask(registry, PARTNERS, *ours)] == [["moit"]] * len(ours)
    there = ("Japan", "JP", "Nhật Bản", {"id": "japan"})
    foreign = [{"query": name, **of(country)} for name, country in product((vi, en, "MOIT"), there)]
    foreign += [{"query": name} for name in (f"{en} of Japan", f"Japan {en}", f"{vi} Nhật Bản", f"{en}, Thailand")]
    for query, found in zip(foreign, ask(registry, PARTNERS, *foreign), strict=True):
        assert "moit" not in [candidate["id"] for candidate in found], query
    assert certain(ask(registry, PARTNERS, {"query": en, **of("Atlantis")})[0]) == []

    other = {"name": {"en": en}, "kind": "government", "country": "japan", "citations": [CITATION]}
    made = registry.put("/v1/partners/moit-of-japan", json=other, headers=editor)
    assert made.status_code == 201, made.text
    neither, japan, ours_again = ask(registry, PARTNERS, en, f"{en} of Japan", {"query": en, **of("Viet Nam")})
    assert {candidate["id"] for candidate in neither} >= {"moit", "moit-of-japan"}
    assert [certain(found) for found in (neither, japan, ours_again)] == [[], ["moit-of-japan"], ["moit"]]


def test_places_with_one_name_are_told_apart_by_the_date(client: TestClient) -> None:
    hanoi, code, an_giang, before, after, province = ask(
        client,
        PLACES,
        "Hà Nội",
        "VN-HN",
        "An Giang",
        {"query": "An Giang", "properties": [{"pid": "date", "v": "2020"}]},
        {"query": "An Giang", "properties": [{"pid": "date", "v": "2026-01-01"}]},
        {"query": "Viet Nam", "type": ["province"]},
    )
    assert certain(hanoi) == certain(code) == ["ha-noi"]
    assert (certain(an_giang), an_giang[0]["id"], an_giang[1]["id"]) == ([], "an-giang-2025", "an-giang")
    assert an_giang[1]["description"] == "Province or centrally run city, Viet Nam, until 2025-06-30"
    assert (certain(before), certain(after)) == (["an-giang"], ["an-giang-2025"])
    assert "viet-nam" not in [candidate["id"] for candidate in province]


@pytest.mark.parametrize("path", [PARTNERS, PLACES])
def test_the_service_describes_itself_and_suggests(client: TestClient, path: str) -> None:
    manifest = get(client, path)
    jsonschema_rs.validate(MANIFEST, manifest)
    service = manifest["suggest"]["entity"]["service_url"]
    assert service == f"http://hoptac.test{path}"
    prefix = {"prefix": "uni" if path == PARTNERS else "ha noi"}
    suggested = client.get(service + manifest["suggest"]["entity"]["service_path"], params=prefix).json()
    jsonschema_rs.validate(SUGGESTIONS, suggested)
    assert suggested["result"][0]["id"] == ("unido" if path == PARTNERS else "ha-noi")
    (pid,) = [item["id"] for item in get(client, f"{path}/suggest/property?prefix=")["result"]]
    assert pid in ("country", "date")
    page = client.get(manifest["preview"]["url"].replace("{{id}}", suggested["result"][0]["id"]))
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "frame-ancestors *; sandbox" in page.headers["content-security-policy"]
    assert "x-frame-options" not in page.headers
    assert manifest["view"]["url"].replace("{{id}}", suggested["result"][0]["id"]) in page.text
    problem(client.get(f"{path}/preview?id=no-such-record"), 404, "not_found")


EXTENSION = {
    "type": "object",
    "properties": {
        "meta": {
            "type": "array",
            "items": {"type": "object", "properties": {"id": TEXT, "name": TEXT}, "required": ["id", "name"]},
        },
        "rows": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "minProperties": 1,
                        "maxProperties": 1,
                        "properties": {
                            **{"str": TEXT, "date": {"type": "string", "format": "date"}, "float": {"type": "number"}},
                            **{"int": {"type": "integer"}, "bool": {"type": "boolean"}},
                        },
                        "additionalProperties": False,
                    },
                },
            },
        },
    },
    "required": ["meta", "rows"],
}


@pytest.mark.parametrize(("path", "known"), [(PARTNERS, "moit"), (PLACES, "ha-noi")])
def test_values_of_records_extend_a_table(client: TestClient, path: str, known: str) -> None:
    proposal = get(client, path)["extend"]["propose_properties"]
    address = proposal["service_url"] + proposal["service_path"]
    proposed = client.get(address, params={"type": "partners"}).json()["properties"]
    assert proposed[0]["id"] == "name.en"
    assert client.get(address, params={"limit": 2}).json()["properties"] == proposed[:2]
    asked = {"ids": [known, "no-such-record"], "properties": [{"id": item["id"]} for item in proposed]}
    answer = client.post(path, content=urlencode({"extend": json.dumps(asked)}), headers=FORM)
    assert answer.status_code == 200, answer.text
    extension = answer.json()
    jsonschema_rs.validate(EXTENSION, extension)
    assert client.get(path, params={"extend": json.dumps(asked)}).json() == extension
    record = get(client, f"{path.replace('/reconcile', '')}/{known}")
    values = extension["rows"][known]
    assert (values["name.vi"], values["version"]) == ([{"str": record["name"]["vi"]}], [{"int": record["version"]}])
    assert not any(extension["rows"]["no-such-record"].values())
    assert extension["meta"] == proposed


def test_an_extension_has_bounds(client: TestClient) -> None:
    def send(**extension: Any) -> Any:
        return client.post(PARTNERS, content=urlencode({"extend": json.dumps(extension)}), headers=FORM)

    assert send(ids=[], properties=[]).json() == {"meta": [], "rows": {}}
    unknown = problem(send(ids=["moit"], properties=[{"id": "name.en"}, {"id": "nothing"}]), 422, "invalid")
    assert [error["pointer"] for error in unknown["errors"]] == ["/properties/1/id"]
    requests: list[dict[str, Any]] = [
        {"ids": ["x"] * 51, "properties": []},
        {"ids": [], "properties": [{"id": "kind"}] * 51},
        {"ids": [], "properties": [{"id": "kind", "settings": {"a": 1}}]},
        {"ids": [1], "properties": []},
        {"ids": []},
    ]
    for wrong in requests:
        problem(send(**wrong), 422, "invalid")
    problem(client.get(f"{PARTNERS}?queries={{}}&extend={{}}"), 422, "invalid")
    problem(client.post(PARTNERS, content="queries={}&extend={}", headers=FORM), 422, "invalid")
    problem(client.get("/v1/reconcile/projects/extend/propose"), 404, "not_found")


def test_a_name_of_a_record_runs_nothing_in_the_preview(registry: TestClient, editor: Key) -> None:
    body = {"name": {"en": "<script>alert(1)</script>"}, "kind": "company", "citations": [CITATION]}
    assert registry.put("/v1/partners/a-script", json=body, headers=editor).status_code == 201
    page = registry.get(f"{PARTNERS}/preview?id=a-script").text
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_batches_have_bounds(client: TestClient) -> None:
    def send(queries: str, **headers: str) -> Any:
        return client.post(PARTNERS, content=queries, headers={**FORM, **headers})

    def batch(**query: Any) -> str:
        return urlencode({"queries": json.dumps({"q0": query})})

    problem(send("queries=%7B"), 400, "bad_body")
    problem(send("queries=%FF"), 422, "invalid")
    problem(send("query=1"), 422, "invalid")
    problem(send("queries={}", **{"Content-Type": "application/json"}), 415, "unsupported_type")
    problem(send(f"queries={'x' * 50_000}"), 413, "too_large")
    many = {f"q{number}": {"query": "a"} for number in range(21)}
    problem(send(urlencode({"queries": json.dumps(many)})), 422, "invalid")
    for wrong in ({"query": "x" * 301}, {"query": 1}, {"query": "x", "limit": 0}, {"query": "x", "properties": [{}]}):
        problem(send(batch(**wrong)), 422, "invalid")
    problem(client.get("/v1/reconcile/projects"), 404, "not_found")
    for harmless in ({}, {"query": ""}, {"query": "()"}, {"query": "Japan"}, {"query": "of Japan", "limit": 10**9}):
        assert send(batch(**harmless)).status_code == 200
    assert send("queries={}").json() == {}
