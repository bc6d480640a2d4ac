"""What callers do with subscriptions and deliveries: create, read, change, rotate, test and repeat.

Each function runs in one transaction of one caller. It raises NotFound for a subscription that the caller may not see.
"""

import json
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, delete, func, or_, true, tuple_, type_coerce
from sqlmodel import Session, col, select

from app.core.access.caller import Caller
from app.core.access.keys import ID_LENGTH, Key
from app.core.access.rotation import Rotation
from app.core.change_log import Change, now
from app.core.errors import Conflict, ErrorItem, Invalid, NotFound, TooMany
from app.core.model.resource import RESOURCES
from app.core.model.validation import validate
from app.core.values.ids import random_text
from app.core.writing.patch import merge
from app.partners.merging import WHEN_MERGED
from app.webhooks.disabling import disable
from app.webhooks.events import ping_payload
from app.webhooks.models import (
    DELIVERIES,
    IS_PENDING,
    Delivery,
    DeliveryShown,
    Webhook,
    WebhookCreated,
    WebhookFields,
    WebhookShown,
    delivery_shown,
    webhook_created,
    webhook_shown,
)
from app.webhooks.queue import lock_deliveries, new_delivery
from app.webhooks.signing import new_secret

MAX_OF_ONE_KEY = 100
MAX_IN_ALL = 2_000  # a limit, because one Change can make a delivery for each of them
MAX_OPEN_TESTS = 3  # of one subscription
MAX_OPEN_REPETITIONS = 100
MAX_TESTS = 20
RETRY_OPEN = 10  # seconds, in which an attempt ends
LISTS = ("resources", "actions", "partners")


def create(session: Session, caller: Caller, fields: WebhookFields) -> WebhookCreated:
    """Create a subscription to the Changes from now on. Raise Invalid for an unknown partner."""
    _check_partners(session, fields)
    own = select(func.count()).select_from(Webhook).where(col(Webhook.key) == caller.key)
    if session.exec(own).one() >= MAX_OF_ONE_KEY:
        raise Conflict(f"A key has at most {MAX_OF_ONE_KEY} subscriptions.")
    if session.exec(select(func.count()).select_from(Webhook)).one() >= MAX_IN_ALL:
        raise Conflict(f"The registry has at most {MAX_IN_ALL:,} subscriptions.")
    at = now()
    webhook = Webhook(
        id=random_text(ID_LENGTH),
        key=caller.key,
        partner=caller.partner,
        secret=new_secret(),
        created_at=at,
        updated_at=at,
        behind=session.exec(select(func.max(Change.sequence))).one() or 0,
        **_columns(fields),
    )
    if fields.state == "disabled":
        webhook.disabled_because = "owner"
        webhook.disabled_at = at
    session.add(webhook)
    return webhook_created(webhook)


def _columns(fields: WebhookFields) -> dict[str, Any]:
    lists = {name: sorted(set(getattr(fields, name))) for name in LISTS}
    return {"url": fields.url, "state": fields.state, **lists}


def follow_merged(session: Session, duplicate: str, into: str) -> None:
    """Replace a merged partner by the partner that remains, as owner and in the filters of subscriptions."""
    names_duplicate = type_coerce(col(Webhook.partners), Text).contains(json.dumps(duplicate))
    for webhook in session.exec(select(Webhook).where(or_(col(Webhook.partner) == duplicate, names_duplicate))):
        if webhook.partner == duplicate:
            webhook.partner = into
        webhook.partners = sorted({into if partner == duplicate else partner for partner in webhook.partners})


WHEN_MERGED.append(follow_merged)


