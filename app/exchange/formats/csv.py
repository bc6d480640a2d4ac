"""Tables as CSV (RFC 4180)."""

import contextlib
import csv
import io
from collections.abc import Iterator
from typing import IO

from app.core.errors import BadFile
from app.core.model.resource import Resource
from app.exchange.formats.columns import Cell, column_names

MAX_ROW = 1_000_000  # characters

SEPARATORS = ",;\t"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class _LimitedLines:
    """The lines of a text, of which one row may span several. Raise BadFile if a row is longer than MAX_ROW."""

    def __init__(self, text: IO[str]) -> None:
        self._text = text
        self.row_length = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(MAX_ROW):
            self.row_length += len(line)
            if self.row_length >= MAX_ROW:
                raise BadFile(f"A row is longer than {MAX_ROW} characters.")
            yield line


def csv_rows(file: IO[bytes]) -> Iterator[tuple[int, list[Cell]]]:
    """Yield the rows of a UTF-8 file, each with the number of the line on which it starts.

    The separator is the comma, semicolon or tab that occurs most often in the first line.
    """
    first_line = file.readline(MAX_ROW).decode("utf-8-sig", "replace")
    file.seek(0)
    separator = max(SEPARATORS, key=first_line.count)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    lines = _LimitedLines(text)
    rows = csv.reader(lines, delimiter=separator, strict=True)
    number = 1
    try:
        for cells in rows:
            yield number, list(cells)
            number = rows.line_num + 1
            lines.row_length = 0
    except UnicodeDecodeError:
        raise BadFile(f"The file is not UTF-8, on line {number} or shortly after it.") from None
    except csv.Error:
        detail = f"Line {number} is not valid CSV: a quote is not closed, or a cell is longer than 131,072 characters."
        raise BadFile(detail) from None
    finally:
        with contextlib.suppress(ValueError):  # the file is closed already if the caller stopped reading
            text.detach()


def csv_template(resource: Resource) -> bytes:
    """Return an empty table of the resource, with a byte order mark, by which Excel recognises UTF-8."""
    text = io.StringIO()
    csv.writer(text).writerow(column_names(resource))
    return BYTE_ORDER_MARK + text.getvalue().encode()
