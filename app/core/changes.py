"""The one log: every write of a record appends a Change, in commit order, chained by hash."""

import hashlib
from datetime import UTC, datetime

from sqlalchemy import Index, Integer, Table, Text, bindparam, cast, func, select
from sqlmodel import Field, SQLModel

from app.core.codelists import Code, CodeList
from app.core.record import BYTEWISE, SEQUENCE, in_codes

ACTION = CodeList(
    "action",
    "What a write did to a record.",
    {"create": Code("Created", "Tạo"), "update": Code("Updated", "Sửa"), "delete": Code("Deleted", "Xóa")},
)


class Change(SQLModel, table=True):
    """One write of one record: who, when, what, and the representation as it was published then.

    `digest` is the SHA-256 of the representation, `chain` that of the previous chain value and this row.
    """

    __tablename__ = "changes"
    __table_args__ = (
        Index(None, "resource", "record_id", "sequence"),
        Index(None, "actor", "sequence"),
        in_codes("action", ACTION),
    )

    sequence: int = Field(sa_type=SEQUENCE, primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: str = Field(sa_type=BYTEWISE)
    actor: str = Field(sa_type=BYTEWISE)
    action: str = Field(sa_type=BYTEWISE)
    resource: str = Field(sa_type=BYTEWISE)
    record_id: str = Field(sa_type=BYTEWISE)
    version: int = Field(sa_type=Integer)
    body: str | None = Field(default=None, sa_type=Text)
    digest: str = Field(sa_type=BYTEWISE)
    chain: str = Field(sa_type=BYTEWISE)


# The table itself, for statements.
CHANGES: Table = SQLModel.metadata.tables["changes"]
# A tag names a Change by its number and by the head of its chain value: a database that is made anew counts anew.
NAME = cast(CHANGES.c.sequence, Text) + "-" + func.substr(CHANGES.c.chain, 1, 8)


# The last thing that was done to a record.
LAST_OF_RECORD = (
    select(CHANGES.c.action, CHANGES.c.body)
    .where(CHANGES.c.resource == bindparam("resource"), CHANGES.c.record_id == bindparam("id"))
    .order_by(CHANGES.c.sequence.desc())
    .limit(1)
)


def now() -> str:
    """This instant as it is stored and shown: RFC 3339 in UTC, with microseconds."""
    return instant(datetime.now(UTC))


def instant(moment: datetime) -> str:
    """An aware moment as it is stored and shown."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def digest(body: bytes) -> str:
    """SHA-256 of a representation, in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def link(previous: str, *row: str | int) -> str:
    """The next value of the chain: SHA-256 over the previous value and the fields of the row, one a line."""
    return digest("\n".join([previous, *map(str, row)]).encode())
