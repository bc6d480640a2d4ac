"""Imports in the database: received, claimed by one process at a time, with a verdict on each line, and forgotten.

An import that is claimed belongs to the claim until it expires; whatever its run writes names the claim, in the same
transaction. So of two processes that believe to be at it, one writes.
"""

import contextlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import bindparam, delete, insert, literal_column, or_, select, update
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.database.engine import Database
from app.core.database.statements import Query
from app.core.errors import ErrorItem, ReadOnly, Unavailable
from app.core.log import MIRRORS, instant, now
from app.core.values.ids import LETTERS, random_text
from app.core.values.json import to_json
from app.exchange.formats.files import ParsedLine
from app.exchange.imports.models import COUNTS, IMPORTS, LINES, OPEN, Sending

CHUNK = 500  # lines that are written in one transaction

CHUNK_BYTES = 4_000_000

LEASE = timedelta(seconds=30)  # after which another process takes over what one left

IMPORT_RETENTION = timedelta(days=30)

MAX_OPEN = 100

MAX_ATTEMPTS = 5

UNCLAIMED_IMPORTS = Query(
    select(IMPORTS.c.id)
    .where(or_(*(IMPORTS.c.status == status for status in OPEN)), IMPORTS.c.claimed_until < bindparam("now"))
    .order_by(IMPORTS.c.id)
    .limit(literal_column("1")),
    alone=True,
)


class ClaimLost(Exception):
    """The import is another process's now, or was given up."""


def instant_in(by: timedelta) -> str:
    """The instant in so long."""
    return instant(datetime.now(UTC) + by)


def new_claim() -> str:
    """A name for one process's hold on an import."""
    return secrets.token_hex(8)


def new_id() -> str:
    """An id that sorts by time and cannot be guessed."""
    digits = "".join(filter(str.isdigit, now()))
    return digits + random_text(12, LETTERS)


def store_import(database: Database, caller: Caller, sending: Sending, lines: Iterator[ParsedLine], claim: str) -> str:
    """Keep every line of a file in the database, under the claim; returns the id. Nothing stays when that fails.

    ReadOnly in a mirror.
    """
    import_id = new_id()
    values = {
        "id": import_id,
        "key": caller.key or None,
        "partner": None if caller.key else caller.partner,
        "resource": sending.resource,
        "mode": sending.mode,
        "dry_run": sending.dry_run,
        "status": "receiving",
        "created_at": now(),
        "claim": claim,
        "claimed_until": instant_in(LEASE),
        **dict.fromkeys(("lines", "attempts", *COUNTS), 0),
    }
    with import_transaction(database) as session:
        if session.execute(select(MIRRORS.c.source)).first():
            raise ReadOnly
        delete_expired_imports(session)
        still = select(IMPORTS.c.id).where(IMPORTS.c.status.in_(OPEN)).limit(MAX_OPEN)
        if len(session.execute(still).all()) == MAX_OPEN:
            raise Unavailable("Too many imports are waiting.")
        session.execute(insert(IMPORTS), values)
    try:
        for chunk in _chunks(lines):
            with import_transaction(database) as session:
                renew_claim(session, import_id, claim)
                _add(session, import_id, chunk)
        with import_transaction(database) as session:
            renew_claim(session, import_id, claim, more={"status": "waiting"})
    except BaseException:
        with import_transaction(database) as session:
            session.execute(delete(IMPORTS).where(IMPORTS.c.id == import_id))
        raise
    return import_id


@contextlib.contextmanager
def import_transaction(database: Database) -> Iterator[Session]:
    """A transaction that writes no record, so that on PostgreSQL it does not wait for those that do."""
    with Session(database.engine) as session, session.begin():
        yield session


def _chunks(lines: Iterator[ParsedLine]) -> Iterator[list[ParsedLine]]:
    chunk: list[ParsedLine] = []
    size = 0
    for line in lines:
        chunk.append(line)
        size += len(line.given or b"")
        if len(chunk) == CHUNK or size > CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _add(session: Session, import_id: str, lines: list[ParsedLine]) -> None:
    rows = [
        {
            "import_id": import_id,
            "number": line.number,
            "given": None if line.errors or line.given is None else line.given.decode(),
            "moved": to_json(line.moved).decode() if line.moved else None,
            "resource": line.resource,
            "verdict": "refused" if line.errors else None,
            "errors": errors_json(line.errors),
        }
        for line in lines
    ]
    session.execute(insert(LINES), rows)
    refused = sum(1 for line in lines if line.errors)
    counted = {"lines": IMPORTS.c.lines + len(lines), "refused": IMPORTS.c.refused + refused}
    session.execute(update(IMPORTS).where(IMPORTS.c.id == import_id).values(counted))


def errors_json(errors: Iterable[ErrorItem]) -> str | None:
    """Errors as a line keeps them; None for none."""
    found = [each.model_dump(exclude_none=True) for each in errors]
    return to_json(found).decode() if found else None


