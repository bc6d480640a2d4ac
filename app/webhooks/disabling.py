"""Disabling subscriptions: their queue is emptied, and their position in the log is stored.

A subscription that becomes active again continues at that position, so it misses no event. Every function here runs
in a transaction that holds the lock of `queue.lock_deliveries`.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from app.core.access.keys import KEYS
from app.core.change_log import instant
from app.webhooks.models import CURSOR, DELIVERIES, IS_ACTIVE, IS_PENDING, WEBHOOKS

DISABLED_AFTER = timedelta(hours=24)  # without success


def disable(connection: Connection, webhook_id: str, reason: str) -> None:
    """Disable a subscription.

    Deliveries without an attempt are deleted, because they are made again from the log. The others can still be read,
    as failed.
    """
    pending = and_(DELIVERIES.c.webhook == webhook_id, IS_PENDING)
    at = instant(datetime.now(UTC))
    connection.execute(
        update(WEBHOOKS)
        .where(WEBHOOKS.c.id == webhook_id)
        .values(
            state="disabled",
            disabled_because=reason,
            disabled_at=at,
            rest_until=None,
            behind=_position(connection, webhook_id),
        )
    )
    connection.execute(delete(DELIVERIES).where(pending, DELIVERIES.c.attempts == 0))
    connection.execute(update(DELIVERIES).where(pending).values(state="failed", done_at=at))


def _position(connection: Connection, webhook_id: str) -> int:
    """Return the last Change before the first pending delivery, or the last one that was read for the subscription."""
    waiting = select(func.min(DELIVERIES.c.sequence)).where(DELIVERIES.c.webhook == webhook_id, IS_PENDING)
    first: int | None = connection.execute(waiting.where(DELIVERIES.c.once.is_(False))).scalar()
    behind: int | None = connection.execute(select(WEBHOOKS.c.behind).where(WEBHOOKS.c.id == webhook_id)).scalar_one()
    position: int = connection.execute(select(CURSOR.c.after)).scalar_one() if behind is None else behind
    return position if first is None else min(position, first - 1)


def disable_restored(connection: Connection) -> None:
    """Disable all subscriptions of a restored database: the original registry may still be sending to them."""
    for webhook_id in connection.execute(select(WEBHOOKS.c.id).where(IS_ACTIVE)).scalars().all():
        disable(connection, webhook_id, "restored")


def disable_keyless(connection: Connection) -> list[tuple[str, str]]:
    """Disable subscriptions whose key was revoked or has expired. Return them with the reason."""
    at = instant(datetime.now(UTC))
    ended = or_(KEYS.c.revoked_at.is_not(None), KEYS.c.expires_at <= at)
    query = select(WEBHOOKS.c.id).join(KEYS, KEYS.c.id == WEBHOOKS.c.key).where(IS_ACTIVE, ended)
    disabled = [(row.id, "key_ended") for row in connection.execute(query)]
    for webhook_id, reason in disabled:
        disable(connection, webhook_id, reason)
    return disabled
