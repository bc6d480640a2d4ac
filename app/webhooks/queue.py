"""The books of what is sent: which deliveries are due, what came of an attempt, and when a subscription is given up.

An attempt is a lease: while it runs, its delivery is not due. A sender that was killed leaves leases that run out.
Everything here runs in a transaction of one who holds the lock of `following`.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, literal_column, or_, select, update

from app.core.access.keys import KEYS
from app.core.database.engine import WHEN_RESTORED
from app.core.log import instant
from app.webhooks.models import CURSOR, DELIVERIES, IS_ACTIVE, IS_PENDING, WEBHOOKS

LEASE = 60.0  # seconds; several times what a call may take

FIRST_DELAY, LONGEST_DELAY = 5.0, 7_200.0  # seconds until a delivery is tried again: the first, four times as long each

FAILING = 3  # failures in a row from which on a subscription as a whole rests between attempts

LONGEST_REST = 300.0

GIVEN_UP_AFTER = timedelta(hours=24)

DELIVERY_RETENTION = timedelta(days=7)  # how long a delivery that is done can be read

MAX_CLAIMED = 4  # attempts for one subscription at the same time

PRUNED_AT_ONCE = 5_000

OUTCOME = ("status", "error", "took_ms")  # columns of a delivery that say what came of its last attempt


@dataclass(frozen=True)
class DeliveryAttempt:
    """A delivery that is to be sent now; doubtful: its subscription fails, or has never accepted anything."""

    delivery: str
    webhook: str
    number: int
    url: str
    body: bytes
    secrets: tuple[str, ...]
    is_doubtful: bool


@dataclass(frozen=True)
class CallOutcome:
    """What came of a call: the HTTP status, or why there is none. `wait`: seconds that the receiver asks for."""

    status: int | None = None
    error: str | None = None
    wait: int = 0
    took_ms: int = 0

    @property
    def accepted(self) -> bool:
        """Whether the receiver has it now."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class AttemptResult:
    """What came of an attempt."""

    attempt: DeliveryAttempt
    outcome: CallOutcome


def seconds_later(moment: datetime, seconds: float) -> str:
    """The instant so many seconds later."""
    return instant(moment + timedelta(seconds=seconds))


def _delay(attempts: int) -> float:
    """Seconds until the next attempt: growing, and never the same for all that failed at the same time."""
    return min(FIRST_DELAY * 4.0 ** min(attempts - 1, 20), LONGEST_DELAY) * random.uniform(0.8, 1.2)


def _rest(failures: int) -> float:
    return min(FIRST_DELAY * 2.0 ** min(failures - FAILING, 20), LONGEST_REST) * random.uniform(0.8, 1.2)


def record_results(connection: Connection, results: Sequence[AttemptResult]) -> list[tuple[str, str]]:
    """Write down what came of attempts; the subscriptions that were given up for it, and why."""
    moment, given_up = datetime.now(UTC), []
    _accept(connection, [result for result in results if result.outcome.accepted], instant(moment))
    for result in results:
        because = None if result.outcome.accepted else _refuse(connection, result, moment)
        if because:
            disable(connection, result.attempt.webhook, because)
            given_up.append((result.attempt.webhook, because))
    return given_up


_DELIVERY = update(DELIVERIES).where(DELIVERIES.c.id == bindparam("delivery"))

_ACCEPTED = _DELIVERY.values({name: bindparam(name) for name in ("state", "done_at", "last_attempt_at", *OUTCOME)})

_RECOVERED = update(WEBHOOKS).where(WEBHOOKS.c.id == bindparam("webhook"))

_RECOVERED = _RECOVERED.values(failures=0, failing_since=None, rest_until=None, last_accepted_at=bindparam("at"))


def _accept(connection: Connection, results: Sequence[AttemptResult], at: str) -> None:
    rows = [
        {"delivery": each.attempt.delivery, "state": "accepted", "done_at": at, **_said(each, at)} for each in results
    ]
    if rows:
        connection.execute(_ACCEPTED, rows)
        hooks = {each.attempt.webhook for each in results}
        connection.execute(_RECOVERED, [{"webhook": webhook, "at": at} for webhook in sorted(hooks)])