def _check_partners(session: Session, fields: WebhookFields) -> None:
    """Raise Invalid for an unknown partner. A merged one is allowed: its last Changes may still concern somebody."""
    table = RESOURCES["partners"].table
    public = select(table.id).where(table.id.in_(fields.partners), table.state == "published")
    partners = set(session.exec(public))
    detail = "There is no such partner."
    errors = [
        ErrorItem(pointer=f"/partners/{position}", code="unknown_record", detail=detail)
        for position, partner in enumerate(fields.partners)
        if partner not in partners
    ]
    if errors:
        raise Invalid(*errors)


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    """Return the condition for subscriptions of the caller's key and partner. An administrator sees all."""
    if "keys" in caller.scopes:
        return true()
    partners = [caller.partner] if caller.partner else []
    return or_(col(Webhook.key) == caller.key, col(Webhook.partner).in_(partners))


def _find(session: Session, caller: Caller, webhook_id: str) -> Webhook:
    webhook = session.exec(select(Webhook).where(col(Webhook.id) == webhook_id, _visible_to(caller))).first()
    if webhook is None:
        raise NotFound
    return webhook


def show_webhook(session: Session, caller: Caller, webhook_id: str) -> WebhookShown:
    """Return a subscription."""
    return webhook_shown(_find(session, caller, webhook_id))


def show_webhooks(session: Session, caller: Caller, after: str = "", limit: int = 200) -> list[WebhookShown]:
    """Return the caller's subscriptions whose ids follow `after`, in the order of their ids."""
    page = select(Webhook).where(col(Webhook.id) > after, _visible_to(caller)).order_by(col(Webhook.id)).limit(limit)
    return [webhook_shown(webhook) for webhook in session.exec(page)]


def patched(session: Session, caller: Caller, webhook_id: str, patch: dict[str, Any]) -> WebhookFields:
    """Return the fields of a subscription after a merge patch, without writing them. Raise Invalid for a bad value."""
    fields = WebhookFields.model_validate(_find(session, caller, webhook_id), from_attributes=True)
    return validate(WebhookFields, merge(fields.model_dump(), patch))


def patch_subscription(session: Session, caller: Caller, webhook_id: str, patch: dict[str, Any]) -> WebhookShown:
    """Apply a merge patch. A subscription that becomes active again continues at its position in the log."""
    lock_deliveries(session.connection())
    fields = patched(session, caller, webhook_id, patch)
    _check_partners(session, fields)
    webhook = _find(session, caller, webhook_id)
    if fields.state == "disabled":
        if webhook.state == "active":
            disable(session.connection(), webhook_id, "owner")
            session.refresh(webhook)
    elif webhook.state == "disabled" or fields.url != webhook.url:
        webhook.key = _owning_key(session, caller, webhook)
        webhook.disabled_because = None
        webhook.disabled_at = None
        webhook.failures = 0
        webhook.failing_since = None
        webhook.rest_until = None
    webhook.sqlmodel_update(_columns(fields))
    webhook.updated_at = now()
    return webhook_shown(webhook)


def _owning_key(session: Session, caller: Caller, webhook: Webhook) -> str:
    """Return the key that an active subscription belongs to: the caller's if it has the same partner, or its own.

    Raise Conflict if its own key is not valid.
    """
    if caller.partner is not None and caller.partner == webhook.partner:
        return caller.key
    valid = or_(col(Key.expires_at).is_(None), col(Key.expires_at) > now())
    own = select(Key.id).where(col(Key.id) == webhook.key, col(Key.revoked_at).is_(None), valid)
    if session.exec(own).first() is None:
        raise Conflict("The key of the subscription was revoked or has expired.")
    return webhook.key


def rotate(session: Session, caller: Caller, webhook_id: str, rotation: Rotation) -> WebhookCreated:
    """Give a subscription a new secret. During the overlap, messages have signatures with both secrets."""
    webhook = _find(session, caller, webhook_id)
    webhook.previous_secret = webhook.secret
    webhook.previous_until = rotation.previous_until()
    webhook.secret = new_secret()
    webhook.updated_at = now()
    return webhook_created(webhook)


