"""The rows of an exported table, and their text as CSV (RFC 4180) and JSON Lines."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

from app.core.database.statements import Read
from app.core.errors import ErrorItem, Invalid
from app.core.model.resource import Resource
from app.core.reading.shapes import Shape
from app.core.time_limit import check_time
from app.exchange.exports.table_columns import (
    POSITION,
    Batch,
    Column,
    TableStyle,
    object_decoder,
    record_columns,
    record_decoder,
)
from app.exchange.formats.csv import BYTE_ORDER_MARK, escaped
from app.exchange.formats.source import Cell

END = "\r\n"
QUOTE = '"'
QUOTES = '""'
MAX_PIECE = 4_000_000  # bytes of representations, each as often as it is repeated: the text that is made at once
SUSPECT = frozenset("'=+-@\t\r")  # first characters of texts that may run as a formula

ROWS_AT_ONCE = 100  # rows that are made together
Group = Callable[[], Iterable[Batch]]  # makes the values of some rows, a few at once
Groups = Callable[[Sequence[Any]], list[Group]]


@dataclass(frozen=True)
class Rows:
    """A table: its name, its columns, and what its rows are made of: records, or items of another response.

    `complete` is a read that returns the items with what their rows need of other records. `groups` returns at least
    one function, which makes the values in which the columns look up their cells. It makes few of them at once, because
    the garbage collector would examine many of them again and again, which takes longer than to make them. `lines`
    returns JSON Lines.
    """

    name: str
    columns: tuple[Column, ...]
    groups: Groups
    lines: Callable[[Sequence[Any]], bytes]
    complete: Callable[[Sequence[Any]], Read] | None = None


def rows_of_records(resource: Resource, query: Any) -> Rows:
    """Return the table of the records of a list, or of the items of one of their lists."""
    shape = Shape.of(query)
    shape.check(resource, None)
    columns = record_columns(resource, query.fields, query.rows, TableStyle(query.labels, query.lang))
    groups: Groups
    if query.rows:
        parse = object_decoder(columns, query.rows)
        groups = ListItems(query.rows, parse, repeats_fields=bool(query.fields)).groups
    else:
        groups = records_in_one_group(record_decoder(columns))

    def lines(bodies: Sequence[bytes]) -> bytes:
        return b"".join([shape.apply(resource, body) + b"\n" for body in bodies])

    name = f"{resource.name}-{query.rows}" if query.rows else resource.name
    return Rows(name, columns, groups, lines)


def one_group(values: Callable[[Sequence[Any]], list[Any]]) -> Groups:
    """Return what makes the values of all items as one group."""

    def few_at_once(items: Sequence[Any]) -> Iterator[Batch]:
        for start in range(0, len(items), ROWS_AT_ONCE):
            yield Batch(values(items[start : start + ROWS_AT_ONCE]))

    return lambda items: [partial(few_at_once, items)]


def records_in_one_group(parse: Callable[[bytes], Any]) -> Groups:
    """Return what parses all representations as one group."""
    return one_group(lambda bodies: [parse(body) for body in bodies])


class Span(NamedTuple):
    """Some items of the list of one record, and the representation of the record."""

    body: bytes
    start: int
    end: int


@dataclass(frozen=True)
class ListItems:
    """Rows that are the items of a list of each record. With `repeats_fields`, each has chosen fields of its record.

    A record of 1 MB with 300 items can then be a text of 300 MB, so its rows are made in groups.
    """

    member: str
    parse: Callable[[bytes], Any]
    repeats_fields: bool

    def groups(self, bodies: Sequence[bytes]) -> list[Group]:
        """Return what makes the rows. It holds the representations only, because a client may read slowly."""
        check_time()
        counts = [len(self.parse(body).get(self.member) or ()) for body in bodies]
        groups: list[list[Span]] = [[]]
        size = 0
        for span in self._spans(bodies, counts):
            if size > MAX_PIECE:
                groups.append([])
                size = 0
            groups[-1].append(span)
            size += (span.end - span.start) * len(span.body) if self.repeats_fields else 0
        return [partial(self._rows, group) for group in groups]

    def _spans(self, bodies: Sequence[bytes], counts: Sequence[int]) -> Iterator[Span]:
        for body, count in zip(bodies, counts, strict=True):
            step = max(MAX_PIECE // len(body), 1) if self.repeats_fields else count
            for start in range(0, count, step or 1):
                yield Span(body, start, min(start + step, count))

    def _rows(self, spans: Iterable[Span]) -> Iterator[Batch]:
        """Yield a row for each item: the record with this item in place of the list."""
        rows = []
        for span in spans:
            record = self.parse(span.body)
            items = record[self.member][span.start : span.end]
            for position, item in enumerate(items, span.start):
                rows.append({**record, self.member: item, f"{self.member}.{POSITION}": position})
            if len(rows) >= ROWS_AT_ONCE:
                yield Batch(rows)
                rows = []
        yield Batch(rows)


class Piece(NamedTuple):
    """A part of the text of some items. `rest` makes the next one, if there is one; it can be called again."""

    text: bytes
    rest: "Callable[[], Piece] | None" = None


def texts_of(piece: Piece) -> Iterator[bytes]:
    """Yield the texts of a piece and of those that follow it."""
    yield piece.text
    while piece.rest:
        piece = piece.rest()
        yield piece.text


class TableText(Protocol):
    """A format that is made chunk by chunk. `separator` stands between two chunks."""

    media_type: str
    separator: bytes

    def head(self) -> bytes:
        """Return the part of the file before the rows."""

    def chunk(self, items: Sequence[Any]) -> Piece:
        """Return the start of the text of these items."""

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

    def chunk(self, items: Sequence[Any]) -> Piece:
        """Return a line for each row."""
        return self._piece(self._rows.groups(items), 0)

    def _piece(self, groups: Sequence[Group], number: int) -> Piece:
        columns = self._rows.columns
        lines = [_lines([WRITERS[column.kind](column.cells(rows)) for column in columns]) for rows in groups[number]()]
        following = number + 1
        return Piece(
            b"".join(lines),
            partial(self._piece, groups, following) if following < len(groups) else None,
        )

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
        self._rows = rows

    def chunk(self, items: Sequence[Any]) -> Piece:
        """Return a line for each record."""
        return Piece(self._rows.lines(items))

    def head(self) -> bytes:
        """Return nothing: JSON Lines have no header."""
        return b""

    def tail(self) -> bytes:
        """Return nothing."""
        return b""


def _lines(columns: Sequence[Sequence[str]]) -> bytes:
    """Return the lines of a table. A blank line would be no row, so a table of one column has quotes in place of it."""
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
    "json": lambda cells: [f'"{cell.replace(QUOTE, QUOTES)}"' if cell else "" for cell in cells],
    "number": lambda cells: ["" if cell is None else str(cell) for cell in cells],
    "boolean": lambda cells: ["" if cell is None else str(cell).lower() for cell in cells],
}
