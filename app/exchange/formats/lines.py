"""One line of a file: its record as JSON, after the checks that are the same for every format."""

import threading
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from itertools import islice
from types import NoneType
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from app.core.error_codes import ERROR_DETAILS
from app.core.errors import MAX_ERRORS, BadBody, ErrorItem, Invalid, TooLarge, Unavailable
from app.core.model.list_bounds import has_long_list, long_lists
from app.core.model.resource import Resource
from app.core.model.validation import safe_json
from app.core.values.json import to_json_quickly
from app.core.values.text import SLUGS

MAX_LINE = 1_000_000  # bytes of a line of JSON Lines, and of a row of a table as JSON
MAX_LINES = 1_000_000  # of a file, with those that are blank
MAX_SECONDS = 300  # of CPU time in this process for reading and storing a file
NO_ID = "This is not a valid id."


class Reading:
    """The reading of one file in a thread: its CPU time, whether it was stopped, and what it reports about a table."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.report: BaseModel | None = None  # of a table, once its header was read, or of an IATI file at its end
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the reading soon, from another thread."""
        self._stopped.set()

    def check(self) -> None:
        """Raise Unavailable if the reading was stopped."""
        if self._stopped.is_set():
            raise Unavailable("The server stopped before it had read the file. Send it again.")

    def bounded(self, lines: "Iterable[ParsedLine]") -> "Generator[ParsedLine, None, None]":
        """Yield the lines until the reading is stopped. Raise TooLarge if it takes longer than MAX_SECONDS."""
        started = time.thread_time()
        try:
            for line in lines:
                self.check()
                if time.thread_time() - started > MAX_SECONDS:
                    raise TooLarge("Reading the file takes too long. Send it in several files.")
                yield line
        finally:
            self.seconds += time.thread_time() - started


def too_many_lines() -> TooLarge:
    """Return the error for a file with more lines than MAX_LINES."""
    return TooLarge(f"The file has more than {MAX_LINES} lines. Send it in several files.")


class SourceError(ErrorItem):
    """An error or a warning with its place in an XML file."""

    source_line: int | None = Field(default=None, description="Line of an XML file.")
    path: str | None = Field(
        default=None, description="The element of an XML file.", examples=["/iati-activity/budget[2]/value[1]"]
    )


@dataclass(frozen=True)
class ParsedLine:
    """A line of a file, with its record as JSON or with the errors that prevent reading it.

    `number` is the line of a text file or the row of a sheet, counted from 1. `moved` is explained at `Columns.record`:
    `find_column` finds the letters and the name of the column of a value with it. A line with errors can have a record,
    which then contains its other values. Warnings refuse nothing.
    """

    number: int
    record: bytes | None = None
    resource: str | None = None
    moved: dict[str, str] = field(default_factory=dict)
    errors: tuple[ErrorItem, ...] = ()
    warnings: tuple[ErrorItem, ...] = ()


def bad_line(number: int, resource: str | None = None) -> ParsedLine:
    """Return a line that is refused because it cannot be read as a JSON object, or is too large."""
    return ParsedLine(number, resource=resource, errors=(ErrorItem(code="bad_line", detail=ERROR_DETAILS["bad_line"]),))


def checked_line(
    number: int,
    resource: Resource,
    record: dict[str, Any],
    moved: dict[str, str],
    errors: Iterable[ErrorItem] = (),
    warnings: Iterable[ErrorItem] = (),
) -> ParsedLine:
    """Return the line, with errors if it contains a text, a resource, an id or a version that no record can have.

    The same applies to a list that is too long: an import looks up the items of its lists before it validates them.
    `errors` and `warnings` are those of its cells.
    """
    try:
        content = safe_json(record, resource.shown)
        _check_lists(resource, record)
    except Invalid as invalid:
        return ParsedLine(number, None, resource.name, moved, (*errors, *invalid.errors), tuple(warnings))
    except BadBody:
        return bad_line(number)
    errors = [*errors, *_head_errors(resource, record)]
    wrong = {(error.pointer or "").removeprefix("/") for error in errors}
    if wrong:
        content = to_json_quickly({name: value for name, value in record.items() if name not in wrong})
    if len(content) > MAX_LINE:
        return bad_line(number, resource.name)
    return ParsedLine(number, content, resource.name, moved, tuple(errors), tuple(warnings))


def _check_lists(resource: Resource, record: dict[str, Any]) -> None:
    if has_long_list(resource.fields, record):
        raise Invalid(*islice(long_lists(resource.fields, record), MAX_ERRORS))


def _head_errors(resource: Resource, record: dict[str, Any]) -> list[ErrorItem]:
    """Return an error if the resource, id or version of a line is wrong. The line is read without these members."""
    errors = []
    if record.get("resource", resource.name) != resource.name:
        errors.append(ErrorItem(pointer="/resource", code="read_only", detail="The table is for another resource."))
    record_id = record.get("id")
    if not isinstance(record_id, str | None):
        errors.append(ErrorItem(pointer="/id", code="invalid_value", detail=NO_ID))
    elif type(record.get("version")) not in (int, NoneType):
        errors.append(ErrorItem(pointer="/version", code="invalid_value", detail="A version is an integer."))
    elif record_id is not None and not _is_slug(record_id):
        errors.append(ErrorItem(pointer="/id", code="invalid_value", detail=NO_ID))
    return errors


def _is_slug(text: str) -> bool:
    try:
        SLUGS.validate_python(text, strict=True)
    except ValidationError:
        return False
    return True
