"""The rows of a sheet as XML (SpreadsheetML), column by column.

XlsxWriter writes each cell by several calls. For a large sheet this takes five times as long as all other work.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, NamedTuple

from app.exchange.exports.table_columns import Column
from app.exchange.formats.source import Cell
from app.exchange.formats.table_report import column_letters

MAX_CELL = 32_767  # units of UTF-16, the limit of Excel
FIRST_DAY = date(1900, 3, 1).toordinal()  # before it, Excel counts days that did not exist
DAY_ZERO = date(1899, 12, 30).toordinal()
SPECIAL = re.compile("[&<>\x00-\x1f\ufffe\uffff]")  # markup and control characters
ESCAPE = "_x"  # how the escapes of SpreadsheetML begin

Escape = Callable[[str], str]


class SheetRows(NamedTuple):
    """The columns of a sheet, what escapes a text for XML, and the number of the format of days."""

    columns: Sequence[Column]
    escape: Escape
    day_format: int

    def xml(self, first: int, cells: Sequence[Sequence[Cell]]) -> str:
        """Return the rows from a number on, counted from 1. `cells` are those of each column."""
        numbers = range(first, first + len(cells[0]))
        parts = [self._column(place, numbers, values) for place, values in enumerate(cells)]
        rows = zip(numbers, map("".join, zip(*parts, strict=True)), strict=True)
        return "".join([f'<row r="{number}">{row}</row>' for number, row in rows])

    def _column(self, place: int, numbers: range, values: Sequence[Any]) -> list[str]:
        cell = self._day if self.columns[place].kind == "day" else self._cell
        letter = column_letters(place + 1)
        pairs = zip(numbers, values, strict=True)
        return ["" if value is None else cell(f'<c r="{letter}{number}"', value) for number, value in pairs]

    def _cell(self, start: str, value: Any) -> str:
        if isinstance(value, str):
            return self._text(start, value)
        if isinstance(value, bool):
            return f'{start} t="b"><v>{value:d}</v></c>'
        return f"{start}><v>{value}</v></c>"

    def _text(self, start: str, text: str) -> str:
        if cell_length(text) > MAX_CELL:
            return ""
        if _is_special(text):
            return f'{start} t="inlineStr"><is><t xml:space="preserve">{self.escape(text)}</t></is></c>'
        return f'{start} t="inlineStr"><is><t>{text}</t></is></c>'

    def _day(self, start: str, text: str) -> str:
        day = date.fromisoformat(text).toordinal()
        if day < FIRST_DAY:
            return self._text(start, text)
        return f'{start} s="{self.day_format}"><v>{day - DAY_ZERO}</v></c>'


def cell_length(text: str) -> int:
    """Return the length of a text as Excel counts it: characters such as emoji are two units of UTF-16."""
    return len(text) if len(text) <= MAX_CELL // 2 or text.isascii() else len(text.encode("utf-16-le")) // 2


def _is_special(text: str) -> bool:
    """Return whether a text must be escaped. One expression with alternatives takes three times as long."""
    has_blank_end = text[:1].isspace() or text[-1:].isspace()
    return has_blank_end or ESCAPE in text or SPECIAL.search(text) is not None
