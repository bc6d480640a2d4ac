"""The file formats, by media type and by the ending of a file name."""

from collections.abc import Callable, Generator
from typing import IO

from app.core.model.resource import RESOURCES, Resource
from app.exchange.formats.csv import csv_rows, csv_template
from app.exchange.formats.jsonl import json_lines
from app.exchange.formats.lines import ParsedLine, Reading, table_lines
from app.exchange.formats.xlsx import xlsx_rows, xlsx_template

JSON_LINES = "application/x-ndjson"
CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

# The media types that clients may send, and the format of each.
FORMATS = {JSON_LINES: JSON_LINES, "application/jsonl": JSON_LINES, CSV: CSV, XLSX: XLSX}

SUFFIXES = {".jsonl": JSON_LINES, ".ndjson": JSON_LINES, ".csv": CSV, ".xlsx": XLSX}

# The formats of tables.
TEMPLATES: dict[str, Callable[[Resource], bytes]] = {CSV: csv_template, XLSX: xlsx_template}


def allows_resource(file_format: str, name: str | None) -> bool:
    """Return whether a file can be sent with this `resource`: a table with the name of one, JSON Lines without."""
    return name in RESOURCES if file_format in TEMPLATES else name is None


def parse_file(
    file: IO[bytes], file_format: str, resource: Resource | None, reading: Reading | None = None
) -> Generator[ParsedLine, None, None]:
    """Yield the lines of a file that are not blank. `resource` is the resource of a table.

    Iterate in one thread. From another one, `reading` can stop it.

    Raise BadFile or TooLarge if the file cannot be read as this format, and Invalid if the header of a table is wrong.
    """
    reading = reading or Reading()
    if file_format == JSON_LINES:
        return reading.bounded(json_lines(file))
    assert resource is not None, "a table contains records of one resource"
    rows = csv_rows(file) if file_format == CSV else xlsx_rows(file, reading)
    return reading.bounded(table_lines(rows, resource, reading))
