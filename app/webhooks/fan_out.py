"""From the log to deliveries: one reader follows the Changes for all subscriptions together.

Most subscriptions are where the cursor is. One that is new, was disabled, or has too much waiting is *behind* at a
Change of its own; the reader starts at the hindmost that can take more. So nothing is ever missed, the log is not read
once for each, and what waits is bounded.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, func, insert, literal_column, select, text, update

from app.core.log import CHANGES, now
from app.webhooks.events import partners_concerned, payload
from app.webhooks.models import CURSOR, DELIVERIES, IS_ACTIVE, IS_PENDING, WEBHOOKS

DELIVERY_LOCK = 0x686F7075  # on PostgreSQL: who writes down what is sent does so alone, as on SQLite anyway

BATCH = 500  # Changes looked at in one transaction

MAX_NEW_DELIVERIES = 5_000  # deliveries made in one transaction, or those of one Change

MAX_WAITING_DELIVERIES = 1_000  # deliveries of one subscription that wait before it falls behind

CHANGE_COLUMNS = ("sequence", "at", "resource", "record_id", "version", "shown")


def lock_deliveries(connection: Connection, patience: int = 10) -> None:
    """Wait to be the only one who writes to subscriptions' books until this transaction ends, however long for it."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = {patience * 1000:d}"))
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 30000"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": DELIVERY_LOCK})


@dataclass(frozen=True)
class SubscriptionPosition:
    """A subscription, and the last Change that it was told of or that does not concern it."""

    webhook: str
    behind: int | None
    after: int
    resources: frozenset[str]
    actions: frozenset[str]
    partners: frozenset[str]

    def matches(self, resource: str, shown: str) -> bool:
        """Whether such events are for it, partners apart."""
        return (not self.resources or resource in self.resources) and (not self.actions or shown in self.actions)


def fan_out(connection: Connection, base: str) -> bool:
    """Make the deliveries of the next Changes; whether there may be more of them. The caller holds the lock."""
    cursor = connection.execute(select(CURSOR.c.after)).scalar_one()
    places = _positions(connection, cursor)
    if not places:
        return False
    start = min(place.after for place in places)
    query = select(*(CHANGES.c[name] for name in CHANGE_COLUMNS)).where(CHANGES.c.sequence > start)
    changes = connection.execute(query.order_by(CHANGES.c.sequence).limit(BATCH)).all()
    rows, end = _deliveries(connection, places, changes, start, base)
    if rows:
        connection.execute(_unless_there(connection), rows)
    _advance(connection, places, cursor, end)
    return len(changes) == BATCH or bool(changes and end < changes[-1].sequence)


def _positions(connection: Connection, cursor: int) -> list[SubscriptionPosition]:
    """Where the active subscriptions are, but for those that have too much waiting: they fall or stay behind."""
    waiting: Any = select(literal_column("1")).where(DELIVERIES.c.webhook == WEBHOOKS.c.id, IS_PENDING)
    count = select(func.count()).select_from(waiting.correlate(WEBHOOKS).limit(MAX_WAITING_DELIVERIES).subquery())
    query = select(WEBHOOKS, count.scalar_subquery().label("waiting")).where(IS_ACTIVE)
    places, full = [], []
    for row in connection.execute(query.order_by(WEBHOOKS.c.id)):
        if row.waiting >= MAX_WAITING_DELIVERIES:
            full.append(row.id)
            continue
        after = cursor if row.behind is None else row.behind
        wanted = [frozenset(json.loads(each)) for each in (row.resources, row.actions, row.partners)]
        places.append(SubscriptionPosition(row.id, row.behind, after, *wanted))
    if full:
        fallen = update(WEBHOOKS).where(WEBHOOKS.c.id.in_(full), WEBHOOKS.c.behind.is_(None))
        connection.execute(fallen.values(behind=cursor))
    return places


def _deliveries(
    connection: Connection, places: Sequence[SubscriptionPosition], changes: Sequence[Any], start: int, base: str
) -> tuple[list[dict[str, Any]], int]:
    """Rows for those whom each Change concerns, and the last Change that was looked at."""
    rows: list[dict[str, Any]] = []
    wanting: dict[tuple[str, str], list[SubscriptionPosition]] = {}
    at, end = now(), start
    for change in changes:
        end = change.sequence
        if change.shown is None:
            continue
        kind = (change.resource, change.shown)
        if kind not in wanting:
            wanting[kind] = [place for place in places if place.matches(*kind)]
        told = [place for place in wanting[kind] if place.after < end]
        if any(place.partners for place in told):
            named = partners_concerned(connection, end)
            told = [place for place in told if not place.partners or named is None or place.partners & named]
        body = payload(change, base) if told else ""
        rows += [_row(place.webhook, change, body, at) for place in told]
        if len(rows) >= MAX_NEW_DELIVERIES:
            break
    return rows, end


def _row(webhook: str, change: Any, body: str, at: str) -> dict[str, Any]:
    record = {"sequence": change.sequence, "resource": change.resource, "record_id": change.record_id}
    return new_delivery(f"{webhook}-{change.sequence}", webhook, body, at) | record


def new_delivery(delivery: str, webhook: str, body: str, at: str, *, once: bool = False) -> dict[str, Any]:
    """The row of a delivery that is due at once."""
    row: dict[str, Any] = dict.fromkeys(DELIVERIES.c.keys())
    said = {"id": delivery, "webhook": webhook, "payload": body, "state": "pending", "once": once}
    return row | said | {"attempts": 0, "created_at": at, "due_at": at}


def _unless_there(connection: Connection) -> Any:
    """Inserts deliveries; one that is there stays as it is, but one that failed is due again."""
    dialect = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")  # not both: each takes some megabytes
    makes = dialect.insert(DELIVERIES)
    again = {
        name: makes.excluded[name] for name in ("state", "once", "attempts", "due_at", "first_attempt_at", "done_at")
    }
    return makes.on_conflict_do_update(index_elements=["id"], set_=again, where=DELIVERIES.c.state == "failed")


def _advance(connection: Connection, places: Sequence[SubscriptionPosition], cursor: int, end: int) -> None:
    """Note how far each is; those that have reached the cursor go with it from now on."""
    reached = max(cursor, end)
    if reached != cursor:
        connection.execute(update(CURSOR).values(after=reached))
    for place in places:
        if place.behind is not None:
            now_at = max(place.behind, end)
            behind = None if now_at == reached else now_at
            if behind != place.behind:
                connection.execute(update(WEBHOOKS).where(WEBHOOKS.c.id == place.webhook).values(behind=behind))


def add_test(connection: Connection, delivery: str, webhook: str, body: str) -> None:
    """Have a message sent once that belongs to no Change."""
    connection.execute(insert(DELIVERIES), new_delivery(delivery, webhook, body, now(), once=True))
