"""Storing the lines of a file as an import, and recording their verdicts. Both are bounded in lines and in bytes."""

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from sqlalchemy import bindparam, func, insert, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, select

from app.core.access.caller import Caller
from app.core.access.keys import current_caller
from app.core.change_log import MirrorMark, now
from app.core.database.engine import Database
from app.core.error_codes import ERROR_DETAILS
from app.core.errors import Conflict, ErrorItem, ReadOnly, TooLarge, Unavailable
from app.core.progress import advance
from app.core.values.ids import LETTERS, random_text
from app.core.values.json import to_json
from app.exchange.formats.lines import ParsedLine, Reading
from app.exchange.imports.database_tables import LINES, Import
from app.exchange.imports.models import ImportOptions
from app.exchange.imports.storage.claims import (
    NOT_RECEIVED,
    ClaimLost,
    claim_renewal,
    end_of_lease,
    import_transaction,
    renew_claim,
)
from app.exchange.imports.storage.deletion import delete_import
from app.exchange.imports.storage.line_chunks import CHUNK, CHUNK_BYTES, LINE_BYTES
from app.exchange.imports.storage.quotas import quota_exceeded, room_for_import

# Bounds of one import. The plan of a run takes about 700 bytes of memory for each line.
MAX_LINES = 200_000
MAX_BYTES = 250_000_000
# Bounds of an import that is written in one transaction, for which all other writers wait.
MAX_LINES_AT_ONCE = 5_000
MAX_BYTES_AT_ONCE = 5_000_000

# The stored part of the verdict of one line.
MAX_DIFF_BYTES = 50_000
MAX_ERRORS_BYTES = 10_000

CANCELLED = "The import was cancelled while its file was received."


def _new_id() -> str:
    """Return an id that sorts by time and cannot be guessed."""
    digits = "".join(filter(str.isdigit, now()))
    return digits + random_text(12, LETTERS)


def store_import(
    database: Database,
    caller: Caller,
    options: ImportOptions,
    lines: Iterator[ParsedLine],
    claim: str,
    quota: int | None = None,
    reading: Reading | None = None,
) -> str:
    """Store the lines of a file as an import with this claim, and return its id. Store nothing if that fails.

    `quota` is the number of bytes that the imports of the key may take. The command line passes None: no limit.
    `reading` has the report of a table when its lines were read. Raise ReadOnly in a mirror, TooLarge for a file beyond
    the bounds, TooMany and Unavailable if a quota is reached, Unauthorized if the key is revoked meanwhile, and
    Conflict if the import is cancelled meanwhile.
    """
    import_id = _new_id()
    room = _create_import(database, import_id, caller, options, claim, quota)
    try:
        with claim_renewal(database, import_id, claim):
            _store_lines(database, import_id, caller, lines, claim, room)
            _end_receiving(database, import_id, claim, reading)
    except ClaimLost:
        raise _interruption(database, import_id) from None
    except TooManyBytes:
        _discard(database, import_id)
        raise quota_exceeded(quota or 0) from None
    except BaseException:
        _discard(database, import_id)
        raise
    return import_id


class TooManyBytes(Exception):
    """The lines take more bytes than the quota of the key leaves."""


def _create_import(
    database: Database, import_id: str, caller: Caller, options: ImportOptions, claim: str, quota: int | None
) -> int:
    """Store an import without lines. Return how many bytes its lines may take."""
    with import_transaction(database) as session:
        if session.exec(select(MirrorMark)).first() is not None:
            raise ReadOnly
        room = MAX_BYTES if quota is None else room_for_import(session, caller.key, quota)
        session.add(
            Import(
                **options.model_dump(),
                id=import_id,
                key=caller.key or None,
                partner=None if caller.key else caller.partner,
                status="receiving",
                created_at=now(),
                claim=claim,
                claimed_until=end_of_lease(),
            )
        )
    return room


def _store_lines(
    database: Database, import_id: str, caller: Caller, lines: Iterator[ParsedLine], claim: str, room: int
) -> None:
    for chunk in _chunks(import_id, lines):
        with import_transaction(database) as session:
            row = renew_claim(session, import_id, claim)
            if caller.key:
                current_caller(session, caller)
            row.lines += len(chunk)
            row.refused += sum(1 for values in chunk if values["verdict"])
            row.bytes += sum(values["size"] for values in chunk)
            _check_bounds(row)
            if row.bytes > room:
                raise TooManyBytes
            session.execute(insert(LINES), chunk)
        advance(len(chunk))


def _end_receiving(database: Database, import_id: str, claim: str, reading: Reading | None) -> None:
    with import_transaction(database) as session:
        row = renew_claim(session, import_id, claim)
        row.status = "waiting"
        if reading and reading.report:
            row.report = reading.report.model_dump_json()
            row.bytes += len(row.report.encode())


