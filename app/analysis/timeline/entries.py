"""What a timeline is made of: milestones, signings, starts and ends, and what is due, in one order over all resources.

An entry stands at the first day it can mean; an end, and what is due, at the last; where there is no such day, at the
other. Entries of one day are ordered by the other end of their date or period, then as SOURCES are, then by id.

One event is one entry: where a signing, start or end has a milestone that is asked for too, the milestone stands for
it, unless it was cancelled. A signing's milestone must be able to be on the agreement's day, a start's or end's must
have the same first or last day; otherwise both are shown.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    select,
    tuple_,
    union_all,
)

from app.agreements.models import AGREEMENTS
from app.core.database.sql import one_of, unindexed, utf8
from app.core.database.statements import Query
from app.core.log import CHANGES
from app.core.model.resource import Resource, on_record
from app.core.values.codelists import Code, CodeList
from app.core.values.dates import OPEN_END, OPEN_START
from app.milestones.models import MILESTONES
from app.projects.models import PARTS, PROJECTS
from app.statements.models import STATEMENTS

WHAT = CodeList(
    "timeline_what",
    "What an entry of a timeline is.",
    {
        "milestone": Code("Milestone", "Mốc sự kiện"),
        "signing": Code("Signing", "Ký kết"),
        "start": Code("Start", "Bắt đầu"),
        "end": Code("End", "Kết thúc"),
        "due": Code("Due", "Đến hạn"),
    },
)

# What a milestone is in a timeline, by its kind; every other kind is a milestone.
OF_KIND = {"signing": "signing", "start": "start", "end": "end", "target_date": "due"}

NO_START: Any = literal_column(f"'{OPEN_START}'")

NO_END: Any = literal_column(f"'{OPEN_END}'")

PUBLISHED: Any = literal_column("'published'")

# What is asked for: a range of days, and the years it touches, since a year's start or end is a day in a column.
FROM: Any = bindparam("period_from")

TO: Any = bindparam("period_to")

FROM_YEAR: Any = bindparam("period_from_year")

TO_YEAR: Any = bindparam("period_to_year")

MILESTONE, AGREEMENT = MILESTONES.table, AGREEMENTS.table

PROJECT, STATEMENT = PROJECTS.table, STATEMENTS.table


@dataclass(frozen=True)
class TimelineShape:
    """What decides the statement of a page: filters (and whether each has one value), sorts of entries, direction."""

    filters: tuple[tuple[str, bool], ...]
    whats: tuple[str, ...]
    period: bool
    descending: bool
    onwards: bool


@dataclass(frozen=True, eq=False)
class EntrySource:
    """Entries of one sort of one resource: the day they stand at, the other end, and what they are.

    `within`: that they can fall into the period asked (a start's or end's own precision is not in a column, so there
    it lets in too many). `shown_by`: a milestone that stands for the entry.
    """

    resource: Resource
    whats: tuple[str, ...]
    field: str
    at: Any
    other: Any
    within: ColumnElement[bool]
    where: tuple[ColumnElement[bool], ...]
    shown_by: ColumnElement[bool] | None = None


def _dated(resource: Resource, whats: tuple[str, ...], name: str, *where: Any, **options: Any) -> Iterator[EntrySource]:
    """Entries with a date: those that have the day they stand at, and those open there, each a range of an index."""
    earliest, latest = getattr(resource.table, f"{name}_earliest"), getattr(resource.table, f"{name}_latest")
    within = and_(latest >= FROM, earliest <= TO)
    at_the_end = whats[-1] == "due"
    at, other, is_open = (latest, earliest, NO_END) if at_the_end else (earliest, latest, NO_START)
    yield EntrySource(resource, whats, name, at, other, within, (at != is_open, *where), **options)
    yield EntrySource(resource, whats, name, other, at, within, (at == is_open, *where), **options)


def _extent(resource: Resource, link: Any) -> Iterator[EntrySource]:
    """Start and end of a period; where it is open, there is no entry."""
    start, end = resource.table.period_earliest, resource.table.period_latest
    starts = and_(link == resource.table.id, unindexed(MILESTONE.date_earliest) == start)
    finishes = and_(link == resource.table.id, unindexed(MILESTONE.date_latest) == end)
    in_years = (and_(start >= FROM_YEAR, start <= TO), and_(end >= FROM, end <= TO_YEAR))
    yield EntrySource(resource, ("start",), "period", start, end, in_years[0], (start != NO_START,), starts)
    yield EntrySource(resource, ("end",), "period", end, start, in_years[1], (end != NO_END,), finishes)


HELD: Any = unindexed(MILESTONE.status) != literal_column("'cancelled'")

SIGNED = and_(
    MILESTONE.agreement == AGREEMENT.id,
    unindexed(MILESTONE.date_latest) >= AGREEMENT.signed_on_earliest,
    unindexed(MILESTONE.date_earliest) <= AGREEMENT.signed_on_latest,
)

SOURCES = (
    *_dated(MILESTONES, ("milestone", "signing", "start"), "date"),
    *_dated(MILESTONES, ("end", "due"), "date"),
    *_dated(AGREEMENTS, ("signing",), "signed_on", shown_by=SIGNED),
    *_extent(AGREEMENTS, MILESTONE.agreement),
    *_extent(PROJECTS, MILESTONE.project),
    *_dated(STATEMENTS, ("due",), "due"),
)


# Published parts of projects, and their parts.
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

ALL_PARTS = Query(select(_BELOW.union(_DEEPER).c.id))


def bound_values(filters: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The values of filters as a statement binds them: once for each place it has them in."""
    values = {name: ids[0] if len(ids) == 1 else list(ids) for name, ids in filters.items()}
    return {f"{name}_{number}": value for name, value in values.items() for number in range(2 * len(SOURCES))}


