"""The text of exported records: CSV (RFC 4180) and JSON Lines. Each function returns the text of one chunk."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from app.core.model.resource import Resource
from app.core.reading.shapes import Shape
from app.core.values.json import from_json
from app.exchange.exports.record_columns import RecordColumn, record_columns
from app.exchange.formats.csv import BYTE_ORDER_MARK, escaped
from app.exchange.formats.source import Cell


class TableText(Protocol):
    """A format that is made chunk by chunk."""

    media_type: str

    def head(self) -> bytes:
        """Return the part of the file before the records."""

    def chunk(self, bodies: Sequence[bytes]) -> bytes:
        """Return the text of these records."""


class CsvText:
    """CSV with a header row. Texts that a spreadsheet program would run as a formula begin with an apostrophe."""

    media_type = "text/csv; charset=utf-8; header=present"

    def __init__(self, resource: Resource, query: Any) -> None:
        self._columns = record_columns(resource, query.fields)
        self._mark = BYTE_ORDER_MARK if query.bom else b""

    def head(self) -> bytes:
        """Return the names of the columns."""
        return self._mark + _rows([[column.name for column in self._columns]])

    def chunk(self, bodies: Sequence[bytes]) -> bytes:
        """Return a row for each record."""
        return _rows(cells(self._columns, body) for body in bodies)


class JsonLinesText:
    """One JSON object a line: the records as in the API."""

    media_type = "application/x-ndjson"

    def __init__(self, resource: Resource, query: Any) -> None:
        self._resource = resource
        self._shape = Shape.of(query)

    def head(self) -> bytes:
        """Return nothing: JSON Lines have no header."""
        return b""

    def chunk(self, bodies: Sequence[bytes]) -> bytes:
        """Return a line for each record."""
        return b"".join(self._shape.apply(self._resource, body) + b"\n" for body in bodies)


def cells(columns: Sequence[RecordColumn], body: bytes) -> list[Cell]:
    """Return the cells of a stored representation."""
    record = from_json(body)
    return [column.cell(record) for column in columns]


def _rows(rows: Iterable[Sequence[Cell]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([[_csv_cell(cell) for cell in row] for row in rows])
    return text.getvalue().encode()


def _csv_cell(cell: Cell) -> Any:
    if isinstance(cell, str):
        return escaped(cell)
    return str(cell).lower() if isinstance(cell, bool) else cell
