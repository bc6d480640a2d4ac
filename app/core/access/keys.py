"""Keys and their tokens. Only the hash of a token is stored; the token itself is shown once, at its creation."""

import hashlib
import hmac
import re
import string
import zlib
from typing import Any

from sqlalchemy import Text, bindparam, select
from sqlmodel import Field, Session, SQLModel

from app.core.access.caller import Caller
from app.core.change_log import now
from app.core.database.statements import Query
from app.core.database.tables import BYTEWISE
from app.core.errors import Unauthorized
from app.core.values.ids import random_text

BASE_62 = string.digits + string.ascii_uppercase + string.ascii_lowercase

ID_LENGTH = 10
SECRET_LENGTH = 30  # 62^30 is 178 bits
CHECK_LENGTH = 6

# Secret scanners can search for this pattern. The last six characters are the CRC-32 of the rest, in base 62.
TOKEN_PATTERN = re.compile(rf"hoptac_([0-9a-z]{{{ID_LENGTH}}})_[0-9A-Za-z]{{{SECRET_LENGTH + CHECK_LENGTH}}}")


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


def caller_of_token(key: Any | None, token: str) -> Caller:
    """Return the holder of a stored key; Unauthorized if the token is not its token or the key is not valid."""
    at = now()
    if key is None or not _has_token(key, token, at) or not _is_valid(key, at):
        raise Unauthorized
    return _caller(key)


def current_caller(session: Session, caller: Caller) -> Caller:
    """Read the caller again; Unauthorized if the key was revoked or has expired since the request arrived."""
    key = session.execute(_KEY_BY_ID, {"id": caller.key}).first()
    if key is None or not _is_valid(key, now()):
        raise Unauthorized
    return _caller(key)


def _has_token(key: Any, token: str, at: str) -> bool:
    """Return whether this is the token of the key, or its previous token within the overlap."""
    sent = token_hash(token)
    previous = key.previous_hash if key.previous_until and key.previous_until > at else None
    return hmac.compare_digest(sent, key.hash) or (previous is not None and hmac.compare_digest(sent, previous))


def _is_valid(key: Any, at: str) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > at)


def _caller(key: Any) -> Caller:
    return Caller(key.id, frozenset(key.scopes.split()), key.partner)
