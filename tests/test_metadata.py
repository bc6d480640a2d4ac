"""The catalogue for data portals, and the JSON Schemas of the resources."""

from pathlib import Path
from typing import Any

import jsonschema
import pyshacl
import pytest
from fastapi.testclient import TestClient
from rdflib import DCAT, DCTERMS, RDF, BNode, Graph, Literal, URIRef

from app.catalogue import RESOURCES
from tests.support.http import client_of, get, problem, put, walk
from tests.support.keys import Key
from tests.support.records import PARTNER

# The parser of JSON-LD uses what rdflib itself has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib")

CATALOG = "/v1/catalog.jsonld"
SHAPES = Path(__file__).parent / "support" / "dcat_ap.ttl"
BASE = "http://hoptac.test"


def graph_of(client: TestClient, base: str = BASE) -> Graph:
    response = client.get(CATALOG)
    assert response.headers["content-type"] == "application/ld+json"
    return Graph().parse(data=response.text, format="json-ld", publicID=f"{base}{CATALOG}")


def ensure_valid(graph: Graph) -> None:
    is_valid, _, report = pyshacl.validate(graph, shacl_graph=str(SHAPES), shacl_graph_format="turtle")
    assert is_valid, report


def test_the_catalogue_is_valid_and_its_addresses_work(client: TestClient) -> None:
    graph = graph_of(client)
    ensure_valid(graph)
    datasets = {str(value): node for node, value in graph.subject_objects(DCTERMS.identifier)}
    assert set(datasets) == {resource.name for resource in RESOURCES} | {"registry"}
    formats = [str(graph.value(one, DCTERMS.title)) for one in graph.objects(datasets["figures"], DCAT.distribution)]
    assert set(formats) == {"JSON API", "CSV", "JSON Lines", "Excel", "Parquet", "GeoJSON"}
    titles = {
        title.language for title in graph.objects(datasets["figures"], DCTERMS.title) if isinstance(title, Literal)
    }
    assert titles == {"en", "vi"}
    addresses = {
        str(address)
        for relation in (DCAT.accessURL, DCAT.downloadURL, DCAT.endpointURL, DCAT.endpointDescription)
        for address in graph.objects(None, relation)
    }
    assert len(addresses) > 4 * len(RESOURCES)
    for address in addresses - {f"{BASE}/v1/export"}:
        assert client.head(address, params={"limit": "1"} if "/v1/" in address else None).status_code == 200, address
    assert not [node for node in graph.subjects(RDF.type, DCAT.Dataset) if isinstance(node, BNode)]


def test_the_catalogue_has_the_settings_of_the_operator(seeded: str) -> None:
    settings: dict[str, Any] = {
        "site_name": "Sổ hợp tác",
        "contact": "data@registry.example",
        "public_url": "https://registry.example/hoptac",
        "data_licence_url": "https://licence.example/",
        "max_archive": 0,
    }
    with client_of(seeded, **settings) as client:
        graph = graph_of(client)
        schema = get(client, "/v1/schemas/projects.json")
        tag = client.get(CATALOG).headers["etag"]
        assert client.get(CATALOG, headers={"If-None-Match": tag}).status_code == 304
    ensure_valid(graph)
    assert schema["$id"] == "https://registry.example/hoptac/v1/schemas/projects.json"
    catalog = URIRef("https://registry.example/hoptac/v1/catalog.jsonld")
    assert str(graph.value(catalog, DCTERMS.title)) == "Sổ hợp tác"
    assert str(graph.value(catalog, DCTERMS.license)) == "https://licence.example/"
    text = graph.serialize(format="nt")
    assert "mailto:data@registry.example" in text
    assert "/v1/export" not in text


def test_an_invalid_catalogue_is_noticed(client: TestClient) -> None:
    """The shapes find what is missing: each of these is mandatory."""
    for relation in (DCTERMS.title, DCTERMS.publisher, DCTERMS.description, DCAT.accessURL, DCAT.endpointURL):
        graph = graph_of(client)
        graph.remove((None, relation, None))
        with pytest.raises(AssertionError):
            ensure_valid(graph)


def test_the_catalogue_is_as_new_as_the_last_change(registry: TestClient, editor: Key) -> None:
    before = registry.get(CATALOG)
    put(registry, editor, "partners/another", PARTNER)
    after = registry.get(CATALOG)
    assert before.headers["etag"] != after.headers["etag"]
    assert after.json()["dct:modified"]["@value"] > before.json()["dct:modified"]["@value"]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_every_record_is_valid_for_the_schema_of_its_resource(client: TestClient, resource: Any) -> None:
    response = client.get(f"/v1/schemas/{resource.name}.json")
    assert response.headers["content-type"] == "application/schema+json"
    schema = response.json()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert (schema["$schema"], schema["$id"]) == (
        "https://json-schema.org/draft/2020-12/schema",
        f"/v1/schemas/{resource.name}.json",
    )
    validator = jsonschema.Draft202012Validator({**schema, "$id": f"{BASE}{schema['$id']}"})
    records = walk(client, f"/v1/{resource.name}?limit=200")
    assert records
    for record in records:
        assert [error.message for error in validator.iter_errors(record)] == []
    assert list(validator.iter_errors({**records[0], "version": 0}))
    assert list(validator.iter_errors({**records[0], "other": 1}))


def test_there_are_schemas_of_resources_only(client: TestClient) -> None:
    problem(client.get("/v1/schemas/nothing.json"), 404, "not_found")
    (api,) = get(client, "/.well-known/api-catalog")["linkset"]
    assert [link["href"] for link in api["service-meta"]] == [CATALOG]
    for link in api["describedby"]:
        assert client.get(link["href"]).headers["content-type"] == link["type"]
