"""The table in a sheet: first rows, by which the server chooses the sheet, and then the rows of the table."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from app.exchange.formats.cells.conventions import Evidence, may_have_two_readings
from app.exchange.formats.workbook.merges import MergedCells, read_merges
from app.exchange.formats.workbook.parts import MAX_TEXT, Sheet, Workbook
from app.exchange.formats.workbook.sheet import SheetReader, SheetRow

MAX_SHEETS = 50  # whose first rows are looked at
HEAD_ROWS = 40
HEAD_TEXT = 200  # characters of a cell
HEAD_SIZE = 200_000  # characters of the first rows of a sheet
HEADS_SIZE = 2_000_000  # characters of all first rows
MAX_HIDDEN = 20  # rows that are named
MAX_HEADER_ROWS = 4
BETWEEN_NAMES = " / "  # of a header of several rows


class _Enough(Exception):
    """The rows that are needed were read."""


def heads(workbook: Workbook, width: int) -> Iterator[dict[str, Any]]:
    """Yield the name of each sheet and its first rows that are not blank."""
    remaining = HEADS_SIZE
    for sheet in workbook.sheets[:MAX_SHEETS]:
        rows = _first_rows(workbook, sheet, width, min(HEAD_SIZE, remaining))
        remaining -= sum(_text_length(cells) for _, cells in rows)
        yield {"sheet": sheet.name, "is_hidden": sheet.is_hidden, "rows": rows}


def _text_length(cells: list[Any]) -> int:
    return sum(len(cell) for cell in cells if isinstance(cell, str))


def _first_rows(workbook: Workbook, sheet: Sheet, width: int, size: int) -> list[tuple[int, list[Any]]]:
    rows: list[tuple[int, list[Any]]] = []
    remaining = size

    def add(row: SheetRow) -> None:
        nonlocal remaining
        cells = [cell[:HEAD_TEXT] if isinstance(cell, str) else cell for cell in row.cells or ()]
        remaining -= sum(len(cell) if isinstance(cell, str) else 8 for cell in cells)
        if remaining < 0 or len(rows) == HEAD_ROWS:
            raise _Enough
        rows.append((row.number, cells))

    with workbook.open_sheet(sheet) as part, contextlib.suppress(_Enough):
        SheetReader(workbook, width, add).read(part)
    return rows


class SheetTable:
    """The rows of a table, which starts with its header.

    `emit` is called with a message for each row. The first is the header, with all names of a column if the header has
    merged cells and so several rows. A message with evidence comes before the first row that may have two readings.
    """

    def __init__(self, workbook: Workbook, sheet: Sheet, header_row: int, emit: Callable[[Any], None]) -> None:
        self._workbook = workbook
        self._sheet = sheet
        self._emit = emit
        with workbook.open_sheet(sheet) as part:
            self._merges = read_merges(part)
        self._first = header_row
        self._last = self._last_header_row()
        self._header: list[list[Any]] = []
        self._is_in_header = True
        self._width = 0
        self._has_evidence = False
        self._hidden_rows = 0
        self._first_hidden: list[int] = []
        self._merged = MergedCells([], 0)

    def _last_header_row(self) -> int:
        """Return the last row of the header: cells of its first row can be merged with cells below."""
        ends = [merge.last_row for merge in self._merges if merge.first_row == self._first]
        last = max(ends, default=self._first)
        return last if last < self._first + MAX_HEADER_ROWS else self._first

    def read(self, width: int) -> dict[str, Any]:
        """Read the rows, of at most `width` cells. Return the warnings."""
        self._width = width
        self._reader = SheetReader(self._workbook, width, self._add)
        with self._workbook.open_sheet(self._sheet) as part:
            self._reader.read(part)
        if self._is_in_header:
            self._end_header()
        hidden: list[int] = []
        for first, last in self._reader.hidden_columns:
            hidden += range(first, last + 1)[:MAX_HIDDEN]
        return {
            "filled": self._merged.filled,
            "hidden_rows": self._hidden_rows,
            "first_hidden": self._first_hidden,
            "hidden_columns": [column for column in hidden if column <= self._width][:MAX_HIDDEN],
        }

    def _add(self, row: SheetRow) -> None:
        if row.number < self._first:
            return
        if row.number <= self._last:
            self._header.append(self._header_cells(row))
            return
        if self._is_in_header:
            self._end_header()
        if row.is_hidden:
            self._hidden_rows += 1
            self._first_hidden += [row.number] if self._hidden_rows <= MAX_HIDDEN else []
        if row.cells is None:
            self._emit([row.number, None, {}])
            return
        marks = {str(column): mark for column, mark in self._merged.fill(row.number, row.cells)}
        marks |= {str(column): mark for column, mark in row.marks.items()}
        if not self._has_evidence and any(isinstance(cell, str) and may_have_two_readings(cell) for cell in row.cells):
            self._emit_evidence()
        self._emit([row.number, row.cells, marks])

    def _header_cells(self, row: SheetRow) -> list[Any]:
        cells = row.cells or []
        for merge in self._merges if self._last > self._first else ():
            if merge.first_row == row.number and merge.first_column <= len(cells):
                last = min(merge.last_column, self._width)
                cells.extend([None] * (last - len(cells)))
                cells[merge.first_column - 1 : last] = [cells[merge.first_column - 1]] * (last + 1 - merge.first_column)
        return cells

    def _end_header(self) -> None:
        """Emit the header, and read later rows with as many cells as it has."""
        self._is_in_header = False
        names = _joined(self._header)
        while names and (names[-1] is None or not str(names[-1]).strip()):
            names.pop()
        self._width = self._reader.width = len(names)
        self._merged = MergedCells([merge for merge in self._merges if merge.first_row > self._last], self._width)
        is_small = sum(len(name) for name in names if isinstance(name, str)) <= MAX_TEXT
        self._emit([self._first, names if is_small else [], {}])

    def _emit_evidence(self) -> None:
        """Read all rows once more, and emit the conventions that the cells of each column prove."""
        self._has_evidence = True
        evidence = Evidence()

        def add(row: SheetRow) -> None:
            if row.number > self._last:
                for column, cell in enumerate(row.cells or ()):
                    if isinstance(cell, str):
                        evidence.add(column, cell)

        with self._workbook.open_sheet(self._sheet) as part:
            SheetReader(self._workbook, self._width, add).read(part)
        self._emit({"evidence": {str(column): sorted(proofs) for column, proofs in evidence.proofs.items()}})


def _joined(rows: list[list[Any]]) -> list[Any]:
    """Return the names of the columns of a header with several rows: the different names above each other."""
    if len(rows) < 2:
        return rows[0] if rows else []
    names: list[Any] = []
    for column in range(max(map(len, rows))):
        cells = [row[column] for row in rows if column < len(row) and row[column] is not None]
        texts = dict.fromkeys(text for text in (str(cell).strip() for cell in cells) if text)
        names.append(BETWEEN_NAMES.join(texts) or None)
    return names
