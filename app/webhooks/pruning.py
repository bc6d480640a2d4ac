"""The deliveries that a pruner deletes: those done long ago, and the oldest ones of subscriptions with too many.

Every transaction holds the lock of `lock_deliveries`.
"""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, tuple_, update

from app.core.change_log import instant
from app.core.database.engine import Database
from app.webhooks.models import DELIVERIES, IS_PENDING, WEBHOOKS
from app.webhooks.queue import lock_deliveries

LONGEST_WAIT = timedelta(hours=6)  # more than any delay: a later time was written while the clock was ahead
DELIVERY_RETENTION = timedelta(days=7)  # after a delivery was accepted or failed
MAX_DELIVERIES = 5_000  # deliveries of one subscription, whatever their age
MAX_DELIVERIES_OF_KEY = 20_000  # shared equally by the subscriptions of a key; each takes about 1 kB
PRUNED_AT_ONCE = 1_000


def prune_deliveries(database: Database) -> bool:
    """Delete old and surplus deliveries, in short transactions, if there are any. Return whether there may be more."""
    with database.snapshot() as connection:
        has_old = connection.execute(select(DELIVERIES.c.id).where(_is_old()).limit(1)).first() is not None
        crowded = _crowded(connection)
    steps: list[Callable[[Connection], bool]] = [
        partial(delete_surplus, webhook_id=webhook, number=limit) for webhook, limit in crowded.items()
    ]
    if has_old:
        steps.append(delete_done)
    has_more = False
    for step in steps:
        with database.engine.begin() as connection:
            lock_deliveries(connection)
            has_more |= step(connection)
    return has_more


def delete_done(connection: Connection) -> bool:
    """Delete deliveries that were done before the retention. Return whether there may be more."""
    old = select(DELIVERIES.c.id).where(_is_old()).limit(PRUNED_AT_ONCE)
    return connection.execute(delete(DELIVERIES).where(DELIVERIES.c.id.in_(old))).rowcount == PRUNED_AT_ONCE


def delete_surplus(connection: Connection, webhook_id: str, number: int) -> bool:
    """Delete the oldest deliveries of a subscription, except the last `number`. Return whether there may be more."""
    own = DELIVERIES.c.webhook == webhook_id
    position = tuple_(DELIVERIES.c.created_at, DELIVERIES.c.id)
    latest_first = (DELIVERIES.c.created_at.desc(), DELIVERIES.c.id.desc())
    query = select(DELIVERIES.c.created_at, DELIVERIES.c.id).where(own).order_by(*latest_first)
    first = connection.execute(query.offset(number).limit(1)).first()
    if first is None:
        return False
    is_surplus = and_(own, ~IS_PENDING, position <= tuple_(first.created_at, first.id))
    surplus = select(DELIVERIES.c.id).where(is_surplus).limit(PRUNED_AT_ONCE)
    return connection.execute(delete(DELIVERIES).where(DELIVERIES.c.id.in_(surplus))).rowcount == PRUNED_AT_ONCE


def _crowded(connection: Connection) -> dict[str, int]:
    """Return the subscriptions with too many deliveries, and how many each may keep."""
    keys = {row.id: row.key for row in connection.execute(select(WEBHOOKS.c.id, WEBHOOKS.c.key))}
    subscriptions = Counter(keys.values())
    counts = select(DELIVERIES.c.webhook, func.count().label("number")).group_by(DELIVERIES.c.webhook)
    crowded: dict[str, int] = {}
    for row in connection.execute(counts):
        limit = min(MAX_DELIVERIES, MAX_DELIVERIES_OF_KEY // max(1, subscriptions[keys.get(row.webhook)]))
        if row.number > limit:
            crowded[row.webhook] = limit
    return crowded


def _is_old() -> ColumnElement[bool]:
    return DELIVERIES.c.done_at < instant(datetime.now(UTC) - DELIVERY_RETENTION)


def correct_due_times(database: Database) -> bool:
    """Make deliveries due that were delayed while the clock was far ahead, and let their subscriptions go on.

    Return False: nothing more is left.
    """
    at = datetime.now(UTC)
    latest = instant(at + LONGEST_WAIT)
    late = (IS_PENDING, DELIVERIES.c.due_at > latest)
    resting = WEBHOOKS.c.rest_until > latest
    with database.snapshot() as connection:
        has_late = connection.execute(select(DELIVERIES.c.id).where(*late).limit(1)).first() is not None
        has_resting = connection.execute(select(WEBHOOKS.c.id).where(resting).limit(1)).first() is not None
    if has_late or has_resting:
        with database.engine.begin() as connection:
            lock_deliveries(connection)
            connection.execute(update(DELIVERIES).where(*late).values(due_at=instant(at)))
            connection.execute(update(WEBHOOKS).where(resting).values(rest_until=None))
    return False
