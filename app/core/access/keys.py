"""Keys and their tokens. Only the hash of a token is stored; the token itself is shown once, at its creation."""

import hashlib
import hmac
import re
import string
import zlib
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Text, bindparam, select
from sqlmodel import Field, Session, SQLModel

from app.core.access.caller import Caller
from app.core.access.networks import contain
from app.core.change_log import now
from app.core.database.statements import Query
from app.core.database.tables import BYTEWISE
from app.core.errors import Unauthorized
from app.core.values.codelists import Code, CodeList
from app.core.values.ids import random_text

BASE_62 = string.digits + string.ascii_uppercase + string.ascii_lowercase

ID_LENGTH = 10
SECRET_LENGTH = 30  # 62^30 is 178 bits
CHECK_LENGTH = 6

# Secret scanners can search for this pattern. The last six characters are the CRC-32 of the rest, in base 62.
TOKEN_PATTERN = re.compile(rf"hoptac_([0-9a-z]{{{ID_LENGTH}}})_[0-9A-Za-z]{{{SECRET_LENGTH + CHECK_LENGTH}}}")

REFUSAL = CodeList(
    "key_refusal",
    "The reason why the use of a key was refused.",
    {
        "wrong_secret": Code("The secret was not that of the key", "Bí mật không phải của khóa"),
        "replaced": Code("A rotation had replaced the token", "Mã khóa đã được thay khi đổi khóa"),
        "revoked": Code("The key was revoked", "Khóa đã bị thu hồi"),
        "expired": Code("The key had expired", "Khóa đã hết hạn"),
        "wrong_network": Code("The key was bound to other networks", "Khóa chỉ dùng được từ mạng khác"),
        "missing_scope": Code("The key lacked the scope", "Khóa thiếu quyền"),
    },
)

# The details of these refusals. A client with a wrong secret gets the same text as one with an unknown id.
DETAILS = {
    "wrong_secret": "The key is unknown, expired or revoked.",
    "replaced": "The token was replaced by a rotation of the key.",
    "revoked": "The key was revoked.",
    "expired": "The key has expired.",
    "wrong_network": "The key cannot be used from this address, because it is bound to other networks.",
}


class Key(SQLModel, table=True):
    """A stored key. After a rotation, the token with `previous_hash` stays valid until `previous_until`."""

    __tablename__ = "keys"

    id: str = Field(sa_type=BYTEWISE, primary_key=True)
    name: str = Field(sa_type=Text)
    hash: str = Field(sa_type=BYTEWISE)
    scopes: str = Field(sa_type=BYTEWISE, description="Separated by spaces.")
    partner: str | None = Field(sa_type=BYTEWISE, index=True)
    created_at: str = Field(sa_type=BYTEWISE)
    expires_at: str | None = Field(sa_type=BYTEWISE)
    revoked_at: str | None = Field(default=None, sa_type=BYTEWISE)
    last_used_at: str | None = Field(default=None, sa_type=BYTEWISE)
    previous_hash: str | None = Field(default=None, sa_type=BYTEWISE)
    previous_until: str | None = Field(default=None, sa_type=BYTEWISE)
    networks: str | None = Field(
        default=None, sa_type=BYTEWISE, description="Separated by spaces. None: the key can be used from any address."
    )


KEYS = SQLModel.metadata.tables["keys"]

_KEY_BY_ID = select(KEYS).where(KEYS.c.id == bindparam("id"))

READ_KEY_BY_ID = Query(_KEY_BY_ID, alone=True)


def new_token(key_id: str) -> str:
    """Return a new token: `hoptac_<id>_<secret><checksum>`."""
    token = f"hoptac_{key_id}_{random_text(SECRET_LENGTH, BASE_62)}"
    return token + _checksum(token)


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits = ""
    for _ in range(CHECK_LENGTH):
        number, digit = divmod(number, len(BASE_62))
        digits = BASE_62[digit] + digits
    return digits


def token_hash(token: str) -> str:
    """Return the SHA-256 of a token. Tokens are random, so a slow hash is not necessary."""
    return hashlib.sha256(token.encode()).hexdigest()


def id_of_token(token: str) -> str:
    """Return the key id in a token; Unauthorized for a malformed token, without a query of the database."""
    match = TOKEN_PATTERN.fullmatch(token)
    if match is None or _checksum(token[:-CHECK_LENGTH]) != token[-CHECK_LENGTH:]:
        raise Unauthorized
    return match[1]


def refusal_of(key: Any, token: str, address: str) -> str | None:
    """Return why a stored key cannot be used with this token from this address (a code of REFUSAL), or None."""
    at = now()
    wrong = _refusal_of_hash(key, token_hash(token), at)
    return wrong or _end_of(key, at) or (None if contain(key.networks, address) else "wrong_network")


def _refusal_of_hash(key: Any, sent: str, at: str) -> str | None:
    """Return why a token with this hash is not one of the key at an instant, or None."""
    if hmac.compare_digest(sent, key.hash):
        return None
    if key.previous_hash is None or not hmac.compare_digest(sent, key.previous_hash):
        return "wrong_secret"
    return None if key.previous_until and key.previous_until > at else "replaced"


def caller_of(key: Any, address: str = "", sent: str = "") -> Caller:
    """Return the holder of a stored key, whose request came from this address with a token that has this hash."""
    return Caller(key.id, frozenset(key.scopes.split()), key.partner, address, sent)


def current_caller(session: Session, caller: Caller) -> Caller:
    """Read the caller again; Unauthorized if the key can no longer be used as it could when the request arrived.

    What runs without a request, such as an import, has no address and no token, so neither is checked again.
    """
    return caller_now(session.execute(_KEY_BY_ID, {"id": caller.key}).first(), caller)


def stored_keys(session: Session, key_ids: Iterable[str]) -> dict[str, Any]:
    """Return the stored keys with these ids, by id."""
    return {key.id: key for key in session.execute(select(KEYS).where(KEYS.c.id.in_(sorted(key_ids))))}


def caller_now(key: Any, caller: Caller) -> Caller:
    """Return the caller with the present rights of a stored key (None: there is none); Unauthorized as above."""
    if key is None:
        raise Unauthorized
    at = now()
    refusal = _end_of(key, at)
    if refusal is None and caller.address and not contain(key.networks, caller.address):
        refusal = "wrong_network"
    if refusal is None and caller.token_hash and _refusal_of_hash(key, caller.token_hash, at):
        refusal = "replaced"  # while the request was running, maybe more than once
    if refusal is not None:
        raise Unauthorized(DETAILS[refusal], refusal)
    return caller_of(key, caller.address, caller.token_hash)


def is_valid(key: Any) -> bool:
    """Return whether a stored key is neither revoked nor expired."""
    return _end_of(key, now()) is None


def _end_of(key: Any, at: str) -> str | None:
    """Return whether the key is `revoked` or `expired` at an instant, or None."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= at else None
