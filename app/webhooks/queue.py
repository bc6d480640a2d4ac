"""The delivery queue: which deliveries are due, who may send them, and what the result of an attempt changes.

A sender claims a delivery with a lease: it is not due again before the lease ends. If a sender is killed, its leases
end and another sender takes over. Every function here runs in a transaction that holds the lock of `lock_deliveries`.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)

from app.core.change_log import instant
from app.webhooks.disabling import DISABLED_AFTER, disable
from app.webhooks.models import DELIVERIES, IS_ACTIVE, IS_PENDING, WEBHOOKS

DELIVERY_LOCK = 0x686F7075  # advisory lock on PostgreSQL; SQLite has one writer at a time anyway
LOCK_TIMEOUT = 10  # seconds
LEASE = 60.0  # seconds; several times the deadline of an attempt
FIRST_DELAY = 5.0  # seconds until the second attempt; each later delay is four times as long
MAX_DELAY = 7_200.0
FAILURES_BEFORE_BACK_OFF = 3  # from this number on, all deliveries of the subscription are delayed
MAX_BACK_OFF = 300.0
MAX_CLAIMED = 4  # attempts for one subscription at the same time
OUTCOME = ("status", "error", "took_ms")  # columns with the result of the last attempt
_EMPTY: dict[str, Any] = dict.fromkeys(DELIVERIES.c.keys())


@dataclass(frozen=True)
class DeliveryAttempt:
    """A claimed delivery. It is unreliable if its subscription fails or has never accepted an event."""

    delivery: str
    webhook: str
    key: str
    number: int
    url: str
    body: bytes
    secrets: tuple[str, ...]
    is_unreliable: bool


@dataclass(frozen=True)
class CallOutcome:
    """The HTTP status of an attempt, or the error if there is none. `wait`: seconds of the header Retry-After."""

    status: int | None = None
    error: str | None = None
    wait: int = 0
    took_ms: int = 0

    @property
    def accepted(self) -> bool:
        """Whether the receiver accepted the message."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class AttemptResult:
    """An attempt that has ended, with its outcome."""

    attempt: DeliveryAttempt
    outcome: CallOutcome


