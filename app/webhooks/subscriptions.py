"""What is done with subscriptions: create, change, rotate, test, repeat; each inside one transaction of one caller."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, true, tuple_, update
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.access.keys import ID_LENGTH, KEYS
from app.core.errors import Conflict, ErrorItem, Invalid, NotFound
from app.core.log import CHANGES, instant, now
from app.core.model.resource import RESOURCES
from app.core.model.validation import validate
from app.core.values.ids import random_text
from app.core.writing.patch import merge
from app.partners.merging import WHEN_MERGED
from app.webhooks.events import ping_payload
from app.webhooks.fan_out import add_test, lock_deliveries
from app.webhooks.models import DELIVERIES, LISTS, WEBHOOKS, WebhookFields, delivery_shown, fields_of, webhook_shown
from app.webhooks.queue import disable
from app.webhooks.signing import new_secret

MAX_OF_ONE = 100  # subscriptions of one key


def create(session: Session, caller: Caller, fields: WebhookFields) -> dict[str, Any]:
    """A new subscription as WebhookCreated, told of what comes from now on; Invalid with an unknown partner."""
    _check_partners(session, fields)
    own = select(func.count()).select_from(WEBHOOKS).where(WEBHOOKS.c.key == caller.key)
    if session.execute(own).scalar_one() >= MAX_OF_ONE:
        raise Conflict(f"A key has at most {MAX_OF_ONE} subscriptions.")
    last = session.execute(select(func.max(CHANGES.c.sequence))).scalar() or 0
    webhook, secret, at = random_text(ID_LENGTH), new_secret(), now()
    made = {
        "id": webhook,
        "key": caller.key,
        "partner": caller.partner,
        "secret": secret,
        "behind": last,
        "failures": 0,
    }
    stopped = {"disabled_because": "owner", "disabled_at": at} if fields.state == "disabled" else {}
    empty: dict[str, Any] = dict.fromkeys(WEBHOOKS.c.keys())
    times = {"created_at": at, "updated_at": at}
    session.execute(insert(WEBHOOKS), {**empty, **made, **times, **_columns(fields), **stopped})
    return {**show_webhook(session, caller, webhook), "secret": secret}


def _columns(fields: WebhookFields) -> dict[str, Any]:
    lists: dict[str, Any] = {name: json.dumps(sorted(set(getattr(fields, name)))) for name in LISTS}
    return {"url": fields.url, "state": fields.state, **lists}


def follow_merged(session: Session, duplicate: str, into: str) -> None:
    """Subscriptions of a partner, or to its records, go on with the one that it was merged into."""
    session.execute(update(WEBHOOKS).where(WEBHOOKS.c.partner == duplicate).values(partner=into))
    named = select(WEBHOOKS.c.id, WEBHOOKS.c.partners).where(WEBHOOKS.c.partners.contains(json.dumps(duplicate)))
    for webhook, partners in session.execute(named).all():
        kept = {into if each == duplicate else each for each in json.loads(partners)}
        session.execute(update(WEBHOOKS).where(WEBHOOKS.c.id == webhook).values(partners=json.dumps(sorted(kept))))


WHEN_MERGED.append(follow_merged)


def _check_partners(session: Session, fields: WebhookFields) -> None:
    """Invalid unless there is such a partner, merged ones too: its last changes concern somebody still."""
    table = RESOURCES["partners"].table
    there = select(table.id).where(table.id.in_(fields.partners), table.state == "published")
    known = set(session.execute(there).scalars())
    wrong = [place for place, partner in enumerate(fields.partners) if partner not in known]
    if wrong:
        detail = "There is no such partner."
        raise Invalid(*(ErrorItem(pointer=f"/partners/{each}", code="unknown_record", detail=detail) for each in wrong))


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    """Subscriptions that the caller sees and changes: those of the key and of its partner; an administrator all."""
    if "keys" in caller.scopes:
        return true()
    partners = [caller.partner] if caller.partner else []
    return or_(WEBHOOKS.c.key == caller.key, WEBHOOKS.c.partner.in_(partners))


def _row(session: Session, caller: Caller, webhook: str) -> Any:
    row = session.execute(select(WEBHOOKS).where(WEBHOOKS.c.id == webhook, _visible_to(caller))).mappings().first()
    if row is None:
        raise NotFound
    return row


def show_webhook(session: Session, caller: Caller, webhook: str) -> dict[str, Any]:
    """A subscription as WebhookShown; NotFound when there is none of the caller's."""
    return webhook_shown(_row(session, caller, webhook))


def show_webhooks(session: Session, caller: Caller, after: str = "", limit: int = 200) -> list[dict[str, Any]]:
    """Subscriptions as WebhookShown in the order of their ids, from behind one of them on."""
    page = select(WEBHOOKS).where(WEBHOOKS.c.id > after, _visible_to(caller)).order_by(WEBHOOKS.c.id).limit(limit)
    return [webhook_shown(row) for row in session.execute(page).mappings()]


def patched(session: Session, caller: Caller, webhook: str, patch: dict[str, Any]) -> WebhookFields:
    """What a subscription would say after a merge patch; Invalid when that is not allowed."""
    return validate(WebhookFields, merge(fields_of(_row(session, caller, webhook)), patch))


