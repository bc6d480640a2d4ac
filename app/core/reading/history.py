"""What a record was: every version an caller may see, what changed between them, and the one of an instant.

Everything is read from the Changes of the record. Everyone sees what was public when it was written; who may write the
record now sees its drafts too.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import bindparam, select

from app.core.access.keys import KEYS
from app.core.database.sql import one_of, utf8
from app.core.database.statements import Query, Read
from app.core.errors import ERROR_DETAILS, BadCursor, ErrorItem, Gone, Invalid, NotFound
from app.core.log import CHANGE_NAME, CHANGES, PUBLIC_ACTION, REDACTOR, WITHHELD
from app.core.model.fields import Instant
from app.core.model.filters import stored_instant
from app.core.model.resource import Resource
from app.core.reading.answers import LAST_CHANGE_OF_RECORD, ReadRequest, ReadResult, last_change_tag, moved_to
from app.core.reading.pages import Cursors
from app.core.reading.parameters import DEFAULT_LIMIT, MAX_ITEMS, Digits
from app.core.reading.reads import field_selector
from app.core.values.json import to_json
from app.core.writing.representation import writable_members

AFTER_ALL_CHANGES = (1 << 63) - 1  # no Change has this number or a higher one


class HistoryQuery(BaseModel):
    """Which page."""

    model_config = ConfigDict(extra="forbid")

    limit: Digits = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description="Versions a page.")
    cursor: str | None = Field(default=None, max_length=1000, description="Where to go on: taken from `next`.")


class FieldChange(BaseModel):
    """One place that says something else than before.

    Objects are compared member by member, lists of the same length place by place; other lists are shown whole.
    """

    pointer: str = Field(description="JSON Pointer (RFC 6901) into the record.", examples=["/title/en"])
    before: Any = Field(default=None, description="What it said; left out where nothing was.")
    after: Any = Field(default=None, description="What it says since; left out where nothing is any more.")


class VersionShown(BaseModel):
    """One write of the record."""

    sequence: int = Field(description="Number of the Change.")
    at: Instant
    actor: str = Field(description="Who: `key:` and the id of a key, or the part of the program.", examples=["seed"])
    partner: str | None = Field(description="The partner that acts with this key.")
    action: Annotated[str, PUBLIC_ACTION] = Field(
        description="What everyone sees of it: to publish is to create, to withdraw is to delete. With a key that may "
        "write the record: what it was."
    )
    version: int = Field(description="The record's version since.")
    redacted: int | None = Field(description="The Change by which text was taken down from this version, if any.")
    changes: list[FieldChange] = Field(
        description="What it changed, every member where the record is new; nothing where it ends."
    )


class HistoryPage(BaseModel):
    """Versions of a record, the newest first."""

    items: list[VersionShown]
    next: str | None = Field(description="Path of the next page; null at the end.")


_OF_RECORD = (CHANGES.c.resource == bindparam("resource"), CHANGES.c.record_id == bindparam("id"))

_AT = Query(
    select(CHANGES.c.action, CHANGE_NAME, CHANGES.c.redacted, utf8(CHANGES.c.body))
    .where(*_OF_RECORD, CHANGES.c.at <= bindparam("instant"))
    .order_by(CHANGES.c.sequence.desc())
    .limit(1),
    alone=True,
)

_COLUMNS = ("sequence", "at", "actor", "action", "shown", "version", "redacted", "body")

_VERSIONS = (
    select(*(CHANGES.c[name] for name in _COLUMNS))
    .where(*_OF_RECORD, CHANGES.c.sequence < bindparam("before"))
    .order_by(CHANGES.c.sequence.desc())
    .limit(bindparam("most"))
)

_ALL_VERSIONS = Query(_VERSIONS)

_SHOWN = Query(_VERSIONS.where(CHANGES.c.shown.is_not(None)))

_PARTNERS = Query(select(KEYS.c.id, KEYS.c.partner).where(one_of(KEYS.c.id, "keys")))


class History:
    """The past of the records of one resource."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        table = resource.table
        self._keeper = Query(select(table.managed_by).where(table.id == bindparam("id")), alone=True)

    def detail(self, record_id: str, query: Any, request: ReadRequest) -> Read:
        """The record as it was at an instant: the bytes of that version; NotFound before it, Gone after its end."""
        if query.include:
            raise Invalid(ErrorItem(parameter="include", code="of_the_past", detail=ERROR_DETAILS["of_the_past"]))
        only = field_selector(query.fields, self.resource)
        instant = stored_instant(query.as_of, ends_the_day=True)
        rows = yield _AT, {"resource": self.resource.name, "id": record_id, "instant": instant}
        if not rows:
            raise NotFound
        action, change, redacted, body = rows[0]
        record = json.loads(body or WITHHELD)
        public = record["state"] == "published"
        if not public and not (yield from self._may_write(record_id, request)):
            raise NotFound
        if action == "delete":
            raise Gone
        if body is None:
            raise NotFound
        if public and record.get("merged_into"):
            raise moved_to(request, record_id, record["merged_into"])
        named = change if redacted is None else f"{change}-{redacted}"
        return request.result(only(body), named, private=not public)

    def page(self, record_id: str, query: HistoryQuery, request: ReadRequest) -> Read:
        """A page of versions; NotFound when there never was one that the caller may see."""
        writes = yield from self._may_write(record_id, request)
        tag = yield from last_change_tag(request)
        if request.is_conditional and request.matches(tag):
            return ReadResult(None, tag, private=writes)
        cursors = Cursors(request.path)
        before = AFTER_ALL_CHANGES if query.cursor is None else _position(cursors, query.cursor)
        values = {"resource": self.resource.name, "id": record_id, "before": before, "most": query.limit + 1}
        rows = yield (_ALL_VERSIONS if writes else _SHOWN), values
        if not rows and query.cursor is None:
            raise NotFound
        found = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
        partners = yield from _partners(found)
        pairs = zip(found[: query.limit], [*found[1:], None], strict=False)
        items = [_version(change, earlier, writes, partners) for change, earlier in pairs]
        following = None
        if len(rows) > query.limit:
            following = cursors.next([("limit", query.limit)], items[-1]["sequence"], record_id)
        body = to_json({"items": items, "next": following})
        return ReadResult(None if request.matches(tag) else body, tag, following, private=writes)

    def _may_write(self, record_id: str, request: ReadRequest) -> Read:
        """Whether the record is the caller's to write, or was when it was deleted."""
        if not request.caller.key:
            return False
        rows = yield self._keeper, {"id": record_id}
        if rows:
            return request.caller.may_write(rows[0][0])
        rows = yield LAST_CHANGE_OF_RECORD, {"resource": self.resource.name, "id": record_id}
        return bool(rows) and request.caller.may_write(json.loads(rows[0][1] or WITHHELD)["managed_by"])


