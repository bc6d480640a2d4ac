"""The one log: every write of a record appends a Change, in commit order, chained by hash."""

import hashlib
import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Index, Integer, Table, Text, and_, bindparam, cast, func, select
from sqlmodel import Field, SQLModel

from app.core.database.tables import BYTEWISE, SEQUENCE, in_codes
from app.core.values.codelists import Code, CodeList

ACTION = CodeList(
    "action",
    "What a write did to a record.",
    {"create": Code("Created", "Tạo"), "update": Code("Updated", "Sửa"), "delete": Code("Deleted", "Xóa")},
)

PUBLIC_ACTION = CodeList(
    "shown",
    "What everyone sees of a write.",
    {**ACTION.codes, "redact": Code("Text taken down from every version", "Gỡ bỏ nội dung khỏi mọi phiên bản")},
)


# The resource of a Change that a mirror was not told: a draft's, of which it holds number, entry and chain value alone.
SEALED = ""

# What is known of a representation that a mirror was not told, which has none of it: it is a draft's.
WITHHELD = '{"state":"draft","managed_by":null}'


class Change(SQLModel, table=True):
    """One write of one record: who, when, what, and the representation as it was published then.

    `shown` is the action as everyone sees it: what becomes public is created, what is withdrawn is deleted, and what
    happens to a draft is nothing (None). `digest` is the SHA-256 of salt and representation, `chain` that of the
    previous chain value, the sequence and the `chain_entry` of this row. A representation that text was taken down from
    has another salt, so that nobody can guess the text from the digest; `redacted` is the Change that did it.
    """

    __tablename__ = "changes"
    __table_args__ = (
        Index(None, "resource", "record_id", "sequence"),
        Index(None, "actor", "sequence"),
        in_codes("action", ACTION),
        in_codes("shown", PUBLIC_ACTION),
    )

    sequence: int = Field(sa_type=SEQUENCE, primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: str = Field(sa_type=BYTEWISE)
    actor: str = Field(sa_type=BYTEWISE)
    action: str = Field(sa_type=BYTEWISE)
    resource: str = Field(sa_type=BYTEWISE)
    record_id: str = Field(sa_type=BYTEWISE)
    shown: str | None = Field(default=None, sa_type=BYTEWISE)
    version: int = Field(sa_type=Integer)
    salt: str | None = Field(default=None, sa_type=BYTEWISE)
    redacted: int | None = Field(default=None, sa_type=SEQUENCE)
    body: str | None = Field(default=None, sa_type=Text)
    digest: str = Field(sa_type=BYTEWISE)
    chain: str = Field(sa_type=BYTEWISE)


class RedactionLog(SQLModel, table=True):
    """The log of what was taken down: why, and what stands for each representation that has taken another's place.

    `digests` is a JSON list of `redacted_digest`, which does not say which Changes they are: some may be a draft's. It
    is as safe as the chain: its own digest is in the actor of the Change.
    """

    __tablename__ = "redactions"

    change: int = Field(sa_type=SEQUENCE, primary_key=True, foreign_key="changes.sequence")
    at: str = Field(sa_type=BYTEWISE)
    reason: str = Field(sa_type=Text)
    digests: str = Field(sa_type=Text)


class MirrorMark(SQLModel, table=True):
    """That this database is a mirror, and of what: nothing writes a Change here but the mirror itself."""

    __tablename__ = "mirrors"

    source: str = Field(sa_type=BYTEWISE, primary_key=True)
    since: str = Field(sa_type=BYTEWISE)


# How the actor of a redaction begins.
REDACTOR = "redact:"

# The tables themselves, for statements.
CHANGES: Table = SQLModel.metadata.tables["changes"]

REDACTIONS: Table = SQLModel.metadata.tables["redactions"]

MIRRORS: Table = SQLModel.metadata.tables["mirrors"]

# A tag names a Change by its number and by the head of its chain value: a database that is made anew counts anew.
CHANGE_NAME = cast(CHANGES.c.sequence, Text) + "-" + func.substr(CHANGES.c.chain, 1, 8)


def name_of(sequence: int, chain: str) -> str:
    """What NAME selects, for a Change that is about to be written."""
    return f"{sequence}-{chain[:8]}"


# The last Change of all.
LATEST_CHANGE = select(CHANGES.c.sequence, CHANGES.c.at, CHANGES.c.chain).order_by(CHANGES.c.sequence.desc()).limit(1)

# The last thing that was done to a record.
LAST_OF_RECORD = (
    select(CHANGES.c.action, CHANGES.c.body)
    .where(CHANGES.c.resource == bindparam("resource"), CHANGES.c.record_id == bindparam("id"))
    .order_by(CHANGES.c.sequence.desc())
    .limit(1)
)

# The condition of the earlier Changes of a record that are in the change feed.
EARLIER_PUBLIC = and_(
    CHANGES.c.resource == bindparam("resource"),
    CHANGES.c.record_id == bindparam("id"),
    CHANGES.c.sequence < bindparam("sequence"),
    CHANGES.c.shown.is_not(None),
)


def now() -> str:
    """This instant as it is stored and shown: RFC 3339 in UTC, with microseconds."""
    return instant(datetime.now(UTC))


def instant(moment: datetime) -> str:
    """An aware moment as it is stored and shown."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def public_action(before: str | None, after: str | None) -> str | None:
    """What everyone sees of a write, told by the state of the record before and after it (None: no record)."""
    was, is_now = before == "published", after == "published"
    if was:
        return "update" if is_now else "delete"
    return "create" if is_now else None


def redaction_actor(digests: str) -> str:
    """The actor of the Change that took text down and left these digests."""
    return f"{REDACTOR}{digest(digests.encode())}"


def redacted_digest(sequence: int, body: bytes, salted: str) -> str:
    """What stands in the log for a representation that text was taken from: SHA-256 of salt, sequence and itself."""
    return digest(body, f"{salted}\n{sequence}\n")


def new_salt() -> str:
    """What is put in front of a representation before it is hashed: 96 random bits."""
    return secrets.token_urlsafe(12)


def digest(body: bytes, salted: str = "") -> str:
    """SHA-256 of a salt and a representation, in hexadecimal."""
    return hashlib.sha256(salted.encode() + body).hexdigest()


def chain_entry(at: str, actor: str, action: str, resource: str, record_id: str, version: int, found: str) -> str:
    """What stands for a Change in the chain: SHA-256 over these fields, one a line, the last its digest."""
    return digest("\n".join(map(str, (at, actor, action, resource, record_id, version, found))).encode())


def chain_entry_of(change: Any) -> str:
    """What stands for a stored Change in the chain: for one that a mirror holds sealed, that is all it holds."""
    if change.resource == SEALED:
        return str(change.digest)
    said = (change.at, change.actor, change.action, change.resource, change.record_id, change.version, change.digest)
    return chain_entry(*said)


def chain_value(previous: str, sequence: int, sealed: str) -> str:
    """The next value of the chain: SHA-256 over the previous value, the sequence and the entry, one a line.

    So who knows of a Change only its entry, as all do of a draft's, can verify what comes before and after it.
    """
    return digest(f"{previous}\n{sequence}\n{sealed}".encode())
