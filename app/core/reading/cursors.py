"""Cursors: the opaque texts that state after which row the next page of a list starts.

A cursor contains the position and a signature. The key for the signatures is in the database, so the cursors of one
process are valid in all others and after a restart. No cursor of another registry is valid.
"""

import base64
import hashlib
import hmac
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Integer, Table, select
from sqlmodel import Field, SQLModel

from app.core.database.engine import INITIAL_ROWS
from app.core.database.statements import Query, Read
from app.core.database.tables import BYTEWISE
from app.core.errors import BadCursor, Unavailable
from app.core.public_paths import public
from app.core.values.text import UNSAFE

SIGNATURE_SIZE = 12  # bytes
MAX_INTEGER = 2**63 - 1  # the largest that a column can hold
MAX_PARTS = 4  # of a position that consists of several values

MAX_CURSOR = 4_000  # characters: a sort key has up to 400 characters of four bytes each, in base64

_POSITION = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


class CursorKey(SQLModel, table=True):
    """The key that signs cursors, one row: 32 random bytes in hexadecimal, made by the migration."""

    __tablename__ = "cursor_key"
    __table_args__ = {"info": {INITIAL_ROWS: True}}

    id: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    key: str = Field(sa_type=BYTEWISE)


CURSOR_KEY: Table = SQLModel.metadata.tables["cursor_key"]
_READ_KEY = Query(select(CURSOR_KEY.c.key), alone=True)


class CursorSigner:
    """The signatures of cursors, with the key of the database. `load` reads the key when it is first needed."""

    def __init__(self) -> None:
        self._key = b""
        self._is_current = False

    def load(self) -> Read:
        """Read the key, unless it is known. Raise Unavailable if the database has none."""
        if not self._is_current:
            rows = yield _READ_KEY, {}
            if not rows:
                raise Unavailable("The database has no key for cursors.")
            self._key = bytes.fromhex(rows[0][0])
            self._is_current = True

    def sign(self, message: bytes) -> bytes:
        """Return the signature (keyed BLAKE2b) of a message."""
        return hashlib.blake2b(message, key=self._key, digest_size=SIGNATURE_SIZE).digest()

    def reload(self) -> None:
        """Read the key again at the next `load`, because a restored backup may have replaced it."""
        self._is_current = False


@dataclass(frozen=True)
class Cursors:
    """The cursors of one list. The signature binds them to its path and to its filters and sort, in any order."""

    path: str
    parameters: Sequence[tuple[str, Any]]
    signer: CursorSigner

    def next(self, shaping: Iterable[tuple[str, Any]], value: Any, record_id: str) -> str:
        """Return the path of the page after a row.

        It has the parameters of the list, `shaping` (the parameters that do not decide which rows match, such as
        `limit`), and the cursor.
        """
        cursor = ("cursor", self.cursor(value, record_id))
        return public(f"{self.path}?{urlencode([*self.parameters, *shaping, cursor])}")

    def start(self, shaping: Iterable[tuple[str, Any]]) -> str:
        """Return the path of the first page."""
        return public(f"{self.path}?{urlencode([*self.parameters, *shaping])}")

    def read(self, cursor: str) -> tuple[Any, str]:
        """Return the sort value and the id of the row before the page; raises BadCursor if it is for another list."""
        try:
            content = base64.urlsafe_b64decode(cursor.encode("ascii") + b"==")
        except ValueError:
            raise BadCursor from None
        position = content[SIGNATURE_SIZE:]
        if not hmac.compare_digest(self._signed(position), cursor):
            self.signer.reload()
            raise BadCursor
        value, record_id = json.loads(position)
        if not isinstance(record_id, str) or not (_is_storable(value) and _is_storable(record_id)):
            raise BadCursor
        return value, record_id

    def cursor(self, value: Any, record_id: str) -> str:
        """Return the cursor of a row, from its sort value and its id."""
        return self._signed(_POSITION.encode([value, record_id]).encode("utf-8", "surrogatepass"))

    def _signed(self, position: bytes) -> str:
        list_key = f"{self.path}?{sorted(self.parameters)}".encode()
        signature = self.signer.sign(position + list_key)
        return base64.urlsafe_b64encode(signature + position).rstrip(b"=").decode()


def _is_storable(value: Any) -> bool:
    """Return whether both engines accept the value, or each value of a list, in a comparison."""
    match value:
        case None:
            return True
        case bool():
            return False
        case int():
            return -MAX_INTEGER <= value <= MAX_INTEGER
        case float():
            return math.isfinite(value)
        case str():
            return UNSAFE.search(value) is None
        case list():
            return len(value) <= MAX_PARTS and all(not isinstance(part, list) and _is_storable(part) for part in value)
    return False
