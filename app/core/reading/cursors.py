"""Cursors: the opaque texts that state after which row the next page of a list starts."""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from app.core.errors import BadCursor
from app.core.values.text import UNSAFE

_POSITION = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True)
class Cursors:
    """The cursors of one list. A checksum binds them to its path and to its filters and sort, in any order."""

    path: str
    parameters: Sequence[tuple[str, Any]] = ()

    def next(self, shaping: Iterable[tuple[str, Any]], value: Any, record_id: str) -> str:
        """Return the path of the page after a row.

        It has the parameters of the list, `shaping` (the parameters that do not decide which rows match, such as
        `limit`), and the cursor.
        """
        cursor = ("cursor", self.cursor(value, record_id))
        return f"{self.path}?{urlencode([*self.parameters, *shaping, cursor])}"

    def read(self, cursor: str) -> tuple[Any, str]:
        """Return the sort value and the id of the row before the page; raises BadCursor if it is for another list."""
        try:
            value, record_id = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"==")[6:])
            is_genuine = self.cursor(value, record_id) == cursor
        except (ValueError, TypeError, RecursionError):
            raise BadCursor from None
        if not is_genuine or not isinstance(record_id, str) or UNSAFE.search(f"{value}{record_id}"):
            raise BadCursor
        return value, record_id

    def cursor(self, value: Any, record_id: str) -> str:
        """Return the cursor of a row, from its sort value and its id."""
        position = _POSITION.encode([value, record_id]).encode()
        list_key = f"{self.path}?{sorted(self.parameters)}".encode()
        check = hashlib.blake2b(position + list_key, digest_size=6).digest()
        return base64.urlsafe_b64encode(check + position).rstrip(b"=").decode()
