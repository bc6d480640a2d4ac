"""Tables that are read without a server: what each line would store, and what is reported."""

import io
import json
import tempfile
from typing import Any, NamedTuple

from openpyxl import Workbook

from app.core.model.resource import RESOURCES
from app.core.values.json import to_json
from app.exchange.formats.lines import ParsedLine, Reading
from app.exchange.formats.mapping import MappingFields
from app.exchange.formats.media_types import CSV, XLSX, TableSettings, parse_file
from app.exchange.formats.options import TableOptions
from app.exchange.formats.table_report import TableReport, find_column


class ReadTable(NamedTuple):
    """The lines of a table and its report."""

    lines: list[ParsedLine]
    report: TableReport

    @property
    def records(self) -> list[Any]:

        return [None if line.record is None else json.loads(line.record) for line in self.lines]

    @property
    def errors(self) -> list[tuple[str, str]]:
        """The cell and the code of each error."""
        return [(self._cell(line, each.pointer), each.code) for line in self.lines for each in line.errors]

    @property
    def warned(self) -> list[str]:
        return [each.code for each in self.report.warnings]

    def _cell(self, line: ParsedLine, pointer: str | None) -> str:
        column = find_column(pointer or "", line.moved, self.report.columns)
        return f"{column.letter}{line.number}" if column else str(line.number)


def read_table(
    content: bytes | str, resource: str = "projects", mapping: Any = None, charset: str = "", **options: Any
) -> ReadTable:
    """Read a CSV table, or a workbook if the content is one."""
    content = content.encode() if isinstance(content, str) else content
    reading = Reading()
    own = None if mapping is None else MappingFields.model_validate_json(to_json({"resource": resource, **mapping}))
    settings = TableSettings(charset, TableOptions(**options), own)
    kind = XLSX if content.startswith((b"PK", b"\xd0\xcf")) else CSV
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        lines = list(parse_file(file, kind, RESOURCES[resource], reading, settings))
    assert isinstance(reading.report, TableReport)
    return ReadTable(lines, reading.report)


def sheets(**rows_of: Any) -> Any:
    """A workbook with these sheets, each with its rows."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in rows_of.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    return book


def saved(book: Any) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()
