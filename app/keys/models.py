"""Keys as administrators see them, and what is done with them: create, rotate, revoke."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import insert, select, update
from sqlmodel import Session

from app.core.access.caller import SCOPE
from app.core.access.keys import ID_LENGTH, KEYS, new_token, token_hash
from app.core.errors import ErrorItem, Invalid, NotFound
from app.core.log import instant, now
from app.core.model.resource import RESOURCES
from app.core.values.ids import random_text
from app.core.values.text import Line, Slug

DAY = 86_400


def _instant(text: str) -> str:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("is not an instant with its offset, such as 2027-01-01T00:00:00Z")
    if moment <= datetime.now(UTC):
        raise ValueError("lies in the past")
    return instant(moment)


class KeyFields(BaseModel, defer_build=True):
    """What an administrator says of a key."""

    model_config = ConfigDict(extra="forbid")

    name: Line = Field(description="Whose key it is and for what, in words.", examples=["MPI, nightly synchronisation"])
    scopes: list[Annotated[str, SCOPE]] = Field(
        min_length=1, max_length=len(SCOPE.codes), description="What it allows."
    )
    partner: Slug | None = Field(default=None, description="The partner that acts with it; set on what it creates.")
    expires_at: Annotated[str, Field(max_length=40), AfterValidator(_instant)] | None = Field(
        default=None, description="When it stops (RFC 3339); null: never.", examples=["2099-01-01T00:00:00Z"]
    )


class Rotation(BaseModel, defer_build=True):
    """How a key is rotated."""

    model_config = ConfigDict(extra="forbid")

    overlap: int = Field(default=DAY, ge=0, le=30 * DAY, description="Seconds that the text before goes on counting.")


class KeyShown(BaseModel, defer_build=True):
    """A key, without its text, which nobody can read again."""

    id: str
    name: str
    scopes: list[str]
    partner: str | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None = Field(description="To the minute or so.")
    previous_until: str | None = Field(description="Until when the text before the last rotation counts too.")


class KeyCreated(KeyShown):
    """A key with its text, which is shown this once."""

    key: str = Field(description="Send it as Authorization: Bearer …", examples=["hoptac_<id>_<secret>"])


def key_shown(row: Any) -> dict[str, Any]:
    """A key as KeyShown, from its columns by name."""
    return {name: row[name].split() if name == "scopes" else row[name] for name in KeyShown.model_fields}


def create(session: Session, fields: KeyFields) -> dict[str, Any]:
    """A new key as KeyCreated; Invalid when its partner is none."""
    if fields.partner is not None:
        _ensure_partner(session, fields.partner)
    elif "records:write:own" in fields.scopes:
        detail = "The scope records:write:own needs the partner whose records these are."
        raise Invalid(ErrorItem(pointer="/partner", code="invalid_value", detail=detail))
    key_id = random_text(ID_LENGTH)
    text = new_token(key_id)
    scopes = " ".join(code for code in SCOPE.codes if code in fields.scopes)
    values = {**fields.model_dump(), "id": key_id, "hash": token_hash(text), "scopes": scopes, "created_at": now()}
    session.execute(insert(KEYS), values)
    return {**show_key(session, key_id), "key": text}


def _ensure_partner(session: Session, partner: str) -> None:
    table = RESOURCES["partners"].table
    there = select(table.id).where(table.id == partner, table.state == "published", table.merged_into.is_(None))
    if session.execute(there).first() is None:
        raise Invalid(ErrorItem(pointer="/partner", code="unknown_record", detail="There is no such partner."))


def show_key(session: Session, key_id: str) -> dict[str, Any]:
    """A key as KeyShown; NotFound when there is none."""
    row = session.execute(select(KEYS).where(KEYS.c.id == key_id)).mappings().first()
    if row is None:
        raise NotFound
    return key_shown(row)


def rotate(session: Session, key_id: str, overlap: int) -> dict[str, Any]:
    """The key as KeyCreated, with a new text; the one before counts for `overlap` seconds more."""
    row = session.execute(select(KEYS).where(KEYS.c.id == key_id)).mappings().first()
    if row is None or row["revoked_at"] is not None:
        raise NotFound("There is no such key, or it was revoked.")
    text, until = new_token(key_id), instant(datetime.now(UTC) + timedelta(seconds=overlap))
    values = {"hash": token_hash(text), "previous_hash": row["hash"], "previous_until": until}
    session.execute(update(KEYS).where(KEYS.c.id == key_id).values(values))
    return {**show_key(session, key_id), "key": text}


def revoke(session: Session, key_id: str) -> None:
    """Stop a key for good; again has no effect. NotFound when there is none."""
    if show_key(session, key_id)["revoked_at"] is None:
        session.execute(update(KEYS).where(KEYS.c.id == key_id).values(revoked_at=now()))


def show_keys(session: Session, after: str = "", limit: int = 200) -> list[dict[str, Any]]:
    """Keys as KeyShown in the order of their ids, from behind one of them on."""
    page = select(KEYS).where(KEYS.c.id > after).order_by(KEYS.c.id).limit(limit)
    return [key_shown(row) for row in session.execute(page).mappings()]
