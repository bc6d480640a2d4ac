"""The log: each write of a record appends one Change. Changes are in the order of commits and chained by hash."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Index, Integer, Table, Text, and_, bindparam, cast, func, literal_column, select
from sqlmodel import Field, SQLModel

from app.core.database.tables import BYTEWISE, SEQUENCE, in_codes
from app.core.values.codelists import Code, CodeList

ACTION = CodeList(
    "action",
    "The kind of a write.",
    {"create": Code("Created", "Tạo"), "update": Code("Updated", "Sửa"), "delete": Code("Deleted", "Xóa")},
)

PUBLIC_ACTION = CodeList(
    "shown",
    "What a write means to readers who see no drafts.",
    {**ACTION.codes, "redact": Code("Text removed from every version", "Gỡ bỏ nội dung khỏi mọi phiên bản")},
)

# The resource of a sealed Change in a mirror, which has only its sequence number, entry and chain value.
SEALED = ""

# Stands for a representation that a mirror does not have, because it belongs to a draft.
WITHHELD = '{"state":"draft","managed_by":null}'


class Change(SQLModel, table=True):
    """One write of one record: time, actor, action and the representation after it.

    `shown` is the public action: publishing a record creates it, withdrawing it deletes it, and a write of a draft is
    None. `digest` is the SHA-256 of salt and representation. `chain` is the SHA-256 of the previous chain value, the
    sequence number and the `chain_entry` of the row. A redacted representation gets a new salt, so that nobody can
    guess the removed text from the digest. `redacted` is the sequence number of the redaction.
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
    """A redaction: its reason, and the digests of the representations that it changed.

    `digests` is a JSON list of `redacted_digest`. It does not name their Changes, because some may belong to drafts. It
    cannot be altered unnoticed, because the actor of the redaction's Change contains its digest.
    """

    __tablename__ = "redactions"

    change: int = Field(sa_type=SEQUENCE, primary_key=True, foreign_key="changes.sequence")
    at: str = Field(sa_type=BYTEWISE)
    reason: str = Field(sa_type=Text)
    digests: str = Field(sa_type=Text)


class MirrorMark(SQLModel, table=True):
    """Marks the database as a mirror of a source. Only its follower appends Changes."""

    __tablename__ = "mirrors"

    source: str = Field(sa_type=BYTEWISE, primary_key=True)
    since: str = Field(sa_type=BYTEWISE)


class LastBackup(SQLModel, table=True):
    """When the last backup of this database started, and the head of the log in it."""

    __tablename__ = "backups"

    at: str = Field(sa_type=BYTEWISE, primary_key=True)
    head: str = Field(sa_type=BYTEWISE)


# Prefix of the actor of a redaction.
REDACTOR = "redact:"

CHANGES: Table = SQLModel.metadata.tables["changes"]
REDACTIONS: Table = SQLModel.metadata.tables["redactions"]
MIRRORS: Table = SQLModel.metadata.tables["mirrors"]
BACKUPS: Table = SQLModel.metadata.tables["backups"]

# ETags name a Change by its sequence number and the start of its chain value, because a new database counts from 1.
CHANGE_NAME = cast(CHANGES.c.sequence, Text) + "-" + func.substr(CHANGES.c.chain, 1, 8)

LAST_CHANGE_NAME = select(CHANGE_NAME).order_by(CHANGES.c.sequence.desc()).limit(literal_column("1"))


def name_of(sequence: int, chain: str) -> str:
    """Return the value of `CHANGE_NAME` for a Change that is not yet written."""
    return f"{sequence}-{chain[:8]}"


LATEST_CHANGE = select(CHANGES.c.sequence, CHANGES.c.at, CHANGES.c.chain).order_by(CHANGES.c.sequence.desc()).limit(1)
LAST_OF_RECORD = (
    select(CHANGES.c.action, CHANGES.c.body, CHANGES.c.version)
    .where(CHANGES.c.resource == bindparam("resource"), CHANGES.c.record_id == bindparam("id"))
    .order_by(CHANGES.c.sequence.desc())
    .limit(1)
)
LAST_PUBLIC_OF_RECORD = LAST_OF_RECORD.where(CHANGES.c.shown.is_not(None))

# The condition for the earlier Changes of a record that the change feed contains.
EARLIER_PUBLIC = and_(
    CHANGES.c.resource == bindparam("resource"),
    CHANGES.c.record_id == bindparam("id"),
    CHANGES.c.sequence < bindparam("sequence"),
    CHANGES.c.shown.is_not(None),
)


def now() -> str:
    """Return the current instant in the form of `instant`."""
    return instant(datetime.now(UTC))


def instant(moment: datetime) -> str:
    """Return an aware datetime as it is stored and shown: RFC 3339 in UTC, with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant_after(at: str) -> str:
    """Return the first instant after a stored one."""
    return instant(datetime.fromisoformat(at) + timedelta(microseconds=1))


def public_action(before: str | None, after: str | None) -> str | None:
    """Return the public action of a write, from the states of the record before and after it (None: no record)."""
    if before == "published":
        return "update" if after == "published" else "delete"
    return "create" if after == "published" else None


def redaction_actor(digests: str) -> str:
    """Return the actor of the Change of a redaction with these digests."""
    return f"{REDACTOR}{digest(digests.encode())}"


def redacted_digest(sequence: int, body: bytes, salted: str) -> str:
    """Return the digest of a redacted representation: SHA-256 of salt, sequence number and representation."""
    return digest(body, f"{salted}\n{sequence}\n")


def new_salt() -> str:
    """Return a random salt of 96 bits, which is hashed with a representation."""
    return secrets.token_urlsafe(12)


def digest(body: bytes, salted: str = "") -> str:
    """Return the SHA-256 of a salt and a representation, in hexadecimal."""
    return hashlib.sha256(salted.encode() + body).hexdigest()


def chain_entry(at: str, actor: str, action: str, resource: str, record_id: str, version: int, body_digest: str) -> str:
    """Return the entry of a Change: SHA-256 over these fields, one per line."""
    fields = (at, actor, action, resource, record_id, version, body_digest)
    return digest("\n".join(map(str, fields)).encode())


def chain_entry_of(change: Any) -> str:
    """Return the entry of a stored Change. A sealed Change in a mirror has it in the place of its digest."""
    if change.resource == SEALED:
        return str(change.digest)
    fields = (change.at, change.actor, change.action, change.resource, change.record_id, change.version, change.digest)
    return chain_entry(*fields)


def chain_value(previous: str, sequence: int, entry: str) -> str:
    """Return the next value of the chain: SHA-256 over the previous value, the sequence number and the entry.

    They are hashed one per line. The chain can therefore be verified without the content of drafts: of their Changes
    only the entry is public.
    """
    return digest(f"{previous}\n{sequence}\n{entry}".encode())
