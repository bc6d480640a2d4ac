"""The quota of a key: how many bytes it may write in a day (UTC).

The change log keeps every version forever, so a key without a quota could fill the disk. The quota counts the bytes of
the representations, and the space of words that are new to the search: a text of random words takes 60 times its size.
The bytes are counted in the transaction that writes them, so a write that is rolled back does not count.
"""

from datetime import UTC, datetime, time, timedelta

from sqlalchemy import BigInteger, bindparam, delete, select
from sqlmodel import Field, Session, SQLModel

from app.core.database.connection_reads import rows_of
from app.core.database.engine import Database
from app.core.database.statements import Query
from app.core.database.tables import BYTEWISE
from app.core.errors import TooMany
from app.core.model.row_writes import add_rows


class WrittenBytes(SQLModel, table=True):
    """The bytes that a key wrote in a day, such as `2026-03-01`. Without a quota nothing is counted."""

    __tablename__ = "written_bytes"

    key: str = Field(sa_type=BYTEWISE, primary_key=True)
    day: str = Field(sa_type=BYTEWISE, primary_key=True)
    bytes: int = Field(sa_type=BigInteger)


WRITTEN_BYTES = SQLModel.metadata.tables["written_bytes"]

_OF_DAY = (WRITTEN_BYTES.c.key == bindparam("key"), WRITTEN_BYTES.c.day == bindparam("day"))
_WRITTEN = Query(select(WRITTEN_BYTES.c.bytes).where(*_OF_DAY))


RESERVE = 10  # a tenth of the quota in addition, for writes that only withdraw or delete records


def count_written(session: Session, key: str, size: int, quota: int, reserve: int = 0) -> None:
    """Add the bytes to those that the key wrote today. Raise TooMany if the sum exceeds quota and reserve.

    The transaction has the writer lock, so no other one counts at the same time.
    """
    moment = datetime.now(UTC)
    today = moment.date().isoformat()
    add_rows(session.connection(), WRITTEN_BYTES, "bytes", [{"key": key, "day": today, "bytes": size}])
    ((written,),) = rows_of(session.connection(), _WRITTEN, key=key, day=today)
    if written > quota + reserve:
        detail = (
            f"A key can write {quota:,} bytes in a day (UTC): each version of a record as JSON, and the words that are "
            "new to the search. This would be more. Continue tomorrow."
        )
        raise TooMany(detail, headers={"Retry-After": str(_seconds_left(moment))})


def _seconds_left(moment: datetime) -> int:
    """Return the seconds until the next day begins, rounded up."""
    tomorrow = datetime.combine(moment.date() + timedelta(days=1), time(), UTC)
    return int((tomorrow - moment).total_seconds()) + 1


def prune_written_bytes(database: Database) -> bool:
    """Delete the counts of earlier days. Return whether there may be more: never, since there is a row for each key."""
    is_old = WRITTEN_BYTES.c.day < datetime.now(UTC).date().isoformat()
    with database.snapshot() as connection:
        has_old = connection.execute(select(WRITTEN_BYTES.c.day).where(is_old).limit(1)).first() is not None
    if has_old:
        with database.engine.begin() as connection:
            connection.execute(delete(WRITTEN_BYTES).where(is_old))
    return False