def _refuse(connection: Connection, result: AttemptResult, moment: datetime) -> str | None:
    """Plan the next attempt; why the subscription must be given up, if it must."""
    attempt, outcome = result.attempt, result.outcome
    found = connection.execute(select(DELIVERIES).where(DELIVERIES.c.id == attempt.delivery)).first()
    hook = connection.execute(select(WEBHOOKS).where(WEBHOOKS.c.id == attempt.webhook)).first()
    if found is None or hook is None or found.state != "pending" or found.attempts != attempt.number:
        return None  # it was taken over when its lease had run out, or is no more wanted
    if found.once:
        _note(connection, result, moment, state="failed", done_at=instant(moment))
        return None
    wait = max(_delay(found.attempts), min(outcome.wait, LONGEST_DELAY))
    _note(connection, result, moment, due_at=seconds_later(moment, wait))
    failures, since = hook.failures + 1, hook.failing_since or instant(moment)
    rest = seconds_later(moment, _rest(failures)) if failures >= FAILING else None
    noted = update(WEBHOOKS).where(WEBHOOKS.c.id == hook.id)
    connection.execute(noted.values(failures=failures, failing_since=since, rest_until=rest))
    if outcome.status == 410:
        return "gone"
    is_late = min(since, found.first_attempt_at) <= instant(moment - GIVEN_UP_AFTER)
    return "not_accepted" if is_late and hook.state == "active" else None


def _note(connection: Connection, result: AttemptResult, moment: datetime, **values: Any) -> None:
    noted = update(DELIVERIES).where(DELIVERIES.c.id == result.attempt.delivery)
    connection.execute(noted.values({**values, **_said(result, instant(moment))}))


def _said(result: AttemptResult, at: str) -> dict[str, Any]:
    return {"last_attempt_at": at, **{name: getattr(result.outcome, name) for name in OUTCOME}}


def disable(connection: Connection, webhook: str, because: str) -> None:
    """Stop telling a subscription, so that it can go on later where it stopped.

    What waits is made from the log again then; what was tried stays to be read.
    """
    pending = and_(DELIVERIES.c.webhook == webhook, IS_PENDING)
    first = connection.execute(
        select(func.min(DELIVERIES.c.sequence)).where(pending, DELIVERIES.c.once.is_(False))
    ).scalar()
    hook = connection.execute(select(WEBHOOKS.c.behind).where(WEBHOOKS.c.id == webhook)).one()
    cursor = connection.execute(select(CURSOR.c.after)).scalar_one()
    place = cursor if hook.behind is None else hook.behind
    at = instant(datetime.now(UTC))
    stopped = {"state": "disabled", "disabled_because": because, "disabled_at": at, "rest_until": None}
    behind = min(place, first - 1) if first is not None else place
    connection.execute(update(WEBHOOKS).where(WEBHOOKS.c.id == webhook).values(behind=behind, **stopped))
    connection.execute(delete(DELIVERIES).where(pending, DELIVERIES.c.attempts == 0))
    connection.execute(update(DELIVERIES).where(pending).values(state="failed", done_at=at))


def disable_restored(connection: Connection) -> None:
    """Stop telling all, in a copy of a registry that may be telling them itself."""
    for (webhook,) in connection.execute(select(WEBHOOKS.c.id).where(IS_ACTIVE)).all():
        disable(connection, webhook, "restored")


WHEN_RESTORED.append(disable_restored)


def disable_keyless(connection: Connection) -> list[tuple[str, str]]:
    """Stop telling those whose key was revoked or has expired; which they are, and why."""
    at = instant(datetime.now(UTC))
    ended = or_(KEYS.c.revoked_at.is_not(None), KEYS.c.expires_at <= at)
    query = select(WEBHOOKS.c.id).join(KEYS, KEYS.c.id == WEBHOOKS.c.key).where(IS_ACTIVE, ended)
    found = [(row.id, "key_ended") for row in connection.execute(query)]
    for webhook, because in found:
        disable(connection, webhook, because)
    return found


