"""Tables as XLSX workbooks."""

import io
from collections.abc import Iterable, Iterator
from functools import cache
from typing import IO, Any

from app.core.model.resource import Resource
from app.exchange.formats.cell_values import CHOICE
from app.exchange.formats.cells.conventions import Evidence
from app.exchange.formats.layout import IsColumnName, choose_table
from app.exchange.formats.lines import Reading
from app.exchange.formats.options import TableOptions
from app.exchange.formats.schema_paths import TemplateColumn, template_columns
from app.exchange.formats.source import Head, Row, TableSource
from app.exchange.formats.table_report import MAX_COLUMNS, TableReport, column_letters
from app.exchange.formats.workbook.process import workbook_messages

TEMPLATE_ROWS = 10_000  # whose cells offer codes and explain their column
WIDTH = 18  # of a column, in characters
MAX_TITLE = 32  # characters, limits of Excel
MAX_MESSAGE = 255


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
    """Return a workbook with an empty table of the resource, the meaning of its columns, and their codes.

    Cells of codes offer the codes with their labels. Other texts can be written too: an import reports what it refuses.
    """
    from xlsxwriter import Workbook  # noqa: PLC0415 - slow to import, and few processes need it

    file = io.BytesIO()
    columns = list(template_columns(resource))
    with Workbook(file, {"in_memory": True}) as book:
        bold = book.add_format({"bold": True})
        table = book.add_worksheet(resource.name)
        table.freeze_panes(1, 1)
        table.write_row(0, 0, [column.name for column in columns], bold)
        table.set_column(0, len(columns) - 1, WIDTH)
        explanation = book.add_worksheet("columns")
        explanation.write_row(0, 0, ["column", "type", "required", "codes", "description"], bold)
        choices = _write_codes(book.add_worksheet("codes"), columns, bold)
        for number, column in enumerate(columns):
            name = column.codes.name if column.codes else ""
            required = "yes" if column.is_required else ""
            explanation.write_row(number + 1, 0, [column.name, column.kind, required, name, column.meaning])
            source = {"validate": "list", "source": choices[name]} if name else {"validate": "any"}
            texts = {"input_title": column.name[:MAX_TITLE], "input_message": column.meaning[:MAX_MESSAGE]}
            table.data_validation(1, number, TEMPLATE_ROWS, number, {**source, **texts, "show_error": False})
    return file.getvalue()


def _write_codes(sheet: Any, columns: Iterable[TemplateColumn], bold: Any) -> dict[str, str]:
    """Write each list of codes once. Return the range of the choices of each list."""
    sheet.write_row(0, 0, ["list", "code", "en", "vi", "choice"], bold)
    choices: dict[str, str] = {}
    row = 1
    for codes in {column.codes.name: column.codes for column in columns if column.codes}.values():
        choices[codes.name] = f"=codes!$E${row + 1}:$E${row + len(codes.codes)}"
        for code, entry in codes.codes.items():
            labels = dict.fromkeys(filter(None, [entry.vi, entry.en]))
            sheet.write_row(row, 0, [codes.name, code, entry.en, entry.vi, CHOICE.join([code, *labels])])
            row += 1
    return choices
