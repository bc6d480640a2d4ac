"""The functions that create, read, change and rotate keys. Each runs in one transaction and leaves an event.

`caller` is the administrator, or None for the command line.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from app.core.access.caller import SCOPE, Caller
from app.core.access.key_events import actor_of, add_event
from app.core.access.keys import ID_LENGTH, Key, is_valid, new_token, token_hash
from app.core.access.networks import are_within
from app.core.access.rotation import Rotation
from app.core.change_log import instant, now
from app.core.errors import Conflict, ErrorItem, Invalid, NotFound, TooMany
from app.core.model.resource import RESOURCES
from app.core.model.validation import validate
from app.core.values.ids import random_text
from app.core.writing.patch import merge
from app.keys.models import KeyCreated, KeyFields, KeyShown, key_created, key_shown
from app.keys.powers import (
    Powers,
    default_expiry,
    ends_soon,
    ensure_administrator_remains,
    ensure_allowed_expiry,
    ensure_within,
    powers_of,
    powers_of_caller,
)

# Valid keys that administrators can create over HTTP. The number is limited, because each key has its own rate limit.
MAX_KEYS = 1_000
MAX_KEYS_OF_PARTNER = 100
MAX_NEW_KEYS = 1_000  # in a day: keys stay stored after their end, each with up to 5 kB
MAX_DETAIL = 2_000  # characters of the detail of an event
COLUMNS = ("name", "scopes", "partner", "networks", "expires_at")


def create(session: Session, fields: KeyFields, caller: Caller | None = None, *, max_days: int = 0) -> KeyCreated:
    """Create a key. Raise Invalid for a bad value, and Forbidden if it permits more than the key of the caller.

    A member that is left out gets the value of the key of the caller. `expires_at` gets the default.
    """
    holder = powers_of_caller(session, caller)
    values = _columns(fields)
    for name in ("partner", "networks"):
        if holder is not None and name not in fields.model_fields_set:
            values[name] = getattr(holder, name)
    powers = _powers(values)
    if "expires_at" not in fields.model_fields_set:
        values["expires_at"] = default_expiry(powers, holder, max_days)
    else:
        ensure_allowed_expiry(fields.expires_at, max_days)
    _ensure_partner(session, powers)
    ensure_within(_powers(values), holder)
    if caller is not None:
        _ensure_room(session, powers.partner)
    key_id = random_text(ID_LENGTH)
    token = new_token(key_id)
    key = Key(id=key_id, hash=token_hash(token), created_at=now(), **values)
    session.add(key)
    detail = "; ".join(f"{name}: {value or '-'}" for name, value in values.items())
    _add_event(session, key_id, "create", caller, detail)
    return key_created(key, token)


def _columns(fields: KeyFields) -> dict[str, Any]:
    """Return the fields as columns, with the scopes in the order of their list."""
    return {
        "name": fields.name,
        "scopes": " ".join(code for code in SCOPE.codes if code in fields.scopes),
        "partner": fields.partner,
        "networks": None if fields.networks is None else " ".join(fields.networks),
        "expires_at": fields.expires_at,
    }


def _powers(values: Mapping[str, Any]) -> Powers:
    return Powers(frozenset(values["scopes"].split()), values["partner"], values["networks"], values["expires_at"])


def _ensure_partner(session: Session, powers: Powers) -> None:
    """Raise Invalid if the partner of a key is missing or unknown."""
    if powers.partner is None:
        if "records:write:own" in powers.scopes:
            detail = "A key with the scope records:write:own needs the partner that manages its records."
            raise Invalid(ErrorItem(pointer="/partner", code="invalid_value", detail=detail))
        return
    table = RESOURCES["partners"].table
    public = select(table.id).where(table.id == powers.partner, table.state == "published", table.merged_into.is_(None))
    if session.exec(public).first() is None:
        raise Invalid(ErrorItem(pointer="/partner", code="unknown_record", detail="There is no such partner."))


def _ensure_room(session: Session, partner: str | None) -> None:
    """Raise Conflict if the registry or the partner has the maximum number of valid keys.

    Raise TooMany if administrators have created too many in the last day.
    """
    day_ago = instant(datetime.now(UTC) - timedelta(days=1))
    new = select(func.count()).select_from(Key).where(col(Key.created_at) > day_ago)
    if session.exec(new).one() >= MAX_NEW_KEYS:
        raise TooMany(f"The registry creates at most {MAX_NEW_KEYS:,} keys in a day.", headers={"Retry-After": "3600"})
    is_valid_now = (col(Key.revoked_at).is_(None), or_(col(Key.expires_at).is_(None), col(Key.expires_at) > now()))
    query = select(func.count()).select_from(Key).where(*is_valid_now)
    if session.exec(query).one() >= MAX_KEYS:
        raise Conflict(f"The registry has {MAX_KEYS:,} valid keys. Revoke some of them.")
    if partner is not None and session.exec(query.where(Key.partner == partner)).one() >= MAX_KEYS_OF_PARTNER:
        raise Conflict(f"The partner has {MAX_KEYS_OF_PARTNER} valid keys. Revoke some of them.")


def _add_event(session: Session, key_id: str, action: str, caller: Caller | None, detail: str) -> None:
    address = caller.address or None if caller else None
    add_event(session, key_id, action, actor_of(caller), address, detail[:MAX_DETAIL])


def find_key(session: Session, key_id: str) -> Key:
    """Return a stored key. Raise NotFound if it does not exist."""
    key = session.get(Key, key_id)
    if key is None:
        raise NotFound("There is no key with this id.")
    return key


def _find_usable(session: Session, key_id: str) -> Key:
    """Return a key that can be changed. Raise NotFound for a missing or revoked key, Conflict for an expired one."""
    key = session.get(Key, key_id)
    if key is None or key.revoked_at is not None:
        raise NotFound("The key does not exist or was revoked.")
    if not is_valid(key):
        raise Conflict("The key has expired. Create a new one.")
    return key


def show_keys(session: Session, after: str = "", limit: int = 200) -> list[KeyShown]:
    """Return the keys whose ids follow `after`, in the order of their ids."""
    page = select(Key).where(col(Key.id) > after).order_by(col(Key.id)).limit(limit)
    return [key_shown(key) for key in session.exec(page)]


def change(
    session: Session, caller: Caller | None, key_id: str, patch: Mapping[str, Any], *, max_days: int = 0
) -> KeyShown:
    """Apply a merge patch to a key.

    Raise Forbidden if the key permits more than the key of the caller, before or after the change, and Conflict if no
    administrator would remain.
    """
    key = _find_usable(session, key_id)
    holder = powers_of_caller(session, caller)
    ensure_within(powers_of(key), holder)
    before = {name: getattr(key, name) for name in COLUMNS}
    body = merge(key_shown(key).model_dump(include=set(COLUMNS)), dict(patch))
    values = _columns(validate(KeyFields, body))
    changed = [name for name in COLUMNS if values[name] != before[name]]
    _ensure_changeable(session, key, values, changed, max_days)
    ensure_within(_powers(values), holder)
    if caller is not None and not are_within(key.networks, values["networks"]):  # the command line cannot be shut out
        ensure_administrator_remains(session, key)
    for name in changed:
        setattr(key, name, values[name])
    if changed:
        detail = "; ".join(f"{name}: {before[name] or '-'} → {values[name] or '-'}" for name in changed)
        _add_event(session, key_id, "change", caller, detail)
    return key_shown(key)


def _ensure_changeable(
    session: Session, key: Key, values: Mapping[str, Any], changed: list[str], max_days: int
) -> None:
    if "partner" in changed:
        detail = "The partner of a key cannot be changed. Create another key."
        raise Invalid(ErrorItem(pointer="/partner", code="read_only", detail=detail))
    if "scopes" in changed:
        _ensure_partner(session, _powers(values))
        if "keys" not in values["scopes"].split():
            ensure_administrator_remains(session, key)
    if "expires_at" in changed:
        ensure_allowed_expiry(values["expires_at"], max_days)
        if ends_soon(values["expires_at"]):
            ensure_administrator_remains(session, key)


def rotate(session: Session, key_id: str, rotation: Rotation, caller: Caller | None = None) -> KeyCreated:
    """Give a key a new token, for its holder or for an administrator whose key permits at least as much.

    Raise Conflict if the holder sent a token that a rotation has replaced: it must not replace the present one.
    """
    key = _find_usable(session, key_id)
    if caller is None or caller.key != key_id:
        ensure_within(powers_of(key), powers_of_caller(session, caller))
    elif caller.token_hash != key.hash:
        raise Conflict("A rotation has already replaced this token. Use the new one, or ask an administrator.")
    token = new_token(key_id)
    key.previous_hash = key.hash
    key.previous_until = rotation.previous_until()
    key.hash = token_hash(token)
    _add_event(session, key_id, "rotate", caller, f"the previous token is valid until {key.previous_until}")
    return key_created(key, token)
