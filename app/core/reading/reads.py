"""The road of a read: from checked parameters to the stored bytes, in as few compiled statements as possible."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Integer, LargeBinary, Select, bindparam, cast, func, literal_column, null, select

from app.core.database.sql import one_of
from app.core.database.statements import Query, Read, Rows
from app.core.errors import ERROR_DETAILS, ErrorItem, Gone, Invalid, NotFound
from app.core.log import CHANGE_NAME, CHANGES
from app.core.model.resource import Include, Resource
from app.core.reading.answers import (
    LAST_CHANGE_OF_RECORD,
    NO_CHANGE,
    ReadRequest,
    ReadResult,
    _last_change_name,
    last_change_tag,
    moved_to,
)
from app.core.reading.includes import includes_of, select_stored, union_in_order
from app.core.reading.pages import (
    DRAFTS,
    MATCHES_OF_QUERY,
    OWN,
    FilterShape,
    ListPage,
    Sort,
    after_position,
    filter_conditions,
    nullable,
    state_of,
)
from app.core.search.candidates import Candidates, is_match
from app.core.search.index import RECORDS
from app.core.search.ranking import RankedPage, Ranking
from app.core.values.json import from_json, to_json


def _last_row(sort: Any) -> Select[Any]:
    """The name of the last Change as a row like those of records: in the id's place, without a body."""
    last = select(cast(null(), sort).label("sort"), CHANGE_NAME.label("id"), cast(null(), LargeBinary).label("body"))
    return last.order_by(CHANGES.c.sequence.desc()).limit(literal_column("1"))


def _split(rows: Rows) -> tuple[str, Rows]:
    """The name of the last Change, and the rows behind its row."""
    return (rows[0][1], rows[1:]) if rows and rows[0][2] is None else (NO_CHANGE, rows)