def patch_subscription(session: Session, caller: Caller, webhook: str, patch: dict[str, Any]) -> dict[str, Any]:
    """The subscription after a merge patch. Active again, it goes on where it stopped."""
    lock_deliveries(session.connection())
    row, fields = _row(session, caller, webhook), patched(session, caller, webhook, patch)
    _check_partners(session, fields)
    values = {**_columns(fields), "updated_at": now()}
    if fields.state == "disabled":
        if row["state"] == "active":
            disable(session.connection(), webhook, "owner")
    elif row["state"] == "disabled" or fields.url != row["url"]:
        manager = _owning_key(session, caller, row)
        fresh = {"failures": 0, "failing_since": None, "rest_until": None}
        values |= {"key": manager, "disabled_because": None, "disabled_at": None, **fresh}
    session.execute(update(WEBHOOKS).where(WEBHOOKS.c.id == webhook).values(values))
    return show_webhook(session, caller, webhook)


def _owning_key(session: Session, caller: Caller, row: Any) -> str:
    """The key that an active subscription belongs to: that of its partner who makes it so, else the one it had."""
    if caller.partner is not None and caller.partner == row["partner"]:
        return caller.key
    counts = select(KEYS.c.id).where(
        KEYS.c.revoked_at.is_(None), or_(KEYS.c.expires_at.is_(None), KEYS.c.expires_at > now())
    )
    if session.execute(counts.where(KEYS.c.id == row["key"])).first() is None:
        raise Conflict("The key that it belongs to was revoked or has expired.")
    return str(row["key"])


def rotate(session: Session, caller: Caller, webhook: str, overlap: int) -> dict[str, Any]:
    """The subscription as WebhookCreated, with a new secret; the one before signs too for `overlap` seconds."""
    row, secret = _row(session, caller, webhook), new_secret()
    until = instant(datetime.now(UTC) + timedelta(seconds=overlap))
    values = {"secret": secret, "previous_secret": row["secret"], "previous_until": until, "updated_at": now()}
    session.execute(update(WEBHOOKS).where(WEBHOOKS.c.id == webhook).values(values))
    return {**show_webhook(session, caller, webhook), "secret": secret}


def remove_webhook(session: Session, caller: Caller, webhook: str) -> None:
    """Remove a subscription and its deliveries; NotFound when there is none of the caller's."""
    lock_deliveries(session.connection())
    _row(session, caller, webhook)
    session.execute(delete(WEBHOOKS).where(WEBHOOKS.c.id == webhook))
    session.execute(delete(DELIVERIES).where(DELIVERIES.c.webhook == webhook))


def deliveries(
    session: Session, caller: Caller, webhook: str, state: str | None, after: str | None, limit: int
) -> list[dict[str, Any]]:
    """Deliveries as DeliveryShown, the latest first, from behind one of them on."""
    _row(session, caller, webhook)
    page = select(DELIVERIES).where(DELIVERIES.c.webhook == webhook)
    order = tuple_(DELIVERIES.c.created_at, DELIVERIES.c.id)
    if state is not None:
        page = page.where(DELIVERIES.c.state == state)
    if after is not None:
        earlier = DELIVERIES.alias()
        place = select(earlier.c.created_at).where(earlier.c.id == after).scalar_subquery()
        page = page.where(order < tuple_(place, after))
    page = page.order_by(DELIVERIES.c.created_at.desc(), DELIVERIES.c.id.desc()).limit(limit)
    return [delivery_shown(row) for row in session.execute(page).mappings()]


def _delivery(session: Session, webhook: str, delivery: str) -> dict[str, Any]:
    own = select(DELIVERIES).where(DELIVERIES.c.webhook == webhook, DELIVERIES.c.id == delivery)
    row = session.execute(own).mappings().first()
    if row is None:
        raise NotFound
    return delivery_shown(row)


def send_test(session: Session, caller: Caller, webhook: str) -> dict[str, Any]:
    """A delivery of nothing but a test, due at once; Conflict when the subscription is disabled."""
    _must_be_active(session, caller, webhook)
    delivery = f"{webhook}-test-{random_text(8)}"
    add_test(session.connection(), delivery, webhook, ping_payload(webhook, now()))
    return _delivery(session, webhook, delivery)


def redeliver(session: Session, caller: Caller, webhook: str, delivery: str) -> dict[str, Any]:
    """The delivery, due at once: one that was done is sent once more, one that waits is tried now."""
    lock_deliveries(session.connection())
    _must_be_active(session, caller, webhook)
    before = _delivery(session, webhook, delivery)
    values: dict[str, Any] = {"due_at": now()}
    if before["state"] != "pending":
        values |= {"state": "pending", "once": True, "done_at": None}
    session.execute(update(DELIVERIES).where(DELIVERIES.c.id == delivery).values(values))
    return _delivery(session, webhook, delivery)


def _must_be_active(session: Session, caller: Caller, webhook: str) -> None:
    if _row(session, caller, webhook)["state"] != "active":
        raise Conflict("The subscription is disabled: make it active first.")
