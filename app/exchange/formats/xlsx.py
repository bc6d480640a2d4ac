"""The rows of an XLSX workbook, in bounded memory whatever it unpacks to.

A part is weighed by a parser that keeps nothing before openpyxl sees it: openpyxl keeps every element it has met, but
for the content of rows; and what it reads whole, such as styles, all of it.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any
from xml.parsers import expat

from app.core.errors import BadFile, TooLarge
from app.exchange.formats.columns import MAX_COLUMNS, Cell

MAX_ROWS = 1_048_576  # of a sheet, as Excel has it

MAX_ARCHIVE_PARTS = 1_000

MAX_UNPACKED = 500_000_000  # bytes that a workbook may unpack to,

MAX_KEPT = 300_000_000  # that its elements and texts may take in memory while one part is read, roughly,

MAX_OF_ROW = 50_000_000  # and those of one row

IN_ROW, WHOLE, EMPTIED = 300, 200, 100  # bytes that an element takes: a cell, one of a tree, one that is behind

LONGEST_MARK = 1_000_000  # bytes between two marks

BLOCK = 65_536

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"

LITERAL = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')  # in a number format: texts, colours, languages

ROW = ("worksheet", "sheetData", "row")


def rows_of_sheet(file: IO[bytes]) -> Iterator[tuple[int, list[Cell]]]:
    """The rows of a workbook's first sheet; of formulas, the values that were saved with them.

    BadFile or TooLarge where it is no workbook, declares a document type (entities), or unpacks to too much.
    """
    try:
        book = _opened(file)
        sheet: Any = book.worksheets[0]
        sheet.reset_dimensions()
        header = next(sheet.iter_rows(max_row=1, max_col=MAX_COLUMNS + 1, values_only=True), ())
    except (BadFile, TooLarge):
        raise
    except Exception:  # a malformed workbook raises anything
        raise BadFile("The file is no XLSX workbook with a sheet.") from None
    names = list(header)
    while names and names[-1] is None:
        names.pop()
    yield 1, names
    read = sheet.iter_rows(min_row=2, max_row=MAX_ROWS, max_col=len(names) + 1)
    rows = ([_cell_value(cell) for cell in row] for row in read)
    number = 1
    while True:
        try:
            cells = next(rows, None)
        except Exception:
            raise BadFile(f"The workbook breaks off behind row {number}.") from None
        if cells is None:
            break
        number += 1
        if any(cell is not None for cell in cells):
            yield number, cells
    book.close()


def _cell_value(cell: Any) -> Cell:
    """What a cell says; a date no more precisely than it is shown."""
    value: Cell = cell.value
    if not isinstance(value, datetime):
        return value
    shown = LITERAL.sub("", cell.number_format.lower())
    if "y" not in shown or "d" in shown or "h" in shown:
        return value
    return value.strftime("%Y-%m" if "m" in shown else "%Y")


def _opened(file: IO[bytes]) -> Any:
    from openpyxl.reader.excel import ExcelReader  # noqa: PLC0415 - takes a while to import, and few processes need it

    try:
        archive = _Archive(file)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
        raise BadFile("The file is no XLSX workbook.") from None
    file.seek(0)
    reader = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
    reader.archive = archive
    reader.read()
    return reader.wb


class _Archive(zipfile.ZipFile):
    """openpyxl reads parts whole by `read`, and row by row by `open`; here each is weighed before."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._weighed: set[str] = set()
        parts = self.infolist()
        if len(parts) > MAX_ARCHIVE_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
            raise TooLarge(f"The workbook unpacks to more than {MAX_UNPACKED} bytes, or has too many parts.")

    def read(self, name: Any, pwd: bytes | None = None) -> bytes:
        with super().open(name, pwd=pwd) as part:
            _Weighing(drops_rows=False).take(part)
        with super().open(name, pwd=pwd) as part:
            return part.read()

    def open(self, name: Any, mode: Any = "r", pwd: bytes | None = None, *, force_zip64: bool = False) -> IO[bytes]:
        if name not in self._weighed:
            with super().open(name, mode, pwd) as part:
                _Weighing(drops_rows=True).take(part)
            self._weighed.add(name)
        return super().open(name, mode, pwd, force_zip64=force_zip64)


class _Weighing:
    """What the elements and texts of a part take in memory; BadFile or TooLarge when that is not to be borne."""

    def __init__(self, *, drops_rows: bool) -> None:
        self._row = [f"{MAIN} {step}" for step in ROW] if drops_rows else []
        self._element = EMPTIED if drops_rows else WHOLE
        self._path: list[str] = []
        self._kept = self._of_row = 0
        self._is_in_row = self._is_quiet = False

    def take(self, part: IO[bytes]) -> None:
        """Parse it to its end."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler, parser.EndElementHandler = self._begin, self._end
        parser.CharacterDataHandler = parser.CommentHandler = self._text
        quiet = 0
        try:
            while block := part.read(BLOCK):
                self._is_quiet = True
                parser.Parse(block)
                quiet = quiet + len(block) if self._is_quiet else 0
                if quiet > LONGEST_MARK:
                    raise TooLarge("The workbook has a mark that is too long.")
        except (expat.ExpatError, zipfile.BadZipFile, EOFError, zlib.error, LookupError, ValueError):
            raise BadFile("The file is no XLSX workbook with a sheet.") from None

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        if len(self._path) == len(ROW):
            self._is_in_row = self._path == self._row
        element = IN_ROW if self._is_in_row else self._element
        self._add(element + sum(map(len, attributes.values())) + 100 * len(attributes))

    def _end(self, _: str) -> None:
        self._path.pop()
        if self._is_in_row and len(self._path) < len(ROW):
            self._is_in_row, self._of_row = False, 0
            self._kept += EMPTIED

    def _text(self, text: str) -> None:
        self._add(len(text))

    def _add(self, weight: int) -> None:
        self._is_quiet = False
        if self._is_in_row:
            self._of_row += weight
        else:
            self._kept += weight
        if self._kept > MAX_KEPT or self._of_row > MAX_OF_ROW:
            raise TooLarge("A part of the workbook, or a row, has more in it than fits in memory.")

    def _refuse(self, *_: Any) -> None:
        raise BadFile("A part of the workbook declares a document type.")
