"""Keys: who asks, and what that allows. Of a key's text only a hash is kept; it is shown once, when it is made."""

import hashlib
import hmac
import re
import string
import zlib
from typing import Any

from sqlalchemy import Text, bindparam, select
from sqlmodel import Field, Session, SQLModel

from app.core.access.caller import Caller
from app.core.database.statements import Query
from app.core.database.tables import BYTEWISE
from app.core.errors import Unauthorized
from app.core.log import now
from app.core.values.ids import random_text

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase

ID_LENGTH, SECRET_LENGTH, CHECK_LENGTH = 10, 30, 6  # 62^30 is 178 bits

# What secret scanners may look for; the last six characters are the CRC-32 of all before them, in base 62.
TOKEN_PATTERN = re.compile(rf"hoptac_([0-9a-z]{{{ID_LENGTH}}})_[0-9A-Za-z]{{{SECRET_LENGTH + CHECK_LENGTH}}}")


class Key(SQLModel, table=True):
    """A key as it is stored; `previous_hash` goes on counting until `previous_until`, while its text is exchanged."""

    __tablename__ = "keys"

    id: str = Field(sa_type=BYTEWISE, primary_key=True)
    name: str = Field(sa_type=Text)
    hash: str = Field(sa_type=BYTEWISE)
    scopes: str = Field(sa_type=BYTEWISE, description="Separated by blanks.")
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
    """The text of a key, to be shown once: `hoptac_<id>_<secret><checksum>`."""
    secret = f"hoptac_{key_id}_{random_text(SECRET_LENGTH, DIGITS)}"
    return secret + _checksum(secret)


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECK_LENGTH):
        number, digit = divmod(number, len(DIGITS))
        digits = DIGITS[digit] + digits
    return digits


def token_hash(text: str) -> str:
    """What is kept of a key: the SHA-256 of its text. The text is random, so nothing slower is needed."""
    return hashlib.sha256(text.encode()).hexdigest()


def id_of_token(text: str) -> str:
    """The id in the text of a key; Unauthorized when it is none, without a look at the database."""
    found = TOKEN_PATTERN.fullmatch(text)
    if found is None or _checksum(text[:-CHECK_LENGTH]) != text[-CHECK_LENGTH:]:
        raise Unauthorized
    return found[1]


def _is_valid(key: Any, at: str) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > at)


def _matches(key: Any, text: str, at: str) -> bool:
    """Whether this is the text of the key, or the one before it within the overlap."""
    given = token_hash(text)
    before = key.previous_hash if key.previous_until and key.previous_until > at else None
    return hmac.compare_digest(given, key.hash) or (before is not None and hmac.compare_digest(given, before))


def _caller(key: Any) -> Caller:
    return Caller(key.id, frozenset(key.scopes.split()), key.partner)


def current_caller(session: Session, caller: Caller) -> Caller:
    """The caller as the database knows them now; Unauthorized when the key was revoked since the request came."""
    key = session.execute(_KEY_BY_ID, {"id": caller.key}).first()
    if key is None or not _is_valid(key, now()):
        raise Unauthorized
    return _caller(key)
