"""One line of a file: its record as JSON, after the checks that are the same for every format."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from app.core.errors import ERROR_DETAILS, BadBody, BadFile, ErrorItem, Invalid
from app.core.model.resource import Resource
from app.core.model.validation import refuse_unsafe
from app.core.values.json import to_json
from app.core.values.text import SLUGS
from app.exchange.formats.columns import Cell, Columns


@dataclass(frozen=True)
class ParsedLine:
    """A line of a file, with its record as JSON or with the errors that prevent reading it.

    `number` is the line of a text file or the row of a sheet, counted from 1. `moved` is explained at `Columns.record`.
    """

    number: int
    record: bytes | None = None
    resource: str | None = None
    moved: dict[str, str] = field(default_factory=dict)
    errors: tuple[ErrorItem, ...] = ()


def bad_line(number: int) -> ParsedLine:
    """Return a line that is refused because it cannot be read as a JSON object."""
    return ParsedLine(number, errors=(ErrorItem(code="bad_line", detail=ERROR_DETAILS["bad_line"]),))


def checked_line(number: int, resource: Resource, record: dict[str, Any], moved: dict[str, str]) -> ParsedLine:
    """Return the line, with errors if it contains a text, a resource, an id or a version that no record can have."""
    try:
        refuse_unsafe(record, resource.shown)
        _check_head(resource, record)
    except Invalid as invalid:
        return ParsedLine(number, resource=resource.name, moved=moved, errors=tuple(invalid.errors))
    except BadBody:
        return bad_line(number)
    return ParsedLine(number, to_json(record), resource.name, moved)


class _Head(BaseModel):
    """The members that the registry itself writes and that a line may contain."""

    id: str | None = None
    version: int | None = None


def _check_head(resource: Resource, record: dict[str, Any]) -> None:
    """Raise Invalid if the resource, id or version of a line is wrong."""
    errors = []
    if record.get("resource", resource.name) != resource.name:
        errors.append(ErrorItem(pointer="/resource", code="read_only", detail="The table is for another resource."))
    try:
        head = _Head.model_validate({name: record.get(name) for name in _Head.model_fields}, strict=True)
        if head.id is not None:
            SLUGS.validate_python(head.id, strict=True)
    except ValidationError as error:
        location = error.errors()[0]["loc"] or ("id",)
        detail = "This is not a valid id." if location[0] == "id" else "A version is an integer."
        errors.append(ErrorItem(pointer=f"/{location[0]}", code="invalid_value", detail=detail))
    if errors:
        raise Invalid(*errors)


def table_lines(rows: Iterable[tuple[int, list[Cell]]], resource: Resource) -> Iterator[ParsedLine]:
    """Yield the lines of a table from its numbered rows, of which the first is the header. Skip blank rows.

    Raise Invalid if the header is wrong, and BadFile if there is none.
    """
    columns = None
    for number, cells in rows:
        if columns is None:
            columns = Columns(resource, cells)
            continue
        try:
            record, moved = columns.record(cells)
        except Invalid as invalid:
            yield ParsedLine(number, resource=resource.name, errors=tuple(invalid.errors))
            continue
        if record:
            yield checked_line(number, resource, record, moved)
    if columns is None:
        raise BadFile("The table is empty. Its first row must contain the names of the columns.")
