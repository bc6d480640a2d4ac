"""Lists and details of a resource: from checked parameters to stored bytes, in as few statements as possible."""

import json
from collections.abc import Hashable, Mapping, Sequence
from functools import cache, partial
from operator import itemgetter
from typing import Any, NamedTuple

from pydantic import BaseModel
from sqlalchemy import (
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    select,
    type_coerce,
)

from app.core.change_log import CHANGE_NAME, CHANGES
from app.core.database.sql import bounded, bounded_query, in_order_of, one_of, unindexed
from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, Rows, cut, fitting
from app.core.error_codes import ERROR_DETAILS
from app.core.errors import ErrorItem, Gone, Invalid, NotFound
from app.core.model.resource import Include, Resource
from app.core.reading.counts.count_cache import CountCache, values_key
from app.core.reading.counts.counted_codes import is_counted, matching, read_combinations, total_of
from app.core.reading.filter_conditions import (
    ANY_PLAN,
    CACHED_IDS,
    DRAFTS,
    MANY_IN_RANGE,
    MATCHES_OF_QUERY,
    OWN,
    FilterShape,
    Gathered,
    IsLinked,
    Plan,
    filter_conditions,
    has_links,
    many_links,
    ranges_of,
    records_in_ranges,
    resources_of,
    state_of,
)
from app.core.reading.filter_ids import with_hints
from app.core.reading.includes import includes_of
from app.core.reading.list_pages import ListPage
from app.core.reading.parameters import MAX_ITEMS
from app.core.reading.results import (
    LAST_CHANGE_OF_RECORD,
    LAST_PUBLIC_CHANGE_OF_RECORD,
    NO_CHANGE,
    ReadRequest,
    ReadResult,
    last_change_and_index,
    last_change_name,
    last_change_tag,
    moved_to,
)
from app.core.reading.shapes import Shape
from app.core.reading.sorts import Sort, after_position, nullable
from app.core.search.candidates import is_match, window_of_candidates
from app.core.search.ranking import RankedPage, Ranking
from app.core.search.tables import RECORDS
from app.core.stored_records import (
    TextsOf,
    ordered_query,
    select_keys,
    select_stored,
    select_texts,
    union_in_order,
)


def _last_row(sort: Any) -> Select[Any]:
    """Select the name of the last Change as a row like that of a record, in the place of the id and without a body."""
    last = select(cast(null(), sort).label("sort"), CHANGE_NAME.label("id"), cast(null(), LargeBinary).label("body"))
    return bounded(last.order_by(CHANGES.c.sequence.desc()).limit(literal_column("1")))


MAX_MATCHES = 10_000  # that a total collects: SQLite compares their ids, and finds the pages of more matches quickly
MAX_IDS = MAX_ITEMS + 2  # a page of any limit, and how it goes on

RECORD = -1  # the part of the requested record in a statement; those of included records count from 0


def _split(rows: Rows) -> tuple[str, Rows]:
    """Return the name of the last Change, and the rows after its row."""
    return (rows[0][1], rows[1:]) if rows and rows[0][2] is None else (NO_CHANGE, rows)


def _parameters_in(shape: FilterShape) -> FilterShape:
    """Return a shape without the conditions that are no parameters."""
    return tuple(item for item in shape if item[0] not in (MATCHES_OF_QUERY, DRAFTS, CACHED_IDS))


class _Total(NamedTuple):
    """The number of records of a list on all pages. `ids` are the first of them, in the order of the ids, if cached."""

    number: int
    ids: tuple[str, ...] = ()

    def has_rows_of(self, page: ListPage) -> bool:
        """Return whether the ids contain those of a page, and of the row after it."""
        is_start = page.sort.name == "id" and not page.sort.descending and not page.after
        return len(self.ids) == self.number or (is_start and page.limit + 2 <= len(self.ids))


def _key_of_total(page: ListPage) -> Hashable:
    return ("total", page.resource.name, page.shape, values_key(page.values))


