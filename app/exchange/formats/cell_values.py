"""The JSON value of a cell: a number, a date or a text, by the conventions of its column, or why it has none."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from app.core.values.dates import parse_edtf
from app.core.values.garbled import garbled_as
from app.exchange.formats.cells.conventions import Evidence
from app.exchange.formats.cells.dates import DateText, read_date
from app.exchange.formats.cells.numbers import NumberText, read_number
from app.exchange.formats.options import TableOptions
from app.exchange.formats.source import Cell
from app.exchange.formats.workbook.merges import DOWN
from app.exchange.formats.workbook.number_formats import CURRENCY, PERCENT, SCALE, displayed_text
from app.exchange.formats.workbook.sheet import NO_VALUE

CLEARED = "[clear]"  # removes the value; no record contains it, and spreadsheet programs leave it as it is
CHOICE = " | "  # between a code and its labels, as the cells of a template offer them
CELL_ERRORS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#SPILL!", "#CALC!"})
MAX_NUMBER = 10**15  # no number of a record is as large
YEARS = range(1000, 3000)  # numbers that are years; Excel counts days from 1900, so the days of today are above 40,000

NUMERIC = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")

Kind = Literal["number", "integer", "boolean", "string", "date"]

FORMULA = "The cell has a formula whose value was not saved. Open the file in a spreadsheet program and save it again."
SPREADSHEET_ERROR = "The cell contains an error of the spreadsheet."
SERIAL = "The cell contains a number that is not a year. If it is a date, format the cell as a date."
AS_TEXT = "Format the cell as text, and write the code again."
GARBLED = {
    "mojibake": "The text was read in a wrong encoding before. Open the original file with the encoding UTF-8, and "
    "save it as an XLSX workbook or as CSV UTF-8.",
    "TCVN3": "The text is written for old fonts (TCVN3, also called ABC). Convert it to Unicode, for example with "
    "UniKey, and save the file again.",
    "VNI": "The text is written for old fonts (VNI). Convert it to Unicode, for example with UniKey, and save the file "
    "again.",
}


class BadCell(Exception):
    """A cell without a value. The code is one of those of errors."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass
class Conventions:
    """How the numbers and dates of a column are written: as stated, or as its other cells prove."""

    column: int
    options: TableOptions
    evidence: Callable[[], Evidence]
    used: set[str]  # the conventions by which cells of this column with two readings were read
    codes: tuple[str, ...] | None = None  # that its values can have: see `codes_of`

    def decimal(self) -> str | None:
        """Return the sign before decimals, `point` or `comma`, if it is certain."""
        return self._certain(self.options.decimal, "point", "comma")

    def order(self) -> str | None:
        """Return the order of dates, `dmy` or `mdy`, if it is certain."""
        return self._certain(self.options.dates, "dmy", "mdy")

    def _certain(self, stated: str | None, *conventions: str) -> str | None:
        convention = stated or self.evidence().proved(self.column, *conventions)
        if convention:
            self.used.add(convention)
        return convention


class CellValue(NamedTuple):
    """The value of a cell. `mark` says what its unit must be: PERCENT, or CURRENCY with a sign."""

    value: Any
    mark: str = ""


def _check_mark(mark: str, kind: Kind) -> None:
    """Raise BadCell if the mark of a cell means that it has no value of its own."""
    if mark == NO_VALUE:
        raise BadCell("no_value", FORMULA)
    if kind not in ("number", "integer"):
        return
    if mark.startswith(DOWN):
        first, last = mark.removeprefix(DOWN).split(":")
        detail = (
            f"The cell is merged from row {first} to row {last} and contains a number, which cannot belong to each of "
            "these rows. Unmerge the cells and fill each of them."
        )
        raise BadCell("merged_cells", detail)
    if mark.startswith(SCALE):
        detail = (
            f"The cell shows «{mark.removeprefix(SCALE)}» after its number, but contains the number without it. Write "
            "the whole number, and remove the word from the format of the cell."
        )
        raise BadCell("shown_otherwise", detail)


def cell_value(cell: Cell, mark: str, kind: Kind, conventions: Conventions) -> CellValue | None:
    """Return the value of a cell for a kind of member, None if it is blank. Raise BadCell if it has none."""
    if mark:
        _check_mark(mark, kind)
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return CellValue(cell if kind == "boolean" else str(cell).lower())
    if isinstance(cell, int | float):
        return _value_of_number(cell, mark, kind, conventions.codes)
    text = cell.strip()
    if not text:
        return None
    if text in CELL_ERRORS:
        raise BadCell("invalid_value", SPREADSHEET_ERROR)
    garbled = garbled_as(text)
    if garbled:
        raise BadCell("garbled_text", GARBLED[garbled])
    return _value_of_text(text, kind, conventions)