@lru_cache(maxsize=1024)
def statement(shape: TimelineShape) -> Query | None:
    """Entries behind a place, with their records; None where nothing can be asked for in that way.

    Rows: at, other, rank of the source, id, what, representation. Binds: the filters, `most`, the period's days, and
    after_at, after_other, after_rank, after_id.
    """
    each = [
        select(_entries(rank, source, shape).subquery())
        for rank, source in enumerate(SOURCES)
        if set(source.whats) & set(shape.whats) and all(source.resource.parameter_of(name) for name, _ in shape.filters)
    ]
    if not each:
        return None
    entries = union_all(*each).subquery().c
    body = utf8(func.coalesce(entries.body, CHANGES.c.body))
    found = select(entries.at, entries.other, entries.rank, entries.id, entries.what, body)
    found = found.join(CHANGES, CHANGES.c.sequence == entries.change)
    return Query(_in_order(found, (entries.at, entries.other, entries.rank, entries.id), shape))


def _entries(rank: int, source: EntrySource, shape: TimelineShape) -> Select[Any]:
    table = source.resource.table
    at, other, own_rank = source.at.label("at"), source.other.label("other"), literal_column(str(rank), Integer)
    found = select(at, other, own_rank.label("rank"), table.id.label("id"), _what(source).label("what"))
    found = found.add_columns(table.change.label("change"), table.body.label("body"))
    found = found.where(
        table.state == PUBLISHED, *source.where, *_source_statement(source.resource, source.whats, shape, rank)
    )
    if shape.period:
        found = found.where(source.within)
    if source.shown_by is not None and all(MILESTONES.parameter_of(name) for name, _ in shape.filters):
        during = [unindexed(MILESTONE.date_latest) >= FROM, unindexed(MILESTONE.date_earliest) <= TO]
        asked = _source_statement(MILESTONES, source.whats, shape, rank + len(SOURCES))
        found = found.where(
            ~exists().where(source.shown_by, MILESTONE.state == PUBLISHED, HELD, *asked, *during[: 2 * shape.period])
        )
    place = (source.at, source.other, own_rank, table.id)
    if shape.onwards:
        found = found.where(*_beyond(place, shape))
    return _in_order(found, (source.at, source.other, table.id), shape)  # a number in ORDER BY is a column's place


def _beyond(place: Sequence[Any], shape: TimelineShape) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Behind the place that is bound; its day by itself too, so that both engines see the range of an index."""
    bound: list[Any] = [bindparam(f"after_{name}") for name in ("at", "other", "rank", "id")]
    if shape.descending:
        return tuple_(*place) < tuple_(*bound), place[0] <= bound[0]
    return tuple_(*place) > tuple_(*bound), place[0] >= bound[0]


def _what(source: EntrySource) -> ColumnElement[Any]:
    names: dict[str, Any] = {what: literal_column(f"'{what}'") for what in source.whats}
    kinds = [(MILESTONE.kind == kind, names[what]) for kind, what in OF_KIND.items() if what in names]
    return case(*kinds, else_=names[source.whats[0]]) if len(names) > 1 else names[source.whats[0]]


def _source_statement(
    resource: Resource, whats: Sequence[str], shape: TimelineShape, number: int
) -> Iterator[ColumnElement[bool]]:
    """The conditions of the filters, and which kinds of milestones are asked for."""
    for name, single in shape.filters:
        parameter = resource.parameter_of(name)
        assert parameter
        yield on_record(parameter, f"{name}_{number}", single)
    if resource is MILESTONES:
        asked = set(whats) & set(shape.whats)
        others = "milestone" in asked
        kinds: list[Any] = [literal_column(f"'{kind}'") for kind, what in OF_KIND.items() if (what in asked) != others]
        kind = unindexed(MILESTONE.kind)
        yield kind.not_in(kinds) if others else kind.in_(kinds)


def _in_order(found: Select[Any], place: Sequence[Any], shape: TimelineShape) -> Select[Any]:
    ordered = found.order_by(*(column.desc() if shape.descending else column for column in place))
    return ordered.limit(bindparam("most"))
