"""Imports in the database: storing a file, claiming an import, recording verdicts, and deleting old imports.

One process at a time runs an import. It claims the import for the time of a lease and renews the lease with everything
that it writes, in the same transaction. When the lease ends because the process was stopped, another process takes
over. If the first one is still running, its next write raises ClaimLost and is rolled back.
"""

import contextlib
import json
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import bindparam, delete, insert, literal_column, or_, update
from sqlmodel import Session, col, select

from app.core.access.caller import Caller
from app.core.change_log import MirrorMark, instant, now
from app.core.database.engine import Database
from app.core.database.statements import Query
from app.core.errors import ErrorItem, ReadOnly, Unavailable
from app.core.values.ids import LETTERS, random_text
from app.core.values.json import to_json
from app.exchange.formats.lines import ParsedLine
from app.exchange.imports.database_tables import IMPORTS, LINES, OPEN, Import
from app.exchange.imports.models import ImportOptions

CHUNK = 500  # lines that are stored or read in one transaction
CHUNK_BYTES = 4_000_000

LEASE = timedelta(seconds=30)
IMPORT_RETENTION = timedelta(days=30)

MAX_OPEN = 100
MAX_ATTEMPTS = 5

NOT_RECEIVED = "The upload was interrupted. Send the file again."
TOO_MANY_ATTEMPTS = "It was interrupted too often."

# A compiled statement cannot contain a list of values, so this is OR and not IN.
UNCLAIMED_IMPORTS = Query(
    select(IMPORTS.c.id)
    .where(or_(*(IMPORTS.c.status == status for status in OPEN)), IMPORTS.c.claimed_until < bindparam("now"))
    .order_by(IMPORTS.c.id)
    .limit(literal_column("1")),
    alone=True,
)


class ClaimLost(Exception):
    """Another process has claimed the import, or it has ended."""


def new_claim() -> str:
    """Return a name under which a process claims imports."""
    return secrets.token_hex(8)


def _new_id() -> str:
    """Return an id that sorts by time and cannot be guessed."""
    digits = "".join(filter(str.isdigit, now()))
    return digits + random_text(12, LETTERS)


def _from_now(duration: timedelta) -> str:
    return instant(datetime.now(UTC) + duration)


@contextlib.contextmanager
def import_transaction(database: Database) -> Iterator[Session]:
    """Open a transaction that writes no record. On PostgreSQL it does not wait for those that do."""
    with Session(database.engine) as session, session.begin():
        yield session


def store_import(
    database: Database, caller: Caller, options: ImportOptions, lines: Iterator[ParsedLine], claim: str
) -> str:
    """Store the lines of a file as an import with this claim, and return its id. Store nothing if that fails.

    Raise ReadOnly in a mirror, and Unavailable if too many imports are waiting.
    """
    import_id = _new_id()
    with import_transaction(database) as session:
        _refuse_import(session)
        _delete_expired_imports(session)
        session.add(
            Import(
                **options.model_dump(),
                id=import_id,
                key=caller.key or None,
                partner=None if caller.key else caller.partner,
                status="receiving",
                created_at=now(),
                claim=claim,
                claimed_until=_from_now(LEASE),
            )
        )
    try:
        for chunk in _chunks(lines):
            with import_transaction(database) as session:
                row = renew_claim(session, import_id, claim)
                row.lines += len(chunk)
                row.refused += sum(1 for line in chunk if line.errors)
                session.execute(insert(LINES), [_line_values(import_id, line) for line in chunk])
        with import_transaction(database) as session:
            renew_claim(session, import_id, claim).status = "waiting"
    except BaseException:
        with import_transaction(database) as session:
            session.execute(delete(IMPORTS).where(IMPORTS.c.id == import_id))
        raise
    return import_id


def _refuse_import(session: Session) -> None:
    if session.exec(select(MirrorMark)).first() is not None:
        raise ReadOnly
    unfinished = select(Import.id).where(col(Import.status).in_(OPEN)).limit(MAX_OPEN)
    if len(session.exec(unfinished).all()) == MAX_OPEN:
        raise Unavailable("Too many imports are waiting.")


def _delete_expired_imports(session: Session) -> None:
    session.execute(delete(IMPORTS).where(IMPORTS.c.finished_at < _from_now(-IMPORT_RETENTION)))


def _chunks(lines: Iterator[ParsedLine]) -> Iterator[list[ParsedLine]]:
    chunk: list[ParsedLine] = []
    size = 0
    for line in lines:
        chunk.append(line)
        size += len(line.record or b"")
        if len(chunk) == CHUNK or size > CHUNK_BYTES:
            yield chunk
            chunk = []
            size = 0
    if chunk:
        yield chunk


def _line_values(import_id: str, line: ParsedLine) -> dict[str, Any]:
    return {
        "import_id": import_id,
        "number": line.number,
        "given": None if line.errors or line.record is None else line.record.decode(),
        "moved": to_json(line.moved).decode() if line.moved else None,
        "resource": line.resource,
        "verdict": "refused" if line.errors else None,
        "errors": errors_json(line.errors),
    }


