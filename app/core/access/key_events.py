"""The events of keys: who created, changed, rotated and revoked a key, and when its use was refused.

Refused uses are counted: one row for each key, reason, address and hour. Each key has a bounded number of rows, and no
row is older than a year. Every function runs in a transaction with the writer lock.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Index, Integer, Table, Text, bindparam, delete, event, func, insert, select, update
from sqlmodel import Field, Session, SQLModel

from app.core.access.caller import Caller
from app.core.access.keys import REFUSAL
from app.core.change_log import instant, now
from app.core.database.tables import BYTEWISE, SEQUENCE, in_codes
from app.core.values.codelists import Code, CodeList

MAX_OF_KEY = 500  # events of each key, and as many rows of refused uses
MAX_ADDRESSES = 20  # of refused uses in an hour with one reason; further ones are counted together, without address
LONGEST = timedelta(days=365)
COMMAND = "command"  # the actor of the command line
TOKEN = "token"  # the actor of a revocation by the text of the key

KEY_ACTION = CodeList(
    "key_action",
    "What happened to a key.",
    {
        "create": Code("Created", "Tạo"),
        "change": Code("Changed", "Sửa"),
        "rotate": Code("Rotated", "Đổi mã"),
        "revoke": Code("Revoked", "Thu hồi"),
        "refuse": Code("Use refused", "Từ chối sử dụng"),
    },
)


class KeyEvent(SQLModel, table=True):
    """One event of a key, or the refused uses of an hour."""

    __tablename__ = "key_events"
    __table_args__ = (Index(None, "key", "id"), in_codes("action", KEY_ACTION), in_codes("reason", REFUSAL))

    id: int = Field(sa_type=SEQUENCE, primary_key=True, sa_column_kwargs={"autoincrement": False})
    key: str = Field(sa_type=BYTEWISE, foreign_key="keys.id")
    action: str = Field(sa_type=BYTEWISE)
    reason: str | None = Field(default=None, sa_type=BYTEWISE)
    actor: str | None = Field(default=None, sa_type=BYTEWISE)
    address: str | None = Field(default=None, sa_type=BYTEWISE)
    detail: str | None = Field(default=None, sa_type=Text)
    count: int = Field(sa_type=Integer)
    first_at: str = Field(sa_type=BYTEWISE)
    last_at: str = Field(sa_type=BYTEWISE)


KEY_EVENTS: Table = SQLModel.metadata.tables["key_events"]

_IS_REFUSAL = KEY_EVENTS.c.action == "refuse"
_ADD_TO_ROW = (
    update(KEY_EVENTS)
    .where(KEY_EVENTS.c.id == bindparam("row"))
    .values(count=KEY_EVENTS.c.count + bindparam("number"), last_at=bindparam("at"))
)

# The ids of rows by key and reason, and then by address. A row without id is not stored yet.
HourRows = dict[tuple[str, str], dict[str | None, int | None]]


class Refusal(NamedTuple):
    """What refused uses have in common that are counted together. Without address: from further addresses."""

    key: str
    reason: str
    address: str | None


@dataclass
class RefusalCount:
    """The number of refused uses, and the first and the last instant."""

    number: int
    first_at: str
    last_at: str

    def plus(self, other: "RefusalCount") -> "RefusalCount":
        """Return the count of both."""
        first_at = min(self.first_at, other.first_at)
        return RefusalCount(self.number + other.number, first_at, max(self.last_at, other.last_at))


def actor_of(caller: Caller | None) -> str:
    """Return the actor of an event: the key of an administrator, or the command line if there is no caller."""
    return COMMAND if caller is None else f"key:{caller.key}"


def add_event(
    session: Session, key_id: str, action: str, actor: str, address: str | None = None, detail: str | None = None
) -> None:
    """Store an event of a key, and log it as soon as the transaction has been committed.

    Commands write no log, only the event: their standard output is for their result.
    """
    at = now()
    entry = {"key": key_id, "action": action, "actor": actor, "address": address, "detail": detail}
    values = {**entry, "count": 1, "first_at": at, "last_at": at}
    session.execute(insert(KEY_EVENTS).values(id=_next_id(session), **values))
    _limit(session, key_id, refused=False)

    @event.listens_for(session, "after_commit", once=True)
    def _log(_: Session) -> None:
        if structlog.is_configured():
            structlog.get_logger("hoptac.keys").info("key", **entry)


def add_refusals(session: Session, refusals: Mapping[Refusal, RefusalCount]) -> None:
    """Add counts of refused uses to the rows of this hour. It uses few statements, since writes wait for it."""
    keys = sorted({refusal.key for refusal in refusals})
    rows = _rows_of_hour(session, keys)
    sums: dict[Refusal, RefusalCount] = {}
    for refusal, count in refusals.items():
        addresses = rows[refusal.key, refusal.reason]
        if refusal.address not in addresses and len(addresses) >= MAX_ADDRESSES:
            refusal = refusal._replace(address=None)
        addresses.setdefault(refusal.address, None)
        sums[refusal] = count if refusal not in sums else sums[refusal].plus(count)
    _write_sums(session, sums, rows)
    counted = func.count() > MAX_OF_KEY
    query = select(KEY_EVENTS.c.key).where(KEY_EVENTS.c.key.in_(keys), _IS_REFUSAL)
    for key_id in session.scalars(query.group_by(KEY_EVENTS.c.key).having(counted)).all():
        _limit(session, key_id, refused=True)


def remove_old_events(session: Session) -> None:
    """Delete the events that are older than a year."""
    session.execute(delete(KEY_EVENTS).where(KEY_EVENTS.c.last_at < instant(datetime.now(UTC) - LONGEST)))


def _rows_of_hour(session: Session, keys: Sequence[str]) -> HourRows:
    """Return the ids of the rows of this hour, by key and reason, and then by address."""
    hour = instant(datetime.now(UTC).replace(minute=0, second=0, microsecond=0))
    columns = (KEY_EVENTS.c.key, KEY_EVENTS.c.reason, KEY_EVENTS.c.address, KEY_EVENTS.c.id)
    query = select(*columns).where(KEY_EVENTS.c.key.in_(keys), _IS_REFUSAL, KEY_EVENTS.c.first_at >= hour)
    rows: HourRows = defaultdict(dict)
    for row in session.execute(query):
        rows[row.key, row.reason][row.address] = row.id
    return rows


def _write_sums(session: Session, sums: Mapping[Refusal, RefusalCount], rows: HourRows) -> None:
    next_id = _next_id(session)
    inserts: list[dict[str, Any]] = []
    updates: list[dict[str, Any]] = []
    for refusal, count in sums.items():
        row_id = rows[refusal.key, refusal.reason][refusal.address]
        if row_id is not None:
            updates.append({"row": row_id, "number": count.number, "at": count.last_at})
            continue
        values = {"count": count.number, "first_at": count.first_at, "last_at": count.last_at}
        inserts.append({"id": next_id + len(inserts), "action": "refuse", **refusal._asdict(), **values})
    if inserts:
        session.execute(insert(KEY_EVENTS), inserts)
    if updates:
        session.connection().execute(_ADD_TO_ROW, updates)


def _next_id(session: Session) -> int:
    """Return the id of the next row. The writer lock keeps two rows from the same id."""
    next_id: int = session.execute(select(func.coalesce(func.max(KEY_EVENTS.c.id), 0) + 1)).scalar_one()
    return next_id


def _limit(session: Session, key_id: str, *, refused: bool) -> None:
    """Delete the oldest rows of a key beyond their number. Refused uses cannot displace other events."""
    same = (KEY_EVENTS.c.key == key_id, _IS_REFUSAL if refused else ~_IS_REFUSAL)
    query = select(KEY_EVENTS.c.id).where(*same).order_by(KEY_EVENTS.c.id.desc()).offset(MAX_OF_KEY).limit(1)
    newest_too_many = session.execute(query).scalar()
    if newest_too_many is not None:
        session.execute(delete(KEY_EVENTS).where(*same, KEY_EVENTS.c.id <= newest_too_many))
