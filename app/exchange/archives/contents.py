"""The files of an archive, read in one snapshot of the database."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import IO, Any

from sqlalchemy import Connection, func, select

from app import __version__
from app.core.database.connection_reads import run_on
from app.core.model.resource import RESOURCES, Resource
from app.core.progress import advance
from app.core.reading.parameters import Queries
from app.core.values import codelists
from app.core.values.json import to_json
from app.exchange.archives.changes_file import change_lines
from app.exchange.archives.data_package import CODE_COLUMNS, data_package
from app.exchange.archives.description import FORMAT, Description, State, read_state
from app.exchange.archives.zip_file import ZipWriter
from app.exchange.exports.published import published_records
from app.exchange.exports.tables import CsvText, rows_of_records, texts_of
from app.exchange.metadata.record_schemas import record_schema

AT_ONCE = 200  # records that are written at once
MANIFEST = "manifest.json"
CHANGES_FILE = "changes.jsonl"


def write_archive(connection: Connection, file: IO[bytes], description: Description, most_bytes: int = 0) -> State:
    """Write the public registry to a file, and return the state of the log that it contains.

    The connection sees one state of the database. The bytes depend only on this state, the description and the version
    of the program. Raise NotArchived if the archive would be too large.
    """
    state: State = run_on(connection, read_state())
    at = datetime.fromisoformat(state.at) if state.at else None
    with ZipWriter(file, at, most_bytes) as archive:
        _write_files(connection, archive, description, state)
    return state


def _write_files(connection: Connection, archive: ZipWriter, description: Description, state: State) -> None:
    counts = {}
    for resource in RESOURCES.values():
        archive.add(f"data/{resource.name}.csv", _table(connection, resource))
        counts[resource.name] = _count(connection, resource)
    for resource in RESOURCES.values():
        archive.add(f"data/{resource.name}.jsonl", _lines(connection, resource))
    for resource in RESOURCES.values():
        archive.add(f"schemas/{resource.name}.json", [record_schema(resource, description.url)])
    lists = [codelists.ALL[name].as_dict() for name in _names_of_lists()]
    archive.add("codelists.csv", [_codes(lists)])
    archive.add("codelists.json", [to_json({"items": lists})])
    archive.add(CHANGES_FILE, change_lines(connection))
    archive.add("datapackage.json", [to_json(data_package(description, state, archive.files))])
    archive.add(MANIFEST, [to_json(_manifest(archive, description, state, counts))])


def _manifest(archive: ZipWriter, description: Description, state: State, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": description.name,
        "source": description.url,
        "program": __version__,
        "licence": description.licence,
        "licence_url": description.licence_url,
        "sequence": state.sequence,
        "chain": state.chain,
        "at": state.at or None,
        "records": counts,
        "files": [facts._asdict() for facts in archive.files],
    }


def _table(connection: Connection, resource: Resource) -> Iterator[bytes]:
    query = Queries(resource).export()
    text = CsvText(rows_of_records(resource, query), query)
    yield text.head()
    for bodies in published_records(connection, resource):
        yield from texts_of(text.chunk(bodies))


def _lines(connection: Connection, resource: Resource) -> Iterator[bytes]:
    for bodies in published_records(connection, resource):
        advance(len(bodies))
        yield b"\n".join(bodies) + b"\n"


def _count(connection: Connection, resource: Resource) -> int:
    table: Any = resource.table
    return connection.scalar(select(func.count()).select_from(table).where(table.state == "published")) or 0


@cache
def _names_of_lists() -> list[str]:
    """Return the names of the code lists of which records can have codes."""
    names: set[str] = set()
    schemas: list[Any] = [resource.shown.model_json_schema() for resource in RESOURCES.values()]
    while schemas:
        schema = schemas.pop()
        if isinstance(schema, dict):
            names |= {schema[codelists.MARK]} if codelists.MARK in schema else set()
            schemas += schema.values()
        elif isinstance(schema, list):
            schemas += schema
    return sorted(names)


def _codes(lists: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CODE_COLUMNS)
    for codelist in lists:
        for code in codelist["codes"]:
            label = code["label"]
            row = [codelist["name"], code["code"], label.get("en"), label.get("vi"), code["parent"], code["iati"]]
            writer.writerow(row)
    return text.getvalue().encode()
