"""What is asked of a read, and what it answers."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import literal_column, select

from app.core.access.caller import ANONYMOUS, Caller
from app.core.database.statements import Query, Read, Reader
from app.core.errors import Moved, Unavailable
from app.core.log import CHANGE_NAME, CHANGES, LAST_OF_RECORD
from app.core.model.fields import RENDERING
from app.core.search.index import INDEXING
from app.core.tags import is_any, names
from app.core.values.json import to_json


@dataclass(frozen=True)
class ReadResult:
    """What a read found: the body (None: the caller's copy is current), its tag, and where a list goes on.

    `private`: it holds drafts, which no shared cache may keep.
    """

    body: bytes | None
    tag: str
    next: str | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What was asked, as it was asked: a path, the query string behind it, the tags of If-None-Match, and by whom."""

    path: str
    query: bytes = b""
    tags: str = ""
    caller: Caller = ANONYMOUS

    def matches(self, tag: str) -> bool:
        """Whether the caller has the representation with this tag (weak comparison)."""
        return names(self.tags, tag)

    @property
    def is_conditional(self) -> bool:
        """Whether the last Change alone tells that the caller's copy is current (for `*` the record must exist)."""
        return bool(self.tags) and not is_any(self.tags)

    def result(self, body: bytes, last: str, following: str | None = None, *, private: bool = False) -> ReadResult:
        """What was found, after the Change that was the last one before."""
        tag = self.tag(last)
        return ReadResult(None if self.matches(tag) else body, tag, following, private)

    def tag(self, last: str) -> str:
        """The tag of an answer made from several records: the last Change and what was asked."""
        asked = b"%d%s?%s#%s" % (INDEXING, self.path.encode(), self.query, self.caller.key.encode())
        what = hashlib.blake2b(asked, digest_size=8).hexdigest()
        return f"{last}-{RENDERING}-{what}"


_LAST = select(CHANGE_NAME).order_by(CHANGES.c.sequence.desc()).limit(literal_column("1"))

LAST_CHANGE = Query(_LAST, alone=True)

NO_CHANGE = "0"

LAST_CHANGE_OF_RECORD = Query(LAST_OF_RECORD)


def moved_to(request: ReadRequest, record_id: str, into: str) -> Moved:
    """What leads from a record that was merged to the one that stays, with the same question."""
    query = f"?{request.query.decode('ascii')}" if request.query else ""
    return Moved(headers={"Location": request.path.replace(f"/{record_id}", f"/{into}", 1) + query})


async def last_change(reader: Reader) -> object:
    """The name of the last Change; None when the database does not answer."""
    try:
        return await reader.run(_last_change_name)
    except Unavailable:
        return None


def _last_change_name() -> Read:
    rows = yield LAST_CHANGE, {}
    return rows[0][0] if rows else NO_CHANGE


def last_change_tag(request: ReadRequest) -> Read:
    """The tag that an answer made from several records has now."""
    return request.tag((yield from _last_change_name()))


def computed(
    request: ReadRequest, read: Callable[[], Read], *, suffix: str = "", encode: Callable[[Any], Any] | None = None
) -> Read:
    """The answer to a read over several records; nothing is read if the caller's copy is current.

    `read` returns the content, to be served as JSON, and the path of the next page or None. `suffix` is added to the
    tag where the answer depends on more than the last Change. `encode` is what `to_json` takes.
    """
    tag = (yield from last_change_tag(request)) + suffix
    if request.matches(tag):
        return ReadResult(None, tag)
    content, following = yield from read()
    return ReadResult(to_json(content, encode), tag, following)
