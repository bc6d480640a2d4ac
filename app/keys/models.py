"""Keys as administrators see them, and the functions that create, rotate and revoke them.

The table, and the check of a token that a request sends, are in `app/core/access/keys.py`.
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from sqlmodel import Session, col, select

from app.core.access.caller import SCOPE
from app.core.access.keys import ID_LENGTH, Key, new_token, token_hash
from app.core.access.rotation import Rotation
from app.core.change_log import instant, now
from app.core.errors import ErrorItem, Invalid, NotFound
from app.core.model.resource import RESOURCES
from app.core.values.ids import random_text
from app.core.values.text import Line, Slug


def _future_instant(text: str) -> str:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("is not an instant with its offset, such as 2027-01-01T00:00:00Z")
    if moment <= datetime.now(UTC):
        raise ValueError("is in the past")
    return instant(moment)


def _split_scopes(scopes: object) -> object:
    return scopes.split() if isinstance(scopes, str) else scopes


class KeyFields(BaseModel, defer_build=True):
    """The members of a key that an administrator sets."""

    model_config = ConfigDict(extra="forbid")

    name: Line = Field(description="Who uses the key, and for what.", examples=["MPI, nightly synchronisation"])
    scopes: list[Annotated[str, SCOPE]] = Field(
        min_length=1, max_length=len(SCOPE.codes), description="Permissions of the key."
    )
    partner: Slug | None = Field(
        default=None, description="Id of the partner that uses the key. New records are managed by this partner."
    )
    expires_at: Annotated[str, Field(max_length=40), AfterValidator(_future_instant)] | None = Field(
        default=None,
        description="Time at which the key expires (RFC 3339). With null it never expires.",
        examples=["2099-01-01T00:00:00Z"],
    )


class KeyShown(BaseModel, defer_build=True):
    """A key without its token, which cannot be read again."""

    id: str
    name: str
    scopes: Annotated[list[str], BeforeValidator(_split_scopes)]
    partner: str | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None = Field(description="Time of the last use, accurate to about one minute.")
    previous_until: str | None = Field(description="Time until which the token before the last rotation stays valid.")


class KeyCreated(KeyShown):
    """A key with its token. No other response contains the token."""

    key: str = Field(
        description="Token of the key. Send it as `Authorization: Bearer …`.", examples=["hoptac_<id>_<secret>"]
    )


def create(session: Session, fields: KeyFields) -> KeyCreated:
    """Create a key. Raise Invalid if its partner is missing or unknown."""
    if fields.partner is not None:
        _ensure_partner(session, fields.partner)
    elif "records:write:own" in fields.scopes:
        detail = "A key with the scope records:write:own needs the partner that manages its records."
        raise Invalid(ErrorItem(pointer="/partner", code="invalid_value", detail=detail))
    key_id = random_text(ID_LENGTH)
    token = new_token(key_id)
    key = Key(
        id=key_id,
        name=fields.name,
        hash=token_hash(token),
        scopes=" ".join(code for code in SCOPE.codes if code in fields.scopes),
        partner=fields.partner,
        created_at=now(),
        expires_at=fields.expires_at,
    )
    session.add(key)
    return _with_token(key, token)


def _ensure_partner(session: Session, partner_id: str) -> None:
    table = RESOURCES["partners"].table
    public = select(table.id).where(table.id == partner_id, table.state == "published", table.merged_into.is_(None))
    if session.exec(public).first() is None:
        raise Invalid(ErrorItem(pointer="/partner", code="unknown_record", detail="There is no such partner."))


def _with_token(key: Key, token: str) -> KeyCreated:
    return KeyCreated(**key_shown(key).model_dump(), key=token)


def key_shown(key: Key) -> KeyShown:
    """Return a key as the API shows it."""
    return KeyShown.model_validate(key, from_attributes=True)


def _find(session: Session, key_id: str) -> Key:
    key = session.get(Key, key_id)
    if key is None:
        raise NotFound
    return key


def show_key(session: Session, key_id: str) -> KeyShown:
    """Return a key. Raise NotFound if it does not exist."""
    return key_shown(_find(session, key_id))


def show_keys(session: Session, after: str = "", limit: int = 200) -> list[KeyShown]:
    """Return the keys whose ids follow `after`, in the order of their ids."""
    page = select(Key).where(col(Key.id) > after).order_by(col(Key.id)).limit(limit)
    return [key_shown(key) for key in session.exec(page)]


def rotate(session: Session, key_id: str, rotation: Rotation) -> KeyCreated:
    """Give a key a new token. Raise NotFound if the key does not exist or was revoked."""
    key = session.get(Key, key_id)
    if key is None or key.revoked_at is not None:
        raise NotFound("The key does not exist or was revoked.")
    token = new_token(key_id)
    key.previous_hash = key.hash
    key.previous_until = rotation.previous_until()
    key.hash = token_hash(token)
    return _with_token(key, token)


def revoke(session: Session, key_id: str) -> None:
    """Revoke a key for good; a revoked key stays as it is. Raise NotFound if it does not exist."""
    key = _find(session, key_id)
    if key.revoked_at is None:
        key.revoked_at = now()
