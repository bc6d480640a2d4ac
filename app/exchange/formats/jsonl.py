"""JSON Lines (NDJSON): one record on each line, with its `resource`."""

from collections.abc import Iterator
from typing import IO

from app.core.error_codes import ERROR_DETAILS
from app.core.errors import BadBody, BadFile, ErrorItem
from app.core.model.resource import RESOURCES
from app.core.model.validation import strict_json
from app.exchange.formats.lines import MAX_LINE, MAX_LINES, ParsedLine, bad_line, checked_line, too_many_lines


def json_lines(file: IO[bytes]) -> Iterator[ParsedLine]:
    """Yield the lines that are not blank. Raise BadFile if the file is UTF-16, TooLarge if it is too long."""
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if number > MAX_LINES:
            raise too_many_lines()
        is_too_long = len(line) > MAX_LINE and not line.endswith(b"\n")
        if is_too_long:
            _skip_line(file)
        if number == 1:
            if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise BadFile("The file is UTF-16, not UTF-8.")
            line = line.removeprefix(b"\xef\xbb\xbf")
        if is_too_long:
            yield bad_line(number)
        elif line.strip():
            yield _parsed_line(number, line)


def _skip_line(file: IO[bytes]) -> None:
    """Read to the end of the line without keeping it in memory."""
    while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
        pass


def _parsed_line(number: int, line: bytes) -> ParsedLine:
    try:
        record = strict_json(line)
    except BadBody:
        return bad_line(number)
    if not isinstance(record, dict):
        return bad_line(number)
    name = record.get("resource")
    resource = RESOURCES.get(name) if isinstance(name, str) else None
    if resource is None:
        detail = ERROR_DETAILS["unknown_resource"]
        return ParsedLine(number, errors=(ErrorItem(pointer="/resource", code="unknown_resource", detail=detail),))
    return checked_line(number, resource, record, {})
