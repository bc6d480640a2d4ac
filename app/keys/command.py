"""The commands `hoptac key …`. Their users have access to the database, so no key limits what they create."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from app.core.access.key_events import COMMAND, KeyEvent
from app.core.access.keys import TOKEN_PATTERN
from app.core.access.rotation import Rotation
from app.core.errors import ErrorItem, NotFound
from app.core.model.validation import top_member, validate
from app.core.values.text import counted, printable
from app.keys import administration as keys
from app.keys.models import KeyCreated, KeyFields, KeyShown
from app.keys.revocation import revoke, revoke_token

MAX_LISTED = 10_000
OPTIONS = {"scopes": "scope", "networks": "network", "expires_at": "expires"}  # by the members that they set


@dataclass
class Output:
    """The lines for standard output, and a note for standard error."""

    lines: list[str] = field(default_factory=list)
    note: str = ""


def _create(session: Session, options: argparse.Namespace, max_days: int) -> Output:
    fields = validate(KeyFields, {"partner": options.partner, **_stated(options)})
    return _token(keys.create(session, fields, max_days=max_days))


def _change(session: Session, options: argparse.Namespace, max_days: int) -> Output:
    return Output(note=_end(keys.change(session, None, options.id, _stated(options), max_days=max_days)))


def _rotate(session: Session, options: argparse.Namespace, _: int) -> Output:
    return _token(keys.rotate(session, options.id, validate(Rotation, {"overlap": options.overlap})))


def _revoke(session: Session, options: argparse.Namespace, _: int) -> Output:
    token = TOKEN_PATTERN.fullmatch(options.id)
    if token is None:
        revoke(session, options.id, force=options.force)
    elif not revoke_token(session, token[1], options.id, COMMAND):
        raise NotFound("No key has this token. It was replaced or revoked, or has expired.")
    return Output()


def _list(session: Session, _: argparse.Namespace, __: int) -> Output:
    rows = [("ID", "SCOPES", "PARTNER", "VALID", "NETWORKS", "LAST USED", "NAME")]
    for key in keys.show_keys(session, limit=MAX_LISTED):
        networks = ",".join(key.networks or ["any"])
        last_used = _minute(key.last_used_at) if key.last_used_at else "never"
        rows.append((key.id, ",".join(key.scopes), key.partner or "-", _validity(key), networks, last_used, key.name))
    return Output(_table(rows))


def _events(session: Session, options: argparse.Namespace, _: int) -> Output:
    keys.find_key(session, options.id)
    rows = [("TIME", "ACTION", "ACTOR", "ADDRESS", "DETAIL")]
    query = select(KeyEvent).where(col(KeyEvent.key) == options.id).order_by(col(KeyEvent.id).desc())
    for event in session.exec(query):
        detail = event.detail or ""
        if event.reason:
            detail = f"{event.reason}, {counted(event.count, 'time')} until {_minute(event.last_at)}"
        rows.append((_minute(event.first_at), event.action, event.actor or "-", event.address or "-", detail))
    return Output(_table(rows))


COMMANDS: dict[str, Callable[[Session, Any, int], Output]] = {
    "create": _create,
    "list": _list,
    "change": _change,
    "rotate": _rotate,
    "revoke": _revoke,
    "events": _events,
}


def option_of(error: ErrorItem) -> str:
    """Return the option whose value an error concerns."""
    member = top_member(error)
    return f"--{OPTIONS.get(member, member)}"


def _stated(options: argparse.Namespace) -> dict[str, Any]:
    """Return the members of a key that the options state."""
    stated: dict[str, Any] = {"name": options.name, "scopes": options.scope}
    stated = {name: value for name, value in stated.items() if value is not None}
    if options.expires is not None:
        stated["expires_at"] = None if options.expires == "never" else options.expires
    if options.network is not None:
        stated["networks"] = None if options.network == ["any"] else options.network
    return stated


def _token(key: KeyCreated) -> Output:
    partner = f" for the records of {key.partner}" if key.partner else ""
    note = f"The token of key {key.id}, with {', '.join(key.scopes)}{partner}, is not shown again. {_end(key)}"
    return Output([key.key], note)


def _end(key: KeyShown) -> str:
    if key.expires_at is None:
        return f"The key {key.id} never expires."
    return f"The key {key.id} expires at {key.expires_at}."


def _validity(key: KeyShown) -> str:
    if key.revoked_at:
        return f"revoked {_minute(key.revoked_at)}"
    return f"until {_minute(key.expires_at)}" if key.expires_at else "until revoked"


def _minute(at: str) -> str:
    """Return an instant without its seconds, such as 2027-01-01 00:00Z."""
    return f"{at[:10]} {at[11:16]}Z"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as lines with aligned columns. The last column, which may be long, is not padded."""
    rows = [tuple(map(printable, row)) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    padded = [[text.ljust(width) for text, width in zip(row, widths, strict=False)] for row in rows]
    return ["  ".join([*cells, row[-1]]) for cells, row in zip(padded, rows, strict=True)]
