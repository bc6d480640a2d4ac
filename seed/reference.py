"""Reference places: every country of ISO 3166-1, the 63 provinces of Viet Nam and the 34 since 1 July 2025.

Records can link to them before any document speaks of them. All their citations are `external`: as long as no record
of another resource links to such a place, it is no hit of a search over everything.

Their points, and those of the places that the files of the dataset describe, are in `points.tsv`: coordinates of towns
from GeoNames, which `make points` writes. A place whose seat is disputed, or that has no town, has no point.

The ids of countries are in `countries.tsv`, so that they stay the same if Unicode CLDR changes a name. A place that the
files of the dataset describe is not repeated here.
"""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.core.values.evidence import Citation
from app.places.models import COUNTRY, Point

ISO_COUNTRIES = "iso-3166-1"
ISO_PROVINCES = "iso-3166-2"
CODES_OF_2004 = "decision-124-2004-qd-ttg"
CODES_OF_2025 = "decision-19-2025-qd-ttg"
MERGER_OF_2025 = "resolution-202-2025-qh15"
TOWNS = "geonames"
CITY_OF_HUE = "resolution-175-2024-qh15"


def reference_places(folder: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the file, the id and the members of each reference place of a folder. A folder may have none."""
    for row in _rows(folder / "countries.tsv"):
        yield "countries.tsv", row["id"], _country(row["code"])
    provinces = list(_rows(folder / "provinces.tsv"))
    for row in provinces:
        yield "provinces.tsv", row["id"], _province(row, provinces)


def points_of_places(folder: Path) -> dict[str, tuple[Point, Citation]]:
    """Return the point of each place that has one, with the citation of its source, by the id of the place."""
    return {row["id"]: _point(row) for row in _rows(folder / "points.tsv")}


def _point(row: Mapping[str, str]) -> tuple[Point, Citation]:
    point = Point.model_validate({name: row[name] for name in ("latitude", "longitude", "precision")})
    text = f"{row['name']}, GeoNames {row['geonames']}, CC BY 4.0."
    return point, Citation.model_validate(_external(TOWNS, {"vi": text, "en": text}, "point"))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file, dialect="excel-tab")


def _country(code: str) -> dict[str, Any]:
    note = {
        "vi": f"ISO 3166-1 alpha-2: {code}; tên theo Unicode CLDR.",
        "en": f"ISO 3166-1 alpha-2: {code}; names of Unicode CLDR.",
    }
    return {
        "name": COUNTRY.codes[code].label,
        "level": "country",
        "parent": "world",
        "code": code,
        "citations": [_external(ISO_COUNTRIES, note, "name", "code")],
    }


def _province(row: Mapping[str, str], provinces: list[dict[str, str]]) -> dict[str, Any]:
    is_new = not row["iso"]
    source = CODES_OF_2025 if is_new else CODES_OF_2004
    scheme = "vn-gso-2025" if is_new else "vn-gso"
    note = {
        "vi": f"Mã {row['gso']} của Tổng cục Thống kê.",
        "en": f"Code {row['gso']} of the General Statistics Office.",
    }
    citations = [_external(source, note, "name", "identifiers")]
    if row["iso"]:
        text = f"ISO 3166-2: {row['iso']}."
        citations.append(_external(ISO_PROVINCES, {"vi": text, "en": text}, "code"))
    if row["period"]:
        citations.append(_succession(row, provinces))
    return {
        "name": {"vi": row["vi"], "en": row["en"]},
        "level": "province",
        "parent": "viet-nam",
        "code": row["iso"] or None,
        "period": row["period"] or None,
        "succeeded_by": [row["succeeded_by"]] if row["succeeded_by"] else [],
        "identifiers": [{"scheme": scheme, "value": row["gso"]}],
        "citations": citations,
    }


def _succession(row: Mapping[str, str], provinces: list[dict[str, str]]) -> dict[str, Any]:
    """Return the citation of the resolution by which a province ended or began."""
    new_id = row["succeeded_by"] or row["id"]
    source = CITY_OF_HUE if new_id == "hue" else MERGER_OF_2025
    merged = ", ".join(province["vi"] for province in provinces if province["succeeded_by"] == new_id)
    new_name = next(province["vi"] for province in provinces if province["id"] == new_id)
    became = "hợp thành" if ", " in merged else "trở thành"
    note = {"vi": f"{merged} {became} {new_name}.", "en": f"{merged} became {new_name}."}
    return _external(source, note, "period", *(["succeeded_by"] if row["succeeded_by"] else []))


def _external(document: str, note: dict[str, str], *supports: str) -> dict[str, Any]:
    return {"document": document, "basis": "external", "note": note, "supports": list(supports)}
