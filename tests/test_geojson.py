"""Lists as GeoJSON: places, projects and figures with their points, and nested lists as files."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import geojson
import pytest
from starlette.testclient import TestClient

from app.exchange.exports import reading
from app.exchange.formats.media_types import CSV
from tests.support.http import get, walk
from tests.support.imports import counts, ended
from tests.support.keys import Key
from tests.support.records import CITED, PROJECT

PLACE: dict[str, Any] = {
    "name": {"en": "Somewhere"},
    "level": "locality",
    "parent": "viet-nam",
    "managed_by": "unido",
    "citations": CITED,
}


def collection(client: TestClient, path: str) -> Any:
    response = client.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/geo+json"
    assert geojson.loads(response.text).errors() == []
    return response.json()


def position(client: TestClient, place: str) -> list[float]:
    point = get(client, f"/v1/places/{place}")["point"]
    return [point["longitude"], point["latitude"]]


def test_places_are_features_with_their_points(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_CHUNK", 50)
    features = collection(client, "/v1/places.geojson?sort=name")["features"]
    items = list(walk(client, "/v1/places?sort=name"))
    assert [feature["id"] for feature in features] == [item["id"] for item in items]
    for feature, item in zip(features, items, strict=True):
        point = item["point"]
        expected = point and {"type": "Point", "coordinates": [point["longitude"], point["latitude"]]}
        assert feature["geometry"] == expected
        assert feature["properties"]["level"] == item["level"]
    (labelled,) = collection(client, "/v1/places.geojson?id=hue&fields=level,point&labels=vi")["features"]
    assert labelled["properties"] == {
        "id": "hue",
        "level": "province",
        "level_label": "Tỉnh, thành phố trực thuộc trung ương",
        "point.latitude": 16.4619,
        "point.longitude": 107.59546,
        "point.precision": "centre",
        "point.precision_label": "Trung tâm thành phố, thị xã",
    }
    assert collection(client, "/v1/places.geojson?q=zzzzqqqq")["features"] == []


def test_projects_have_the_points_of_their_places(registry: TestClient, editor: Key) -> None:
    hidden = {**PLACE, "state": "draft", "point": {"latitude": 1, "longitude": 2, "precision": "exact"}}
    assert registry.put("/v1/places/hidden", json=hidden, headers=editor).status_code == 201
    project = {**PROJECT, "places": ["hue", "asia", "japan"]}
    assert registry.put("/v1/projects/mapped", json=project, headers=editor).status_code == 201
    (feature,) = collection(registry, "/v1/projects.geojson?id=mapped&fields=title&lang=en")["features"]
    assert feature["geometry"] == {
        "type": "MultiPoint",
        "coordinates": [position(registry, "hue"), position(registry, "japan")],
    }
    assert feature["properties"] == {
        "id": "mapped",
        "title.en": PROJECT["title"]["en"],
        "point_places": "hue; japan",
        "point_precision": "centre; seat",
        "places_without_point": "asia",
    }
    figures = collection(registry, "/v1/figures.geojson")["features"]
    without = [feature["id"] for feature in figures if feature["geometry"] is None]
    assert without == [item["id"] for item in walk(registry, "/v1/figures") if not points_of(registry, item)]
    assert len(without) < len(figures)
    limited = registry.get("/v1/projects.geojson?limit=1")
    assert "/v1/projects.geojson?" in limited.links["next"]["url"]


def points_of(client: TestClient, item: dict[str, Any]) -> list[Any]:
    return [place for place in item["places"] if get(client, f"/v1/places/{place}")["point"]]


def test_a_library_of_maps_opens_them(client: TestClient, tmp_path: Path) -> None:
    pyogrio = pytest.importorskip("pyogrio", reason="GDAL is not installed")
    path = tmp_path / "projects.geojson"
    path.write_bytes(client.get("/v1/projects.geojson").content)
    facts = pyogrio.read_info(path)
    assert (facts["features"], facts["crs"]) == (len(list(walk(client, "/v1/projects"))), "EPSG:4326")


def test_a_point_is_written_imported_and_bounded(registry: TestClient, editor: Key) -> None:
    point: dict[str, Any] = {"latitude": 21.5, "longitude": 105.25, "precision": "exact"}
    assert registry.put("/v1/places/pointed", json={**PLACE, "point": point}, headers=editor).status_code == 201
    table = io.StringIO()
    csv.writer(table).writerows(
        [["id", "point.latitude", "point.longitude", "point.precision"], ["pointed", -91, 10, "seat"]]
    )
    assert counts(ended(registry, editor, table.getvalue().encode(), "?resource=places", CSV)[0]) == (0, 0, 0, 1)
    content = table.getvalue().replace("-91", "-9.5").encode()
    assert counts(ended(registry, editor, content, "?resource=places", CSV)[0]) == (0, 1, 0, 0)
    moved = {"latitude": -9.5, "longitude": 10, "precision": "seat"}
    assert get(registry, "/v1/places/pointed")["point"] == moved
    wrongs: list[dict[str, Any]] = [{"longitude": 180.1}, {"precision": "about"}, {"latitude": None}]
    for wrong in wrongs:
        bad = {**PLACE, "point": {**point, **wrong}}
        assert registry.put("/v1/places/bad", json=bad, headers=editor).status_code == 422


def test_nested_lists_are_files_too(client: TestClient) -> None:
    parent = "/v1/projects/smart-factory-cooperation"
    items = list(walk(client, f"{parent}/figures?kind=actual&sort=-updated_at"))
    assert items
    exported = client.get(f"{parent}/figures.csv?kind=actual&sort=-updated_at&fields=kind")
    rows = list(csv.DictReader(io.StringIO(exported.text)))
    assert rows == [{"id": item["id"], "kind": "actual"} for item in items]
    named = 'attachment; filename="smart-factory-cooperation-figures.csv"'
    assert exported.headers["content-disposition"] == named
    lines = client.get(f"{parent}/figures.jsonl?limit=1")
    assert json.loads(lines.text) == get(client, f"{parent}/figures?limit=1")["items"][0]
    assert f"{parent}/figures.jsonl?" in lines.links["next"]["url"]
    features = collection(client, f"{parent}/figures.geojson")["features"]
    assert [feature["id"] for feature in features] == [item["id"] for item in walk(client, f"{parent}/figures")]
    tag = exported.headers["etag"]
    path = f"{parent}/figures.csv?kind=actual&sort=-updated_at&fields=kind"
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    asked = client.request("QUERY", f"{parent}/figures.csv", json={"kind": ["actual"], "fields": "kind"})
    assert (asked.status_code, asked.text.count("\n")) == (200, len(items) + 1)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/projects/nobody/figures.csv", 404),
        ("/v1/projects/smart-factory-cooperation/nothing.csv", 404),
        ("/v1/projects/smart-factory-cooperation/figures.pdf", 404),
        ("/v1/projects/smart-factory-cooperation/agreements.geojson", 404),
        ("/v1/projects/smart-factory-cooperation/figures.csv?project=x", 422),
        ("/v1/partners.geojson", 404),
        ("/v1/projects.geojson?rows=roles", 422),
    ],
)
def test_other_files_are_refused(client: TestClient, path: str, status: int) -> None:
    assert client.get(path).status_code == status
