"""`/v1/projects.csv` and the like: each list as a file, and so each nested list."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.core.errors import BadRequest, Forbidden, Gone, Invalid, Moved, NotFound, TooLarge, Unavailable
from app.core.http.operations import PathParameter, checked_id, id_in_path, operation
from app.core.model.resource import Include, Resource
from app.core.reading.parameters import NestedExportQuery, Queries
from app.core.reading.reads import reading_of
from app.exchange.exports.formats import GEOJSON, TABLES, TABLES_AND_MAPS, file_bodies, file_response, format_in_path
from app.exchange.exports.geojson import has_points, rows_of_features
from app.exchange.exports.reading import RecordList, record_chunks
from app.exchange.exports.tables import Rows, rows_of_records

EXPORT_TEXT = (
    "Takes the filters of the list. CSV and workbooks have one row for each record; a column is named by the path of "
    "its value, as in an import, so a file that was exported can be imported again. JSON Lines have the records as the "
    "API returns them. Without `limit`, the file has all matching records. The records are read in small groups, so "
    "a record that changes during a long download is in the file in its old or its new version. A workbook has at most "
    "100,000 rows. Parquet files have the rows of the workbook; a server without the extra `parquet` answers 404."
)
MAP_TEXT = (
    " GeoJSON has a feature for each record, with the columns of the CSV file as its properties. A record without a "
    "point has the geometry null."
)
PROBLEMS = (BadRequest, Forbidden, NotFound, TooLarge, Invalid, Unavailable)


@cache
def export_query(resource: Resource) -> type[BaseModel]:
    """Return the query model of the exports of a resource. Those of nested lists share it."""
    return Queries(resource).export


def formats_of(resource: Resource) -> tuple[str, ...]:
    """Return the formats of the lists of a resource."""
    return TABLES_AND_MAPS if has_points(resource) else TABLES


def table_of(resource: Resource, query: Any, ending: str) -> Rows:
    """Return the table of a list in a format."""
    return rows_of_features(resource, query) if ending == GEOJSON else rows_of_records(resource, query)


def export_router(resource: Resource) -> APIRouter:
    """Return the router with the exports of a resource and of its nested lists."""
    router = APIRouter(tags=[resource.name])
    _add_list(router, resource)
    nested = {include.name: include for include in resource.includes.values() if include.nested}
    if nested:
        _add_nested(router, resource, nested)
    return router


def _add_list(router: APIRouter, resource: Resource) -> None:
    formats = formats_of(resource)

    @operation(
        router,
        "GET",
        f"/v1/{resource.name}.{{format}}",
        f"Download {resource.name} as a table",
        name=f"export_{resource.name}",
        about=EXPORT_TEXT + (MAP_TEXT if has_points(resource) else ""),
        query=lambda: export_query(resource),
        leaves_out=lambda: resource.parameters,
        formats=lambda _: formats,
        in_path={"format": format_in_path(formats)},
        answers=file_bodies(formats),
        statuses={"200": "The file."},
        problems=PROBLEMS,
    )
    async def read(request: Request, query: Any, **path: str) -> Response:
        table = table_of(resource, query, path["format"])
        chunks = record_chunks(request, RecordList(reading_of(resource)), query, table)
        return await file_response(request, table, chunks, query, path["format"])


def _add_nested(router: APIRouter, owner: Resource, nested: Mapping[str, Include]) -> None:
    """Add one operation for all nested lists of a resource. Each takes the parameters of the list of its records."""
    id_name = f"{owner.one}_id"
    formats = TABLES_AND_MAPS if any(has_points(include.resource) for include in nested.values()) else TABLES
    names: Any = Literal[tuple(nested)]

    def formats_in(path: Mapping[str, str]) -> tuple[str, ...]:
        include = nested.get(path["list"])
        return () if include is None else formats_of(include.resource)

    @operation(
        router,
        "GET",
        f"/v1/{owner.name}/{{{id_name}}}/{{list}}.{{format}}",
        f"Download a nested list of {owner.a_one}",
        name=f"export_{owner.one}_list",
        about=f"Returns the records of a nested list, such as `/v1/{owner.name}/{owner.example}/{next(iter(nested))}`, "
        "as a file. It takes all parameters of the export of these records.",
        query=NestedExportQuery,
        query_by_path=lambda path: export_query(nested[path["list"]].resource),
        formats=formats_in,
        in_path={
            **id_in_path(owner),
            "list": PathParameter("Name of the list.", next(iter(nested)), names),
            "format": format_in_path(formats),
        },
        answers=file_bodies(formats),
        statuses={"200": "The file."},
        problems=(*PROBLEMS, Gone, *(() if owner.merged_into_column is None else (Moved,))),
    )
    async def read(request: Request, query: Any, **path: str) -> Response:
        include = nested[path["list"]]
        parent = checked_id(path[id_name])
        table = table_of(include.resource, query, path["format"])
        listed = RecordList(reading_of(owner), parent, include)
        named = replace(table, name=f"{parent}-{table.name}")
        chunks = record_chunks(request, listed, query, named)
        return await file_response(request, named, chunks, query, path["format"])