def claim_due(connection: Connection, free: Callable[[str, bool], int], limit: int) -> list[DeliveryAttempt]:
    """Take what is due, and lease it; `free` says how many more one subscription may have, told whether it is doubtful.

    The doubtful come last. Of one record the earliest event goes first, the next when it was accepted.
    """
    moment = datetime.now(UTC)
    at, taken = instant(moment), list[DeliveryAttempt]()
    for hook in _ready(connection, at):
        room = min(limit - len(taken), free(hook.id, _is_doubtful(hook)))
        if room > 0:
            taken += [
                _attempt(hook, row, at) for row in connection.execute(_DUE.limit(room), {"webhook": hook.id, "at": at})
            ]
        if len(taken) >= limit:
            break
    leased = {"due_at": seconds_later(moment, LEASE), "attempts": DELIVERIES.c.attempts + 1}
    leased["first_attempt_at"] = func.coalesce(DELIVERIES.c.first_attempt_at, at)
    if taken:
        ids = [attempt.delivery for attempt in taken]
        connection.execute(update(DELIVERIES).where(DELIVERIES.c.id.in_(ids)).values(leased))
    return taken


def _ready(connection: Connection, at: str) -> Sequence[Any]:
    """Subscriptions that have something due, in no order, but the doubtful last."""
    due = and_(DELIVERIES.c.webhook == WEBHOOKS.c.id, IS_PENDING, DELIVERIES.c.due_at <= at)
    rested = or_(WEBHOOKS.c.rest_until.is_(None), WEBHOOKS.c.rest_until <= at)
    query = select(WEBHOOKS).where(IS_ACTIVE, rested, select(DELIVERIES.c.id).where(due).exists())
    found = list(connection.execute(query).all())
    random.shuffle(found)
    return sorted(found, key=_is_doubtful)


def _is_doubtful(hook: Any) -> bool:
    return hook.failures > 0 or hook.last_accepted_at is None


def _due() -> Any:
    """What is due of one subscription and does not wait for an earlier event of its record."""
    earlier = DELIVERIES.alias("earlier")
    same = and_(
        earlier.c.webhook == DELIVERIES.c.webhook,
        earlier.c.state == literal_column("'pending'"),
        earlier.c.resource == DELIVERIES.c.resource,
        earlier.c.record_id == DELIVERIES.c.record_id,
        earlier.c.sequence < DELIVERIES.c.sequence,
        earlier.c.once.is_(False),
    )
    free = or_(DELIVERIES.c.once.is_(True), ~select(earlier.c.id).where(same).exists())
    due = and_(DELIVERIES.c.webhook == bindparam("webhook"), IS_PENDING, DELIVERIES.c.due_at <= bindparam("at"))
    return select(DELIVERIES).where(due, free).order_by(DELIVERIES.c.due_at, DELIVERIES.c.sequence)


_DUE = _due()


def _attempt(hook: Any, row: Any, at: str) -> DeliveryAttempt:
    secrets = [hook.secret]
    if hook.previous_secret and hook.previous_until > at:
        secrets.append(hook.previous_secret)
    body = row.payload.encode()
    return DeliveryAttempt(row.id, hook.id, row.attempts + 1, hook.url, body, tuple(secrets), _is_doubtful(hook))


def release_attempts(connection: Connection, attempts: Iterable[DeliveryAttempt]) -> None:
    """Give back what was leased and not sent to its end: it is due again."""
    ids = [attempt.delivery for attempt in attempts]
    again = update(DELIVERIES).where(DELIVERIES.c.id.in_(ids), IS_PENDING)
    connection.execute(again.values(due_at=instant(datetime.now(UTC))))


def delete_done(connection: Connection) -> bool:
    """Remove deliveries that were done long ago; whether there may be more."""
    oldest = instant(datetime.now(UTC) - DELIVERY_RETENTION)
    old = select(DELIVERIES.c.id).where(DELIVERIES.c.done_at < oldest).limit(PRUNED_AT_ONCE)
    return connection.execute(delete(DELIVERIES).where(DELIVERIES.c.id.in_(old))).rowcount == PRUNED_AT_ONCE
