"""Claims: which process runs or receives an import.

One process at a time runs an import. It claims the import for the time of a lease and renews the lease with everything
that it writes, in the same transaction, and by time in between. When the lease ends because the process was stopped,
another process takes over. If the first one is still running, its next write raises ClaimLost and is rolled back.
"""

import contextlib
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, func, literal_column, or_, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from app.core.change_log import instant, now
from app.core.database.engine import Database
from app.core.database.statements import Query
from app.exchange.imports.database_tables import IMPORTS, LINES, OPEN, Import

LEASE = timedelta(seconds=30)
LONGEST_LEASE = timedelta(minutes=10)  # to an end that was written by a process with a slightly different clock
RENEWED_EVERY = 8.0  # seconds
MAX_ATTEMPTS = 5

NOT_RECEIVED = "The upload was interrupted. Send the file again."
TOO_MANY_ATTEMPTS = "The import was interrupted too often."

# A compiled statement cannot contain a list of values, so this is OR and not IN.
IS_OPEN = or_(*(IMPORTS.c.status == status for status in OPEN))

UNCLAIMED_IMPORTS = Query(
    select(IMPORTS.c.id, IMPORTS.c.key, IMPORTS.c.lines)
    .where(IS_OPEN, IMPORTS.c.claimed_until < bindparam("now"))
    .order_by(IMPORTS.c.id)
    .limit(literal_column("1")),
    alone=True,
)


class ClaimLost(Exception):
    """Another process has claimed the import, or it has ended."""


def new_claim() -> str:
    """Return a name under which a process claims imports."""
    return secrets.token_hex(8)


def end_of_lease() -> str:
    """Return the instant at which a lease ends that begins now."""
    return instant(datetime.now(UTC) + LEASE)


@contextlib.contextmanager
def import_transaction(database: Database) -> Iterator[Session]:
    """Open a transaction that writes no record. On PostgreSQL it does not wait for those that do."""
    with Session(database.engine) as session, session.begin():
        yield session


@contextlib.contextmanager
def claim_renewal(database: Database, import_id: str, claim: str) -> Iterator[None]:
    """Renew a claim by time until the end of the block, in a thread of its own.

    A file can take minutes until its next line, and an import can wait for the turns of others.
    """
    ended = threading.Event()
    own = update(IMPORTS).where(IMPORTS.c.id == import_id, IMPORTS.c.claim == claim, IS_OPEN)

    def renew() -> None:
        while not ended.wait(RENEWED_EVERY):
            # If the database does not respond, the next write of the import reports it.
            with contextlib.suppress(SQLAlchemyError, sqlite3.Error), import_transaction(database) as session:
                session.execute(own.values(claimed_until=end_of_lease()))

    threading.Thread(target=renew, name="claim", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


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
    row.claimed_until = end_of_lease()
    if row.status == "receiving":
        _finish(session, row, "failed", NOT_RECEIVED)
        return None
    if row.attempts >= MAX_ATTEMPTS:
        _finish(session, row, "failed", TOO_MANY_ATTEMPTS)
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
    row.claimed_until = end_of_lease()
    return row


def check_claim(session: Session, import_id: str, claim: str) -> None:
    """Raise ClaimLost if the import no longer has this claim. This takes no lock."""
    row = session.get(Import, import_id)
    if row is None or row.claim != claim or row.status not in OPEN:
        raise ClaimLost


def release_claim(session: Session, import_id: str, claim: str) -> None:
    """End the lease of an import that is not finished, so that another process can continue it at once."""
    row = _claimed(session, import_id, claim)
    if row is not None:
        row.claimed_until = ""
        row.attempts -= 1


def finish_import(session: Session, import_id: str, claim: str, status: str, reason: str | None = None) -> None:
    """Give the import its last status. Raise ClaimLost as renew_claim does."""
    _finish(session, renew_claim(session, import_id, claim), status, reason)


def _finish(session: Session, row: Import, status: str, reason: str | None) -> None:
    row.status = status
    row.reason = reason
    row.finished_at = now()
    row.bytes = session.exec(select(func.coalesce(func.sum(LINES.c.size), 0)).where(LINES.c.import_id == row.id)).one()


def end_wrong_leases(database: Database) -> bool:
    """End leases that were written while the clock was far ahead: their imports would wait until then.

    Return False: nothing more is left.
    """
    wrong = (IS_OPEN, IMPORTS.c.claimed_until > instant(datetime.now(UTC) + LONGEST_LEASE))
    with database.snapshot() as connection:
        is_wrong = connection.execute(select(IMPORTS.c.id).where(*wrong).limit(1)).first() is not None
    if is_wrong:
        with import_transaction(database) as session:
            session.execute(update(IMPORTS).where(*wrong).values(claimed_until=""))
    return False


def cancel_import(row: Import) -> None:
    """End an open import. The process that receives or runs it loses its claim and stops at its next chunk."""
    row.status = "cancelled"
    row.finished_at = now()
