"""A table: which of its rows are records, and the line of each of these."""

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

from app.core.errors import BadFile, ErrorItem
from app.core.model.resource import Resource
from app.exchange.formats.columns import Columns
from app.exchange.formats.layout import is_blank
from app.exchange.formats.lines import MAX_LINES, ParsedLine, bad_line, checked_line, too_many_lines
from app.exchange.formats.mapping import MappingFields, folded
from app.exchange.formats.options import TableOptions
from app.exchange.formats.row_records import RowRecord, row_record
from app.exchange.formats.source import Cell, Row, TableSource
from app.exchange.formats.table_report import TableReport, column_letters
from app.exchange.formats.workbook.merges import ACROSS
from app.exchange.formats.workbook.sheet import BEYOND

MAX_ROWS = 20  # that a warning names
FIRST_CELLS = 3  # of a row, in which a word for totals can stand
TOTALS = {
    *("tổng", "tổng cộng", "tổng số", "cộng", "tổng cộng chung", "cộng dồn", "tổng hợp"),
    *("total", "totals", "grand total", "sub-total", "subtotal", "sum"),
}
TOTAL_STARTS = ("t", "c", "g", "s")  # of these words
COLUMN_NUMBER = re.compile(r"\(?\[?(\d{1,3}|[a-zđ])\]?\)?(?:\s*=.*)?", re.IGNORECASE)
MIN_NUMBERS = 3  # cells of a row that numbers the columns
HXL_TAG = re.compile(r"#[a-z][a-z0-9_]*(?:\s*\+[a-z0-9_]+)*")

LEFT_OUT = {
    "hxl_row": "A row with the tags of HXL is not a record",
    "column_numbers": "A row with the numbers of the columns is not a record",
    "totals": "Rows of totals are not records",
    "headings": "Rows without a value in a required column, or merged over several columns, are headings",
}


class Table:
    """The lines of a table. Raise Invalid if the header is wrong, BadFile if there is none, TooLarge for many rows."""

    def __init__(
        self,
        source: TableSource,
        resource: Resource,
        options: TableOptions,
        mapping: MappingFields | None,
        report: TableReport,
    ) -> None:
        self._source = source
        self._resource = resource
        self._options = options
        self._mapping = mapping
        self._report = report
        self._left_out: dict[str, list[int]] = defaultdict(list)
        self._is_first = True

    def lines(self) -> Iterator[ParsedLine]:
        """Yield the line of each row that is a record."""
        columns = None
        for count, row in enumerate(self._source.rows()):
            if count > MAX_LINES:
                raise too_many_lines()
            if columns is None:
                columns = self._columns(row)
                continue
            line = self._line(columns, row)
            if line is not None:
                yield line
        if columns is None:
            raise BadFile("The table is empty. Its first row must contain the names of the columns.")
        columns.describe_conventions()
        self._warn()

    def _columns(self, row: Row) -> Columns:
        evidence = self._source.evidence
        return Columns(self._resource, row.cells or (), self._options, self._mapping, self._report, evidence)

    def _line(self, columns: Columns, row: Row) -> ParsedLine | None:
        """Return the line of a row, None if it is blank or left out."""
        if row.cells is None:
            self._is_first = False
            return bad_line(row.number, self._resource.name)
        if all(map(is_blank, row.cells)) and not row.marks:
            return None
        reason = self._reason(columns, row, row.cells)
        self._is_first = False
        if reason:
            self._left_out[reason].append(row.number)
            return None
        record = row_record(columns, row)
        self._check_beyond(columns, row, record)
        if not record.record and not record.errors:
            return None
        return checked_line(row.number, self._resource, record.record, record.moved, record.errors, record.warnings)

    def _reason(self, columns: Columns, row: Row, cells: list[Cell]) -> str:
        """Return why a row is not a record, or "" if it is one."""
        if self._is_first:
            texts = list(_texts(cells))
            if texts and all(map(HXL_TAG.fullmatch, texts)):
                return "hxl_row"
            if _numbers_columns(texts):
                return "column_numbers"
        if self._is_total(columns, cells):
            return "totals"
        is_across = any(mark.startswith(ACROSS) for mark in row.marks.values())
        if is_across and len(list(_texts(cells))) == 1:
            return "headings"
        if columns.required and not any(
            _filled(cells, column.position) for column in columns.columns if folded(column.header) in columns.required
        ):
            return "headings"
        return ""

    @staticmethod
    def _is_total(columns: Columns, cells: list[Cell]) -> bool:
        """Return whether one of the first texts of a row is a word for totals, and the row has no id."""
        first = [text.casefold() for text in islice(_texts(cells), FIRST_CELLS)]
        if not any(text.startswith(TOTAL_STARTS) and folded(text) in TOTALS for text in first):
            return False
        ids = [column.position for column in columns.columns if column.path == ("id",)]
        return not any(_filled(cells, position) and folded(cells[position]) not in TOTALS for position in ids)

    def _check_beyond(self, columns: Columns, row: Row, record: RowRecord) -> None:
        """Report values in columns without a name: an error where a separator may have moved the cells of the row."""
        cells = row.cells or []
        positions = [position for position, mark in row.marks.items() if mark == BEYOND]
        positions += [position for position in columns.nameless if _filled(cells, position)]
        positions += [position for position in range(len(columns.headers), len(cells)) if _filled(cells, position)]
        if not positions:
            return
        letter = column_letters(min(positions) + 1)
        if self._source.can_shift:
            detail = "The row has a value after the last named column. Put texts that contain the separator in quotes."
            record.errors.append(ErrorItem(code="unknown_column", detail=detail))
        else:
            detail = f"The row has a value in column {letter}, which has no name. The value was left out."
            record.warnings.append(ErrorItem(code="unknown_column", detail=detail))

    def _warn(self) -> None:
        for code, rows in self._left_out.items():
            numbers = ", ".join(map(str, rows[:MAX_ROWS])) + (", …" if len(rows) > MAX_ROWS else "")
            detail = f"{LEFT_OUT[code]}. They were left out: {numbers}."
            self._report.warn(code, detail)
        for code, detail in self._source.noticed():
            self._report.warn(code, detail)


def _texts(cells: list[Cell]) -> Iterator[str]:
    """Yield the texts of the cells that are not blank."""
    return (str(cell).strip() for cell in cells if not is_blank(cell))


def _filled(cells: list[Cell], position: int) -> bool:
    return position < len(cells) and not is_blank(cells[position])


def _numbers_columns(texts: list[str]) -> bool:
    """Return whether the cells number the columns, such as (1), (2), (3) or A, B, 1, 2."""
    matches = [COLUMN_NUMBER.fullmatch(text) for text in texts]
    if len(texts) < MIN_NUMBERS or not all(matches):
        return False
    names = [match[1].lower() for match in matches if match]
    numbers = [int(name) for name in names if name.isdigit()]
    letters = [name for name in names if not name.isdigit()]
    is_ascending = numbers == list(range(min(numbers, default=1), min(numbers, default=1) + len(numbers)))
    return is_ascending and letters == sorted(set(letters)) and min(numbers, default=1) <= 1