class ResourceReads:
    """The reads of one resource; statements are compiled once for each shape of a request."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        table = resource.table
        own = select_stored(resource, CHANGE_NAME, table.rendering).where(table.id == bindparam("id"))
        self._merged = resource.merged_into_column
        self._detail = Query(self._unmerged(own), alone=True)
        public = table.state == literal_column("'published'")
        self._exists = Query(self._unmerged(select(table.id).where(table.id == bindparam("id"), public)), alone=True)
        merged = null() if self._merged is None else self._merged
        hidden = select(table.state, table.managed_by, merged).where(table.id == bindparam("id"))
        self._any_state = Query(hidden, alone=True)
        draft = select_stored(resource, CHANGE_NAME, table.rendering, state="draft").where(table.id == bindparam("id"))
        self._draft = Query(draft, alone=True)
        self._shaped = lru_cache(maxsize=512)(self._build_shaped)
        self._by_ids = Query(select_stored(resource, table.id).where(one_of(table.id, "ids")))
        self._statement = lru_cache(maxsize=1024)(self._build)
        self._candidates = lru_cache(maxsize=256)(self._build_candidates)
        self._count = lru_cache(maxsize=256)(self._build_count)

    def detail(self, record_id: str, query: Any, request: ReadRequest) -> Read:
        """One record, whole, or with `fields` and `include`."""
        if query.fields or query.include:
            return (yield from self._shaped_detail(record_id, query, request))
        rows = yield self._detail, {"id": record_id}
        if not rows:
            return (yield from self._draft_or_missing(record_id, query, request))
        change, rendering, body = rows[0]
        tag = f"{change}-{rendering}"
        return ReadResult(None if request.matches(tag) else body, tag)

    def _unmerged(self, found: Select[Any]) -> Select[Any]:
        """Without the records that were merged into others, of a resource that has such."""
        return found if self._merged is None else found.where(self._merged.is_(None))

    def _draft_or_missing(self, record_id: str, query: Any, request: ReadRequest) -> Read:
        """A draft, for those who may write it; anything else is not to be found here, or not any more."""
        there = yield self._any_state, {"id": record_id}
        if not there or there[0][0] != "draft" or not request.caller.may_write(there[0][1]):
            yield from self.raise_missing(record_id, request)
        if query.include:
            raise Invalid(ErrorItem(parameter="include", code="of_drafts", detail=ERROR_DETAILS["of_drafts"]))
        rows = yield self._draft, {"id": record_id}
        if not rows:
            raise NotFound
        change, rendering, body = rows[0]
        body = field_selector(query.fields, self.resource)(body)
        tag = request.tag(change) if query.fields else f"{change}-{rendering}"
        return ReadResult(None if request.matches(tag) else body, tag, private=True)

    def _shaped_detail(self, record_id: str, query: Any, request: ReadRequest) -> Read:
        brought = includes_of(self.resource, query.include) if query.include else None
        only = field_selector(query.fields, self.resource)
        if request.is_conditional and request.matches(tag := (yield from last_change_tag(request))):
            return ReadResult(None, tag)
        last, rows = _split((yield self._shaped(query.include), {"id": record_id}))
        if not rows:
            return (yield from self._draft_or_missing(record_id, query, request))
        body = only(rows[0][2])
        if brought is not None:
            tail = yield from brought.read([record_id], rows[1:])
            body = b"%s,%s}" % (body[:-1], tail)
        return request.result(body, last)

    def _build_shaped(self, include: str | None) -> Query:
        table = self.resource.table
        own = select_stored(self.resource, literal_column("-1").label("part"), table.id).where(
            table.id == bindparam("id")
        )
        brought = includes_of(self.resource, include) if include else None
        parts = brought.parts("id", True) if brought else ()
        return Query(
            union_in_order(_last_row(Integer), self._unmerged(own), *parts), alone=not (brought and brought.needs_more)
        )

    def raise_missing(self, record_id: str, request: ReadRequest) -> Read:
        """Ends in Moved, Gone or NotFound for an id that no public record has, or one that was merged."""
        there = yield self._any_state, {"id": record_id}
        if there and there[0][0] == "published" and there[0][2]:
            raise moved_to(request, record_id, there[0][2])
        rows = yield LAST_CHANGE_OF_RECORD, {"resource": self.resource.name, "id": record_id}
        if not rows or rows[0][0] != "delete":
            raise NotFound
        raise Gone if request.caller.could_see(rows[0][1]) else NotFound

    def nested(self, parent: str, include: Include, query: BaseModel, request: ReadRequest) -> Read:
        """The list of what belongs to one record of this resource, which must exist."""
        if include.parameter in query.model_fields_set:
            said = "The path says this already."
            raise Invalid(ErrorItem(parameter=include.parameter, code="given_by_path", detail=said))
        if not (yield self._exists, {"id": parent}):
            yield from self.raise_missing(parent, request)
        return (yield from reading_of(include.resource).page(query, request, {include.parameter: [parent]}))

    def page(self, query: Any, request: ReadRequest, also: Mapping[str, Any] | None = None) -> Read:
        """A page of records that match, in a total order, and the path of the next page."""
        page = ListPage(self.resource, query, also or {}, request.path)
        private = query.state == "draft"
        if private:
            page.narrow_to_drafts(request.caller)
        brought = includes_of(self.resource, query.include) if query.include else None
        only = field_selector(query.fields, self.resource)
        if request.is_conditional and request.matches(tag := (yield from last_change_tag(request))):
            return ReadResult(None, tag, private=private)
        said: dict[str, Any] = {}
        if query.q is None:
            last, rows, following = yield from self._sorted_page(page, alone=not (query.total or query.include))
        else:
            last = yield from _last_change_name()
            rows, following, said = yield from self._search_page(page)
        bodies = [row[2] for row in rows] if only is _unchanged else [only(row[2]) for row in rows]
        parts = [b'{"items":[', b",".join(bodies), b'],"next":', json.dumps(following).encode()]
        if query.total:
            ((count,),) = yield self._count(page.shape), page.values
            parts.append(b',"total":%d' % count)
        parts += [b',"%s":%s' % (name.encode(), json.dumps(value).encode()) for name, value in said.items()]
        if brought is not None:
            parts += [b",", (yield from brought.read([row[1] for row in rows]))]
        return request.result(b"".join([*parts, b"}"]), last, following, private=private)

    def bodies(self, ids: Sequence[str]) -> Read:
        """The representations of these records, by id."""
        rows = yield self._by_ids, {"ids": list(ids)}
        return dict(rows)

    def _sorted_page(self, page: ListPage, *, alone: bool) -> Read:
        """The last Change, the page's rows in the order of its sort, and the path of the next page."""
        statement = self._statement(page.shape, page.sort, page.segments, alone)
        last, rows = _split((yield statement, {**page.values, **page.after, "most": page.limit + 2}))
        more, rows = len(rows) > page.limit, rows[: page.limit]
        return last, rows, page.next(*rows[-1][:2]) if more else None

    def _search_page(self, page: ListPage) -> Read:
        """The same of the records that a query finds, best first if no sort is given; and how it was understood."""
        matching = Ranking(page.query.q, self._candidates(page.shape), [self.resource], page.values)
        found: RankedPage = yield from matching.read_page(page.position, page.limit if page.by_relevance else 1)
        page.narrow(MATCHES_OF_QUERY, matching.match_values(found.interpretation))
        said = {"reading": found.reading, "corrected": found.corrected}
        if not page.by_relevance:
            _, rows, following = yield from self._sorted_page(page, alone=False)
            return rows, following, said
        ids = [hit.record_id for hit in found.hits]
        bodies = yield from self.bodies(ids)
        rows = [("", record_id, bodies[record_id]) for record_id in ids]
        return rows, page.next(str(found.next), "") if found.next else None, said

    def _where(self, shape: FilterShape) -> list[ColumnElement[bool]]:
        """The conditions of a shape, that of a query, and whose drafts."""
        stated = tuple(each for each in shape if each[0] not in (MATCHES_OF_QUERY, DRAFTS))
        found = filter_conditions(self.resource, stated)
        if (MATCHES_OF_QUERY, True) in shape:
            found.append(is_match(self.resource))
        if (DRAFTS, OWN) in shape:
            found.append(self.resource.table.managed_by == bindparam("manager"))
        return found

    def _build_candidates(self, shape: FilterShape) -> Candidates:
        """Candidates on which the other filters hold: each is looked up, whatever a planner thinks of it (OFFSET)."""
        table = self.resource.table
        held = select(table.id).where(table.id == RECORDS.c.record_id, *self._where(shape)).offset(literal_column("0"))
        return Candidates(held.exists() if shape else None)

    def _build(self, shape: FilterShape, sort: Sort, segments: tuple[str, ...], alone: bool) -> Query:
        last = _last_row(self.resource.all_sorts[sort.name].type)
        rows = [self._segment(shape, sort, segment) for segment in segments]
        return Query(union_in_order(last, *rows).limit(bindparam("most")), alone=alone)

    def _segment(self, shape: FilterShape, sort: Sort, segment: str) -> Select[Any]:
        table, column = self.resource.table, self.resource.all_sorts[sort.name]
        key = column.label("sort")
        found = select_stored(self.resource, key, table.id, state=state_of(shape))
        statement = found.where(*self._where(shape)).limit(bindparam("most"))
        order = [table.id.desc() if sort.ties_descending else table.id]
        if segment.startswith("absent"):
            statement = statement.where(column.is_(None))
        elif sort.name != "id":
            statement = statement.where(column.is_not(None)) if nullable(column) else statement
            order = [column.desc() if sort.descending else column, *order]
        if segment.endswith("after"):
            statement = statement.where(after_position(column, table.id, sort, segment))
        return statement.order_by(*order)

    def _build_count(self, shape: FilterShape) -> Query:
        table = self.resource.table
        found = select(func.count()).select_from(table).where(table.state == state_of(shape))
        return Query(found.where(*self._where(shape)))


@cache
def reading_of(resource: Resource) -> ResourceReads:
    """The reads of a resource; one object for all who need them, since it holds the compiled statements."""
    return ResourceReads(resource)


def _unchanged(body: bytes) -> bytes:
    return body


@lru_cache(maxsize=256)
def field_selector(fields: str | None, resource: Resource) -> Callable[[bytes], bytes]:
    """Cuts a representation down to the asked fields."""
    if not fields:
        return _unchanged
    names = fields.split(",")
    shown = {entry.alias or name for name, entry in resource.shown.model_fields.items()}
    unknown = [name for name in names if name not in shown]
    if unknown:
        detail = "fields names something that this resource does not have."
        raise Invalid(ErrorItem(parameter="fields", code="unknown_field", detail=detail))
    keep = {"id", *names}

    def cut(body: bytes) -> bytes:
        record = from_json(body)
        kept = {name: value for name, value in record.items() if name in keep}
        return to_json(kept)

    return cut
