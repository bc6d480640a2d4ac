"""Fan-out: the first step of an event, from the log to the deliveries of all subscriptions that it concerns.

The log is read once for all subscriptions, from a common cursor. A subscription that is new, was disabled or has too
many waiting deliveries is behind: it has a position of its own before the cursor. Reading then starts at the first
position of a subscription that can take more deliveries. So no event is missed, and the queue of each subscription
is bounded. The next step is `queue`.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, func, literal_column, select, update

from app.core.change_log import CHANGES, now
from app.webhooks.events import change_payload, partners_concerned
from app.webhooks.models import CURSOR, DELIVERIES, IS_ACTIVE, IS_PENDING, WEBHOOKS
from app.webhooks.queue import new_delivery

BATCH = 500  # Changes that one transaction reads
MAX_NEW_DELIVERIES = 5_000  # after which a transaction reads no more Changes
MAX_SECONDS = 0.2  # after which a transaction reads no more Changes: others wait for it
MAX_WAITING_DELIVERIES = 1_000  # waiting deliveries of one subscription, before it falls behind
MAX_WAITING_OF_KEY = 10_000  # shared equally by the active subscriptions of a key
CHANGE_COLUMNS = ("sequence", "at", "resource", "record_id", "version", "shown")
RENEWED = ("state", "once", "attempts", "due_at", "first_attempt_at", "done_at")


@dataclass(frozen=True)
class SubscriptionPosition:
    """A subscription with its filters. Its deliveries were made up to the Change `after`."""

    webhook: str
    behind: int | None
    after: int
    resources: frozenset[str]
    actions: frozenset[str]
    partners: frozenset[str]

    def matches(self, resource: str, action: str) -> bool:
        """Return whether the filters for resources and actions match."""
        return (not self.resources or resource in self.resources) and (not self.actions or action in self.actions)


def fan_out(connection: Connection, base: str) -> bool:
    """Make the deliveries of the next Changes. Return whether there may be more.

    The caller holds the lock of `lock_deliveries`. URLs in the events start with `base`.
    """
    cursor = connection.execute(select(CURSOR.c.after)).scalar_one()
    positions = _positions(connection, cursor)
    if not positions:
        return False
    start = min(position.after for position in positions)
    query = select(*(CHANGES.c[name] for name in CHANGE_COLUMNS)).where(CHANGES.c.sequence > start)
    changes = connection.execute(query.order_by(CHANGES.c.sequence).limit(BATCH)).all()
    rows, end = _deliveries(connection, positions, changes, start, base)
    if rows:
        connection.execute(_insert_or_renew(connection), rows)
    _advance(connection, positions, cursor, end)
    return len(changes) == BATCH or bool(changes and end < changes[-1].sequence)


def _positions(connection: Connection, cursor: int) -> list[SubscriptionPosition]:
    """Return the active subscriptions, except those with too many waiting deliveries, which fall behind."""
    waiting: Any = select(literal_column("1")).where(DELIVERIES.c.webhook == WEBHOOKS.c.id, IS_PENDING)
    count = select(func.count()).select_from(waiting.correlate(WEBHOOKS).limit(MAX_WAITING_DELIVERIES).subquery())
    query = select(WEBHOOKS, count.scalar_subquery().label("waiting")).where(IS_ACTIVE)
    positions: list[SubscriptionPosition] = []
    full: list[str] = []
    rows = connection.execute(query.order_by(WEBHOOKS.c.id)).all()
    subscriptions = Counter(row.key for row in rows)
    for row in rows:
        if row.waiting >= min(MAX_WAITING_DELIVERIES, MAX_WAITING_OF_KEY // subscriptions[row.key]):
            full.append(row.id)
        else:
            positions.append(_position(row, cursor))
    if full:
        falling = update(WEBHOOKS).where(WEBHOOKS.c.id.in_(full), WEBHOOKS.c.behind.is_(None))
        connection.execute(falling.values(behind=cursor))
    return positions


def _position(row: Any, cursor: int) -> SubscriptionPosition:
    return SubscriptionPosition(
        webhook=row.id,
        behind=row.behind,
        after=cursor if row.behind is None else row.behind,
        resources=frozenset(row.resources),
        actions=frozenset(row.actions),
        partners=frozenset(row.partners),
    )


def _deliveries(
    connection: Connection, positions: Sequence[SubscriptionPosition], changes: Sequence[Any], start: int, base: str
) -> tuple[list[dict[str, Any]], int]:
    """Return the deliveries of these Changes, and the last Change that was read (or `start`)."""
    rows: list[dict[str, Any]] = []
    matching: dict[tuple[str, str], list[SubscriptionPosition]] = {}
    at = now()
    end = start
    until = time.monotonic() + MAX_SECONDS
    for change in changes:
        end = change.sequence
        if change.shown is None:
            continue
        kind = (change.resource, change.shown)
        if kind not in matching:
            matching[kind] = [position for position in positions if position.matches(*kind)]
        recipients = _recipients(connection, matching[kind], end)
        if recipients:
            body = change_payload(change, base)
            rows += [_row(position.webhook, change, body, at) for position in recipients]
        if len(rows) >= MAX_NEW_DELIVERIES or time.monotonic() > until:
            break
    return rows, end


def _recipients(
    connection: Connection, matching: Sequence[SubscriptionPosition], sequence: int
) -> list[SubscriptionPosition]:
    """Return the subscriptions that receive a Change, because it follows their position and concerns their partners."""
    recipients = [position for position in matching if position.after < sequence]
    if not any(position.partners for position in recipients):
        return recipients
    concerned = partners_concerned(connection, sequence)
    return [
        position
        for position in recipients
        if not position.partners or concerned is None or position.partners & concerned
    ]


def _row(webhook_id: str, change: Any, body: str, at: str) -> dict[str, Any]:
    record = {"sequence": change.sequence, "resource": change.resource, "record_id": change.record_id}
    return new_delivery(f"{webhook_id}-{change.sequence}", webhook_id, body, at) | record


def _insert_or_renew(connection: Connection) -> Any:
    """Return the statement that inserts deliveries. An existing one that failed becomes due, others stay unchanged."""
    # Only the dialect that is used is imported: each takes some megabytes.
    dialect = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
    insertion = dialect.insert(DELIVERIES)
    renewed = {name: insertion.excluded[name] for name in RENEWED}
    return insertion.on_conflict_do_update(index_elements=["id"], set_=renewed, where=DELIVERIES.c.state == "failed")


def _advance(connection: Connection, positions: Sequence[SubscriptionPosition], cursor: int, end: int) -> None:
    """Move the positions to `end`. Those that reach the common cursor are no longer behind."""
    reached = max(cursor, end)
    if reached != cursor:
        connection.execute(update(CURSOR).values(after=reached))
    for position in positions:
        if position.behind is None:
            continue
        after = max(position.behind, end)
        behind = None if after == reached else after
        if behind != position.behind:
            connection.execute(update(WEBHOOKS).where(WEBHOOKS.c.id == position.webhook).values(behind=behind))
