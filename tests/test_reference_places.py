"""Reference places: all countries and provinces, with their succession, which records can link to."""

import csv
import shutil
from collections import Counter
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.core.database.engine import Database
from app.places.models import PLACES
from seed.files import DATASET, Dataset, read
from seed.loader import load
from tests.support.databases import NewDatabase
from tests.support.http import get, walk
from tests.support.keys import Key
from tests.support.records import PROJECT, store

# They have no town, or their seat is disputed, or GeoNames does not have it.
WITHOUT_POINT = {
    *("antarctica", "bouvet-island", "heard-island-mcdonald-islands", "u-s-outlying-islands"),
    *("israel", "palestinian-territories", "palau", "tokelau"),
}


def provinces() -> list[dict[str, str]]:
    with (DATASET / "provinces.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, dialect="excel-tab"))


def test_there_are_all_countries_and_provinces(client: TestClient) -> None:
    places = list(walk(client, "/v1/places?limit=200"))
    countries = [place for place in places if place["level"] == "country"]
    assert len({place["code"] for place in countries}) == len(countries) == 249
    of_viet_nam = [place for place in places if place["parent"] == "viet-nam" and place["level"] == "province"]
    earlier = [place for place in of_viet_nam if place["code"]]
    assert len(earlier) == 63
    assert len([place for place in of_viet_nam if not place["succeeded_by"]]) == 34
    assert all({"vi", "en"} <= set(place["name"]) for place in places)
    assert all(place["identifiers"] for place in of_viet_nam)


def test_52_provinces_became_23_and_hue_a_city(client: TestClient) -> None:
    successors = Counter(row["succeeded_by"] for row in provinces() if row["succeeded_by"])
    assert successors.pop("hue") == 1
    assert (len(successors), sum(successors.values())) == (23, 52)
    for name, merged in (("phu-tho-2025", {"phu-tho", "vinh-phuc", "hoa-binh"}), ("hue", {"thua-thien-hue"})):
        found = get(client, f"/v1/places?succeeded_by={name}")["items"]
        assert {place["id"] for place in found} == merged


def test_countries_and_provinces_have_points_with_their_source(client: TestClient) -> None:
    places = list(walk(client, "/v1/places?limit=200"))
    for place in places:
        sources = [each["document"] for each in place["citations"] if "point" in each["supports"]]
        assert sources == ([] if place["point"] is None else ["geonames"]), place["id"]
    without = {place["id"] for place in places if place["level"] == "country" and place["point"] is None}
    assert without == WITHOUT_POINT
    provinces = [place for place in places if place["parent"] == "viet-nam" and place["level"] == "province"]
    for province in provinces:
        point = province["point"]
        assert 8.5 < point["latitude"] < 23.4, province["id"]
        assert 102.1 < point["longitude"] < 109.5, province["id"]
        assert point["precision"] in ("centre", "seat"), province["id"]
    assert all(place["point"] is None for place in places if place["level"] in ("world", "world_region", "region"))


def test_codes_of_provinces_are_those_of_iso(dataset: Dataset) -> None:
    pycountry = pytest.importorskip("pycountry", reason="the codes of ISO are not installed")
    codes = {entry.code for entry in pycountry.subdivisions.get(country_code="VN")}
    assert {place.code for place in dataset.of("places").values() if (place.code or "").startswith("VN-")} == codes


def test_a_reference_place_is_found_by_name_and_code_and_can_be_linked(registry: TestClient, editor: Key) -> None:
    assert [place["id"] for place in get(registry, "/v1/places?name=nhat%20ban")["items"]] == ["japan"]
    assert [place["id"] for place in get(registry, "/v1/places?code=JP")["items"]] == ["japan"]
    old = get(registry, "/v1/places?identifier=vn-gso:24")["items"]
    assert [place["id"] for place in old] == ["bac-giang"]
    written = registry.put(
        "/v1/projects/in-japan", json={**PROJECT, "places": ["japan"]}, headers={**editor, "If-None-Match": "*"}
    )
    assert written.status_code == 201
    assert [each["id"] for each in get(registry, "/v1/projects?place=japan")["items"]] == ["in-japan"]


def test_lists_of_cooperation_do_not_count_them(client: TestClient) -> None:
    for path in (
        "/v1/projects/facets?facet=place",
        "/v1/figures/facets?facet=place",
        "/v1/partners/facets?facet=country",
    ):
        (facet,) = get(client, f"{path}&limit=200")["facets"].values()
        assert "japan" not in {each["value"] for each in facet["values"]}
    groups = get(client, "/v1/figures/aggregate?group_by=place&limit=1000")["groups"]
    assert "japan" not in {group["key"]["place"] for group in groups}


def test_loading_again_changes_nothing(database: Database, dataset: Dataset) -> None:
    load(database, dataset)
    again = load(database, dataset)
    assert (again.created, again.updated, again.deleted) == ([], [], [])


def test_a_folder_without_the_tables_has_no_reference_places(tmp_path: Path) -> None:
    for path in DATASET.glob("*.yaml"):
        shutil.copy(path, tmp_path)
    assert "japan" not in read(tmp_path).of("places")
    assert set(read(tmp_path).of("places")) < set(read().of("places"))


def test_a_database_without_them_gets_them(migrated: str, new_database: NewDatabase, tmp_path: Path) -> None:
    for path in DATASET.glob("*.yaml"):
        shutil.copy(path, tmp_path)
    with Database(new_database(migrated)) as database:
        load(database, read(tmp_path))
        outcome = load(database, read())
    assert ("places", "japan") in outcome.created
    assert not outcome.deleted
    assert not outcome.left_alone


def test_a_country_that_somebody_added_before_stays(migrated: str, new_database: NewDatabase, tmp_path: Path) -> None:
    for path in DATASET.glob("*.yaml"):
        shutil.copy(path, tmp_path)
    nippon = {"id": "nippon", "name": {"en": "Nippon"}, "level": "country", "code": "JP", "managed_by": "unido"}
    with Database(new_database(migrated)) as database:
        load(database, read(tmp_path))
        store(database, PLACES, nippon)
        outcome = load(database, read())
    assert (("places", "japan"), "places/nippon has its code") in outcome.left_alone
    assert ("places", "china") in outcome.created
