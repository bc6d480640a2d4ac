"""Finds the waiting requests that a Change can concern, so that the others need not read the feed again."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import bindparam, literal_column, select

from app.core.change_log import CHANGES, EARLIER_PUBLIC
from app.core.database.sql import bounded_query, unfitted
from app.core.database.statements import Query, Read, Reader, fitting

MAX_CHANGES = 500  # new Changes that are compared with filters; more of them wake all requests
MAX_BODIES = 20  # representations that are searched for ids; more Changes wake all requests with a partner
MAX_BYTES = 2_000_000  # of them

_ID = re.compile(rb'"([a-z0-9-]{1,120})"')

C = CHANGES.c
_WINDOW = (C.sequence > bindparam("after"), C.sequence <= bindparam("until"))
_NEW = Query(
    select(C.sequence, C.resource, C.record_id, C.shown)
    .where(*_WINDOW)
    .order_by(C.sequence)
    .limit(literal_column(str(MAX_CHANGES + 1)))
)
_body = unfitted(C.body).label("body")
_OWN = bounded_query(select(C.sequence, _body).where(C.sequence == bindparam("sequence"), C.shown.is_not(None)))
_EARLIER = bounded_query(
    select(C.sequence, _body).where(EARLIER_PUBLIC).order_by(C.sequence.desc()).limit(literal_column("1"))
)


class NewChange(NamedTuple):
    """A new Change. `ids` are the texts in it that can be ids; None if they were not looked for."""

    sequence: int
    resource: str
    record_id: str
    is_public: bool
    ids: frozenset[bytes] | None


@dataclass(frozen=True)
class Interest:
    """The filters of a waiting request. With `drafts` it also gets the numbers of Changes of drafts."""

    resources: frozenset[str] = frozenset()
    record: tuple[str, str] | None = None
    partner: str | None = None
    drafts: bool = False

    def may_match(self, change: NewChange) -> bool:
        """Return whether the feed can have an item for this Change."""
        if not change.is_public:
            return self.drafts
        if self.resources and change.resource not in self.resources:
            return False
        if self.record and self.record != (change.resource, change.record_id):
            return False
        if self.partner is None or change.ids is None:
            return True
        return self.partner.encode() in change.ids or (change.resource, change.record_id) == ("partners", self.partner)


EVERYTHING = Interest(drafts=True)

# Returns the new Changes after one number up to another, with their ids if requested; None if it does not know them.
Look = Callable[[int, int, bool], Awaitable[list[NewChange] | None]]


def look_with(reader: Reader) -> Look:
    """Return a function that reads the new Changes with this reader."""

    async def look(after: int, until: int, with_ids: bool) -> list[NewChange] | None:
        changes: list[NewChange] | None = await reader.run(partial(read_new_changes, after, until, with_ids))
        return changes

    return look


def read_new_changes(after: int, until: int, with_ids: bool) -> Read:
    """Read the new Changes; None if there are too many."""
    rows = yield _NEW, {"after": after, "until": until}
    if len(rows) > MAX_CHANGES:
        return None
    looks = with_ids and sum(row[3] is not None for row in rows) <= MAX_BODIES
    changes: list[NewChange] = []
    for sequence, resource, record_id, action in rows:
        ids: Any = None
        if looks and action not in (None, "redact"):
            key = {"sequence": sequence, "resource": resource, "id": record_id, "most_bytes": MAX_BYTES}
            ids = yield from _ids_of(key, has_earlier=action != "create")
        changes.append(NewChange(sequence, resource, record_id, action is not None, ids))
    return changes


def _ids_of(key: dict[str, Any], *, has_earlier: bool) -> Read:
    """Return the texts that can be ids, in a representation and in the previous one; None if one is missing."""
    ids: set[bytes] = set()
    for query in (_OWN, _EARLIER) if has_earlier else (_OWN,):
        rows = fitting((yield query, key))
        if not rows or rows[0][1] is None:
            return None
        ids.update(_ID.findall(rows[0][1]))
    return frozenset(ids)