def _is_claimed_by(import_id: str, claim: str) -> Any:
    return update(IMPORTS).where(IMPORTS.c.id == import_id, IMPORTS.c.claim == claim, IMPORTS.c.status.in_(OPEN))


def renew_claim(session: Session, import_id: str, claim: str, *, more: Mapping[str, Any] = {}) -> None:
    """Keep the claim for as long again, with other values; Lost when it is not ours any more."""
    held = _is_claimed_by(import_id, claim).values(claimed_until=instant_in(LEASE), **more).returning(IMPORTS.c.id)
    if session.execute(held).first() is None:
        raise ClaimLost


def claim_import(session: Session, import_id: str, claim: str) -> Mapping[str, Any] | None:
    """Claim an import that is nobody's, or ours, to be run; None when there is nothing to run.

    Whoever runs it holds its row on PostgreSQL: then it is passed by. One that broke off while it was received, or that
    ended every process that tried, is given up.
    """
    free = or_(IMPORTS.c.claim == claim, IMPORTS.c.claimed_until < now())
    query = (
        select(IMPORTS)
        .where(IMPORTS.c.id == import_id, IMPORTS.c.status.in_(OPEN), free)
        .with_for_update(skip_locked=True)
    )
    row = session.execute(query).mappings().first()
    if row is None:
        return None
    mine = update(IMPORTS).where(IMPORTS.c.id == import_id)
    values = {"claim": claim, "claimed_until": instant_in(LEASE), "attempts": row["attempts"] + 1}
    if row["status"] == "receiving" or row["attempts"] >= MAX_ATTEMPTS:
        reason = (
            "It broke off while it was received: send it again." if row["status"] == "receiving" else TOO_MANY_ATTEMPTS
        )
        session.execute(mine.values(**values, status="failed", reason=reason, finished_at=now()))
        return None
    session.execute(mine.values(**values, status="running"))
    return dict(row)


TOO_MANY_ATTEMPTS = "It broke off too often."


def release_claim(session: Session, import_id: str, claim: str) -> None:
    """Let go of an import that is not finished: whoever looks next goes on with it."""
    session.execute(_is_claimed_by(import_id, claim).values(claimed_until="", attempts=IMPORTS.c.attempts - 1))


def pending_lines(session: Session, import_id: str, after: int) -> list[Any]:
    """The next lines without a verdict, as (number, resource, given)."""
    query = select(LINES.c.number, LINES.c.resource, LINES.c.given)
    query = query.where(LINES.c.import_id == import_id, LINES.c.verdict.is_(None), LINES.c.number > after)
    return list(session.execute(query.order_by(LINES.c.number).limit(CHUNK)))


def lines_by_number(session: Session, import_id: str, numbers: list[int]) -> dict[int, Any]:
    """What these lines say, by their number, as (resource, value)."""
    query = select(LINES.c.number, LINES.c.resource, LINES.c.given)
    query = query.where(LINES.c.import_id == import_id, LINES.c.number.in_(numbers))
    return {number: (resource, json.loads(said)) for number, resource, said in session.execute(query)}


def written_records(session: Session, import_id: str) -> Iterator[tuple[str, str, int]]:
    """The records, as (resource, id, number), of lines that have been written."""
    query = select(LINES.c.resource, LINES.c.record_id, LINES.c.number)
    done = query.where(LINES.c.import_id == import_id, LINES.c.verdict.in_(COUNTS[:3]))
    yield from ((row[0], row[1], row[2]) for row in session.execute(done))


def record_verdicts(session: Session, import_id: str, claim: str, verdicts: Iterable[Mapping[str, Any]]) -> None:
    """Note what became of lines; what they said is not needed any more."""
    lines = update(LINES).where(LINES.c.import_id == import_id, LINES.c.number == bindparam("line"))
    names = ("verdict", "resource", "record_id", "matched_by", "errors", "diff")
    noting = lines.values(given=None, **{name: bindparam(f"new_{name}") for name in names})
    counts = dict.fromkeys(COUNTS, 0)
    waiting = iter(verdicts)
    while chunk := list(islice(waiting, CHUNK)):
        rows = [{"line": each["number"], **{f"new_{name}": each[name] for name in names}} for each in chunk]
        session.connection().execute(noting, rows)
        for each in chunk:
            counts[each["verdict"]] += 1
    renew_claim(
        session, import_id, claim, more={name: IMPORTS.c[name] + count for name, count in counts.items() if count}
    )


def finish_import(session: Session, import_id: str, claim: str, status: str, reason: str | None = None) -> None:
    """The import has ended."""
    renew_claim(session, import_id, claim, more={"status": status, "reason": reason, "finished_at": now()})


def delete_expired_imports(session: Session) -> None:
    """Delete what has ended long ago."""
    session.execute(delete(IMPORTS).where(IMPORTS.c.finished_at < instant(datetime.now(UTC) - IMPORT_RETENTION)))