def remove_webhook(session: Session, caller: Caller, webhook_id: str) -> None:
    """Delete a subscription and its deliveries."""
    lock_deliveries(session.connection())
    session.delete(_find(session, caller, webhook_id))
    session.execute(delete(DELIVERIES).where(DELIVERIES.c.webhook == webhook_id))


def deliveries(
    session: Session, caller: Caller, webhook_id: str, state: str | None, after: str | None, limit: int
) -> list[DeliveryShown]:
    """Return deliveries of a subscription that follow `after`, the latest first."""
    _find(session, caller, webhook_id)
    page = select(Delivery).where(col(Delivery.webhook) == webhook_id)
    if state is not None:
        page = page.where(col(Delivery.state) == state)
    if after is not None:
        last = session.get(Delivery, after)
        if last is None:
            return []
        page = page.where(tuple_(col(Delivery.created_at), col(Delivery.id)) < tuple_(last.created_at, last.id))
    page = page.order_by(col(Delivery.created_at).desc(), col(Delivery.id).desc()).limit(limit)
    return [delivery_shown(delivery) for delivery in session.exec(page)]


def send_test(session: Session, caller: Caller, webhook_id: str) -> DeliveryShown:
    """Add a test event to the queue. Raise Conflict if the subscription is disabled, TooMany if too many are open."""
    lock_deliveries(session.connection())
    _ensure_active(session, caller, webhook_id)
    prefix = f"{webhook_id}-test-"
    _make_room(session, prefix)
    at = now()
    row = new_delivery(f"{prefix}{random_text(8)}", webhook_id, ping_payload(webhook_id, at), at, once=True)
    delivery = Delivery(**row)
    session.add(delivery)
    return delivery_shown(delivery)


def _make_room(session: Session, prefix: str) -> None:
    """Delete the oldest tests of a subscription. Raise TooMany if too many are open."""
    of_webhook = and_(DELIVERIES.c.id > prefix, DELIVERIES.c.id < f"{prefix}~")  # a range of the primary key
    if session.execute(select(func.count()).where(of_webhook, IS_PENDING)).scalar_one() >= MAX_OPEN_TESTS:
        raise _too_many_open(f"{MAX_OPEN_TESTS} tests")
    latest = select(DELIVERIES.c.id).where(of_webhook)
    latest = latest.order_by(DELIVERIES.c.created_at.desc(), DELIVERIES.c.id.desc()).limit(MAX_TESTS - 1)
    session.execute(delete(DELIVERIES).where(of_webhook, ~IS_PENDING, DELIVERIES.c.id.not_in(latest)))


def _too_many_open(what: str) -> TooMany:
    headers = {"Retry-After": str(RETRY_OPEN)}
    return TooMany(f"A subscription can have {what} that have not ended.", headers=headers)


def redeliver(session: Session, caller: Caller, webhook_id: str, delivery_id: str) -> DeliveryShown:
    """Make a delivery due now. One that was accepted or has failed is sent once more."""
    lock_deliveries(session.connection())
    _ensure_active(session, caller, webhook_id)
    delivery = session.get(Delivery, delivery_id)
    if delivery is None or delivery.webhook != webhook_id:
        raise NotFound
    is_open = and_(DELIVERIES.c.webhook == webhook_id, IS_PENDING, DELIVERIES.c.once.is_(True))
    if session.execute(select(func.count()).where(is_open)).scalar_one() >= MAX_OPEN_REPETITIONS:
        raise _too_many_open(f"{MAX_OPEN_REPETITIONS} repetitions")
    delivery.due_at = now()
    if delivery.state != "pending":
        delivery.state = "pending"
        delivery.once = True
        delivery.done_at = None
    return delivery_shown(delivery)


def _ensure_active(session: Session, caller: Caller, webhook_id: str) -> None:
    if _find(session, caller, webhook_id).state != "active":
        raise Conflict("The subscription is disabled. Make it active first.")
