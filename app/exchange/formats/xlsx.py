"""Tables as XLSX workbooks, read in bounded memory.

A small file can decompress to gigabytes, and openpyxl keeps in memory every XML element that it has read, except the
content of rows; some parts, such as the styles, it reads at once. So each part is first read by a parser that keeps
nothing and estimates the memory that openpyxl would need.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import IO, Any
from xml.parsers import expat

from app.core.errors import BadFile, TooLarge
from app.core.model.resource import Resource
from app.exchange.formats.columns import MAX_COLUMNS, Cell, column_descriptions

MAX_ROWS = 1_048_576  # of a sheet, as in Excel

MAX_ARCHIVE_PARTS = 1_000
MAX_UNPACKED = 500_000_000  # bytes of all parts
MAX_TAG = 1_000_000  # bytes

# Estimated bytes of memory, without the text: the limits of one part and one row, and the size of an element. openpyxl
# clears the elements of a sheet after reading them, but does not remove them.
MAX_PART_MEMORY = 300_000_000
MAX_ROW_MEMORY = 50_000_000
ELEMENT_IN_ROW = 300
ELEMENT_OF_TREE = 200
CLEARED_ELEMENT = 100
ATTRIBUTE = 100

BLOCK = 65_536
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
ROW_PATH = [f"{MAIN} {step}" for step in ("worksheet", "sheetData", "row")]

LITERAL = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')  # in a number format: texts, colours, languages

NOT_A_WORKBOOK = "The file is not an XLSX workbook with a sheet."


def xlsx_rows(file: IO[bytes]) -> Iterator[tuple[int, list[Cell]]]:
    """Yield the numbered rows of the first sheet that are not blank. A formula has the value that was saved with it.

    Raise BadFile if the file is not a workbook or declares a document type (which could define entities), and TooLarge
    if reading it would need too much memory.
    """
    try:
        book = _open_workbook(file)
        sheet: Any = book.worksheets[0]
        sheet.reset_dimensions()
        header = list(next(sheet.iter_rows(max_row=1, max_col=MAX_COLUMNS + 1, values_only=True), ()))
    except (BadFile, TooLarge):
        raise
    except Exception:  # openpyxl raises many kinds of exceptions for a malformed workbook
        raise BadFile(NOT_A_WORKBOOK) from None
    while header and header[-1] is None:
        header.pop()
    yield 1, header
    number = 1
    try:
        for number, row in enumerate(sheet.iter_rows(min_row=2, max_row=MAX_ROWS, max_col=len(header) + 1), 2):
            cells = [_cell_value(cell) for cell in row]
            if any(cell is not None for cell in cells):
                yield number, cells
    except Exception:
        raise BadFile(f"The workbook cannot be read after row {number}.") from None
    book.close()


def _cell_value(cell: Any) -> Cell:
    """Return the value of a cell. A date whose format shows only the year, or year and month, becomes such a text."""
    value: Cell = cell.value
    if not isinstance(value, datetime):
        return value
    date_format = LITERAL.sub("", cell.number_format.lower())
    if "y" not in date_format or "d" in date_format or "h" in date_format:
        return value
    return value.strftime("%Y-%m" if "m" in date_format else "%Y")


def _open_workbook(file: IO[bytes]) -> Any:
    from openpyxl.reader.excel import ExcelReader  # noqa: PLC0415 - slow to import, and few processes need it

    try:
        archive = _LimitedArchive(file)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
        raise BadFile("The file is not an XLSX workbook.") from None
    file.seek(0)
    reader = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
    reader.archive = archive
    reader.read()
    return reader.wb


class _LimitedArchive(zipfile.ZipFile):
    """An archive that checks each part before openpyxl reads it, at once with `read` or row by row with `open`."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._checked: set[str] = set()
        parts = self.infolist()
        if len(parts) > MAX_ARCHIVE_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
            raise TooLarge(f"The workbook has too many parts, or decompresses to more than {MAX_UNPACKED} bytes.")

    def read(self, name: Any, pwd: bytes | None = None) -> bytes:
        with super().open(name, pwd=pwd) as part:
            _MemoryCheck(clears_rows=False).check(part)
        with super().open(name, pwd=pwd) as part:
            return part.read()

    def open(self, name: Any, mode: Any = "r", pwd: bytes | None = None, *, force_zip64: bool = False) -> IO[bytes]:
        if name not in self._checked:
            with super().open(name, mode, pwd) as part:
                _MemoryCheck(clears_rows=True).check(part)
            self._checked.add(name)
        return super().open(name, mode, pwd, force_zip64=force_zip64)


class _MemoryCheck:
    """An estimate of the memory that openpyxl needs for one part. `clears_rows`: it reads the part row by row."""

    def __init__(self, *, clears_rows: bool) -> None:
        self._row_path = ROW_PATH if clears_rows else []
        self._element_size = CLEARED_ELEMENT if clears_rows else ELEMENT_OF_TREE
        self._path: list[str] = []
        self._part_memory = 0
        self._row_memory = 0
        self._is_in_row = False
        self._is_inside_tag = False

    def check(self, part: IO[bytes]) -> None:
        """Parse the part. Raise BadFile if it is not well-formed XML, and TooLarge if it exceeds a limit."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartDoctypeDeclHandler = self._refuse_document_type
        parser.StartElementHandler = self._start_element
        parser.EndElementHandler = self._end_element
        parser.CharacterDataHandler = self._add_text
        parser.CommentHandler = self._add_text
        tag_size = 0
        try:
            while block := part.read(BLOCK):
                self._is_inside_tag = True  # until the parser has an event
                parser.Parse(block)
                tag_size = tag_size + len(block) if self._is_inside_tag else 0
                if tag_size > MAX_TAG:
                    raise TooLarge(f"The workbook contains an XML tag of more than {MAX_TAG} bytes.")
        except (expat.ExpatError, zipfile.BadZipFile, EOFError, zlib.error, LookupError, ValueError):
            raise BadFile(NOT_A_WORKBOOK) from None

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        if len(self._path) == len(ROW_PATH):
            self._is_in_row = self._path == self._row_path
        element = ELEMENT_IN_ROW if self._is_in_row else self._element_size
        self._add(element + sum(map(len, attributes.values())) + ATTRIBUTE * len(attributes))

    def _end_element(self, _: str) -> None:
        self._path.pop()
        if self._is_in_row and len(self._path) < len(ROW_PATH):
            self._is_in_row = False
            self._row_memory = 0
            self._part_memory += CLEARED_ELEMENT

    def _add_text(self, text: str) -> None:
        self._add(len(text))

    def _add(self, size: int) -> None:
        self._is_inside_tag = False
        if self._is_in_row:
            self._row_memory += size
        else:
            self._part_memory += size
        if self._part_memory > MAX_PART_MEMORY or self._row_memory > MAX_ROW_MEMORY:
            raise TooLarge("A part or a row of the workbook contains more than fits in memory.")

    def _refuse_document_type(self, *_: Any) -> None:
        raise BadFile("A part of the workbook declares a document type.")


@cache
def xlsx_template(resource: Resource) -> bytes:
    """Return a workbook with an empty table of the resource, and a second sheet that describes its columns."""
    from openpyxl import Workbook  # noqa: PLC0415 - slow to import, and few processes need it

    columns = list(column_descriptions(resource))
    book = Workbook(write_only=True)
    table = book.create_sheet(resource.name)
    table.freeze_panes = "B2"
    table.append([name for name, *_ in columns])
    explanation = book.create_sheet("columns")
    explanation.append(["column", "type", "required", "codes or description"])
    for row in columns:
        explanation.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()
