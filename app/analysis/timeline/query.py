"""The SQL of a page of timeline entries."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    select,
    tuple_,
    union_all,
)

from app.analysis.timeline.sources import FROM, MILESTONE, PUBLISHED, SOURCES, TO, WHAT_OF_KIND, EntrySource
from app.core.change_log import CHANGES
from app.core.database.sql import bounded, one_of, unfitted, unindexed
from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import Query
from app.core.model.resource import Resource, on_record
from app.milestones.models import MILESTONES
from app.projects.models import PARTS, PROJECTS

BodyOf = Callable[[Any], ColumnElement[Any]]  # the part of a record's own representation that is selected

NOT_CANCELLED: Any = unindexed(MILESTONE.status) != literal_column("'cancelled'")
PROJECT = PROJECTS.table


@dataclass(frozen=True)
class TimelineShape:
    """The part of a request that decides the SQL: filters (and whether each has one value), entries and direction."""

    filters: tuple[tuple[str, bool], ...]
    whats: tuple[str, ...]
    period: bool
    descending: bool
    after_position: bool


# The published sub-projects of projects, on all levels.
_BELOW = (
    select(PARTS.c.record_id.label("id"))
    .join(PROJECT.__table__, PROJECT.id == PARTS.c.record_id)
    .where(PROJECT.state == PUBLISHED, one_of(PARTS.c.whole_id, "tops"))
    .cte("below", recursive=True)
)

_DEEPER = (
    select(PARTS.c.record_id)
    .join(PROJECT.__table__, PROJECT.id == PARTS.c.record_id)
    .join(_BELOW, PARTS.c.whole_id == _BELOW.c.id)
    .where(PROJECT.state == PUBLISHED)
)

SUB_PROJECTS = Query(select(_BELOW.union(_DEEPER).c.id))


def bound_values(filters: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the bound values of filters. A statement repeats each filter for every source and for its milestones."""
    values: dict[str, Any] = {}
    for name, ids in filters.items():
        value = ids[0] if len(ids) == 1 else list(ids)
        values |= {f"{name}_{number}": value for number in range(2 * len(SOURCES))}
    return values


def statement(shape: TimelineShape) -> Query | None:
    """Return the query for entries after a position, with their records; None if no source has all filters.

    Its rows have: at, other, rank of the source, id, what, and representation. It binds the filters, `most` (the
    maximum number of rows), the days of the period, and after_at, after_other, after_rank and after_id.
    """
    return STATEMENTS.query(_build, shape) if any(_has_filters(source, shape) for source in SOURCES) else None


def _has_filters(source: EntrySource, shape: TimelineShape) -> bool:
    """Return whether the request includes entries of a source, and the source has all filters."""
    is_requested = bool(set(source.whats) & set(shape.whats))
    return is_requested and all(source.resource.parameter_of(name) for name, _ in shape.filters)


def _build(shape: TimelineShape) -> Query:
    return Query(partial(_after_sort, shape), partial(_joined, shape))


def _joined(shape: TimelineShape) -> Select[Any]:
    """Read the representations with the entries. PostgreSQL sorts references to large texts, not the texts."""
    entries = _all_entries(shape, lambda table: table.body)
    body = unfitted(func.coalesce(entries.body, CHANGES.c.body)).label("body")
    rows = _keys(entries).add_columns(body).join(CHANGES, CHANGES.c.sequence == entries.change)
    return bounded(_in_order(rows, (entries.at, entries.other, entries.rank, entries.id), shape))


def _after_sort(shape: TimelineShape) -> Select[Any]:
    """Read the representations of the rows of a page only: SQLite would copy all of them if it had to sort them."""
    entries = _all_entries(shape, lambda table: func.typeof(table.body))
    keys = _keys(entries).add_columns(entries.change, entries.body.label("type_of_body"))
    page = _in_order(keys, (entries.at, entries.other, entries.rank, entries.id), shape).subquery()
    rendered = [(page.c.rank.in_(ranks), _rendered(table, page)) for table, ranks in _ranks_by_table(shape).items()]
    text = func.coalesce(case((page.c.type_of_body != literal_column("'null'"), case(*rendered))), CHANGES.c.body)
    body = select(unfitted(text)).where(CHANGES.c.sequence == page.c.change)
    return _keys(page.c).add_columns(body.correlate(page).scalar_subquery().label("body"))


def _keys(rows: Any) -> Select[Any]:
    return select(rows.at, rows.other, rows.rank, rows.id, rows.what)


