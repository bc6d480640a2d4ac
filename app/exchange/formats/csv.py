"""Tables as CSV (RFC 4180)."""

import codecs
import contextlib
import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import IO

from app.core.errors import BadFile, UnsupportedType
from app.core.model.resource import Resource
from app.core.values.normal_forms import normalized
from app.exchange.formats.cells.conventions import Evidence
from app.exchange.formats.layout import IsColumnName, header_row
from app.exchange.formats.lines import Reading
from app.exchange.formats.options import TableOptions
from app.exchange.formats.schema_paths import column_names
from app.exchange.formats.source import Row, TableSource
from app.exchange.formats.table_report import TableReport

MAX_ROW = 1_000_000  # characters
MAX_CELL = 131_072  # characters
HEAD_ROWS = 40
HEAD_TEXT = 200_000  # characters at the start of a file, in which the separator and the header are looked for

SEPARATORS = ",;\t|"
SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?[,;\t|]*\r?\n?', re.IGNORECASE)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
ENCODINGS = {
    **{name: name for name in ("utf-8", "utf-16", "utf-16-le", "utf-16-be")},
    **{f"cp{number}": f"windows-{number}" for number in (*range(1250, 1259), 874, 932, 936, 949)},
    **{"iso8859-1": "iso-8859-1", "iso8859-15": "iso-8859-15", "ascii": "us-ascii"},
}
DECOMPOSED = "cp1258"  # in which Vietnamese letters are written with separate tones


# A spreadsheet program runs a text that begins like this as a formula. An apostrophe before it prevents this.
FORMULA = re.compile(r"'*[=+\-@\t\r]")


def escaped(text: str) -> str:
    """Return the text of a cell that no spreadsheet program runs as a formula."""
    return "'" + text if FORMULA.match(text) else text


def unescaped(text: str) -> str:
    """Return a text that was `escaped`, and any other one as it is."""
    return text[1:] if text.startswith("'") and FORMULA.match(text, 1) else text


def encoding_of(charset: str) -> str:
    """Return the Python name of a `charset` of a media type. Raise UnsupportedType if the server does not read it."""
    try:
        name = codecs.lookup(charset or "utf-8").name
    except LookupError:
        name = ""
    if name not in ENCODINGS:
        raise UnsupportedType(f"The charset must be one of {', '.join(ENCODINGS.values())}.")
    return name


class _Window(io.RawIOBase):
    """A file that is read from its start, at a position of its own. Another window can read the same file meanwhile."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        self._file.seek(self._position)
        content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)


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


class CsvSource(TableSource):
    """A CSV file. Each row has the number of the line on which it starts.

    The encoding is that of a byte order mark, or else the one that is stated. The separator is that of a line `sep=;`
    at the start, or else the comma, semicolon, tab or bar that separates most known names of columns.
    """

    def __init__(
        self,
        file: IO[bytes],
        encoding: str,
        options: TableOptions,
        is_column_name: IsColumnName,
        report: TableReport,
        reading: Reading,
    ) -> None:
        self._file = file
        self._reading = reading
        file.seek(0)
        mark = file.read(3)
        self._encoding = encoding
        if mark == BYTE_ORDER_MARK or encoding in ("utf-8", "ascii"):
            self._encoding = "utf-8-sig"
        if mark.startswith(UTF_16):
            self._encoding = "utf-16"
        head = self._head()
        line = SEPARATOR_LINE.fullmatch(head[0]) if head else None
        self._skipped = 1 if line else 0
        head = head[self._skipped :]
        self._separator, first = _layout(head, line[1] if line else SEPARATORS, is_column_name)
        self._header_row = options.header_row or first + self._skipped
        report.header_row = self._header_row
        self._evidence: Evidence | None = None

    def _head(self) -> list[str]:
        """Return the first lines."""
        lines: list[str] = []
        remaining = HEAD_TEXT
        with _text(self._file, self._encoding) as text, contextlib.suppress(UnicodeDecodeError):
            while len(lines) < HEAD_ROWS and remaining > 0 and (line := text.readline(remaining)):
                lines.append(line)
                remaining -= len(line)
        return lines

    def rows(self) -> Iterator[Row]:
        yield from self._rows()

    def _rows(self) -> Iterator[Row]:
        number = 1
        with _text(self._file, self._encoding) as text:
            lines = _LimitedLines(text)
            for _ in range(self._skipped):
                text.readline()
                number += 1
            csv.field_size_limit(MAX_CELL)  # of the whole process: another library may have raised it
            rows = csv.reader(lines, delimiter=self._separator, strict=True)
            try:
                for cells in rows:
                    if number >= self._header_row:
                        texts = map(_composed, cells) if self._encoding == DECOMPOSED else cells
                        yield Row(number, [unescaped(text) if text[:1] == "'" else text for text in texts])
                    number = rows.line_num + 1 + self._skipped
                    lines.row_length = 0
            except UnicodeError:
                name = "UTF-8" if self._encoding == "utf-8-sig" else ENCODINGS.get(self._encoding, self._encoding)
                detail = (
                    f"The file is not {name}, on line {number} or shortly after it. State its `charset` in "
                    "Content-Type, or save it as CSV UTF-8."
                )
                raise BadFile(detail) from None
            except csv.Error:
                detail = (
                    f"Line {number} is not valid CSV: a quote is not closed, or a cell has more than 131,072 "
                    "characters."
                )
                raise BadFile(detail) from None

    def evidence(self) -> Evidence:
        if self._evidence is None:
            self._evidence = Evidence()
            for row in islice(self._rows(), 1, None):
                self._reading.check()
                for column, cell in enumerate(row.cells or ()):
                    self._evidence.add(column, str(cell))
        return self._evidence


def _composed(cell: str) -> str:
    return normalized("NFC", cell)


@contextlib.contextmanager
def _text(file: IO[bytes], encoding: str) -> Iterator[IO[str]]:
    """Open the text of a file from its start. The file stays open."""
    yield io.TextIOWrapper(io.BufferedReader(_Window(file), 1 << 16), encoding=encoding, newline="")


def _layout(lines: list[str], separators: str, is_column_name: IsColumnName) -> tuple[str, int]:
    """Return the separator, and the number of the line with the header."""
    best = (-1, 0)
    separator = separators[0]
    row = 1
    for candidate in separators:
        number, matches = header_row(_parsed(lines, candidate), is_column_name)
        rank = (matches, lines[0].count(candidate) if lines else 0)
        if rank > best:
            best = rank
            separator = candidate
            row = number
    return separator, row


def _parsed(lines: list[str], separator: str) -> list[tuple[int, list[str | int | float | bool | None]]]:
    """Return the first rows with the numbers of their lines, as far as they are valid."""
    rows = []
    reader = csv.reader(lines, delimiter=separator, strict=True)
    number = 1
    with contextlib.suppress(csv.Error):
        for cells in reader:
            rows.append((number, list[str | int | float | bool | None](cells)))
            number = reader.line_num + 1
    return rows


def csv_template(resource: Resource) -> bytes:
    """Return an empty table of the resource, with a byte order mark, by which Excel recognises UTF-8."""
    text = io.StringIO()
    csv.writer(text).writerow(column_names(resource))
    return BYTE_ORDER_MARK + text.getvalue().encode()
