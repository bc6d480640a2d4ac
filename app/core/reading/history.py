"""The history of a record: the versions that a caller may see, their differences, and the version at an instant.

Everything is read from the Changes of the record. Everyone sees the versions that were public when they were written.
A caller who may write the record now sees its drafts too.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import bindparam, select

from app.core.access.keys import KEYS
from app.core.change_log import CHANGE_NAME, CHANGES, PUBLIC_ACTION, REDACTOR, WITHHELD
from app.core.database.sql import bounded_query, one_of, unfitted, utf8
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, Rows, fitting
from app.core.error_codes import ERROR_DETAILS
from app.core.errors import BadCursor, ErrorItem, Gone, Invalid, NotFound
from app.core.model.fields import Instant
from app.core.model.filters import stored_instant
from app.core.model.resource import Resource
from app.core.reading.cursors import MAX_CURSOR, Cursors
from app.core.reading.parameters import DEFAULT_LIMIT, MAX_ITEMS, Digits
from app.core.reading.results import LAST_CHANGE_OF_RECORD, ReadRequest, ReadResult, last_change_tag, moved_to
from app.core.reading.shapes import Shape
from app.core.values.json import from_json, to_json
from app.core.writing.representation import writable_members

NO_LIMIT = 1 << 40  # bytes
AFTER_ALL_CHANGES = (1 << 63) - 1  # no Change has this number or a higher one


class HistoryQuery(BaseModel):
    """The query of a history."""

    model_config = ConfigDict(extra="forbid")

    limit: Digits = Field(
        default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description="Maximum number of versions on a page."
    )
    cursor: str | None = Field(
        default=None, max_length=MAX_CURSOR, description="Start of the page, from `next` of the previous page."
    )


class FieldChange(BaseModel):
    """A difference between two versions.

    Objects are compared member by member, and lists of the same length item by item. Other lists are shown in full.
    """

    pointer: str = Field(description="JSON Pointer (RFC 6901) into the record.", examples=["/title/en"])
    before: Any = Field(default=None, description="The previous value. Omitted if there was none.")
    after: Any = Field(default=None, description="The new value. Omitted if there is none.")


class VersionShown(BaseModel):
    """One version of the record."""

    sequence: int = Field(description="Sequence number of the Change.")
    at: Instant = Field(description="Time at which the version was written.")
    actor: str = Field(description="Who wrote it: `key:` and the id of a key, or a command.", examples=["seed"])
    partner: str | None = Field(description="Partner of this key.")
    action: Annotated[str, PUBLIC_ACTION] = Field(
        description="The public action: publishing a draft is `create`, and withdrawing a record is `delete`. For a "
        "key that may write the record, the action itself."
    )
    version: int = Field(description="Number of this version of the record, counted from 1.")
    redacted: int | None = Field(description="Sequence number of the Change that redacted this version, if any.")
    changes: list[FieldChange] = Field(
        description="Differences from the previous version: all members of a new record, none of a deleted one."
    )


class HistoryPage(BaseModel):
    """A page of versions, the newest first."""

    items: list[VersionShown] = Field(description="The versions of this page.")
    next: str | None = Field(description="Path of the next page; null on the last page.")


_OF_RECORD = (CHANGES.c.resource == bindparam("resource"), CHANGES.c.record_id == bindparam("id"))
_VERSION_AT = (
    select(CHANGES.c.action, CHANGE_NAME, CHANGES.c.redacted, utf8(CHANGES.c.body))
    .where(*_OF_RECORD, CHANGES.c.at <= bindparam("instant"))
    .order_by(CHANGES.c.sequence.desc())
    .limit(1)
)
_AT = Query(_VERSION_AT, alone=True)
_PUBLIC_AT = Query(_VERSION_AT.where(CHANGES.c.shown.is_not(None)), alone=True)
_COLUMNS = ("sequence", "at", "actor", "action", "shown", "version", "redacted", "body")
_VERSIONS = (
    select(*(CHANGES.c[name] for name in _COLUMNS[:-1]), unfitted(CHANGES.c.body).label("body"))
    .where(*_OF_RECORD, CHANGES.c.sequence < bindparam("before"))
    .order_by(CHANGES.c.sequence.desc())
    .limit(bindparam("most"))
)
_ALL_VERSIONS = bounded_query(_VERSIONS)
_PUBLIC_VERSIONS = bounded_query(_VERSIONS.where(CHANGES.c.shown.is_not(None)))
_PARTNERS = Query(select(KEYS.c.id, KEYS.c.partner).where(one_of(KEYS.c.id, "keys")))


class History:
    """The history of the records of one resource."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        table = resource.table
        self._manager = Query(select(table.managed_by).where(table.id == bindparam("id")), alone=True)

    def detail(self, record_id: str, query: Any, request: ReadRequest) -> Read:
        """Read the version at an instant; raises NotFound before the first version, and Gone after the deletion."""
        if query.include:
            raise Invalid(ErrorItem(parameter="include", code="of_the_past", detail=ERROR_DETAILS["of_the_past"]))
        shape = Shape.of(query)
        shape.check(self.resource, None)
        instant = stored_instant(query.as_of, ends_the_day=True)
        versions = _AT if (yield from self._may_write(record_id, request)) else _PUBLIC_AT
        rows = yield versions, {"resource": self.resource.name, "id": record_id, "instant": instant}
        if not rows:
            raise NotFound
        action, change, redacted, body = rows[0]
        record = from_json(body or WITHHELD)
        public = record["state"] == "published"
        if not public and versions is _PUBLIC_AT:
            raise NotFound
        if action == "delete":
            raise Gone
        if body is None:
            raise NotFound
        if public and record.get("merged_into"):
            raise moved_to(request, record_id, record["merged_into"])
        name = change if redacted is None else f"{change}-{redacted}"
        return request.result(shape.apply(self.resource, body), name, private=not public)

    def page(self, record_id: str, query: HistoryQuery, request: ReadRequest) -> Read:
        """Read a page of versions; raises NotFound if the caller may see none."""
        may_write = yield from self._may_write(record_id, request)
        tag = yield from last_change_tag(request)
        if request.is_conditional and request.matches(tag):
            return ReadResult(None, tag, private=may_write)
        cursors: Cursors = yield from request.cursors()
        before = AFTER_ALL_CHANGES if query.cursor is None else _position(cursors, query.cursor)
        values = {"resource": self.resource.name, "id": record_id, "before": before, "most": query.limit + 1}
        versions = _ALL_VERSIONS if may_write else _PUBLIC_VERSIONS
        rows, has_next = yield from _bounded_versions(versions, values, query.limit)
        if not rows and query.cursor is None:
            raise NotFound
        changes = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
        partners = yield from _partners(changes)
        pairs = zip(changes[: len(changes) - has_next], [*changes[1:], None], strict=False)
        items = [_version(change, earlier, partners, may_write=may_write) for change, earlier in pairs]
        next_path = None
        if has_next:
            next_path = cursors.next([("limit", query.limit)], items[-1]["sequence"], record_id)
        body = to_json({"items": items, "next": next_path})
        return ReadResult(None if request.matches(tag) else body, tag, next_path, private=may_write)

    def _may_write(self, record_id: str, request: ReadRequest) -> Read:
        """Return whether the caller may write the record, or could when it was deleted."""
        if not request.caller.key:
            return False
        rows = yield self._manager, {"id": record_id}
        if rows:
            return request.caller.may_write(rows[0][0])
        rows = yield LAST_CHANGE_OF_RECORD, {"resource": self.resource.name, "id": record_id}
        return bool(rows) and request.caller.may_write(from_json(rows[0][1] or WITHHELD)["managed_by"])


