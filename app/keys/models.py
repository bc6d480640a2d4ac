"""Keys and their events as the API shows them, and the members of a key that an administrator sets.

The table, and the check of a token that a request sends, are in `app/core/access/keys.py`.
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from app.core.access.caller import SCOPE
from app.core.access.key_events import KEY_ACTION
from app.core.access.keys import REFUSAL, Key
from app.core.access.networks import MAX_LENGTH, MAX_NETWORKS, normal_networks
from app.core.change_log import instant
from app.core.values.text import Line, Slug


def _instant_of(moment: datetime) -> str:
    try:
        return instant(moment)
    except OverflowError:  # with an offset, an instant near year 1 or 9999 can be outside of the range
        raise ValueError("This is not an instant that can be stored.") from None


def _future_instant(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("This is not an instant with its offset, such as 2027-01-01T00:00:00Z.")
    if moment <= datetime.now(UTC):
        raise ValueError("This time is in the past.")
    return _instant_of(moment)


def _split(texts: object) -> object:
    return texts.split() if isinstance(texts, str) else texts


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
    networks: (
        Annotated[
            list[Annotated[str, Field(max_length=MAX_LENGTH)]],
            Field(min_length=1, max_length=MAX_NETWORKS),
            AfterValidator(normal_networks),
        ]
        | None
    ) = Field(
        default=None,
        description="Networks or addresses (IPv4 or IPv6) from which the key can be used. With null, from any address.",
        examples=[["192.0.2.0/24", "2001:db8::/32"]],
    )
    expires_at: Annotated[str, Field(max_length=40), AfterValidator(_future_instant)] | None = Field(
        default=None,
        description="Time at which the key expires (RFC 3339). If it is left out, the key expires a year after its "
        "creation. With null it never expires, if the registry allows that.",
        examples=["2099-01-01T00:00:00Z"],
    )


class KeyShown(BaseModel, defer_build=True):
    """A key without its token, which cannot be read again."""

    id: str = Field(description="Public part of the key, by which it is listed and revoked. It is no secret.")
    name: str = Field(description="Who uses the key, and for what.")
    scopes: Annotated[list[str], BeforeValidator(_split)] = Field(
        description="What the key permits: codes of the list `scope`."
    )
    partner: str | None = Field(description="Id of the partner for which the key writes; null if it is for no partner.")
    networks: Annotated[list[str] | None, BeforeValidator(_split)] = Field(
        description="The networks (CIDR) from which the key can be used; null if it can be used from everywhere."
    )
    created_at: str = Field(description="Time at which the key was created (RFC 3339, UTC).")
    expires_at: str | None = Field(description="Time at which the key expires; null if it never does.")
    revoked_at: str | None = Field(description="Time at which the key was revoked; null if it is not.")
    last_used_at: str | None = Field(description="Time of the last use, accurate to about one minute.")
    previous_until: str | None = Field(description="Time until which the token before the last rotation stays valid.")


class KeyCreated(KeyShown):
    """A key with its token. No other response contains the token."""

    key: str = Field(
        description="Token of the key. Send it as `Authorization: Bearer …`.", examples=["hoptac_<id>_<secret>"]
    )


class KeyPage(BaseModel, defer_build=True):
    """A page of keys, in the order of their ids."""

    items: list[KeyShown] = Field(description="The keys of this page, in the order of their ids.")
    next: str | None = Field(description="Path of the next page; null on the last page.")


class KeyEventShown(BaseModel, defer_build=True):
    """Something that happened to a key, or the refused uses of an hour with the same reason and address."""

    id: int = Field(description="Number of the event. A later event has a larger number.")
    action: Annotated[str, KEY_ACTION] = Field(description="What happened: a code of the list `key_action`.")
    reason: Annotated[str, REFUSAL] | None = Field(description="Why uses were refused; null for other events.")
    actor: str | None = Field(
        description="Who did it: `key:` and the id of the key, `command` for the command line, or `token` for a "
        "revocation by the token itself. Null for refused uses."
    )
    address: str | None = Field(
        description="Address of the client (IPv6: its /64 for refused uses). Null for the command line. Also null for "
        "refused uses from many addresses, which are counted together."
    )
    detail: str | None = Field(description="The values that were set or changed.")
    count: int = Field(description="Number of refused uses; 1 for other events.")
    first_at: str = Field(description="Time of the event, or of the first of these refused uses.")
    last_at: str = Field(description="Time of the last of these refused uses; `first_at` for other events.")


class KeyEventPage(BaseModel, defer_build=True):
    """A page of the events of a key, the latest first."""

    items: list[KeyEventShown] = Field(description="The events of this page, the latest first.")
    next: str | None = Field(description="Path of the next page; null on the last page.")


class LeakedKey(BaseModel, defer_build=True):
    """The token of a key that somebody else may have read."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(max_length=200, description="The whole token.", examples=["hoptac_<id>_<secret>"])


def key_shown(key: Key) -> KeyShown:
    """Return a key as the API shows it."""
    return KeyShown.model_validate(key, from_attributes=True)


def key_created(key: Key, token: str) -> KeyCreated:
    """Return a key with its new token."""
    return KeyCreated(**key_shown(key).model_dump(), key=token)
