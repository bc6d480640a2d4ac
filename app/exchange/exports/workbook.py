"""Exported records as an XLSX workbook, which is written to a temporary file row by row."""

from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any

from app.core.database.fair_queue import FairQueue
from app.core.errors import TooLarge
from app.exchange.exports.sheet_rows import MAX_CELL, SheetRows, cell_length
from app.exchange.exports.table_columns import Column
from app.exchange.exports.tables import Group, Rows
from app.exchange.exports.temporary_folder import TemporaryFolder
from app.exchange.formats.source import Cell

MAX_ROWS = 100_000
MAX_BYTES = 200_000_000  # characters of texts: they are on disk until the workbook is complete
MAX_SHEET = 31  # characters of the name of a sheet
MAX_NOTES = 1_000
FIRST_ROW = 2  # after the header
TOO_LONG_TEXT = "This value has more characters than a cell can contain. The CSV and JSON Lines files contain it."


def workbook_queue() -> FairQueue:
    """Return the queue of workbooks that are made and sent: each takes disk until it is sent."""
    return FairQueue(
        running=8,
        running_of_client=1,
        waiting=100,
        waiting_of_client=5,
        patience=60.0,
        what="workbooks",
    )


class Workbook:
    """A workbook: the records, the meaning of each column, and a note for each value that no cell can contain.

    Texts are never formulas or links. Dates are texts in EDTF, because Excel has no imprecise dates; their first and
    last days are dates of Excel. `add` raises TooLarge beyond MAX_ROWS or MAX_BYTES. Call `close`.
    """

    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def __init__(self, table: Rows) -> None:
        from xlsxwriter import Workbook as Writer  # noqa: PLC0415 - slow to import, and few processes need it

        self._folder = TemporaryFolder()
        self._file: IO[bytes] = (self._folder.path / "book.xlsx").open("w+b")
        self._table = table
        self._columns = table.columns
        self._book = Writer(self._file, {"constant_memory": True, "tmpdir": str(self._folder.path)})
        self._bold = self._book.add_format({"bold": True})
        day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._sheet = self._book.add_worksheet(table.name[:MAX_SHEET])
        self._sheet.freeze_panes(1, 1)
        self._head(self._sheet, [column.name for column in self._columns])
        self._sheet._write_single_row(1)  # the header, before the rows that are added as XML
        self._xml = SheetRows(self._columns, self._escaped, day._get_xf_index())
        self._rows = 0
        self._size = 0  # of the texts that were added
        self._notes: list[list[str]] = []

    def rows_of(self, items: Sequence[Any]) -> list[Group]:
        """Return what makes the rows of these items, without adding them: a read can be repeated."""
        return self._table.groups(items)

    def add(self, make_rows: Group) -> None:
        """Add a group of rows."""
        for rows in make_rows():
            if rows:
                self._add_cells([column.cells(rows) for column in self._columns])

    def _add_cells(self, cells: Sequence[Sequence[Cell]]) -> None:
        """Add rows with these cells of each column."""
        first = self._rows + FIRST_ROW
        self._rows += len(cells[0])
        for column, values in zip(self._columns, cells, strict=True):
            sizes = [cell_length(value) if isinstance(value, str) else 0 for value in values]
            self._size += sum(sizes)
            if max(sizes) > MAX_CELL:
                self._note_long(
                    column,
                    [value for value, size in zip(cells[0], sizes, strict=True) if size > MAX_CELL],
                )
        if self._rows > MAX_ROWS or self._size > MAX_BYTES:
            raise TooLarge(f"A workbook has at most {MAX_ROWS} rows and {MAX_BYTES} bytes. Use filters, or CSV.")
        self._sheet.row_data_fh.write(self._xml.xml(first, cells))

    def _note_long(self, column: Column, ids: Sequence[Cell]) -> None:
        """Note the rows of which no cell can contain the value of a column."""
        left = MAX_NOTES - len(self._notes)
        self._notes += [[str(record_id), column.name, TOO_LONG_TEXT] for record_id in ids[:left]]

    def _escaped(self, text: str) -> str:
        escaped: str = self._sheet._escape_data(self._sheet._escape_control_characters(text))
        return escaped

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
        self._sheet.dim_rowmax = self._rows
        self._book.close()
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Delete the temporary files, those of an unfinished workbook too. On a full disk, closing them fails."""
        self._book.fileclosed = True
        for file in (*(sheet.row_data_fh for sheet in self._book.worksheets()), self._file):
            with suppress(OSError):
                file.close()
        self._folder.close()

    def _head(self, sheet: Any, names: Sequence[str]) -> None:
        for position, name in enumerate(names):
            sheet.write_string(0, position, name, self._bold)
