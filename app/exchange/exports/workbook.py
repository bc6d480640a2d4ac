"""Exported records as an XLSX workbook, which is written to a temporary file row by row."""

import tempfile
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import IO, Any

from app.core.database.fair_queue import FairQueue
from app.core.errors import TooLarge
from app.exchange.exports.tables import Rows
from app.exchange.formats.source import Cell

MAX_ROWS = 100_000
MAX_BYTES = 200_000_000  # of the records: they are on disk until the workbook is complete
MAX_CELL = 32_767  # characters, the limit of Excel
MAX_SHEET = 31  # characters of the name of a sheet
MAX_NOTES = 1_000
FIRST_DAY = date(1900, 3, 1)  # before it, Excel counts days that did not exist
TOO_LONG_TEXT = "This value has more characters than a cell can contain. The CSV and JSON Lines files contain it."


def workbook_queue() -> FairQueue:
    """Return the queue of workbooks that are made and sent: each takes disk until it is sent."""
    return FairQueue(running=8, running_of_client=1, waiting=100, waiting_of_client=5, patience=60.0, what="workbooks")


class Workbook:
    """A workbook: the records, the meaning of each column, and a note for each value that no cell can contain.

    Texts are never formulas or links. Dates are texts in EDTF, because Excel has no imprecise dates; their first and
    last days are dates of Excel. `rows_of` raises TooLarge beyond MAX_ROWS or MAX_BYTES. Call `close`.
    """

    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def __init__(self, table: Rows) -> None:
        from xlsxwriter import Workbook as Writer  # noqa: PLC0415 - slow to import, and few processes need it

        self._folder = tempfile.TemporaryDirectory(prefix="hoptac-")
        self._file: IO[bytes] = (Path(self._folder.name) / "book.xlsx").open("w+b")
        self._table = table
        self._columns = table.columns
        self._book = Writer(self._file, {"constant_memory": True, "tmpdir": self._folder.name})
        self._bold = self._book.add_format({"bold": True})
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._days = [column.kind == "day" for column in self._columns]
        self._sheet = self._book.add_worksheet(table.name[:MAX_SHEET])
        self._sheet.freeze_panes(1, 1)
        self._head(self._sheet, [column.name for column in self._columns])
        self._rows = 0
        self._size = 0  # of the texts that were added
        self._notes: list[list[str]] = []

    def rows_of(self, items: Sequence[Any]) -> list[list[Cell]]:
        """Return the rows of these items, without adding them: a read can be repeated."""
        getters = [column.get for column in self._columns]
        rows = [[get(row) for get in getters] for row in self._table.values(items)]
        self._check(len(rows), sum(map(len, items)))
        return rows

    def add(self, rows: Iterable[list[Cell]]) -> None:
        """Add rows."""
        for row in rows:
            self._rows += 1
            for position, cell in enumerate(row):
                if cell is not None:
                    self._size += len(cell) if isinstance(cell, str) else 0
                    self._write(position, cell, str(row[0]))

    def _check(self, rows: int, size: int) -> None:
        if self._rows + rows > MAX_ROWS or self._size + size > MAX_BYTES:
            raise TooLarge(f"A workbook has at most {MAX_ROWS} rows and {MAX_BYTES} bytes. Use filters, or CSV.")

    def finish(self) -> IO[bytes]:
        """Complete the workbook and return its file."""
        columns = self._book.add_worksheet("columns")
        self._head(columns, ["column", "description"])
        for number, column in enumerate(self._columns, 1):
            columns.write_string(number, 0, column.name)
            columns.write_string(number, 1, column.meaning)
        if self._notes:
            notes = self._book.add_worksheet("notes")
            self._head(notes, ["id", "column", "note"])
            for number, note in enumerate(self._notes, 1):
                for position, text in enumerate(note):
                    notes.write_string(number, position, text)
        self._book.close()
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Delete the temporary files, those of an unfinished workbook too."""
        for sheet in self._book.worksheets():
            sheet.row_data_fh.close()
        self._book.fileclosed = True
        self._file.close()
        self._folder.cleanup()

    def _head(self, sheet: Any, names: Sequence[str]) -> None:
        for position, name in enumerate(names):
            sheet.write_string(0, position, name, self._bold)

    def _write(self, position: int, cell: Any, record_id: str) -> None:
        sheet = self._sheet
        if isinstance(cell, bool):
            sheet.write_boolean(self._rows, position, cell)
        elif isinstance(cell, int | float):
            sheet.write_number(self._rows, position, cell)
        elif self._days[position] and (day := date.fromisoformat(cell)) >= FIRST_DAY:
            sheet.write_datetime(self._rows, position, day, self._day)
        elif len(cell) <= MAX_CELL:
            sheet.write_string(self._rows, position, cell)
        elif len(self._notes) < MAX_NOTES:
            self._notes.append([record_id, self._columns[position].name, TOO_LONG_TEXT])