def _bounded_versions(versions: Query, values: Mapping[str, Any], limit: int) -> Read:
    """Read the versions of a page and, if there is a next page, the one after them, which is compared with the last.

    A page has fewer versions than `limit` if their representations have too many bytes, but at least one.
    """
    rows: Rows = yield versions, {**values, "most_bytes": MAX_PAGE_BYTES}
    fitted = fitting(rows)
    is_cut = len(fitted) < len(rows)
    if is_cut and len(fitted) == 1:
        fitted = yield versions, {**values, "most": 2, "most_bytes": NO_LIMIT}
    return fitted, is_cut or len(rows) > limit


def _position(cursors: Cursors, cursor: str) -> int:
    value, _ = cursors.read(cursor)
    if type(value) is not int or not 0 <= value <= AFTER_ALL_CHANGES:
        raise BadCursor
    return value


def _partners(changes: Sequence[Mapping[str, Any]]) -> Read:
    """Read the partner of each key that is an actor."""
    keys = sorted({change["actor"].removeprefix("key:") for change in changes if change["actor"].startswith("key:")})
    return dict((yield _PARTNERS, {"keys": keys})) if keys else {}


def _version(
    change: Mapping[str, Any],
    earlier: Mapping[str, Any] | None,
    partners: Mapping[str, str | None],
    *,
    may_write: bool,
) -> dict[str, Any]:
    """Return a Change as VersionShown. `earlier` is the Change before it that the caller may see."""
    action = change["action" if may_write else "shown"]
    before = None if earlier is None else _record(earlier, may_write=may_write)
    after = _record(change, may_write=may_write)
    return {
        "sequence": change["sequence"],
        "at": change["at"],
        "actor": change["actor"],
        "partner": partners.get(change["actor"].removeprefix("key:")),
        "action": "redact" if change["actor"].startswith(REDACTOR) else action,
        "version": change["version"],
        "redacted": change["redacted"],
        "changes": [] if after is None else list(compare(before or {}, after)),
    }


def _record(change: Mapping[str, Any], *, may_write: bool) -> dict[str, Any] | None:
    """Return the writable members of a version, or None if it is deleted or hidden from the caller."""
    if change["action"] == "delete" or change["body"] is None:
        return None
    record = from_json(change["body"])
    return writable_members(record) if may_write or record["state"] == "published" else None


def compare(before: Any, after: Any, at: str = "") -> Iterator[dict[str, Any]]:
    """Yield the differences of two JSON values as FieldChange: objects by member, lists of one length by item."""
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
