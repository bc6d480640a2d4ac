"""Files as they are sent: JSON Lines of any records, CSV and XLSX tables of one resource; read line by line."""

import contextlib
import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import IO, Any

from pydantic import BaseModel, ValidationError

from app.core.errors import ERROR_DETAILS, BadBody, BadFile, ErrorItem, Invalid
from app.core.model.resource import RESOURCES, Resource
from app.core.model.validation import refuse_unsafe, strict_json
from app.core.values.json import to_json
from app.core.values.text import SLUGS
from app.exchange.formats.columns import Cell, Columns, column_descriptions
from app.exchange.formats.xlsx import rows_of_sheet

JSON_LINES, CSV = "application/x-ndjson", "text/csv"

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

TYPES = {JSON_LINES: JSON_LINES, "application/jsonl": JSON_LINES, CSV: CSV, XLSX: XLSX}

SUFFIXES = {".jsonl": JSON_LINES, ".ndjson": JSON_LINES, ".csv": CSV, ".xlsx": XLSX}

LONGEST_LINE = 1_000_000  # bytes of a JSON line


@dataclass(frozen=True)
class ParsedLine:
    """A line as it was read: what it says as JSON, or what is wrong with it; `moved` as of Columns.record."""

    number: int
    given: bytes | None = None
    resource: str | None = None
    moved: dict[str, str] = field(default_factory=dict)
    errors: tuple[ErrorItem, ...] = ()


def parse_file(file: IO[bytes], kind: str, resource: Resource | None) -> Iterator[ParsedLine]:
    """The lines of a file that say something; BadFile, TooLarge or Invalid when it cannot be read as what it is."""
    if kind == JSON_LINES:
        return _json_lines(file)
    assert resource is not None, "a table is of one resource"
    return _rows(_csv_rows(file) if kind == CSV else rows_of_sheet(file), resource)


def _json_lines(file: IO[bytes]) -> Iterator[ParsedLine]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        whole = line.endswith(b"\n") or len(line) <= LONGEST_LINE
        while line and not line.endswith(b"\n") and not whole:
            line = file.readline(LONGEST_LINE)
        if number == 1:
            if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise BadFile("The file is UTF-16, not UTF-8.")
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not whole or line.strip():
            yield _json_line(number, line if whole else b"")


def _json_line(number: int, line: bytes) -> ParsedLine:
    try:
        given = strict_json(line)
    except BadBody:
        given = None
    if not isinstance(given, dict):
        return ParsedLine(number, errors=(ErrorItem(code="bad_line", detail=ERROR_DETAILS["bad_line"]),))
    name = given.get("resource")
    resource = RESOURCES.get(name) if isinstance(name, str) else None
    if resource is None:
        wrong = ErrorItem(pointer="/resource", code="unknown_resource", detail=ERROR_DETAILS["unknown_resource"])
        return ParsedLine(number, errors=(wrong,))
    return _checked(number, resource, given, {})


def _checked(number: int, resource: Resource, given: dict[str, Any], moved: dict[str, str]) -> ParsedLine:
    """The line, unless it holds what no record can."""
    try:
        refuse_unsafe(given, resource.shown)
        _check_own(resource, given)
    except Invalid as wrong:
        return ParsedLine(number, resource=resource.name, moved=moved, errors=tuple(wrong.errors))
    except BadBody:
        return ParsedLine(number, errors=(ErrorItem(code="bad_line", detail=ERROR_DETAILS["bad_line"]),))
    return ParsedLine(number, to_json(given), resource.name, moved)


class _Own(BaseModel):
    """What the registry says of a record, as far as a line may say it."""

    id: str | None = None
    version: int | None = None


def _check_own(resource: Resource, given: dict[str, Any]) -> None:
    errors = []
    if given.get("resource", resource.name) != resource.name:
        errors.append(ErrorItem(pointer="/resource", code="read_only", detail="The table is of another resource."))
    try:
        own = _Own.model_validate({name: given.get(name) for name in _Own.model_fields}, strict=True)
        if own.id is not None:
            SLUGS.validate_python(own.id, strict=True)
    except ValidationError as error:
        place = error.errors()[0]["loc"] or ("id",)
        detail = "This is no id." if place[0] == "id" else "A version is a whole number."
        errors.append(ErrorItem(pointer=f"/{place[0]}", code="invalid_value", detail=detail))
    if errors:
        raise Invalid(*errors)


def _rows(rows: Iterable[tuple[int, list[Cell]]], resource: Resource) -> Iterator[ParsedLine]:
    columns = None
    for number, cells in rows:
        if columns is None:
            columns = Columns(resource, cells)
        else:
            try:
                given, moved = columns.record(cells)
            except Invalid as wrong:
                yield ParsedLine(number, resource=resource.name, errors=tuple(wrong.errors))
                continue
            if given:
                yield _checked(number, resource, given, moved)
    if columns is None:
        raise BadFile("The table is empty: its first row names the columns.")


class _Lines:
    """The lines of a text; BadFile where more than a row may have comes before `size` is set back."""

    def __init__(self, text: IO[str]) -> None:
        self._text, self.size = text, 0

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(LONGEST_LINE):
            self.size += len(line)
            if self.size >= LONGEST_LINE:
                raise BadFile(f"A row has more than {LONGEST_LINE} letters.")
            yield line


def _csv_rows(file: IO[bytes]) -> Iterator[tuple[int, list[Cell]]]:
    """The rows of UTF-8 CSV (RFC 4180), each with the line it starts on; separated by what separates the header."""
    first = file.readline(LONGEST_LINE).decode("utf-8-sig", "replace")
    file.seek(0)
    separator = max(",;\t", key=first.count)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    lines = _Lines(text)
    rows, line = csv.reader(lines, delimiter=separator, strict=True), 1
    try:
        for cells in rows:
            yield line, list(cells)
            line, lines.size = rows.line_num + 1, 0
    except UnicodeDecodeError:
        raise BadFile(f"The file is not UTF-8, at line {line} or soon after.") from None
    except csv.Error:
        raise BadFile(f"Line {line} is no CSV: a quote that is not closed, or a cell beyond 131,072 letters.") from None
    finally:
        with contextlib.suppress(ValueError):  # closed before, where nobody wanted the rest
            text.detach()


@cache
def xlsx_template(resource: Resource) -> bytes:
    """A workbook with the names of the columns on its first sheet, and on its second what each may hold."""
    from openpyxl import Workbook  # noqa: PLC0415

    book = Workbook(write_only=True)
    columns = list(column_descriptions(resource))
    sheet = book.create_sheet(resource.name)
    sheet.freeze_panes = "B2"
    sheet.append([name for name, *_ in columns])
    about = book.create_sheet("columns")
    about.append(["column", "type", "needed", "what it may hold"])
    for row in columns:
        about.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()
