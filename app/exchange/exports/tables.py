"""The rows of an exported table, and their text as CSV (RFC 4180) and JSON Lines."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.core.database.statements import Read
from app.core.errors import ErrorItem, Invalid, TooLarge
from app.core.model.resource import Resource
from app.core.reading.shapes import Shape
from app.core.time_limit import check_time
from app.exchange.exports.table_columns import POSITION, Column, TableStyle, record_columns, record_decoder
from app.exchange.formats.csv import BYTE_ORDER_MARK, escaped
from app.exchange.formats.source import Cell

END = "\r\n"
QUOTE = '"'
QUOTES = '""'
MAX_REPEATED = 100_000_000  # bytes of representations, each as often as its record has rows
SUSPECT = frozenset("'=+-@\t\r")  # how a text can begin that needs a look whether it would run as a formula


@dataclass(frozen=True)
class Rows:
    """A table: its name, its columns, and what its rows are made of: records, or items of another response.

    `complete` is a read that returns the items with what their rows need of other records. `values` returns the values
    of each row, in which the columns look up their cells. `lines` returns JSON Lines.
    """

    name: str
    columns: tuple[Column, ...]
    values: Callable[[Sequence[Any]], list[Any]]
    lines: Callable[[Sequence[Any]], bytes]
    complete: Callable[[Sequence[Any]], Read] | None = None


def rows_of_records(resource: Resource, query: Any) -> Rows:
    """Return the table of the records of a list, or of the items of one of their lists."""
    shape = Shape.of(query)
    shape.check(resource, None)
    columns = record_columns(resource, query.fields, query.rows, TableStyle(query.labels, query.lang))

    parse = record_decoder(columns, frozenset([query.rows]) if query.rows else frozenset())

    def values(bodies: Sequence[bytes]) -> list[Any]:
        check_time()
        records = [parse(body) for body in bodies]
        if query.rows and query.fields:
            _check_repeated(bodies, records, query.rows)
        return list(_items_of(records, query.rows)) if query.rows else records

    def lines(bodies: Sequence[bytes]) -> bytes:
        return b"".join([shape.apply(resource, body) + b"\n" for body in bodies])

    name = f"{resource.name}-{query.rows}" if query.rows else resource.name
    return Rows(name, columns, values, lines)


def _check_repeated(bodies: Sequence[bytes], records: Sequence[dict[str, Any]], member: str) -> None:
    """Refuse rows that would repeat too much: each has the chosen fields of its record, in memory too."""
    sizes = [len(body) * len(record.get(member) or ()) for body, record in zip(bodies, records, strict=True)]
    if sum(sizes) > MAX_REPEATED:
        raise TooLarge("The rows would repeat large fields too often. Use a smaller `limit`, or fewer `fields`.")


def _items_of(records: Iterable[dict[str, Any]], member: str) -> Iterator[dict[str, Any]]:
    """Yield a row for each item of a list of each record: the record with this item in place of the list."""
    for record in records:
        for position, item in enumerate(record.get(member) or ()):
            yield {**record, member: item, f"{member}.{POSITION}": position}


class TableText(Protocol):
    """A format that is made chunk by chunk. `separator` stands between two chunks."""

    media_type: str
    separator: bytes

    def head(self) -> bytes:
        """Return the part of the file before the rows."""

    def chunk(self, items: Sequence[Any]) -> bytes:
        """Return the text of these items."""

    def tail(self) -> bytes:
        """Return the part of the file after the rows."""


class CsvText:
    """CSV with a header row. Texts that a spreadsheet program would run as a formula begin with an apostrophe."""

    media_type = "text/csv; charset=utf-8; header=present"
    separator = b""

    def __init__(self, rows: Rows, query: Any) -> None:
        self._rows = rows
        self._mark = BYTE_ORDER_MARK if query.bom else b""

    def head(self) -> bytes:
        """Return the names of the columns."""
        return self._mark + _lines([[column.name] for column in self._rows.columns])

    def chunk(self, items: Sequence[Any]) -> bytes:
        """Return a line for each row."""
        values = self._rows.values(items)
        return _lines([WRITERS[column.kind](column.get(values)) for column in self._rows.columns])

    def tail(self) -> bytes:
        """Return nothing."""
        return b""


class JsonLinesText:
    """One JSON object a line: the records as in the API."""

    media_type = "application/x-ndjson"
    separator = b""

    def __init__(self, rows: Rows, query: Any) -> None:
        if getattr(query, "rows", None):
            detail = "JSON Lines have one record a line, with its lists. This parameter is for CSV and workbooks."
            raise Invalid(ErrorItem(parameter="rows", code="invalid_value", detail=detail))
        self.chunk = rows.lines

    def head(self) -> bytes:
        """Return nothing: JSON Lines have no header."""
        return b""

    def tail(self) -> bytes:
        """Return nothing."""
        return b""


def _lines(columns: Sequence[Sequence[str]]) -> bytes:
    """Return the lines of a table. A blank line is no row, so a table with one column has quotes in place of it."""
    if len(columns) == 1:
        return "".join([f"{cell or QUOTES}{END}" for cell in columns[0]]).encode()
    lines = [",".join(row) for row in zip(*columns, strict=True)]
    return END.join([*lines, ""]).encode()


def _texts(cells: Sequence[Cell]) -> list[str]:
    return ["" if cell is None else _text(cell if isinstance(cell, str) else str(cell)) for cell in cells]


def _text(cell: str) -> str:
    """Return a text as a cell, in quotes if it needs them."""
    if cell[:1] in SUSPECT:
        cell = escaped(cell)
    return _quoted(cell) if "," in cell or '"' in cell or "\n" in cell or "\r" in cell else cell


def _quoted(cell: str) -> str:
    return f'"{cell.replace(QUOTE, QUOTES)}"'


WRITERS: dict[str, Callable[[Sequence[Any]], list[str]]] = {
    "text": _texts,
    "plain": lambda cells: [cell or "" for cell in cells],
    "day": lambda cells: [cell or "" for cell in cells],
    "json": lambda cells: [_quoted(cell) if cell else "" for cell in cells],
    "number": lambda cells: ["" if cell is None else str(cell) for cell in cells],
    "boolean": lambda cells: ["" if cell is None else str(cell).lower() for cell in cells],
}