def _rendered(table: Any, page: Any) -> Any:
    """Select the representation of an entry's record if it was rendered again after its last Change."""
    return select(table.body).where(table.id == page.c.id).correlate(page).scalar_subquery()


def _ranks_by_table(shape: TimelineShape) -> dict[Any, list[Any]]:
    ranks: dict[Any, list[Any]] = {}
    for rank, source in enumerate(SOURCES):
        if _has_filters(source, shape):
            ranks.setdefault(source.resource.table, []).append(literal_column(str(rank)))
    return ranks


def _all_entries(shape: TimelineShape, body_of: BodyOf) -> Any:
    """Select the entries of all sources: their keys, the last Change of the record, and what `body_of` returns."""
    selects = [
        select(_entries(rank, source, shape, body_of).subquery())
        for rank, source in enumerate(SOURCES)
        if _has_filters(source, shape)
    ]
    return union_all(*selects).subquery().c


def _entries(rank: int, source: EntrySource, shape: TimelineShape, body_of: BodyOf) -> Select[Any]:
    table = source.resource.table
    source_rank = literal_column(str(rank), Integer)
    entries = select(
        source.at.label("at"),
        source.other.label("other"),
        source_rank.label("rank"),
        table.id.label("id"),
        _what(source).label("what"),
        table.change.label("change"),
        body_of(table).label("body"),
    ).where(table.state == PUBLISHED, *source.where, *_matching(source.resource, source.whats, shape, rank))
    if shape.period:
        entries = entries.where(source.within)
    if source.shown_by is not None and all(MILESTONES.parameter_of(name) for name, _ in shape.filters):
        entries = entries.where(~_has_milestone(source, source.shown_by, shape, rank))
    if shape.after_position:
        entries = entries.where(*_after((source.at, source.other, source_rank, table.id), shape))
    # The rank is the same for all rows. It is left out, because a number in ORDER BY would mean a column.
    return _in_order(entries, (source.at, source.other, table.id), shape)


def _has_milestone(
    source: EntrySource, shown_by: ColumnElement[bool], shape: TimelineShape, rank: int
) -> ColumnElement[bool]:
    """Return the condition that the request includes a milestone which is returned in place of the entry."""
    matching = list(_matching(MILESTONES, source.whats, shape, rank + len(SOURCES)))
    if shape.period:
        matching += [unindexed(MILESTONE.date_latest) >= FROM, unindexed(MILESTONE.date_earliest) <= TO]
    return exists().where(shown_by, MILESTONE.state == PUBLISHED, NOT_CANCELLED, *matching)


def _after(columns: Sequence[Any], shape: TimelineShape) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions for rows after the bound position.

    The day is compared by itself too, so that both engines use the range of an index.
    """
    position: list[Any] = [bindparam(f"after_{name}") for name in ("at", "other", "rank", "id")]
    if shape.descending:
        return tuple_(*columns) < tuple_(*position), columns[0] <= position[0]
    return tuple_(*columns) > tuple_(*position), columns[0] >= position[0]


def _what(source: EntrySource) -> ColumnElement[Any]:
    """Return the code of WHAT of an entry, which depends on the kind if the source has several."""
    names: dict[str, Any] = {what: literal_column(f"'{what}'") for what in source.whats}
    kinds = [(MILESTONE.kind == kind, names[what]) for kind, what in WHAT_OF_KIND.items() if what in names]
    return case(*kinds, else_=names[source.whats[0]]) if len(names) > 1 else names[source.whats[0]]


def _matching(
    resource: Resource, whats: Sequence[str], shape: TimelineShape, number: int
) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of the filters and, for milestones, of the requested kinds.

    `number` distinguishes the bound values of this part of the statement.
    """
    for name, single in shape.filters:
        parameter = resource.parameter_of(name)
        assert parameter
        yield on_record(parameter, f"{name}_{number}", single)
    if resource is MILESTONES:
        requested = set(whats) & set(shape.whats)
        all_others = "milestone" in requested  # then the kinds that are not requested are excluded
        kinds: list[Any] = [
            literal_column(f"'{kind}'") for kind, what in WHAT_OF_KIND.items() if (what in requested) != all_others
        ]
        kind = unindexed(MILESTONE.kind)
        yield kind.not_in(kinds) if all_others else kind.in_(kinds)


def _in_order(entries: Select[Any], columns: Sequence[Any], shape: TimelineShape) -> Select[Any]:
    ordered = entries.order_by(*(column.desc() if shape.descending else column for column in columns))
    return ordered.limit(bindparam("most"))
