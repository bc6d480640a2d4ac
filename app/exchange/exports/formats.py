"""The formats of exported tables, and the file of a request in one of them."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from fastapi import Request, Response

from app.core.http.operations import PathParameter
from app.exchange.exports.geojson import GeoJsonText
from app.exchange.exports.parquet import ParquetFile
from app.exchange.exports.reading import ReadChunk
from app.exchange.exports.sending import Export, WholeFile
from app.exchange.exports.tables import CsvText, JsonLinesText, Rows, TableText
from app.exchange.exports.workbook import Workbook

TEXTS: dict[str, Callable[[Rows, Any], TableText]] = {
    "csv": CsvText,
    "jsonl": JsonLinesText,
    "geojson": GeoJsonText,
}
WHOLE_FILES: dict[str, Callable[[Rows], WholeFile]] = {"xlsx": Workbook, "parquet": ParquetFile}
GEOJSON = "geojson"

MEDIA_TYPES = {
    "csv": CsvText.media_type.partition(";")[0],
    "jsonl": JsonLinesText.media_type,
    "xlsx": Workbook.media_type,
    "parquet": ParquetFile.media_type,
    "geojson": GeoJsonText.media_type,
}
TABLES = ("csv", "jsonl", "xlsx", "parquet")
TABLES_AND_MAPS = (*TABLES, "geojson")


def format_in_path(formats: Sequence[str]) -> PathParameter:
    """Return the path parameter with the format of a file."""
    kind: Any = Literal[tuple(formats)]
    return PathParameter("Format of the file.", "csv", kind)


def file_bodies(formats: Sequence[str]) -> dict[str, Any]:
    """Return the bodies of responses in these formats, for the OpenAPI document."""
    text = {"schema": {"type": "string"}}
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {MEDIA_TYPES[name]: binary if name in WHOLE_FILES else text for name in formats}


async def file_response(request: Request, table: Rows, read: ReadChunk, query: Any, ending: str) -> Response:
    """Return a table as a file."""
    export = Export(request, table, read, query, ending)
    make = WHOLE_FILES.get(ending)
    return await (export.whole(make) if make else export.stream(TEXTS[ending](table, query)))
