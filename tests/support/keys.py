"""Keys of callers, and what is changed in them."""

from typing import Any

from sqlalchemy import update

from app.core.access.keys import KEYS
from app.core.database.engine import Database
from app.keys.administration import create
from app.keys.models import KeyFields

Key = dict[str, str]  # the Authorization header


def key_of(database: Database, *scopes: str, partner: str | None = None) -> Key:
    """The header of a new key."""
    with database.write() as session:
        made = create(session, KeyFields(name="a test's", scopes=list(scopes), partner=partner))
    return {"Authorization": f"Bearer {made.key}"}


def id_of(key: dict[str, str]) -> str:
    return key["Authorization"].split("_")[1]


def change_key(database: Database, key: dict[str, str], **values: Any) -> None:
    with database.write() as session:
        session.execute(update(KEYS).where(KEYS.c.id == id_of(key)).values(values))
