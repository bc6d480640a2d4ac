"""Exported records as GeoJSON (RFC 7946): features with points on a map.

A place has its own point. A project or figure has the points of its places, in the order of the places. No point is
made up: a record without one has the geometry null.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import msgspec

from app.core.database.statements import Read
from app.core.errors import ErrorItem, Invalid
from app.core.model.resource import RESOURCES, Resource
from app.core.reading.reads import reading_of
from app.core.values.json import from_json
from app.exchange.exports.table_columns import Batch, Column, joined, object_decoder
from app.exchange.exports.tables import (
    Piece,
    Rows,
    one_group,
    records_in_one_group,
    rows_of_records,
)

POINT = "point"  # the field of a place
PLACES = "places"  # the field of other records, and the resource of their values
MAPPED = "mapped_points"  # the member of a row with the points of its places
MAX_READ = 200  # places that are read at once
POINTS_TEXT = "Places of the points, in the order of the coordinates."
PRECISION_TEXT = "What each point is; `/v1/codelists/point_precision` explains the codes."
MISSING_TEXT = "Places of the record that have no point."


def has_points(resource: Resource) -> bool:
    """Return whether the records of a resource can be shown on a map."""
    return not {POINT, PLACES}.isdisjoint(resource.fields.model_fields)


def rows_of_features(resource: Resource, query: Any) -> Rows:
    """Return the table whose rows are the properties of the features, and whose values have their points."""
    if query.rows:
        detail = "GeoJSON has one feature for each record. This parameter is for CSV and workbooks."
        raise Invalid(ErrorItem(parameter="rows", code="invalid_value", detail=detail))
    table = rows_of_records(resource, query)
    if POINT in resource.fields.model_fields:
        return replace(table, groups=records_in_one_group(object_decoder(table.columns, POINT)))
    parse = object_decoder(table.columns, PLACES)

    def complete(bodies: Sequence[bytes]) -> Read:
        return _with_points([parse(body) for body in bodies])

    return replace(
        table,
        columns=(*table.columns, *_COLUMNS),
        groups=one_group(list),
        complete=complete,
    )


class GeoJsonText:
    """A collection of features. The properties of a feature are the columns of the CSV file."""

    media_type = "application/geo+json"
    separator = b",\n"

    def __init__(self, rows: Rows, _: Any) -> None:
        self._rows = rows

    def head(self) -> bytes:
        """Return the start of the collection."""
        return b'{"type":"FeatureCollection","features":[\n'

    def chunk(self, items: Sequence[Any]) -> Piece:
        """Return a feature for each record."""
        (make_rows,) = self._rows.groups(items)
        return Piece(self.separator.join(chain.from_iterable(map(self._features, make_rows()))))

    def _features(self, rows: Batch) -> list[bytes]:
        names = [column.name for column in self._rows.columns]
        cells = zip(*(column.cells(rows) for column in self._rows.columns), strict=True)
        return [_feature(row, dict(zip(names, own, strict=True))) for row, own in zip(rows, cells, strict=True)]

    def tail(self) -> bytes:
        """Return the end of the collection."""
        return b"\n]}\n"


def _feature(row: Mapping[str, Any], properties: Mapping[str, Any]) -> bytes:
    feature = {
        "type": "Feature",
        "id": row["id"],
        "geometry": _geometry(row),
        "properties": properties,
    }
    return msgspec.json.encode(feature)


def _geometry(row: Mapping[str, Any]) -> dict[str, Any] | None:
    if MAPPED not in row:
        point = row.get(POINT)
        return None if point is None else {"type": "Point", "coordinates": _position(point)}
    points = [point for _, point in row[MAPPED] if point is not None]
    return {"type": "MultiPoint", "coordinates": [_position(point) for point in points]} if points else None


def _position(point: Mapping[str, Any]) -> list[float]:
    return [point["longitude"], point["latitude"]]


def _with_points(records: Sequence[Mapping[str, Any]]) -> Read:
    """Return the records with the points of their places, of which they have the ids only."""
    ids = sorted(set(chain.from_iterable(record[PLACES] for record in records)))
    points: dict[str, Any] = {}
    for start in range(0, len(ids), MAX_READ):
        places = yield from reading_of(RESOURCES[PLACES]).bodies(ids[start : start + MAX_READ])
        points |= {place_id: from_json(body).get(POINT) for place_id, body in places.items()}
    return [{**record, MAPPED: [(place, points.get(place)) for place in record[PLACES]]} for record in records]


def _places(row: Mapping[str, Any], *, with_point: bool) -> list[str]:
    return [place for place, point in row[MAPPED] if (point is not None) == with_point]


def _precisions(row: Mapping[str, Any]) -> list[str]:
    return [point.get("precision") or "" for _, point in row[MAPPED] if point is not None]


_COLUMNS = (
    Column(
        "point_places",
        "text",
        (),
        POINTS_TEXT,
        lambda row: joined(_places(row, with_point=True)),
    ),
    Column(
        "point_precision",
        "text",
        (),
        PRECISION_TEXT,
        lambda row: joined(_precisions(row)),
    ),
    Column(
        "places_without_point",
        "text",
        (),
        MISSING_TEXT,
        lambda row: joined(_places(row, with_point=False)),
    ),
)