class ResourceReads:
    """The reads of one resource. Their statements are compiled once for each shape of a request."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self._ranges: dict[str, list[Gathered]] = {}  # by filter
        table = resource.table
        has_id = table.id == bindparam("id")
        self._merged = resource.merged_into_column
        record = select_stored(resource, CHANGE_NAME, table.rendering).where(has_id)
        self._detail = Query(self._unmerged(record), alone=True)
        public = table.state == literal_column("'published'")
        self._exists = Query(self._unmerged(select(table.id).where(has_id, public)), alone=True)
        merged = null() if self._merged is None else self._merged
        self._any_state = Query(select(table.state, table.managed_by, merged).where(has_id), alone=True)
        draft = select_stored(resource, CHANGE_NAME, table.rendering, state="draft").where(has_id)
        self._draft = Query(draft, alone=True)
        self._by_ids = bounded_query(select_texts(resource, table.id).where(one_of(table.id, "ids")), looks_up=True)

    def detail(self, record_id: str, query: Any, request: ReadRequest) -> Read:
        """Read one record: all of it, or with `fields` and `include`."""
        if query.fields or query.include or query.labels or query.lang or query.included_fields:
            return (yield from self._shaped_detail(record_id, query, request))
        rows = yield self._detail, {"id": record_id}
        if not rows:
            return (yield from self._draft_or_missing(record_id, query, request))
        change, rendering, body = rows[0]
        tag = f"{change}-{rendering}"
        return ReadResult(None if request.matches(tag) else body, tag)

    def _unmerged(self, statement: Select[Any]) -> Select[Any]:
        """Exclude merged records, if the resource can have any."""
        return statement if self._merged is None else statement.where(self._merged.is_(None))

    def _draft_or_missing(self, record_id: str, query: Any, request: ReadRequest) -> Read:
        """Read a draft that the caller may write; raises the error of a missing record otherwise."""
        states = yield self._any_state, {"id": record_id}
        if not states or states[0][0] != "draft" or not request.caller.may_write(states[0][1]):
            yield from self.raise_missing(record_id, request)
        if query.include:
            raise Invalid(ErrorItem(parameter="include", code="of_drafts", detail=ERROR_DETAILS["of_drafts"]))
        rows = yield self._draft, {"id": record_id}
        if not rows:
            raise NotFound
        change, rendering, body = rows[0]
        shape = Shape.of(query)
        shape.check(self.resource, None)
        body = shape.apply(self.resource, body)
        tag = f"{change}-{rendering}" if shape.is_empty else request.tag(change)
        return ReadResult(None if request.matches(tag) else body, tag, private=True)

    def _shaped_detail(self, record_id: str, query: Any, request: ReadRequest) -> Read:
        includes = includes_of(self.resource, query.include) if query.include else None
        shape = Shape.of(query)
        shape.check(self.resource, includes)
        if request.is_conditional and request.matches(tag := (yield from last_change_tag(request))):
            return ReadResult(None, tag)
        statement = STATEMENTS.query(self._build_shaped, includes.names if includes else None)
        last, rows = _split((yield statement, {"id": record_id, "most_bytes": MAX_PAGE_BYTES}))
        if not rows or rows[0][0] != RECORD:  # included records may exist nevertheless, as for a merged partner
            return (yield from self._draft_or_missing(record_id, query, request))
        body = shape.apply(self.resource, rows[0][2])
        if includes is not None:
            members = yield from includes.read(request, [record_id], shape, rows)
            body = b"%s,%s}" % (body[:-1], members)
        return request.result(body, last)

    def _build_shaped(self, include: str | None) -> Query:
        table = self.resource.table
        part: Any = literal_column(str(RECORD)).label("part")
        record = select_texts(self.resource, part, table.id).where(table.id == bindparam("id"))
        includes = includes_of(self.resource, include) if include else None

        def build(texts_of: TextsOf) -> Any:
            parts = includes.parts(texts_of, "id", True) if includes else ()
            return union_in_order(_last_row(Integer), bounded(self._unmerged(record)), *parts)

        return ordered_query(build, alone=not (includes and includes.needs_more))

    def raise_missing(self, record_id: str, request: ReadRequest) -> Read:
        """Raise Moved for the id of a merged record, Gone for that of a deleted one, and NotFound for any other.

        Drafts written after the deletion do not change the answer to callers who cannot see them.
        """
        states = yield self._any_state, {"id": record_id}
        if states and states[0][0] == "published" and states[0][2]:
            raise moved_to(request, record_id, states[0][2])
        for query in (LAST_CHANGE_OF_RECORD, LAST_PUBLIC_CHANGE_OF_RECORD):
            rows = yield query, {"resource": self.resource.name, "id": record_id}
            if not rows:
                break
            if rows[0][0] == "delete" and request.caller.could_see(rows[0][1]):
                raise Gone
        raise NotFound

    def nested(self, parent: str, include: Include, query: BaseModel, request: ReadRequest) -> Read:
        """Read a page of the nested list of one record; raises an error if the record is missing."""
        filters = yield from self.filters_of_nested(parent, include, query, request)
        return (yield from reading_of(include.resource).page(query, request, filters))

    def filters_of_nested(self, parent: str, include: Include, query: BaseModel, request: ReadRequest) -> Read:
        """Return the filters of the nested list of one record; raises an error if the record is missing."""
        if include.parameter in query.model_fields_set:
            detail = "The path already sets this filter."
            raise Invalid(ErrorItem(parameter=include.parameter, code="given_by_path", detail=detail))
        if not (yield self._exists, {"id": parent}):
            yield from self.raise_missing(parent, request)
        return {include.parameter: [parent]}

    def page(self, query: Any, request: ReadRequest, fixed_filters: Mapping[str, Any] | None = None) -> Read:
        """Read a page of the list."""
        yield from request.signer.load()
        page = ListPage(self.resource, query, fixed_filters or {}, request.path, request.signer)
        private = query.state == "draft"
        page.check_access(request.caller)
        includes = includes_of(self.resource, query.include) if query.include else None
        shape = Shape.of(query)
        shape.check(self.resource, includes)
        searches = query.q is not None
        if request.is_conditional and request.matches(tag := (yield from last_change_tag(request, searches=searches))):
            return ReadResult(None, tag, private=private)
        yield from page.prepare(request.caller)
        read, total = yield from self._rows_and_total(page, request.counts, alone=not query.include)
        last, rows, next_path, interpretation = read
        bodies = [row[2] for row in rows]
        if not shape.is_empty:
            bodies = [shape.apply(self.resource, body) for body in bodies]
        parts = [b'{"items":[', b",".join(bodies), b'],"next":', json.dumps(next_path).encode()]
        if total is not None:
            parts.append(b',"total":%d' % total)
        others = {**interpretation, **with_hints(page.hints)}
        parts += [b',"%s":%s' % (name.encode(), json.dumps(value).encode()) for name, value in others.items()]
        if includes is not None:
            ids = [row[1] for row in rows]
            parts += [b",", (yield from includes.read(request, ids, shape))]
        return request.result(b"".join([*parts, b"}"]), last, next_path, private=private)

    def _rows_and_total(self, page: ListPage, counts: CountCache, *, alone: bool) -> Read:
        """Read the `rows` of a page and, if the request asks for it, the number of records on all pages.

        If it is known which records the page can have, only they are read. If they were found in another state, the
        page is read again without this.
        """
        shape = page.shape
        values = page.values
        key = _key_of_total(page)
        is_plain = bool(shape) and page.query.q is None and page.query.state != "draft"
        cached = counts.peek(key) if is_plain else None
        if cached is None and is_plain and page.query.total and not is_counted(self.resource, shape):
            cached = yield from self._total(page, counts, (yield from last_change_name()))
        if cached is not None and cached.has_rows_of(page):
            page.shape = ((CACHED_IDS, True),)
            page.values = {CACHED_IDS: list(cached.ids)}
            read = yield from self.rows(page, alone=alone)
            page.shape = shape
            page.values = values
            current = yield from counts.find([key], read[0], self._depends_on(page))
            if current.get(key) is cached:
                return read, cached.number if page.query.total else None
        read = yield from self.rows(page, alone=alone and not page.query.total)
        last, rows, next_path, _ = read
        if page.query.total:
            return read, (yield from self._total(page, counts, last)).number
        if is_plain and next_path is None and not page.after and self._is_worth_keeping(page):
            total = _Total(len(rows), tuple(row[1] for row in rows))
            yield from counts.keep({key: total}, last)
        return read, None

    def _is_worth_keeping(self, page: ListPage) -> bool:
        """Return whether it can take long to find few records with these filters: none of them is by a link or id."""
        parameters = [self.resource.parameters[name] for name, _ in page.shape]
        return not any(item.target or item.link is not None or item.name == "id" for item in parameters)

    def _depends_on(self, page: ListPage) -> frozenset[str] | None:
        """Return the resources whose records decide which records match; None for the hits of a query."""
        names = [name for name, _ in page.shape]
        return None if MATCHES_OF_QUERY in names else resources_of(self.resource, names)

    def _total(self, page: ListPage, counts: CountCache, last: str) -> Read:
        """Return the `_Total` of the records of a list on all pages."""
        if is_counted(self.resource, page.shape):
            combinations = yield from read_combinations(self.resource)
            return _Total(total_of(matching(combinations, page.shape, page.values)))

        def count(keys: Sequence[Any]) -> Read:
            rows = yield STATEMENTS.query(self._build_ids, page.shape), page.values
            total = _Total(rows[0][1] if rows else 0, tuple(row[0] for row in rows))
            if total.number > MAX_MATCHES:
                ((number,),) = yield STATEMENTS.query(self._build_count, page.shape), page.values
                total = _Total(number)
            return dict.fromkeys(keys, total)

        key = _key_of_total(page)
        if page.query.state == "draft":
            return (yield from count([key]))[key]
        return (yield from counts.read([key], last, self._depends_on(page), count))[key]

    def rows(self, page: ListPage, *, alone: bool) -> Read:
        """Read the rows of a prepared page.

        Return the last Change, the rows with their sort values, ids and representations, the path of the next page,
        and how a query was understood. With `alone`, no other statement of the read needs the same snapshot.
        """
        if page.query.q is None:
            return (*(yield from self._sorted_page(page, alone=alone)), {})
        last = yield from last_change_and_index()
        return (last, *(yield from self._search_page(page)))

    def bodies(self, ids: Sequence[str], most_bytes: int = MAX_PAGE_BYTES) -> Read:
        """Read the representations of these records, by id; of the first ones only, if all have too many bytes."""
        rows = yield self._by_ids, {"ids": list(ids), "most_bytes": most_bytes}
        if fitting(rows) is rows:
            return dict(rows)
        bodies: dict[str, bytes] = {}
        for record_id in ids:
            bodies |= dict((yield self._by_ids, {"ids": [record_id], "most_bytes": most_bytes}))
            if sum(map(len, bodies.values())) >= most_bytes:
                break
        return bodies

    def _sorted_page(self, page: ListPage, *, alone: bool) -> Read:
        """Read the last Change, the rows of the page in the order of its sort, and the path of the next page."""
        plan = Plan((yield from self._many_links(page)), (yield from self._gathered(page)), is_list=True)
        statement = STATEMENTS.query(self._build, page.shape, page.sort, page.segments, alone, plan)
        values = {**page.values, **page.after, "most": page.limit + 2, "most_bytes": MAX_PAGE_BYTES}
        last, rows = _split((yield statement, values))
        fitted = fitting(rows[: page.limit])
        return last, fitted, page.next(*fitted[-1][:2]) if len(fitted) < len(rows) else None

    def _many_links(self, page: ListPage) -> Read:
        """Return which links of the filters are many; nothing on PostgreSQL, and without such filters."""
        if not has_links(self.resource.parameters, _parameters_in(page.shape)):
            return ()
        rows = yield STATEMENTS.query(self._build_many_links, page.shape), page.values
        return tuple(map(bool, rows[0])) if rows else ()

    def _gathered(self, page: ListPage) -> Read:
        """Return the filter of which the fewest records are in a range, if they are few. None on PostgreSQL."""
        ranges: list[Gathered] = []
        for name, _ in _parameters_in(page.shape):
            if name not in self._ranges:
                self._ranges[name] = ranges_of(self.resource.parameters[name])
            ranges += self._ranges[name]
        if not ranges:
            return None
        rows = yield STATEMENTS.query(self._build_ranges, page.shape), page.values
        number, fewest = min(zip(rows[0], ranges, strict=True), key=itemgetter(0)) if rows else (MANY_IN_RANGE, None)
        return fewest if number < MANY_IN_RANGE else None

    def _build_ranges(self, shape: FilterShape) -> Query:
        return records_in_ranges(self.resource.parameters, _parameters_in(shape))

    def _build_many_links(self, shape: FilterShape) -> Query:
        return many_links(self.resource.parameters, _parameters_in(shape))

    def _search_page(self, page: ListPage) -> Read:
        """Read the rows of the page, the path of the next page, and how the query was understood."""
        window = partial(STATEMENTS.query, self._build_window, page.shape)
        ranking = Ranking(page.query.q, window, [self.resource], page.values)
        ranked: RankedPage = yield from ranking.read_page(page.position, page.limit if page.by_relevance else 1)
        page.narrow(MATCHES_OF_QUERY, ranking.match_values(ranked.interpretation))
        interpretation = {"reading": ranked.reading, "corrected": ranked.corrected}
        if not page.by_relevance:
            _, rows, next_path = yield from self._sorted_page(page, alone=False)
            return rows, next_path, interpretation
        bodies = yield from self.bodies([hit.record_id for hit in ranked.hits])
        candidates = [("", hit.record_id, bodies.get(hit.record_id, b"")) for hit in ranked.hits]
        rows = fitting(cut(candidates, MAX_PAGE_BYTES))
        if len(rows) < len(ranked.hits):
            ranked = yield from ranking.read_page(page.position, len(rows))
        return rows, page.next(str(ranked.next), "") if ranked.next else None, interpretation

    def _where(
        self, shape: FilterShape, is_linked: IsLinked = ColumnElement.in_, plan: Plan = ANY_PLAN
    ) -> list[ColumnElement[bool]]:
        """Return the conditions of a shape, including those that are not parameters."""
        if (CACHED_IDS, True) in shape:
            return [one_of(self.resource.table.id, CACHED_IDS)]
        clauses = filter_conditions(self.resource, _parameters_in(shape), is_linked, plan)
        if (MATCHES_OF_QUERY, True) in shape:
            clauses.append(is_match(self.resource))
        if (DRAFTS, OWN) in shape:
            clauses.append(self.resource.table.managed_by == bindparam("manager"))
        return clauses

    def _build_window(self, shape: FilterShape, in_blocks: bool) -> Query:
        """Return the statement of candidates that match the other filters.

        OFFSET makes every planner look up each candidate.
        """
        table = self.resource.table
        matching = select(table.id).where(table.id == RECORDS.c.record_id, *self._where(shape))
        condition = matching.offset(literal_column("0")).exists() if shape else None
        return window_of_candidates(condition, in_blocks=in_blocks)

    def _build(self, shape: FilterShape, sort: Sort, segments: tuple[str, ...], alone: bool, plan: Plan) -> Query:
        last = _last_row(self.resource.all_sorts[sort.name].type)

        def build(texts_of: TextsOf) -> Any:
            rows = [texts_of(self.resource, self._segment(shape, sort, segment, plan)) for segment in segments]
            return union_in_order(last, *rows).limit(bindparam("most"))

        return ordered_query(build, alone=alone, is_in_index_order=not shape)

    def _segment(self, shape: FilterShape, sort: Sort, segment: str, plan: Plan) -> Select[Any]:
        table = self.resource.table
        column = self.resource.all_sorts[sort.name]
        if (plan.gathered is not None or (CACHED_IDS, True) in shape) and sort.name != "id":
            column = type_coerce(unindexed(column), column.type)
        keys = select_keys(self.resource, column.label("sort"), state=state_of(shape))
        where = self._where(shape, in_order_of if sort.name == "id" else ColumnElement.in_, plan)
        statement = keys.where(*where).limit(bindparam("most"))
        order = [table.id.desc() if sort.ties_descending else table.id]
        if segment.startswith("absent"):
            statement = statement.where(column.is_(None))
        elif sort.name != "id":
            may_lack = nullable(self.resource.all_sorts[sort.name])
            statement = statement.where(column.is_not(None)) if may_lack else statement
            order = [column.desc() if sort.descending else column, *order]
        if segment.endswith("after"):
            statement = statement.where(after_position(column, table.id, sort, segment))
        return statement.order_by(*order)

    def _build_ids(self, shape: FilterShape) -> Query:
        """Return the statement of the first ids that match, each with the number of all, up to MAX_MATCHES + 1."""
        table = self.resource.table
        ids = select(table.id).where(table.state == state_of(shape), *self._where(shape))
        matches = ids.limit(literal_column(str(MAX_MATCHES + 1))).cte("matches").prefix_with("MATERIALIZED")
        number = select(func.count()).select_from(matches).scalar_subquery()
        return Query(select(matches.c.id, number).order_by(matches.c.id).limit(literal_column(str(MAX_IDS))))

    def _build_count(self, shape: FilterShape) -> Query:
        table = self.resource.table
        count = select(func.count()).select_from(table).where(table.state == state_of(shape))
        return Query(count.where(*self._where(shape)))


@cache
def reading_of(resource: Resource) -> ResourceReads:
    """Return the reads of a resource, always the same object, because it holds the compiled statements."""
    return ResourceReads(resource)
