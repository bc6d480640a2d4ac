"""The rows of a sheet, read from its XML without keeping any of it.

Only two kinds of XML elements reach the reader: rows, and what is needed of cells (their place, type, style, value or
text). Values mean the same as in openpyxl, whose functions for dates and number formats are used.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import IO, Any, NamedTuple
from xml.parsers import expat

from app.exchange.formats.workbook.archive import BLOCK, ElementCount, Refused, parse
from app.exchange.formats.workbook.number_formats import CellFormat, cell_format
from app.exchange.formats.workbook.parts import MAX_TEXT, Text, Workbook

MAX_ROWS = 1_048_576  # of a sheet, as in Excel
MAX_SHEET_COLUMNS = 16_384
MAX_COLUMN_RANGES = 1_000
MAX_HEAD = 1_000_000  # bytes of a sheet before its first row

DIGITS = "0123456789"
FALSE = ("", "0", "false")
NO_VALUE = "formula"  # the mark of a formula whose value was not saved
BEYOND = "beyond"  # the mark of a cell after the last column that is read

Cell = str | int | float | bool | None


class SheetRow(NamedTuple):
    """A row of a sheet: its number, and its cells, or None if it is too large. Marks have the numbers of columns."""

    number: int
    cells: list[Cell] | None
    marks: dict[int, str]
    is_hidden: bool = False


class SheetReader:
    """The rows of one sheet, with at most `width` cells.

    `emit` is called with each row that is not blank. Rows are not collected: a few kilobytes can contain hundreds that
    each refer to a large string.
    """

    def __init__(self, workbook: Workbook, width: int, emit: Callable[[SheetRow], None]) -> None:
        self.width = width
        self.hidden_columns: list[tuple[int, int]] = []  # first and last
        self._workbook = workbook
        self._emit = emit
        self._elements = ElementCount()
        self._styles: dict[int, CellFormat] = {}
        self._columns: dict[str, int] = {}
        self._number = 0
        self._depth = 0
        self._prefix = ""
        self._is_in_rows = False
        self._has_ended = False
        self._cell: dict[str, str] = {}
        self._text = Text()
        self._texts_at = 0  # depth of the element whose text is collected, 0 if none
        self._start_row({})

    def read(self, part: IO[bytes]) -> None:
        """Read the part of the sheet."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._add_text
        for size in self._parsed(part, parser):
            if self._has_ended:
                break
            if not self._is_in_rows and size > MAX_HEAD:
                raise Refused(f"The sheet has more than {MAX_HEAD} bytes before its rows.", is_too_large=True)
        while part.read(BLOCK):  # to check that the part is complete
            pass

    def _parsed(self, part: IO[bytes], parser: Any) -> Iterator[int]:
        try:
            yield from parse(part, parser)
        except (ValueError, ArithmeticError, KeyError):
            raise Refused(f"The workbook cannot be read after row {self._number}.") from None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        depth = self._depth
        self._elements.add(depth)
        if not self._is_in_rows:
            if depth == 1:
                self._prefix = name[: name.find(":") + 1]
            self._is_in_rows = depth == 2 and name == f"{self._prefix}sheetData"
            if (
                depth == 3
                and attributes.get("hidden", "") not in FALSE
                and len(self.hidden_columns) < MAX_COLUMN_RANGES
            ):
                self.hidden_columns.append((int(attributes.get("min", "0")), int(attributes.get("max", "0"))))
        elif depth > 4:
            self._start_in_cell(depth, name.removeprefix(self._prefix))
        elif depth == 4:
            self._cell = attributes
            self._has_formula = False
        else:
            self._start_row(attributes)

    def _start_in_cell(self, depth: int, name: str) -> None:
        is_text = self._cell.get("t") == "inlineStr"
        if depth == 5:
            self._run = name
            if name == "v" and not is_text:
                self._texts_at = depth
            elif name == "f":
                self._has_formula = True
        elif name == "t" and is_text and (depth == 6 or (depth == 7 and self._run == "r")):
            self._texts_at = depth
        elif depth == 6:
            self._run = name

    def _end(self, name: str) -> None:
        depth = self._depth
        self._depth -= 1
        if not self._is_in_rows:
            return
        if depth == self._texts_at:
            self._texts_at = 0
        elif depth == 4:
            self._end_cell(name.removeprefix(self._prefix))
        elif depth == 3:
            self._end_row(name.removeprefix(self._prefix))
        elif depth == 2:
            self._has_ended = True
            self._is_in_rows = False

    def _add_text(self, text: str) -> None:
        if self._texts_at:
            self._text.add(text)

    def _start_row(self, attributes: dict[str, str]) -> None:
        self._place = attributes.get("r")
        self._is_hidden = attributes.get("hidden", "") not in FALSE
        self._cells: list[Cell] = []
        self._marks: dict[int, str] = {}
        self._has_more = False  # than `width` cells
        self._column = 0
        self._size = 0
        self._count = 0

    def _end_row(self, name: str) -> None:
        if name != "row":
            return
        number = self._number + 1 if self._place is None else _row_number(self._place)
        if not self._number < number <= MAX_ROWS:
            raise Refused(f"The rows of the sheet do not have ascending numbers of at most {MAX_ROWS}.")
        self._number = number
        if self._size > MAX_TEXT:
            self._emit(SheetRow(number, None, {}, self._is_hidden))
        elif self._cells or self._marks:
            self._emit(SheetRow(number, self._cells, self._marks, self._is_hidden))

    def _end_cell(self, name: str) -> None:
        text = self._text.take()
        if name != "c":
            return
        place = self._cell.get("r")
        column = self._column = self._column + 1 if place is None else self._column_of(place)
        self._count += 1
        if self._count > MAX_SHEET_COLUMNS:
            detail = f"A row of the sheet has more than {MAX_SHEET_COLUMNS} cells."
            raise Refused(detail, is_too_large=True)
        if text == "":
            self._end_blank_cell(column)
            return
        value = text if text is None else self._value(text)
        if column > self.width:
            self._add_mark_beyond(column, value)
        elif value is None:
            self._size += MAX_TEXT + 1
        elif self._size <= MAX_TEXT:
            self._add_cell(column, value)

    def _end_blank_cell(self, column: int) -> None:
        is_text = self._cell.get("t") == "str"  # a formula whose result is an empty text
        if self._has_formula and not is_text and column <= self.width:
            self._marks[column - 1] = NO_VALUE

    def _add_mark_beyond(self, column: int, value: Cell) -> None:
        """Mark the first cell after the last column that is not blank."""
        if not self._has_more and not (isinstance(value, str) and not value.strip()):
            self._has_more = True
            self._marks[column - 1] = BEYOND

    def _add_cell(self, column: int, value: Cell) -> None:
        cells = self._cells
        if isinstance(value, str):
            self._size += len(value)
        if column > len(cells):
            cells.extend([None] * (column - len(cells)))
        cells[column - 1] = value
        if "s" in self._cell and isinstance(value, int | float):
            mark = self._style().mark
            if mark:
                self._marks[column - 1] = mark

    def _column_of(self, place: str) -> int:
        letters = place.rstrip(DIGITS)
        column = self._columns.get(letters)
        if column is None:
            column = self._columns[letters] = _column_number(letters)
        return column

    def _value(self, text: str) -> Cell:
        """Return the value of a cell with this text. None: it is too large."""
        kind = self._cell.get("t", "n")
        if kind == "s":
            return self._workbook.strings[int(text)]
        if kind == "n":
            return self._number_or_date(text)
        if kind == "b":
            return bool(int(text))
        if kind == "d":
            from openpyxl.utils.datetime import from_ISO8601  # noqa: PLC0415 - slow; few workbooks need it

            return self._date(from_ISO8601(text))
        return text

    def _number_or_date(self, text: str) -> Cell:
        number = float(text) if "." in text or "e" in text or "E" in text else int(text)
        if "s" not in self._cell:
            return number
        style = self._style()
        if not style.is_date:
            return number
        from openpyxl.utils.datetime import from_excel  # noqa: PLC0415 - slow; only dates need it

        try:
            return self._date(from_excel(number, self._workbook.epoch, timedelta=style.is_duration))
        except (OverflowError, ValueError):
            return "#VALUE!"

    def _style(self) -> CellFormat:
        number = int(self._cell.get("s") or "0")
        style = self._styles.get(number)
        if style is None:
            style = self._styles[number] = cell_format(self._workbook.styles.format_of(number))
        return style

    def _date(self, value: Any) -> str:
        """Return a date as text. If its format shows only the year, or year and month, the text has only these."""
        if not isinstance(value, datetime):
            return str(value)
        shown_as = self._style().shown_as
        if "y" not in shown_as or "d" in shown_as or "h" in shown_as:
            has_time = value.hour or value.minute
            return value.isoformat(timespec="minutes") if has_time else value.date().isoformat()
        return value.strftime("%Y-%m" if "m" in shown_as else "%Y")


def _row_number(text: str) -> int:
    number = float(text)  # some programs write 1.0
    if not number.is_integer():
        raise ValueError("not the number of a row")
    return int(number)


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters[:4].upper():
        if not "A" <= letter <= "Z":
            raise ValueError("not the name of a column")
        number = number * 26 + ord(letter) - ord("A") + 1
    if not 0 < number <= MAX_SHEET_COLUMNS:
        raise ValueError("not the name of a column")
    return number