def _check_bounds(row: Import) -> None:
    if row.mode == "all" and (row.lines > MAX_LINES_AT_ONCE or row.bytes > MAX_BYTES_AT_ONCE):
        raise TooLarge(
            f"With mode=all, which writes all lines in one transaction, an import has at most {MAX_LINES_AT_ONCE:,} "
            f"lines and {MAX_BYTES_AT_ONCE:,} bytes. Use mode=rows."
        )
    if row.lines > MAX_LINES:
        raise TooLarge(f"An import has at most {MAX_LINES:,} lines. Divide the file.")
    if row.bytes > MAX_BYTES:
        raise TooLarge(f"The lines of an import take at most {MAX_BYTES:,} bytes as JSON. Divide the file.")


def _interruption(database: Database, import_id: str) -> Exception:
    """Return the problem of an import whose claim was lost while its file was received."""
    with import_transaction(database) as session:
        row = session.get(Import, import_id)
        is_cancelled = row is not None and row.status == "cancelled"
    return Conflict(CANCELLED) if is_cancelled else Unavailable(NOT_RECEIVED)


def _discard(database: Database, import_id: str) -> None:
    """Delete an import that was not received. If the database does not respond, it ends when its lease expires."""
    with contextlib.suppress(SQLAlchemyError):
        delete_import(database, import_id)


def _chunks(import_id: str, lines: Iterator[ParsedLine]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    size = 0
    for line in lines:
        chunk.append(_line_values(import_id, line))
        size += chunk[-1]["size"]
        if len(chunk) == CHUNK or size > CHUNK_BYTES:
            yield chunk
            chunk = []
            size = 0
    if chunk:
        yield chunk


def _line_values(import_id: str, line: ParsedLine) -> dict[str, Any]:
    texts = {
        "given": None if line.record is None else line.record.decode(),
        "moved": to_json(line.moved).decode() if line.moved else None,
        "errors": errors_json(line.errors),
        "warnings": errors_json(line.warnings),
    }
    return {
        "import_id": import_id,
        "number": line.number,
        "resource": line.resource,
        "verdict": "refused" if line.record is None else None,
        "size": LINE_BYTES + sum(len(text.encode()) for text in texts.values() if text),
        **texts,
    }


def errors_json(errors: Iterable[ErrorItem]) -> str | None:
    """Return errors as a line stores them, as many as fit; None if there are none.

    The detail of most errors follows from their code and is left out. Measured, a line that is not JSON then takes half
    the space.
    """
    items: list[Any] = []
    size = 0
    for error in errors:
        item = error.model_dump(exclude_none=True)
        if ERROR_DETAILS.get(error.code) == error.detail:
            del item["detail"]
        size += len(to_json(item))
        if items and size > MAX_ERRORS_BYTES:
            break
        items.append(item if len(item) > 1 else error.code)
    return to_json(items).decode() if items else None


def read_errors(stored: str | None) -> list[dict[str, Any]]:
    """Return the errors that `errors_json` has written."""
    items = [{"code": item} if isinstance(item, str) else item for item in json.loads(stored or "[]")]
    return [{**item, "detail": item.get("detail") or ERROR_DETAILS[item["code"]]} for item in items]


def record_verdicts(
    session: Session,
    import_id: str,
    claim: str,
    verdicts: Iterable[Mapping[str, Any]],
    *,
    keeps_records: bool = False,
) -> None:
    """Store verdicts and count them. Raise ClaimLost as renew_claim does.

    The records of the lines are deleted, unless other lines of a dry run still need them.
    """
    row = renew_claim(session, import_id, claim)
    line = update(LINES).where(LINES.c.import_id == import_id, LINES.c.number == bindparam("line"))
    names = ("verdict", "resource", "record_id", "matched_by", "errors", "diff", "outcome", "resolved")
    remaining_size = sum(func.coalesce(func.length(LINES.c[name]), 0) for name in ("moved", "warnings"))
    old_size = LINES.c.size if keeps_records else LINE_BYTES + remaining_size
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names} | {"size": old_size + bindparam("more")}
    statement = line.values(values if keeps_records else values | {"given": None})
    counts: Counter[str] = Counter()
    remaining = iter(verdicts)
    while chunk := list(islice(remaining, CHUNK)):
        advance(len(chunk))
        rows = []
        for verdict in chunk:
            shortened = _shortened(verdict, MAX_BYTES - row.bytes)
            size = sum(len((shortened[name] or "").encode()) for name in ("errors", "diff", "outcome", "resolved"))
            row.bytes += size
            rows.append({"line": verdict["number"], "more": size, **{f"new_{name}": shortened[name] for name in names}})
        session.connection().execute(statement, rows)
        counts.update(verdict["verdict"] for verdict in chunk)
    for name, count in counts.items():
        setattr(row, name, getattr(row, name) + count)


def _shortened(verdict: Mapping[str, Any], room: int) -> Mapping[str, Any]:
    """Return a verdict without its texts that are too large, and with one error if there is no room for more."""
    for name in ("diff", "resolved", "outcome"):
        size = len((verdict[name] or "").encode())
        if size > min(MAX_DIFF_BYTES, room):
            verdict = {**verdict, name: None}
        else:
            room -= size
    if verdict["errors"] is not None and room < MAX_ERRORS_BYTES:
        verdict = {**verdict, "errors": to_json(json.loads(verdict["errors"])[:1]).decode()}
    return verdict
