"""What is asked of a read, and what it answers."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import literal_column, select

from app.core.access.caller import NOBODY, Caller
from app.core.database.statements import Query, Read, Reader
from app.core.errors import Moved, Unavailable
from app.core.log import CHANGES, LAST_OF_RECORD, NAME
from app.core.model.fields import RENDERING
from app.core.search.index import INDEXING
from app.core.tags import is_any, names
from app.core.values.json import to_json


@dataclass(frozen=True)
class Answer:
    """What a read found: the body (None: the caller's copy is current), its tag, and where a list goes on.

    `private`: it holds drafts, which no shared cache may keep.
    """

    body: bytes | None
    tag: str
    next: str | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, as it was asked: a path, the query string behind it, the tags of If-None-Match, and by whom."""

    path: str
    query: bytes = b""
    tags: str = ""
    caller: Caller = NOBODY

    def has(self, tag: str) -> bool:
        """Whether the caller has the representation with this tag (weak comparison)."""
        return names(self.tags, tag)

    @property
    def names_tags(self) -> bool:
        """Whether the last Change alone tells that the caller's copy is current (for `*` the record must exist)."""
        return bool(self.tags) and not is_any(self.tags)

    def answer(self, body: bytes, last: str, following: str | None = None, *, private: bool = False) -> Answer:
        """What was found, after the Change that was the last one before."""
        tag = self.tag(last)
        return Answer(None if self.has(tag) else body, tag, following, private)

    def tag(self, last: str) -> str:
        """The tag of an answer made from several records: the last Change and what was asked."""
        asked = b"%d%s?%s#%s" % (INDEXING, self.path.encode(), self.query, self.caller.key.encode())
        what = hashlib.blake2b(asked, digest_size=8).hexdigest()
        return f"{last}-{RENDERING}-{what}"


_LAST = select(NAME).order_by(CHANGES.c.sequence.desc()).limit(literal_column("1"))

LAST_CHANGE = Query(_LAST, alone=True)

NO_CHANGE = "0"

END_OF_RECORD = Query(LAST_OF_RECORD)


def moved(asked: Asked, record_id: str, into: str) -> Moved:
    """What leads from a record that was merged to the one that stays, with the same question."""
    query = f"?{asked.query.decode('ascii')}" if asked.query else ""
    return Moved(headers={"Location": asked.path.replace(f"/{record_id}", f"/{into}", 1) + query})


async def last_change(reader: Reader) -> object:
    """The name of the last Change; None when the database does not answer."""
    try:
        return await reader.run(_last)
    except Unavailable:
        return None


def _last() -> Read:
    rows = yield LAST_CHANGE, {}
    return rows[0][0] if rows else NO_CHANGE


def tag_of(asked: Asked) -> Read:
    """The tag that an answer made from several records has now."""
    return asked.tag((yield from _last()))


def computed(
    asked: Asked, read: Callable[[], Read], *, suffix: str = "", encode: Callable[[Any], Any] | None = None
) -> Read:
    """The answer to a read over several records; nothing is read if the caller's copy is current.

    `read` returns the content, to be served as JSON, and the path of the next page or None. `suffix` is added to the
    tag where the answer depends on more than the last Change. `encode` is what `to_json` takes.
    """
    tag = (yield from tag_of(asked)) + suffix
    if asked.has(tag):
        return Answer(None, tag)
    content, following = yield from read()
    return Answer(to_json(content, encode), tag, following)