def lock_deliveries(connection: Connection) -> None:
    """Wait for the lock of the delivery queue, however long that takes. The lock is held until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT * 1000:d}"))
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 30000"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": DELIVERY_LOCK})


def new_delivery(delivery_id: str, webhook_id: str, body: str, at: str, *, once: bool = False) -> dict[str, Any]:
    """Return the columns of a delivery that is due at once."""
    return {
        **_EMPTY,
        "id": delivery_id,
        "webhook": webhook_id,
        "payload": body,
        "state": "pending",
        "once": once,
        "attempts": 0,
        "created_at": at,
        "due_at": at,
    }


def seconds_later(moment: datetime, seconds: float) -> str:
    """Return the instant that is so many seconds after a moment."""
    return instant(moment + timedelta(seconds=seconds))


def _delay(attempts: int) -> float:
    """Return the seconds until the next attempt.

    The number is partly random, so that retries do not all come at once.
    """
    return min(FIRST_DELAY * 4.0 ** min(attempts - 1, 20), MAX_DELAY) * random.uniform(0.8, 1.2)


def _back_off(failures: int) -> float:
    """Return the seconds for which the subscription receives nothing after so many failures."""
    doublings = min(failures - FAILURES_BEFORE_BACK_OFF, 20)
    return min(FIRST_DELAY * 2.0**doublings, MAX_BACK_OFF) * random.uniform(0.8, 1.2)


def record_results(connection: Connection, results: Sequence[AttemptResult]) -> list[tuple[str, str]]:
    """Write the results of attempts. Return the subscriptions that were disabled because of them, with the reason."""
    moment = datetime.now(UTC)
    disabled: list[tuple[str, str]] = []
    _record_accepted(connection, [result for result in results if result.outcome.accepted], instant(moment))
    for result in results:
        reason = None if result.outcome.accepted else _record_failure(connection, result, moment)
        if reason:
            disable(connection, result.attempt.webhook, reason)
            disabled.append((result.attempt.webhook, reason))
    return disabled


_ACCEPTED = (
    update(DELIVERIES)
    .where(DELIVERIES.c.id == bindparam("delivery"))
    .values({name: bindparam(name) for name in ("state", "done_at", "last_attempt_at", *OUTCOME)})
)
_RECOVERED = (
    update(WEBHOOKS)
    .where(WEBHOOKS.c.id == bindparam("webhook"))
    .values(failures=0, failing_since=None, rest_until=None, last_accepted_at=bindparam("at"))
)


def _record_accepted(connection: Connection, results: Sequence[AttemptResult], at: str) -> None:
    rows = [
        {"delivery": result.attempt.delivery, "state": "accepted", "done_at": at, **_outcome_columns(result, at)}
        for result in results
    ]
    if rows:
        connection.execute(_ACCEPTED, rows)
        webhook_ids = {result.attempt.webhook for result in results}
        connection.execute(_RECOVERED, [{"webhook": webhook_id, "at": at} for webhook_id in sorted(webhook_ids)])


def _record_failure(connection: Connection, result: AttemptResult, moment: datetime) -> str | None:
    """Plan the next attempt. Return the reason for which the subscription has to be disabled, if there is one."""
    attempt = result.attempt
    delivery = connection.execute(select(DELIVERIES).where(DELIVERIES.c.id == attempt.delivery)).first()
    webhook = connection.execute(select(WEBHOOKS).where(WEBHOOKS.c.id == attempt.webhook)).first()
    if delivery is None or webhook is None or delivery.state != "pending" or delivery.attempts != attempt.number:
        return None  # another sender took over after the lease, or the delivery is no longer wanted
    if delivery.once:
        _update_delivery(connection, result, moment, state="failed", done_at=instant(moment))
        return None
    wait = max(_delay(delivery.attempts), min(result.outcome.wait, MAX_DELAY))
    _update_delivery(connection, result, moment, due_at=seconds_later(moment, wait))
    failures = webhook.failures + 1
    since = webhook.failing_since or instant(moment)
    rest = seconds_later(moment, _back_off(failures)) if failures >= FAILURES_BEFORE_BACK_OFF else None
    failing = update(WEBHOOKS).where(WEBHOOKS.c.id == webhook.id)
    connection.execute(failing.values(failures=failures, failing_since=since, rest_until=rest))
    if result.outcome.status == 410:
        return "gone"
    is_late = min(since, delivery.first_attempt_at) <= instant(moment - DISABLED_AFTER)
    return "not_accepted" if is_late and webhook.state == "active" else None


def _update_delivery(connection: Connection, result: AttemptResult, moment: datetime, **values: Any) -> None:
    own = update(DELIVERIES).where(DELIVERIES.c.id == result.attempt.delivery)
    connection.execute(own.values({**values, **_outcome_columns(result, instant(moment))}))


def _outcome_columns(result: AttemptResult, at: str) -> dict[str, Any]:
    return {"last_attempt_at": at, **{name: getattr(result.outcome, name) for name in OUTCOME}}


class DueDeliveries(NamedTuple):
    """Deliveries of one subscription that were due in a snapshot."""

    webhook: Any
    ids: list[str]


class Room(Protocol):
    """How many more attempts there may be now."""

    def of(self, webhook: Any) -> int:
        """Return the number for a subscription."""

    def take(self, webhook: Any, number: int) -> None:
        """Note that a subscription gets so many more attempts."""


def find_due(connection: Connection, room: Room, limit: int) -> list[DueDeliveries]:
    """Find at most `limit` deliveries that are due, unreliable ones last. It needs no lock: `claim` checks again.

    Searching the queues of many subscriptions takes long, so other writes must not wait for it.
    """
    at = instant(datetime.now(UTC))
    due_by_webhook: list[DueDeliveries] = []
    for webhook in _webhooks_due(connection, at):
        number = min(limit, room.of(webhook))
        if number > 0:
            rows = connection.execute(_DUE_IDS.limit(number), {"webhook": webhook.id, "at": at})
            due_by_webhook.append(DueDeliveries(webhook, [row.id for row in rows]))
            limit -= len(due_by_webhook[-1].ids)
            room.take(webhook, len(due_by_webhook[-1].ids))
        if limit <= 0:
            break
    return due_by_webhook


def claim(connection: Connection, due_by_webhook: Iterable[DueDeliveries]) -> list[DeliveryAttempt]:
    """Claim the deliveries that are still due. The caller has the lock of deliveries.

    The events of one record are sent in their order: the next is not claimed before the previous one was accepted.
    """
    moment = datetime.now(UTC)
    at = instant(moment)
    claimed: list[DeliveryAttempt] = []
    for due in due_by_webhook:
        webhook = connection.execute(select(WEBHOOKS).where(WEBHOOKS.c.id == due.webhook.id, IS_ACTIVE)).first()
        if webhook is not None and due.ids:
            query = _DUE.where(DELIVERIES.c.id.in_(due.ids))
            rows = connection.execute(query, {"webhook": webhook.id, "at": at})
            claimed += [_attempt(webhook, row, at) for row in rows]
    if claimed:
        leased = update(DELIVERIES).where(DELIVERIES.c.id.in_([attempt.delivery for attempt in claimed]))
        first = func.coalesce(DELIVERIES.c.first_attempt_at, at)
        lease = {"due_at": seconds_later(moment, LEASE), "attempts": DELIVERIES.c.attempts + 1}
        connection.execute(leased.values({**lease, "first_attempt_at": first}))
    return claimed


def _webhooks_due(connection: Connection, at: str) -> Sequence[Any]:
    """Return the subscriptions with a due delivery in random order, unreliable ones last."""
    due = and_(DELIVERIES.c.webhook == WEBHOOKS.c.id, IS_PENDING, DELIVERIES.c.due_at <= at)
    rested = or_(WEBHOOKS.c.rest_until.is_(None), WEBHOOKS.c.rest_until <= at)
    query = select(WEBHOOKS).where(IS_ACTIVE, rested, select(DELIVERIES.c.id).where(due).exists())
    webhooks = list(connection.execute(query).all())
    random.shuffle(webhooks)
    return sorted(webhooks, key=is_unreliable)


def is_unreliable(webhook: Any) -> bool:
    """Return whether a subscription fails or has never accepted an event."""
    return webhook.failures > 0 or webhook.last_accepted_at is None


def _due_deliveries(*columns: Any) -> Any:
    """Return the query for due deliveries of one subscription that wait for no earlier event of their record."""
    earlier = DELIVERIES.alias("earlier")
    waits_for = and_(
        earlier.c.webhook == DELIVERIES.c.webhook,
        earlier.c.state == literal_column("'pending'"),
        earlier.c.resource == DELIVERIES.c.resource,
        earlier.c.record_id == DELIVERIES.c.record_id,
        earlier.c.sequence < DELIVERIES.c.sequence,
        earlier.c.once.is_(False),
    )
    is_next = or_(DELIVERIES.c.once.is_(True), ~select(earlier.c.id).where(waits_for).exists())
    due = and_(DELIVERIES.c.webhook == bindparam("webhook"), IS_PENDING, DELIVERIES.c.due_at <= bindparam("at"))
    return select(*columns).where(due, is_next).order_by(DELIVERIES.c.due_at, DELIVERIES.c.sequence)


_DUE = _due_deliveries(DELIVERIES)
_DUE_IDS = _due_deliveries(DELIVERIES.c.id)


def _attempt(webhook: Any, row: Any, at: str) -> DeliveryAttempt:
    secrets = [webhook.secret]
    if webhook.previous_secret and webhook.previous_until > at:
        secrets.append(webhook.previous_secret)
    return DeliveryAttempt(
        delivery=row.id,
        webhook=webhook.id,
        key=webhook.key,
        number=row.attempts + 1,
        url=webhook.url,
        body=row.payload.encode(),
        secrets=tuple(secrets),
        is_unreliable=is_unreliable(webhook),
    )


def release_attempts(connection: Connection, attempts: Iterable[DeliveryAttempt]) -> None:
    """Make claimed deliveries due again whose attempts did not end."""
    ids = [attempt.delivery for attempt in attempts]
    released = update(DELIVERIES).where(DELIVERIES.c.id.in_(ids), IS_PENDING)
    connection.execute(released.values(due_at=instant(datetime.now(UTC))))