def errors_json(errors: Iterable[ErrorItem]) -> str | None:
    """Return errors as a line stores them; None if there are none."""
    items = [error.model_dump(exclude_none=True) for error in errors]
    return to_json(items).decode() if items else None


def claim_import(session: Session, import_id: str, claim: str) -> Import | None:
    """Claim an import to run it. Return None if it has ended or another process has claimed it.

    PostgreSQL skips the row while another process runs the import, since its transactions lock it. An import fails here
    if its upload was interrupted, or if each of several processes ended before it had finished the import.
    """
    is_free = or_(col(Import.claim) == claim, col(Import.claimed_until) < now())
    query = select(Import).where(Import.id == import_id, col(Import.status).in_(OPEN), is_free)
    row = session.exec(query.with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    row.claim = claim
    row.claimed_until = _from_now(LEASE)
    if row.status == "receiving":
        _finish(row, "failed", NOT_RECEIVED)
        return None
    if row.attempts >= MAX_ATTEMPTS:
        _finish(row, "failed", TOO_MANY_ATTEMPTS)
        return None
    row.status = "running"
    row.attempts += 1
    return row


def _claimed(session: Session, import_id: str, claim: str) -> Import | None:
    """Return the import, locked until the end of the transaction, if it is open and has this claim."""
    row = session.get(Import, import_id, with_for_update=True)
    return row if row is not None and row.claim == claim and row.status in OPEN else None


def renew_claim(session: Session, import_id: str, claim: str) -> Import:
    """Start the lease again and return the import, locked. Raise ClaimLost if the import no longer has this claim."""
    row = _claimed(session, import_id, claim)
    if row is None:
        raise ClaimLost
    row.claimed_until = _from_now(LEASE)
    return row


def release_claim(session: Session, import_id: str, claim: str) -> None:
    """End the lease of an import that is not finished, so that another process can continue it at once."""
    row = _claimed(session, import_id, claim)
    if row is not None:
        row.claimed_until = ""
        row.attempts -= 1


def pending_lines(session: Session, import_id: str, after: int) -> list[Any]:
    """Return the next lines without a verdict, as (number, resource, JSON of the record)."""
    query = select(LINES.c.number, LINES.c.resource, LINES.c.given)
    query = query.where(LINES.c.import_id == import_id, LINES.c.verdict.is_(None), LINES.c.number > after)
    return list(session.execute(query.order_by(LINES.c.number).limit(CHUNK)))


def lines_by_number(session: Session, import_id: str, numbers: list[int]) -> dict[int, tuple[str, dict[str, Any]]]:
    """Return the resource and record of these lines, by number."""
    query = select(LINES.c.number, LINES.c.resource, LINES.c.given)
    query = query.where(LINES.c.import_id == import_id, LINES.c.number.in_(numbers))
    return {number: (resource, json.loads(record)) for number, resource, record in session.execute(query)}


def written_records(session: Session, import_id: str) -> dict[tuple[str, str], int]:
    """Return the records of lines that an interrupted run has written: (resource, id) with the number of the line."""
    query = select(LINES.c.resource, LINES.c.record_id, LINES.c.number)
    query = query.where(LINES.c.import_id == import_id, LINES.c.verdict.in_(("created", "updated", "unchanged")))
    return {(resource, record_id): number for resource, record_id, number in session.execute(query)}


def record_verdicts(session: Session, import_id: str, claim: str, verdicts: Iterable[Mapping[str, Any]]) -> None:
    """Store verdicts, delete the records of their lines, and count them. Raise ClaimLost as renew_claim does."""
    names = ("verdict", "resource", "record_id", "matched_by", "errors", "diff")
    line = update(LINES).where(LINES.c.import_id == import_id, LINES.c.number == bindparam("line"))
    statement = line.values(given=None, **{name: bindparam(f"new_{name}") for name in names})
    counts: Counter[str] = Counter()
    remaining = iter(verdicts)
    while chunk := list(islice(remaining, CHUNK)):
        rows = [{"line": verdict["number"], **{f"new_{name}": verdict[name] for name in names}} for verdict in chunk]
        session.connection().execute(statement, rows)
        counts.update(verdict["verdict"] for verdict in chunk)
    row = renew_claim(session, import_id, claim)
    for name, count in counts.items():
        setattr(row, name, getattr(row, name) + count)


def finish_import(session: Session, import_id: str, claim: str, status: str, reason: str | None = None) -> None:
    """Give the import its last status. Raise ClaimLost as renew_claim does."""
    _finish(renew_claim(session, import_id, claim), status, reason)


def _finish(row: Import, status: str, reason: str | None) -> None:
    row.status = status
    row.reason = reason
    row.finished_at = now()
