"""What a key permits, and the rule that no key creates, changes or rotates a key that permits more than itself.

Otherwise the holder of one token could make another one that is valid from other networks, for longer or for more
scopes. The command line has no limits, because its user has access to the database anyway.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog
from sqlalchemy import Connection
from sqlmodel import Session, col, select

from app.core.access.caller import Caller
from app.core.access.keys import KEYS, Key, is_valid
from app.core.access.networks import are_within
from app.core.change_log import instant, now
from app.core.database.engine import Database
from app.core.errors import Conflict, ErrorItem, Forbidden, Invalid
from app.core.values.text import counted

DEFAULT_DAYS = 365
REPLACEMENT_LASTS = timedelta(days=1)  # minimum validity of an administrator's key, so that another one can be revoked
WARNED_BEFORE = timedelta(days=30)  # the last administrator's key expires


class Powers(NamedTuple):
    """What a key permits, for which partner, from which networks, and until when."""

    scopes: frozenset[str]
    partner: str | None
    networks: str | None
    expires_at: str | None

    @property
    def administers(self) -> bool:
        """Whether the key administers keys."""
        return "keys" in self.scopes


def powers_of(key: Key) -> Powers:
    """Return what a stored key permits."""
    return Powers(frozenset(key.scopes.split()), key.partner, key.networks, key.expires_at)


def powers_of_caller(session: Session, caller: Caller | None) -> Powers | None:
    """Return what the key of an administrator permits, or None for the command line, which has no limits."""
    return None if caller is None else powers_of(session.get_one(Key, caller.key))


def ensure_within(powers: Powers, holder: Powers | None) -> None:
    """Raise Forbidden if a key permits more than the key of the administrator who grants it."""
    if holder is None:
        return
    if missing := powers.scopes - _covered(holder.scopes):
        raise Forbidden(f"A key can grant only scopes that it has. Your key lacks: {', '.join(sorted(missing))}.")
    if holder.partner is not None and powers.partner != holder.partner:
        raise Forbidden("Your key is bound to a partner, so it administers only keys of this partner.")
    if not are_within(powers.networks, holder.networks):
        raise Forbidden("Your key is bound to networks, so it administers only keys that are bound to parts of these.")
    if powers.administers and _earlier(powers.expires_at, holder.expires_at) != powers.expires_at:
        raise Forbidden("A key with the scope keys cannot be valid for longer than the key that administers it.")


def _covered(scopes: frozenset[str]) -> frozenset[str]:
    """Return the scopes with those that they include."""
    covered = set(scopes)
    if "records:write" in scopes:
        covered.add("records:write:own")
    if "keys" in scopes:  # an administrator manages the subscriptions of everybody
        covered.add("webhooks")
    return frozenset(covered)


def _earlier(first: str | None, second: str | None) -> str | None:
    """Return the earlier of two ends; None means never."""
    return min(filter(None, (first, second)), default=None)


def default_expiry(powers: Powers, holder: Powers | None, max_days: int) -> str:
    """Return the default expiry of a new key: after a year, or earlier if it must not be valid for so long."""
    days = min(DEFAULT_DAYS, max_days or DEFAULT_DAYS)
    expiry = instant(datetime.now(UTC) + timedelta(days=days))
    if holder is None or holder.expires_at is None or not powers.administers:
        return expiry
    return min(expiry, holder.expires_at)


def ends_soon(expires_at: str | None) -> bool:
    """Return whether a key ends too soon to count as an administrator that remains."""
    return expires_at is not None and expires_at <= instant(datetime.now(UTC) + REPLACEMENT_LASTS)


def _replaces(other: Key, key: Key) -> bool:
    """Return whether another key administers at least what this one does."""
    return (
        "keys" in other.scopes.split()
        and not ends_soon(other.expires_at)
        and other.partner in (None, key.partner)
        and (other.networks is None or other.networks == key.networks)
    )


def ensure_allowed_expiry(expires_at: str | None, max_days: int) -> None:
    """Raise Invalid if a key would be valid for longer than the settings allow."""
    if max_days and (expires_at is None or expires_at > instant(datetime.now(UTC) + timedelta(days=max_days))):
        detail = f"A key of this registry is valid for at most {counted(max_days, 'day')}."
        raise Invalid(ErrorItem(pointer="/expires_at", code="invalid_value", detail=detail))


def ensure_administrator_remains(session: Session, key: Key) -> None:
    """Raise Conflict if no other key that has the scope `keys` for another day can do what this key can.

    It runs under the writer lock, so two administrators cannot revoke each other at once.
    """
    if "keys" not in key.scopes.split() or not is_valid(key):
        return
    others = select(Key).where(col(Key.id) != key.id, col(Key.revoked_at).is_(None))
    if not any(_replaces(other, key) for other in session.exec(others)):
        raise Conflict(
            "This is the only valid key with the scope keys. Create another one first, or run `hoptac key revoke"
            " --force` on the server."
        )


def administrators_until(connection: Connection) -> str | None:
    """Return when the last valid key with the scope `keys` expires; None if there is none, or one never expires."""
    query = select(KEYS.c.scopes, KEYS.c.expires_at).where(KEYS.c.revoked_at.is_(None))
    ends = [row.expires_at for row in connection.execute(query) if "keys" in row.scopes.split()]
    valid = [end for end in ends if end is None or end > now()]
    return None if None in valid else max(valid, default=None)


def warning_of_last_administrator(until: str | None) -> str | None:
    """Return a sentence if soon no key administers keys any more."""
    if until is None or until > instant(datetime.now(UTC) + WARNED_BEFORE):
        return None
    return (
        f"The last key with the scope keys expires at {until}. Create another one with `hoptac key create`, or set its"
        " expires_at with PATCH /v1/keys/{id}."
    )


def log_last_administrator(database: Database) -> bool:
    """Write a line to the log if soon no key administers keys any more. Nothing remains to be done afterwards."""
    with database.snapshot() as connection:
        until = administrators_until(connection)
    if warning := warning_of_last_administrator(until):
        structlog.get_logger("hoptac.keys").warning("last administrator", expires_at=until, detail=warning)
    return False
