"""Quotas: how many imports one key and all keys may have open, and how much space the stored ones may take.

What is stored when an import begins decides whether it is accepted. Its own size has a bound, and a process reads one
file of a key at a time, so the space of a key can exceed its quota by one import for each process.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, case, func, select, text
from sqlmodel import Session

from app.core.database.statements import Query
from app.core.errors import TooMany, Unavailable
from app.exchange.imports.database_tables import IMPORTS
from app.exchange.imports.storage.claims import IS_OPEN

MAX_OPEN_OF_KEY = 10
MAX_OPEN = 100  # the imports of at least ten keys
MAX_STORED_OF_KEY = 10_000  # imports, however small; one every five minutes for 30 days
QUOTAS_OF_ALL = 10  # all keys together may fill this many quotas of one key

IMPORT_LOCK = 0x686F7076  # advisory lock on PostgreSQL; on SQLite a transaction has the lock of the database

_IS_OF_KEY = IMPORTS.c.key == bindparam("key")
_USAGE = select(
    func.coalesce(func.sum(case((IS_OPEN & _IS_OF_KEY, 1), else_=0)), 0),
    func.coalesce(func.sum(case((IS_OPEN, 1), else_=0)), 0),
    func.coalesce(func.sum(case((_IS_OF_KEY, 1), else_=0)), 0),
    func.coalesce(func.sum(case((_IS_OF_KEY, IMPORTS.c.bytes), else_=0)), 0),
    func.coalesce(func.sum(IMPORTS.c.bytes), 0),
)
USAGE = Query(_USAGE, alone=True)


def room_for_import(session: Session, key: str, quota: int) -> int:
    """Return how many bytes the next import of a key may take. Raise a problem as `check_usage` does.

    Other imports begin only after the transaction.
    """
    if session.connection().dialect.name == "postgresql":
        session.connection().execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": IMPORT_LOCK})
    return check_usage(session.connection().execute(_USAGE, {"key": key}).one(), quota)


def check_usage(usage: Sequence[Any], quota: int) -> int:
    """Return how many bytes the next import of a key may take, by the row of `USAGE` and its quota of bytes.

    Raise TooMany if the key has reached one of its bounds, and Unavailable if all keys together have.
    """
    open_of_key, open_of_all, stored_of_key, bytes_of_key, bytes_of_all = map(int, usage)
    if open_of_key >= MAX_OPEN_OF_KEY:
        detail = f"The key has {open_of_key} open imports. Wait until one of them has ended, or cancel one."
        raise TooMany(detail, headers={"Retry-After": "10"})
    if stored_of_key >= MAX_STORED_OF_KEY:
        raise TooMany(f"The key has {stored_of_key} imports. Delete some that have ended.")
    if bytes_of_key >= quota:
        raise quota_exceeded(quota)
    if open_of_all >= MAX_OPEN:
        raise Unavailable("Too many imports are waiting.")
    if bytes_of_all >= quota * QUOTAS_OF_ALL:
        raise Unavailable("The imports of all keys take too much space.")
    return quota - bytes_of_key


def quota_exceeded(quota: int) -> TooMany:
    """Return the problem of a key whose imports take more space than its quota."""
    return TooMany(f"The imports of the key would take more than {quota} bytes. Delete some that have ended.")
