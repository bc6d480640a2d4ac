"""Citations as Web Annotations, and the provenance of records as PROV-O."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyshacl
import pytest
from fastapi.testclient import TestClient
from rdflib import PROV, RDF, Graph, URIRef

from app.catalogue import RESOURCES
from tests.support.http import drop, get, patch, problem, put
from tests.support.keys import Key

# The parser of JSON-LD uses what rdflib itself has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib")

SUPPORT = Path(__file__).parent / "support"
BASE = "http://hoptac.test"
JSON_LD = {"Accept": "application/ld+json"}
ANNO = "http://www.w3.org/ns/anno.jsonld"
# The terms of the context of the standard that the registry uses. Others lead to addresses that the test refuses.
LOCAL_CONTEXT = json.loads((SUPPORT / "anno_context.json").read_text("utf-8"))
OF_EACH = 4  # records of each resource in the dataset

TEXT = "Bản tin\nNăm 2022  có 26 doanh nghiệp -\t14 ở phía Bắc, và 26 doanh nghiệp khác.\n"
WORDS = "26 doanh nghiệp"
DOCUMENT = {
    "kind": "news", "title": {"vi": "Bản tin"}, "managed_by": "unido", "language": "vi", "publisher": "Báo Mới",
    "published_on": "2022-12",
    "url": "https://news.example/tin", "sha256": hashlib.sha256(TEXT.encode()).hexdigest(), "paragraphs": 2,
}  # fmt: skip
CITATIONS: list[dict[str, Any]] = [
    {"document": "bulletin", "paragraph": 2, "as_written": WORDS, "supports": ["value", "/period"], "basis": "inferred",
     "note": {"en": "Of the year.", "und": "2022"}},
    {"document": "bulletin", "paragraph": 1, "as_written": "Bản tin"},
    {"document": "poster", "note": "Không trích"},
]  # fmt: skip
FIGURE = {
    "indicator": "enterprises-supported", "kind": "context", "value": 26, "unit": "enterprise", "period": "2022",
    "said_by": {"name": "Thomas Gass", "office": {"en": "Ambassador"}, "partner": "unido"},
    "relayed_for": {"partner": "moit"}, "citations": CITATIONS,
}  # fmt: skip


@pytest.fixture
def cited(registry: TestClient, editor: Key) -> TestClient:
    """A registry with a text, and a figure in its second version that cites it."""
    put(registry, editor, "documents/bulletin", DOCUMENT)
    put(registry, editor, "documents/poster", {"kind": "report", "title": {"vi": "Áp phích"}, "managed_by": "unido"})
    put(registry, editor, "figures/cited", {**FIGURE, "value": 25})
    patch(registry, editor, "figures/cited", value=26)
    plain = {**editor, "Content-Type": "text/plain"}
    assert registry.put("/v1/documents/bulletin/text?shown=full", content=TEXT, headers=plain).status_code == 200
    return registry


def graph_of(content: Any, path: str) -> Graph:
    """Return the triples of JSON-LD. No file is read from the network: the context is the local one."""
    assert isinstance(content["@context"], dict) or content["@context"] == ANNO
    local = content if isinstance(content["@context"], dict) else {**content, "@context": LOCAL_CONTEXT}
    graph = Graph().parse(data=json.dumps(local), format="json-ld", publicID=f"{BASE}{path}")
    assert not [term for term in graph.predicates() if "urn:unknown:" in str(term)]
    terms = {str(term) for triple in graph for term in triple if str(term).startswith(str(PROV))}
    assert terms <= {str(term) for term in dir(PROV)}
    return graph


def ensure_valid(graph: Graph, shapes: str) -> None:
    is_valid, _, report = pyshacl.validate(graph, shacl_graph=str(SUPPORT / shapes), shacl_graph_format="turtle")
    assert is_valid, report


def annotations(client: TestClient, path: str) -> list[dict[str, Any]]:
    content = get(client, path)
    ensure_valid(graph_of(content, path), "web_annotation.ttl")
    items: list[dict[str, Any]] = content["first"]["items"]
    assert content["total"] == len(items)
    return items


def test_citations_are_annotations_that_a_client_can_anchor(cited: TestClient) -> None:
    path = "/v1/figures/cited/evidence.jsonld"
    first, quoted, without = annotations(cited, path)
    assert quoted["target"] == {
        "type": "SpecificResource",
        "source": {"id": "https://news.example/tin", "type": "Text", "language": "vi"},
        "scope": "/v1/documents/bulletin/paragraphs/2",
        "selector": {
            "type": "TextQuoteSelector",
            "exact": WORDS,
            "prefix": "Năm 2022  có ",
            "suffix": " -\t14 ở phía",
        },
    }
    shown = get(cited, "/v1/documents/bulletin/paragraphs/2")["text"]
    selector = quoted["target"]["selector"]
    assert selector["prefix"] + selector["exact"] + selector["suffix"] in shown
    assert [part["selector"]["value"] for part in quoted["body"][:2]] == ["/value", "/period"]
    assert [(body["purpose"], body["value"], body.get("language")) for body in quoted["body"][2:]] == [
        ("tagging", "inferred", None), ("commenting", "Of the year.", "en"), ("commenting", "2022", None),
    ]  # fmt: skip
    assert [body.get("id") for body in first["body"]] == ["/v1/figures/cited", None]
    assert without["target"] == {"type": "SpecificResource", "source": {"id": "/v1/documents/poster", "type": "Text"}}
    # An annotation has one address, also in the collection of its paragraph.
    of_paragraph = annotations(cited, "/v1/documents/bulletin/paragraphs/2.jsonld")
    assert of_paragraph == [quoted]
    assert quoted["id"].startswith(f"{path}#")


def test_words_around_a_quotation_are_shown_as_the_terms_of_the_text_permit(cited: TestClient, editor: Key) -> None:
    plain = {**editor, "Content-Type": "text/plain"}
    cited.put("/v1/documents/bulletin/text?shown=nobody", content=TEXT, headers=plain)
    for path in ("/v1/figures/cited/evidence.jsonld", "/v1/documents/bulletin/paragraphs/2.jsonld"):
        selectors = [item["target"].get("selector", {}) for item in annotations(cited, path)]
        assert {"type": "TextQuoteSelector", "exact": WORDS} in selectors


def test_accept_chooses_json_ld(cited: TestClient) -> None:
    for path, ending in (("/v1/figures/cited/evidence", ".jsonld"), ("/v1/documents/bulletin/paragraphs/2", ".jsonld")):
        graph = cited.get(path, headers=JSON_LD)
        assert graph.headers["content-type"] == f'application/ld+json; profile="{ANNO}"'
        assert graph.headers["content-location"] == f"{path}{ending}"
        record = cited.get(path)
        assert (record.headers["content-type"], graph.json() == record.json()) == ("application/json", False)
        assert "Accept" in record.headers["vary"]
        assert "Accept" in graph.headers["vary"]
        tag = {"If-None-Match": graph.headers["etag"]}
        assert cited.get(f"{path}{ending}", headers=tag).status_code == 304
        assert cited.head(f"{path}{ending}").headers["content-type"] == graph.headers["content-type"]
    assert cited.get("/v1/figures/cited", headers=JSON_LD).headers["content-type"] == "application/json"


def test_what_does_not_exist_has_no_graph(cited: TestClient, editor: Key) -> None:
    missing = (
        *("figures/nothing/evidence.jsonld", "figures/nothing/provenance.jsonld", "figures/cited/evidence.csv"),
        *("documents/bulletin/paragraphs/3.jsonld", "documents/bulletin/paragraphs/x.jsonld"),
        *("documents/nothing/paragraphs/1.jsonld", "documents/bulletin/paragraphs/.jsonld", "figures//evidence.jsonld"),
    )
    for path in missing:
        problem(cited.get(f"/v1/{path}"), 404, "not_found")
    problem(cited.get("/v1/figures/cited/evidence.jsonld?fields=id"), 422, "invalid")
    drop(cited, editor, "figures/cited")
    problem(cited.get("/v1/figures/cited/provenance.jsonld"), 410, "gone")


def test_provenance_leads_from_a_version_to_who_said_it(cited: TestClient, editor: Key) -> None:
    drop(cited, editor, "figures/cited")
    put(cited, editor, "figures/cited", FIGURE)
    path = "/v1/figures/cited/provenance.jsonld"
    content = get(cited, path)
    graph = graph_of(content, path)
    ensure_valid(graph, "prov_o.ttl")
    versions = [*graph.subjects(PROV.specializationOf, URIRef(f"{BASE}/v1/figures/cited"))]
    assert len(versions) == 3
    (present,) = (version for version in versions if (version, PROV.wasDerivedFrom, None) in graph)
    assert get(cited, str(present).removeprefix(BASE))["version"] == 4
    (invalidated,) = {one for one in versions if (one, PROV.wasInvalidatedBy, None) in graph}
    (deletion,) = graph.objects(invalidated, PROV.wasInvalidatedBy)
    (change,) = get(cited, str(deletion).removeprefix(BASE))["items"]
    assert (change["action"], change["version"]) == ("delete", 3)
    sources = {str(source).removeprefix(BASE) for source in graph.objects(present, PROV.wasDerivedFrom)}
    assert sources == {f"/v1/documents/{name}" for name in ("poster", "bulletin/paragraphs/1", "bulletin/paragraphs/2")}
    agents = {str(agent).removeprefix(BASE) for agent in graph.objects(present, PROV.wasAttributedTo)}
    assert agents == {"/v1/figures/cited#said_by", "/v1/partners/moit"}
    speaker = URIRef(f"{BASE}/v1/figures/cited#said_by")
    assert graph.value(speaker, PROV.actedOnBehalfOf) == URIRef(f"{BASE}/v1/partners/unido")
    assert (speaker, RDF.type, PROV.Person) in graph
    publisher = graph.value(URIRef(f"{BASE}/v1/documents/bulletin"), PROV.wasAttributedTo)
    assert (publisher, None, None) in graph
    annotated = {item["id"] for item in annotations(cited, "/v1/figures/cited/evidence.jsonld")}
    linked = {
        link["rdfs:seeAlso"]["@id"] for node in content["@graph"] for link in node.get("prov:qualifiedDerivation", ())
    }
    assert linked == annotated


def records(client: TestClient) -> Iterator[str]:
    for resource in RESOURCES:
        for item in get(client, f"/v1/{resource.name}?limit={OF_EACH}&fields=id")["items"]:
            yield f"/v1/{resource.name}/{item['id']}"


def test_the_graphs_of_the_dataset_are_valid(client: TestClient) -> None:
    quoted, derived = Graph(), Graph()
    for record in records(client):
        quoted += graph_of(get(client, f"{record}/evidence.jsonld"), f"{record}/evidence.jsonld")
        derived += graph_of(get(client, f"{record}/provenance.jsonld"), f"{record}/provenance.jsonld")
    ensure_valid(quoted, "web_annotation.ttl")
    ensure_valid(derived, "prov_o.ttl")


def test_an_invalid_graph_is_noticed(client: TestClient) -> None:
    """The shapes find what is missing or of a wrong type."""
    path = "/v1/figures/smart-factory-enterprises-2022/evidence.jsonld"
    terms = LOCAL_CONTEXT["oa"]
    for name in ("hasTarget", "hasSource", "exact", "motivatedBy"):
        graph = graph_of(get(client, path), path)
        graph.remove((None, URIRef(f"{terms}{name}"), None))
        with pytest.raises(AssertionError):
            ensure_valid(graph, "web_annotation.ttl")
    path = path.replace("evidence", "provenance")
    for node in (PROV.Activity, PROV.Agent, PROV.Entity):
        graph = graph_of(get(client, path), path)
        graph.remove((None, RDF.type, node))
        graph.add((URIRef("urn:x"), RDF.type, PROV.Entity))
        with pytest.raises(AssertionError):
            ensure_valid(graph, "prov_o.ttl")