def _position(cursors: Cursors, cursor: str) -> int:
    value, _ = cursors.read(cursor)
    if type(value) is not int or not 0 <= value <= AFTER_ALL_CHANGES:
        raise BadCursor
    return value


def _partners(found: Sequence[Mapping[str, Any]]) -> Read:
    """The partner of each key that is an actor."""
    keys = sorted({change["actor"].removeprefix("key:") for change in found if change["actor"].startswith("key:")})
    return dict((yield _PARTNERS, {"keys": keys})) if keys else {}


def _version(
    change: Mapping[str, Any], earlier: Mapping[str, Any] | None, writes: bool, partners: Mapping[str, str | None]
) -> dict[str, Any]:
    """A Change as VersionShown, beside the one before it that the caller may see."""
    redacts = change["actor"].startswith(REDACTOR)
    shown = "redact" if redacts else change["action"] if writes else change["shown"]
    before, after = (None if each is None else _record(each, writes) for each in (earlier, change))
    return {
        "sequence": change["sequence"],
        "at": change["at"],
        "actor": change["actor"],
        "partner": partners.get(change["actor"].removeprefix("key:")),
        "action": shown,
        "version": change["version"],
        "redacted": change["redacted"],
        "changes": [] if after is None else list(compare(before or {}, after)),
    }


def _record(change: Mapping[str, Any], writes: bool) -> dict[str, Any] | None:
    """What a writer said of the record with a Change; None where there is nothing, or nothing to be seen."""
    if change["action"] == "delete" or change["body"] is None:
        return None
    record = json.loads(change["body"])
    return writable_members(record) if writes or record["state"] == "published" else None


def compare(before: Any, after: Any, at: str = "") -> Iterator[dict[str, Any]]:
    """Where two JSON values differ, as FieldChange: objects by member, lists of the same length by place."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*after, *(name for name in before if name not in after)]:
            pointer = f"{at}/{name.replace('~', '~0').replace('/', '~1')}"
            if name in before and name in after:
                yield from compare(before[name], after[name], pointer)
            else:
                yield {"pointer": pointer, **({"after": after[name]} if name in after else {"before": before[name]})}
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, pair in enumerate(zip(before, after, strict=True)):
            yield from compare(*pair, f"{at}/{place}")
    elif before != after or type(before) is not type(after):
        yield {"pointer": at, "before": before, "after": after}