def _value_of_number(number: int | float, mark: str, kind: Kind, codes: tuple[str, ...] | None) -> CellValue:
    exact = int(number) if number == number // 1 else float(f"{number:.15g}")  # Excel shows 15 digits
    if kind in ("number", "integer"):
        if mark != PERCENT:
            return CellValue(exact, mark if mark.startswith(CURRENCY) else "")
        return CellValue(json_number(Decimal(str(exact)) * 100), PERCENT)
    if kind == "date" and exact not in YEARS:
        raise BadCell("invalid_value", SERIAL)
    if mark == PERCENT:
        return CellValue(f"{json_number(Decimal(str(exact)) * 100)}%")
    return CellValue(displayed_text(exact, mark) or str(exact) if codes is None else _code(exact, mark, codes))


def _code(number: int | float, mark: str, codes: tuple[str, ...]) -> str:
    """Return the code that a number stands for. Raise BadCell if zeros at its end, or digits, may be lost."""
    displayed = displayed_text(number, mark)
    equal = _codes_by_number(codes).get(number, [])
    if displayed in equal or (displayed and not codes):
        return displayed
    if len(equal) > 1:
        detail = f"The cell contains a number, which can be {' / '.join(equal)}. {AS_TEXT}"
        raise BadCell("two_readings", detail)
    if abs(number) >= MAX_NUMBER:
        raise BadCell("two_readings", f"The cell contains a number of which only 15 digits are kept. {AS_TEXT}")
    if not codes and isinstance(number, float):
        raise BadCell(
            "two_readings", f"The cell contains a number, so zeros at the end of the code may be lost. {AS_TEXT}"
        )
    return equal[0] if equal else str(number)


@lru_cache
def _codes_by_number(codes: tuple[str, ...]) -> dict[float, list[str]]:
    """Return the codes that look like numbers, by their number."""
    by_number: dict[float, list[str]] = {}
    for code in codes:
        if NUMERIC.fullmatch(code):
            by_number.setdefault(float(code), []).append(code)
    return by_number


def _value_of_text(text: str, kind: Kind, conventions: Conventions) -> CellValue:
    if text == CLEARED:
        return CellValue(text)
    if kind == "boolean":
        return CellValue({"true": True, "false": False}.get(text.lower(), text))
    if kind == "date":
        return CellValue(_date(text, conventions))
    if kind in ("number", "integer"):
        number = read_number(text)
        if number is None or number.largest >= MAX_NUMBER:
            return CellValue(text)  # which the rules of the resource refuse
        mark = PERCENT if number.is_percent else CURRENCY + number.currency if number.currency else ""
        return CellValue(json_number(_number(number, conventions)), mark)
    code = text.partition(CHOICE)[0]
    return CellValue(code if conventions.codes and code in conventions.codes else text)


def _number(number: NumberText, conventions: Conventions) -> Decimal:
    stated = conventions.options.decimal
    certain = conventions.decimal() if number.has_two_readings else stated
    if certain is None and number.value is None:
        detail = (
            f"The number can be {_plain(number.comma)} or {_plain(number.point)}. State whether a point or a comma "
            "separates the decimals: `decimal=comma` or `decimal=point`."
        )
        raise BadCell("two_readings", detail)
    value = number.value if certain is None else (number.point if certain == "point" else number.comma)
    if value is None:
        detail = f"The number is {_plain(number.value)}, but the import states `decimal={certain}`, which does not fit."
        raise BadCell("two_readings", detail)
    return value


def _plain(number: Decimal | None) -> str:
    return str(json_number(number or Decimal(0)))


def _date(text: str, conventions: Conventions) -> str:
    if _is_edtf(text):
        return text
    date = read_date(text)
    return text if date is None else _certain_date(date, conventions)


def _certain_date(date: DateText, conventions: Conventions) -> str:
    stated = conventions.options.dates
    order = conventions.order() if date.has_two_readings else stated
    if order is None and date.value is None:
        detail = (
            f"The date can be {date.dmy} (day first) or {date.mdy} (month first). State the order: `dates=dmy` or "
            "`dates=mdy`."
        )
        raise BadCell("two_readings", detail)
    value = date.value if order is None else (date.dmy if order == "dmy" else date.mdy)
    if value is None:
        detail = f"The date is {date.value}, but the import states `dates={order}`, which does not fit."
        raise BadCell("two_readings", detail)
    return value


def _is_edtf(text: str) -> bool:
    try:
        parse_edtf(text)
    except ValueError:
        return False
    return True


def json_number(number: Decimal) -> int | float:
    """Return a JSON number: an integer if it has no fraction."""
    return int(number) if number == number.to_integral_value() else float(number)
