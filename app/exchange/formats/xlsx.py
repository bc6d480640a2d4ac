"""Tables as XLSX workbooks."""

import io
from collections.abc import Iterator
from functools import cache
from typing import IO, Any

from app.core.model.resource import Resource
from app.exchange.formats.cells.conventions import Evidence
from app.exchange.formats.layout import IsColumnName, choose_table
from app.exchange.formats.lines import Reading
from app.exchange.formats.options import TableOptions
from app.exchange.formats.schema_paths import column_descriptions
from app.exchange.formats.source import Head, Row, TableSource
from app.exchange.formats.table_report import MAX_COLUMNS, TableReport, column_letters
from app.exchange.formats.workbook.process import workbook_messages


class WorkbookSource(TableSource):
    """A workbook. A formula has the value that was saved with it.

    Raise BadFile if the file is not a workbook or declares a document type (which could define entities), and TooLarge
    if it exceeds a limit. It must be a file of the system.
    """

    can_shift = False

    def __init__(
        self,
        file: IO[bytes],
        options: TableOptions,
        is_column_name: IsColumnName,
        report: TableReport,
        reading: Reading,
    ) -> None:
        self._file = file
        self._options = options
        self._is_column_name = is_column_name
        self._report = report
        self._reading = reading
        self._evidence = Evidence()
        self._noticed: dict[str, Any] = {}

    def rows(self) -> Iterator[Row]:
        for message in workbook_messages(self._file, MAX_COLUMNS + 1, self._choose, self._reading):
            if isinstance(message, list):
                number, cells, marks = message
                yield Row(number, cells, {int(column): mark for column, mark in marks.items()})
            elif "evidence" in message:
                proofs = {int(column): set(proofs) for column, proofs in message["evidence"].items()}
                self._evidence = Evidence(proofs)
            else:
                self._noticed = message["noticed"]

    def _choose(self, heads: list[Any]) -> tuple[int, int]:
        first_rows = [Head(head["sheet"], head["is_hidden"], head["rows"]) for head in heads]
        return choose_table(first_rows, self._options, self._is_column_name, self._report)

    def evidence(self) -> Evidence:
        return self._evidence

    def noticed(self) -> Iterator[tuple[str, str]]:
        filled = self._noticed.get("filled", 0)
        if filled:
            detail = f"Cells that are merged with a cell above were read with its value: {filled}."
            yield "merged_filled", detail
        count = self._noticed.get("hidden_rows", 0)
        if count:
            first = ", ".join(map(str, self._noticed["first_hidden"]))
            rows = first + (", …" if count > len(self._noticed["first_hidden"]) else "")
            detail = f"Rows that are hidden in the sheet were read too: {rows}."
            yield "hidden_rows", detail
        columns = self._noticed.get("hidden_columns", [])
        if columns:
            letters = ", ".join(map(column_letters, columns))
            detail = f"Columns that are hidden in the sheet were read too: {letters}."
            yield "hidden_columns", detail


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
