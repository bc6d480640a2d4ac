"""Requests and results of reads, and the ETags of results that are made from several records."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, literal_column, select, true

from app.core.access.caller import ANONYMOUS, Caller
from app.core.change_log import LAST_CHANGE_NAME, LAST_OF_RECORD, LAST_PUBLIC_OF_RECORD
from app.core.database.log_position import sequence_of
from app.core.database.statements import Query, Read
from app.core.errors import Moved
from app.core.etags import is_any, matches_any
from app.core.model.fields import RENDERING
from app.core.public_paths import public
from app.core.reading.counts.count_cache import CountCache
from app.core.reading.cursors import Cursors, CursorSigner
from app.core.search.entries import INDEXING
from app.core.search.tables import REFRESHES
from app.core.values.json import to_json

LAST_CHANGE = Query(LAST_CHANGE_NAME, alone=True)
LAST_CHANGE_OF_RECORD = Query(LAST_OF_RECORD)
LAST_PUBLIC_CHANGE_OF_RECORD = Query(LAST_PUBLIC_OF_RECORD)
NO_CHANGE = "0"

# The record of which the background task follows the links next, and the number of those that wait. With each
# transaction of the task, one of the values changes.
_COUNT = select(func.count()).select_from(REFRESHES).scalar_subquery().label("waiting")
_waiting = select(*REFRESHES.c, _COUNT).order_by(REFRESHES.c.resource, REFRESHES.c.record_id)
_next_waiting = _waiting.limit(literal_column("1")).subquery()
_last = LAST_CHANGE_NAME.subquery()
LAST_CHANGE_AND_WAITING = Query(select(*_last.c, *_next_waiting.c).outerjoin(_next_waiting, true()), alone=True)


@dataclass(frozen=True)
class ReadResult:
    """The body, the tag and, for a list, the path of the next page.

    `body` is None if the caller's copy is current. A `private` result contains drafts, so no shared cache may store it.
    """

    body: bytes | None
    tag: str
    next: str | None = None
    private: bool = False

    @property
    def sequence(self) -> int | None:
        """The number of the Change directly after which the registry would have given this response."""
        return sequence_of(self.tag)


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """The path, query string, If-None-Match header and caller of a read, unchanged.

    `signer` and `counts` are those of the process: for cursors, and the counts that earlier reads have made.
    """

    path: str
    query: bytes = b""
    tags: str = ""
    caller: Caller = ANONYMOUS
    signer: CursorSigner = field(default_factory=CursorSigner)
    counts: CountCache = field(default_factory=CountCache)

    def matches(self, tag: str) -> bool:
        """Return whether If-None-Match contains the tag (weak comparison)."""
        return matches_any(self.tags, tag)

    @property
    def is_conditional(self) -> bool:
        """Whether the last Change alone can prove that the caller's copy is current.

        For `*`, the record must also exist.
        """
        return bool(self.tags) and not is_any(self.tags)

    def cursors(self, parameters: Sequence[tuple[str, Any]] = (), path: str | None = None) -> Read:
        """Return the cursors of a list: of this path, or of another one."""
        yield from self.signer.load()
        return Cursors(path or self.path, parameters, self.signer)

    def result(self, body: bytes, last: str, next_path: str | None = None, *, private: bool = False) -> ReadResult:
        """Return a result that was read when `last` was the last Change."""
        tag = self.tag(last)
        return ReadResult(None if self.matches(tag) else body, tag, next_path, private)

    def tag(self, last: str) -> str:
        """Return the tag of a result made from several records: the last Change and a digest of the request."""
        request = b"%d%s?%s#%s" % (INDEXING, self.path.encode(), self.query, self.caller.key.encode())
        digest = hashlib.blake2b(request, digest_size=8).hexdigest()
        return f"{last}-{RENDERING}-{digest}"


def moved_to(request: ReadRequest, record_id: str, into: str) -> Moved:
    """Return the redirect from a merged record to the one that remains, with the same query string."""
    query = f"?{request.query.decode('ascii')}" if request.query else ""
    return Moved(headers={"Location": public(request.path.replace(f"/{record_id}", f"/{into}", 1) + query)})


def last_change_name() -> Read:
    """Read the name of the last Change."""
    rows = yield LAST_CHANGE, {}
    return rows[0][0] if rows else NO_CHANGE


def last_change_tag(request: ReadRequest, *, searches: bool = False) -> Read:
    """Read the tag that a result made from several records would have now."""
    return request.tag((yield from (last_change_and_index if searches else last_change_name)()))


def last_change_and_index() -> Read:
    """Read the state on which the result of a search depends: the last Change, and how far the index is behind it."""
    rows = yield LAST_CHANGE_AND_WAITING, {}
    if not rows:
        return NO_CHANGE
    last, *waiting = rows[0]
    if waiting[0] is None:
        return last
    state = hashlib.blake2b(repr([str(value) for value in waiting]).encode(), digest_size=4)
    return f"{last}.{state.hexdigest()}"


def computed(
    request: ReadRequest,
    read: Callable[[], Read],
    *,
    suffix: str = "",
    encode: Callable[[Any], Any] | None = None,
    searches: bool = False,
) -> Read:
    """Return the result of a read over several records, or read nothing if the caller's copy is current.

    `read` returns the content and the path of the next page or None. The content is sent as JSON, unless it is bytes.
    `suffix` is appended to the tag of a result that depends on more than the last Change. `encode` is passed to
    `to_json`. `searches`: the read uses the search index.
    """
    tag = (yield from last_change_tag(request, searches=searches)) + suffix
    if request.matches(tag):
        return ReadResult(None, tag)
    content, next_path = yield from read()
    body = content if isinstance(content, bytes) else to_json(content, encode)
    return ReadResult(body, tag, next_path)
