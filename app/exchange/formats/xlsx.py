"""Tables as XLSX workbooks."""

import io
from collections.abc import Iterator
from functools import cache
from typing import IO

from app.core.model.resource import Resource
from app.exchange.formats.columns import MAX_COLUMNS, Cell, column_descriptions
from app.exchange.formats.lines import Reading
from app.exchange.formats.workbook.process import workbook_rows


def xlsx_rows(file: IO[bytes], reading: Reading) -> Iterator[tuple[int, list[Cell] | None]]:
    """Yield the numbered rows of the first sheet that are not blank. A formula has the value that was saved with it.

    A row is None if it is too large. Raise BadFile if the file is not a workbook or declares a document type (which
    could define entities), and TooLarge if it exceeds a limit. `file` must be a file of the system.
    """
    return workbook_rows(file, MAX_COLUMNS + 1, reading)


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
