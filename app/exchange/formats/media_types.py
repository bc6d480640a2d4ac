"""The file formats, by media type and by the ending of a file name."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import IO

from app.core.errors import ErrorItem, Invalid, UnsupportedType
from app.core.model.resource import RESOURCES, Resource
from app.exchange.formats.columns import column_name_test
from app.exchange.formats.csv import CsvSource, csv_template, encoding_of
from app.exchange.formats.jsonl import json_lines
from app.exchange.formats.lines import ParsedLine, Reading
from app.exchange.formats.mapping import MappingFields, with_defaults
from app.exchange.formats.options import TableOptions
from app.exchange.formats.source import TableSource
from app.exchange.formats.table import Table
from app.exchange.formats.table_report import TableReport
from app.exchange.formats.xlsx import WorkbookSource, xlsx_template
from app.exchange.iati.reading.file import iati_lines

JSON_LINES = "application/x-ndjson"
CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XML = "application/xml"

# The media types that clients may send, and the format of each.
FORMATS = {JSON_LINES: JSON_LINES, "application/jsonl": JSON_LINES, CSV: CSV, XLSX: XLSX, XML: XML}

SUFFIXES = {".jsonl": JSON_LINES, ".ndjson": JSON_LINES, ".csv": CSV, ".xlsx": XLSX, ".xml": XML}

# The formats of tables.
TEMPLATES: dict[str, Callable[[Resource], bytes]] = {CSV: csv_template, XLSX: xlsx_template}


def allows_resource(file_format: str, name: str | None) -> bool:
    """Return whether a file can be sent with this `resource`: a table with the name of one, other files without."""
    return name in RESOURCES if file_format in TEMPLATES else name is None


@dataclass
class TableSettings:
    """How a table is read: the charset of a CSV file, what the client states, and a mapping of its columns."""

    charset: str = ""
    options: TableOptions = field(default_factory=TableOptions)
    mapping: MappingFields | None = None


def parse_file(
    file: IO[bytes],
    file_format: str,
    resource: Resource | None,
    reading: Reading | None = None,
    settings: TableSettings | None = None,
) -> Generator[ParsedLine, None, None]:
    """Yield the lines of a file that are not blank. `resource` is the resource of a table.

    Iterate in one thread. From another one, `reading` can stop it. It has the report of a table afterwards.

    Raise BadFile or TooLarge if the file cannot be read as this format, UnsupportedType for another charset, and
    Invalid if the header of a table is wrong.
    """
    reading = reading or Reading()
    settings = settings or TableSettings()
    if file_format == JSON_LINES:
        if encoding_of(settings.charset) not in ("utf-8", "ascii"):
            raise UnsupportedType("JSON Lines are UTF-8.")
        return reading.bounded(json_lines(file))
    if file_format == XML:
        return reading.bounded(iati_lines(file, reading, settings.options.decimal))
    assert resource is not None, "a table contains records of one resource"
    report = reading.report = TableReport()
    options = with_defaults(settings.options, settings.mapping)
    is_column_name = column_name_test(resource, settings.mapping)
    source: TableSource
    if file_format == CSV and settings.options.sheet is not None:
        detail = "A CSV file has no sheets. Leave the parameter out."
        raise Invalid(ErrorItem(parameter="sheet", code="invalid_value", detail=detail))
    if file_format == CSV:
        source = CsvSource(file, encoding_of(settings.charset), options, is_column_name, report, reading)
    else:
        source = WorkbookSource(file, options, is_column_name, report, reading)
    return reading.bounded(Table(source, resource, options, settings.mapping, report).lines())
