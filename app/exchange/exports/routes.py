"""`/v1/projects.csv` and the like: each list as a file."""

from collections.abc import Callable
from functools import cache
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.core.errors import BadRequest, Forbidden, Invalid, NotFound, TooLarge, Unavailable
from app.core.http.operations import PathParameter, operation
from app.core.model.resource import Resource
from app.core.reading.parameters import Queries
from app.core.reading.reads import reading_of
from app.exchange.exports.sending import Export
from app.exchange.exports.tables import CsvText, JsonLinesText, Rows, TableText, rows_of_records
from app.exchange.exports.workbook import Workbook

TEXTS: dict[str, Callable[[Rows, Any], TableText]] = {"csv": CsvText, "jsonl": JsonLinesText}
WORKBOOK = "xlsx"
TEXT = {"schema": {"type": "string"}}
FILES = {
    CsvText.media_type.partition(";")[0]: TEXT,
    JsonLinesText.media_type: TEXT,
    Workbook.media_type: {"schema": {"type": "string", "format": "binary"}},
}
EXPORT_TEXT = (
    "Takes the filters of the list. CSV and workbooks have one row for each record; a column is named by the path of "
    "its value, as in an import, so a file that was exported can be imported again. JSON Lines have the records as the "
    "API returns them. Without `limit`, the file has all matching records. The records are read in small groups, so "
    "a record that changes during a long download is in the file in its old or its new version. A workbook has at most "
    "100,000 records."
)


@cache
def export_query(resource: Resource) -> type[BaseModel]:
    """Return the query model of the exports of a resource."""
    return Queries(resource).export


def export_router(resource: Resource) -> APIRouter:
    """Return the router with the exports of a resource."""
    router = APIRouter(tags=[resource.name])
    reading = reading_of(resource)
    formats = Literal["csv", "jsonl", "xlsx"]

    @operation(
        router,
        "GET",
        f"/v1/{resource.name}.{{format}}",
        f"Download {resource.name} as a table",
        name=f"export_{resource.name}",
        about=EXPORT_TEXT,
        query=lambda: export_query(resource),
        leaves_out=lambda: resource.parameters,
        in_path={"format": PathParameter("Format of the file.", "csv", formats)},
        answers=FILES,
        statuses={"200": "The file."},
        problems=(BadRequest, Forbidden, NotFound, TooLarge, Invalid, Unavailable),
    )
    async def read(request: Request, query: Any, **path: str) -> Response:
        name = path["format"]
        if name not in (*TEXTS, WORKBOOK):
            raise NotFound
        table = rows_of_records(resource, query)
        export = Export(request, reading, query, f"{table.name}.{name}")
        if name == WORKBOOK:
            return await export.workbook(table)
        return await export.stream(TEXTS[name](table, query))

    return router
