"""Reads of keys and of their events. They take no lock, so they never wait for a write."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from sqlalchemy import bindparam, select

from app.core.access.clients import client_of
from app.core.access.key_events import KEY_EVENTS
from app.core.access.keys import KEYS
from app.core.asgi.authentication import read_key
from app.core.database.statements import Query, Read
from app.core.errors import NotFound
from app.keys.models import KeyEventShown, KeyShown

AFTER_ALL_IDS = 2**63 - 1

_KEY = [KEYS.c[name] for name in KeyShown.model_fields]
_KEYS = Query(select(*_KEY).where(KEYS.c.id > bindparam("after")).order_by(KEYS.c.id).limit(bindparam("limit")))

_EVENT = [KEY_EVENTS.c[name] for name in KeyEventShown.model_fields]
_EVENTS = Query(
    select(*_EVENT)
    .where(KEY_EVENTS.c.key == bindparam("key"), KEY_EVENTS.c.id < bindparam("before"))
    .order_by(KEY_EVENTS.c.id.desc())
    .limit(bindparam("limit"))
)


async def show_key(request: Request, key_id: str) -> KeyShown:
    """Return a key. Raise NotFound if it does not exist, or if no key can have this id."""
    is_possible = key_id.isascii() and key_id.isalnum()
    key = await read_key(request.app.state.primary_reader, key_id, client_of(request.scope)) if is_possible else None
    if key is None:
        raise NotFound("There is no key with this id.")
    return KeyShown.model_validate(vars(key))


async def show_keys(request: Request, after: str | None, limit: int) -> list[KeyShown]:
    """Return the keys whose ids follow `after`, in the order of their ids."""
    rows = await _rows(request, _KEYS, {"after": after or "", "limit": limit})
    return [KeyShown.model_validate(dict(zip(KeyShown.model_fields, row, strict=True))) for row in rows]


async def show_events(request: Request, key_id: str, before: int | None, limit: int) -> list[KeyEventShown]:
    """Return the events of a key before the one with this id, the latest first. Raise NotFound like `show_key`."""
    await show_key(request, key_id)
    values = {"key": key_id, "before": before or AFTER_ALL_IDS, "limit": limit}
    rows = await _rows(request, _EVENTS, values)
    return [KeyEventShown.model_validate(dict(zip(KeyEventShown.model_fields, row, strict=True))) for row in rows]


async def _rows(request: Request, query: Query, values: Mapping[str, Any]) -> Any:
    def read() -> Read:
        return (yield query, values)

    return await request.app.state.primary_reader.run(read, client=client_of(request.scope))
