"""Cursors with a valid signature, for positions that no page ever gives."""

import contextlib
from typing import Any

from sqlalchemy import select

from app.core.database.engine import Database
from app.core.reading.cursors import CURSOR_KEY, Cursors, CursorSigner


def signer_of(url: str) -> CursorSigner:
    """What signs the cursors of the database at a URL."""
    database = Database(url)
    with database.snapshot() as connection:
        key = connection.execute(select(CURSOR_KEY.c.key)).scalar_one()
    database.close()
    return signer_with(key)


def signer_with(key: str) -> CursorSigner:
    """What signs cursors with this key, in hexadecimal."""
    signer = CursorSigner()
    load = signer.load()
    next(load)
    with contextlib.suppress(StopIteration):
        load.send([(key,)])
    return signer


def signed(url: str, path: str, parameters: list[tuple[str, str]], value: Any, record_id: Any) -> str:
    """A cursor for this position in a list, as the registry signs it."""
    return Cursors(path, parameters, signer_of(url)).cursor(value, record_id)
