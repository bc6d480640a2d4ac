"""`hoptac import`: the import of a file from the command line, by the same steps as over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.database.engine import Database
from app.core.errors import BadBody, Invalid, Problem
from app.core.model.resource import RESOURCES
from app.core.model.validation import parse_json, validate
from app.core.values.text import counted
from app.exchange.formats.lines import Reading
from app.exchange.formats.mapping import MappingFields, check_mapping
from app.exchange.formats.media_types import SUFFIXES, TEMPLATES, TableSettings, allows_resource, parse_file
from app.exchange.formats.options import TableOptions
from app.exchange.iati.reading.findings import UNREAD, IatiReport
from app.exchange.imports.database_tables import COUNTS, LINES, Import
from app.exchange.imports.line import RESTORED
from app.exchange.imports.models import ImportOptions
from app.exchange.imports.pace import Pace
from app.exchange.imports.run import run
from app.exchange.imports.storage.absent_lines import ABSENT
from app.exchange.imports.storage.claims import finish_import, import_transaction, new_claim
from app.exchange.imports.storage.store import read_errors, store_import


def file_format_of(path: Path) -> str:
    """Return the media type of a file; ValueError if there is no such file, or its suffix is unknown."""
    if not path.is_file():
        raise ValueError(f"{path} is a folder." if path.is_dir() else f"There is no file {path}.")
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path}: the name of the file must end in {', '.join(SUFFIXES)}")
    return SUFFIXES[path.suffix.lower()]


def check_complete(partner: str | None, *, complete: bool, missing: str) -> None:
    """Raise ValueError if a complete file cannot be imported with these options."""
    if complete and not partner:
        raise ValueError("--complete: add --as PARTNER, which says whose records the file contains")
    if missing == "withdraw" and not complete:
        raise ValueError("--missing withdraw: add --complete, since only a complete file says what is missing")


def import_file(
    database: Database, path: Path, options: dict[str, Any], partner: str | None, settings: TableSettings | None = None
) -> tuple[list[str], str]:
    """Import a file. Return a message for each error, and a summary.

    With `partner`, only records that this partner manages are written. Raise ValueError if the file or the options
    cannot be used.
    """
    file_format = file_format_of(path)
    if not allows_resource(file_format, options["resource"]):
        if file_format not in TEMPLATES:
            raise ValueError("--resource: leave it out, because the file itself states the resource of each record")
        raise ValueError(f"--resource: state what the table contains, one of {', '.join(RESOURCES)}")
    resource = RESOURCES.get(options["resource"] or "")
    caller = Caller("", frozenset(["records:write:own" if partner else "records:write"]), partner)
    claim = new_claim()
    try:
        reading = Reading()
        with path.open("rb") as file:
            lines = parse_file(file, file_format, resource, reading, settings)
            import_id = store_import(database, caller, ImportOptions(**options), lines, claim, reading=reading)
    except Problem as problem:
        details = [error.detail for error in problem.errors] or [problem.detail]
        return [f"{path}: {detail}" for detail in details], "Nothing was imported."
    try:
        run(database, import_id, claim, Pace())
    except BaseException:
        with import_transaction(database) as session:
            finish_import(session, import_id, claim, "failed", "It was stopped.")
        raise
    with import_transaction(database) as session:
        return _outcome(session, import_id)


def _outcome(session: Session, import_id: str) -> tuple[list[str], str]:
    row = session.get_one(Import, import_id)
    query = select(LINES.c.number, LINES.c.errors).where(LINES.c.import_id == import_id, LINES.c.verdict == "refused")
    messages = []
    for number, errors in session.execute(query.order_by(LINES.c.number)):
        details = [_detail(error) for error in read_errors(errors)]
        messages.append(f"line {number}: {'; '.join(details)}")
    if row.reason:
        messages.append(row.reason)
    counts = ", ".join(f"{getattr(row, name)} {name}" for name in COUNTS)
    has_written = row.status == "done" and not row.dry_run
    summary = f"{counted(row.lines, 'line')}: {counts}." + ("" if has_written else " Nothing was written.")
    return messages, "\n".join([*_noteworthy_records(session, import_id), *_elements_not_imported(row), summary])


def _detail(error: dict[str, Any]) -> str:
    """Return an error with its place in the record or in an XML file."""
    place = f"{error['path']} (line {error['source_line']} of the file)" if error.get("path") else error.get("pointer")
    return f"{place or ''} {error['detail']}".strip()


def _elements_not_imported(row: Import) -> Iterator[str]:
    """Yield a line of text for each kind of element of an IATI file that is in no record."""
    if row.report is None or row.resource is not None:
        return
    for unread in IatiReport.model_validate_json(row.report).not_imported:
        yield f"not imported: {counted(unread.count, 'element')} {unread.path}: {UNREAD.codes[unread.reason].en}"


def _noteworthy_records(session: Session, import_id: str) -> Iterator[str]:
    """Yield a line of text for each deleted record that is restored, and each that a complete file does not contain."""
    query = select(LINES.c.resource, LINES.c.record_id, LINES.c.verdict, LINES.c.matched_by)
    query = query.where(LINES.c.import_id == import_id, LINES.c.matched_by.in_((ABSENT, RESTORED)))
    for resource, record_id, verdict, matched_by in session.execute(
        query.where(LINES.c.verdict != "refused").order_by(LINES.c.number)
    ):
        if matched_by == RESTORED:
            yield f"restored, because it was deleted: {resource}/{record_id}"
        else:
            yield f"not in the file: {resource}/{record_id}" + ("" if verdict == ABSENT else ", withdrawn")


def read_settings(charset: str, options: dict[str, Any], mapping: Path | None) -> TableSettings:
    """Return how a table is read. `mapping` is a file with a mapping as JSON. ValueError: it cannot be used."""
    fields = None
    if mapping is not None:
        if not mapping.is_file():
            raise ValueError(f"--mapping: There is no file {mapping}.")
        try:
            fields = validate(MappingFields, parse_json(mapping.read_bytes(), MappingFields))
            check_mapping(fields)
        except BadBody as bad:
            raise ValueError(f"--mapping: {mapping} is not valid JSON. {bad.detail}") from None
        except Invalid as invalid:
            error = invalid.errors[0]
            raise ValueError(f"--mapping: {error.pointer} {error.detail}") from None
    return TableSettings(charset, TableOptions(**options), fields)
