"""Reading aggregates: groups, counts and extremes by the database, sums by what may be added."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import product
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Select, Table, and_, bindparam, case, func, literal_column, select, union_all

from app.analysis.aggregates.sums import (
    NO_SUM,
    NOT_ADDED_KINDS,
    NOT_ADDED_UNITS,
    Hierarchy,
    LeftOut,
    split_summands,
    total,
    transitive_parents,
)
from app.core.database.sql import one_of
from app.core.database.statements import Query, Read
from app.core.model.filters import Parameter
from app.core.reading.conditions import FilterShape, conditions, filter_shape
from app.core.reading.includes import select_stored
from app.core.reading.parameters import MAX_ITEMS, Digits, filter_fields, query_model
from app.core.reading.results import ReadRequest, computed
from app.core.values.dates import OPEN_END, OPEN_START
from app.core.values.numbers import Quantity, quantity_shown
from app.figures.models import BREAKDOWNS, FIGURES, PLACES_OF, RELATIONS
from app.figures.stated import TO_DATE, Exactness, StatedFigure
from app.partners.models import PARTNERS
from app.partners.models import SUCCESSORS as PARTNER_SUCCESSORS
from app.places.models import PLACES, SUCCESSORS
from app.projects.models import PARTS, PROJECTS

MAX_ADDED = 1_000  # figures decided about in one answer

MAX_LEFT_OUT = 50  # shown in one group

FIGURE = FIGURES.table


def _literals(codes: Sequence[str]) -> list[Any]:
    return [literal_column(f"'{code}'") for code in codes]


PLACE, DIMENSION = PLACES_OF.alias("of_place"), BREAKDOWNS.alias("of_dimension")

_FIRST_YEAR, _LAST_YEAR = (
    func.substr(column, literal_column("1"), literal_column("4"))
    for column in (FIGURE.period_earliest, FIGURE.period_latest)
)

_TO_DATE = FIGURE.measured.in_(_literals(TO_DATE))

_OPEN: Any = literal_column("'9999'")

# What can be grouped by, with the columns that make it; kind and unit are always grouped by.
OWN_COLUMNS = ("indicator", "kind", "unit", "measured", "project", "agreement", "partner", "milestone", "document")

COLUMNS: dict[str, tuple[Any, ...]] = {
    **{name: (getattr(FIGURE, name),) for name in OWN_COLUMNS},
    "period": (FIGURE.period_earliest, FIGURE.period_latest),
    "year": (case((and_(_LAST_YEAR != _OPEN, (_FIRST_YEAR == _LAST_YEAR) | _TO_DATE), _LAST_YEAR)),),
    "place": (PLACE.c.place_id,),
    "dimension": (DIMENSION.c.dimension,),
    "dimension_value": (DIMENSION.c.value,),
}

GROUPED = "|".join(COLUMNS)

MULTIVALUED = frozenset(
    {"place", "dimension", "dimension_value"}
)  # a figure may have several, and be in as many groups


class AggregatePeriod(BaseModel, defer_build=True):
    """The period of a group; null where it is open."""

    earliest: str | None
    latest: str | None


Number = int | float | None


class AggregateGroup(BaseModel, defer_build=True):
    """Figures that have the same key. Groups may share figures and must not be added to one another."""

    key: dict[str, str | int | AggregatePeriod | None] = Field(
        description="What was grouped by, always with kind and unit; null: the figures do not say. `year` is the last "
        "year of totals and levels, else the one year of the period."
    )
    count: int = Field(description="Figures in the group.")
    min: Number = Field(description="The smallest value; of ranges, the lower end.")
    max: Number = Field(description="The largest value; of ranges, the lower end.")
    sum: Number = Field(description="Sum of what may be added; null with `no_sum` where nothing may.")
    sum_high: Number = Field(description="Upper end of the sum, where ranges were added.")
    qualifier: Exactness
    added: int = Field(description="Figures in the sum.")
    no_sum: Annotated[str, NO_SUM] | None
    left_out: list[LeftOut] = Field(description=f"Figures that are not in the sum, and why; the first {MAX_LEFT_OUT}.")
    left_out_count: int


class Aggregate(BaseModel, defer_build=True):
    """Groups in the order of their keys."""

    groups: list[AggregateGroup]
    more: bool = Field(description="There are more groups than `limit`.")
    empty_because: list[str] | None = Field(
        description="Where there is no group: each filter without which there would be some. Empty: it takes more than "
        "one. Null: there are groups, or nothing was asked for."
    )


@dataclass(frozen=True)
class _Edges:
    """Everything above the given ids, as pairs of a node and what is directly above it."""

    select: Select[Any]

    def query(self) -> Query:
        edge, further = self.select.subquery("edge"), self.select.subquery("further")
        up = select(*edge.c).where(one_of(edge.c[0], "ids")).cte("up", recursive=True)
        up = up.union(select(*further.c).join(up, further.c[0] == up.c[1]))
        return Query(select(*up.c))


def _public(links: Table, owner: Any, target: Any, *more: Any) -> Select[Any]:
    """What public records name in a link table."""
    named = select(links.c.record_id.label("node"), target.label("above"), *more)
    return named.join(owner, owner.id == links.c.record_id).where(owner.state == literal_column("'published'"))


_MERGED: Any = literal_column("'successor'").label("way")

_PARENT: Any = literal_column("'parent'").label("way")

_TOTALS = _public(RELATIONS, FIGURE, RELATIONS.c.figure_id).where(RELATIONS.c.kind == literal_column("'part_of'"))

TOTALS = _Edges(_TOTALS).query()

WHOLES = _Edges(_public(PARTS, PROJECTS.table, PARTS.c.whole_id)).query()


def _around(owner: Any, successors: Table) -> Query:
    """What a place or partner is part of, and what succeeded it."""
    parents = select(owner.id.label("node"), owner.parent.label("above"), _PARENT)
    parents = parents.where(owner.parent.is_not(None), owner.state == literal_column("'published'"))
    both = union_all(parents, _public(successors, owner, successors.c.successor_id, _MERGED)).subquery()
    return _Edges(select(*both.c)).query()


AROUND = _around(PLACES.table, SUCCESSORS)

ABOVE_PARTNERS = _around(PARTNERS.table, PARTNER_SUCCESSORS)


class Aggregates:
    """Aggregates of the figures that a list of them would show."""

    def __init__(self) -> None:
        self._groups = lru_cache(maxsize=256)(self._build_groups)
        self._figures = lru_cache(maxsize=256)(self._build_figures)
        self._any = lru_cache(maxsize=256)(self._build_any)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Those of the list of figures."""
        return FIGURES.parameters

    @cached_property
    def query(self) -> type[BaseModel]:
        """The query model."""
        fields = filter_fields(self.parameters.values())
        about = f"What to group by, comma-separated: {', '.join(COLUMNS)}. Kind and unit always are."
        names = Annotated[str, StringConstraints(pattern=f"^({GROUPED})(,({GROUPED}))*$", max_length=300)]
        fields["group_by"] = (names, Field(default="indicator", description=about, examples=["indicator,place"]))
        fields["limit"] = (Digits, Field(default=MAX_ITEMS, ge=1, le=1000, description="Groups in the answer."))
        return query_model("FigureAggregateQuery", fields)

    def aggregate(self, query: Any, request: ReadRequest) -> Read:
        """The groups with their sums, or which filter leaves none."""
        return (yield from computed(request, lambda: self._aggregate(query), encode=vars))

    def _aggregate(self, query: Any) -> Read:
        filters = query.model_dump(exclude_none=True, exclude={"group_by", "limit"})
        shape, values = filter_shape(self.parameters, filters)
        names = tuple(dict.fromkeys([*query.group_by.split(","), "kind", "unit"]))
        rows = yield self._groups(names, shape), {**values, "most": query.limit + 1}
        because = (yield from self._empty_because(filters)) if filters and not rows else None
        members = (yield from self._members(names, shape, values)) if rows and not _too_many(names, rows) else None
        groups = [_group(names, row, members) for row in rows[: query.limit]]
        found = {"groups": groups, "more": len(rows) > query.limit, "empty_because": because}
        return found, None

    def _build_groups(self, names: tuple[str, ...], shape: FilterShape) -> Query:
        columns = [column.label(label) for column, label in zip(_columns(names), _labels(names), strict=True)]
        found = select(FIGURE.id.label("figure"), FIGURE.value.label("value"), *columns)
        joined = FIGURE.__table__
        for link, columns_of in ((PLACE, {"place"}), (DIMENSION, {"dimension", "dimension_value"})):
            if columns_of & set(names):
                joined = joined.outerjoin(link, link.c.record_id == FIGURE.id)
        found = found.select_from(joined).where(FIGURE.state == literal_column("'published'"))
        each = found.where(*conditions(self.parameters, shape)).subquery()
        keys = [each.c[label] for label in _labels(names)]
        count = func.count(each.c.figure.distinct()) if "place" in names else func.count()
        grouped = select(*keys, count, func.min(each.c.value), func.max(each.c.value)).group_by(*keys)
        order = [part for key in keys for part in (key.is_(None), key)]  # alike on both engines
        return Query(grouped.order_by(*order).limit(bindparam("most")))

    def _build_figures(self, shape: FilterShape) -> Query:
        additive = [FIGURE.kind.not_in(_literals(NOT_ADDED_KINDS)), FIGURE.unit.not_in(_literals(NOT_ADDED_UNITS))]
        found = select_stored(FIGURES).where(*additive)
        found = found.where(*conditions(self.parameters, shape)).order_by(FIGURE.id)
        return Query(found.limit(literal_column(str(MAX_ADDED + 1))))

    def _build_any(self, shape: FilterShape) -> Query:
        found = select(FIGURE.id).where(FIGURE.state == literal_column("'published'"))
        return Query(found.where(*conditions(self.parameters, shape)).limit(literal_column("1")))

    def _empty_because(self, asked: Mapping[str, Any]) -> Read:
        """The parameters without any one of which there would be figures."""
        found = []
        for name in asked:
            shape, values = filter_shape(self.parameters, {other: asked[other] for other in asked if other != name})
            if (yield self._any(shape), values):
                found.append(name)
        return found

    def _members(self, names: Sequence[str], shape: FilterShape, values: Mapping[str, Any]) -> Read:
        """The figures of each group, and what is above what; None when they are too many."""
        rows = yield self._figures(shape), values
        if len(rows) > MAX_ADDED:
            return None
        figures = [StatedFigure.of(body) for (body,) in rows]
        totals = yield TOTALS, {"ids": [each.id for each in figures]}
        wholes = yield WHOLES, {"ids": sorted({each["project"] for each in figures if each["project"]})}
        around = yield AROUND, {"ids": sorted({place for each in figures for place in each["places"]})}
        successors = transitive_parents(edge for edge in around if edge[2] == "successor")
        partners = yield ABOVE_PARTNERS, {"ids": sorted({each["partner"] for each in figures if each["partner"]})}
        higher = Hierarchy(
            transitive_parents(totals),
            transitive_parents(wholes),
            transitive_parents(around),
            successors,
            transitive_parents(partners),
        )
        members: dict[tuple[Any, ...], list[StatedFigure]] = {}
        for figure in figures:
            for key in keys_of(figure, names):
                members.setdefault(key, []).append(figure)
        return members, higher


def _too_many(names: Sequence[str], groups: Sequence[Sequence[Any]]) -> bool:
    """Whether the groups, where each figure is in one, tell already that more figures are to be added than may be."""
    labels = _labels(names)
    kind, unit, count = labels.index("kind_0"), labels.index("unit_0"), len(labels)
    added = [row[count] for row in groups if row[kind] not in NOT_ADDED_KINDS and row[unit] not in NOT_ADDED_UNITS]
    return not MULTIVALUED.intersection(names) and sum(added) > MAX_ADDED


def _columns(names: Sequence[str]) -> list[Any]:
    return [column for name in names for column in COLUMNS[name]]


def _labels(names: Sequence[str]) -> list[str]:
    return [f"{name}_{position}" for name in names for position in range(len(COLUMNS[name]))]


def keys_of(figure: StatedFigure, names: Sequence[str]) -> set[tuple[Any, ...]]:
    """The groups that a figure is in: as the columns have it, flat. A key for each of its places and dimensions."""
    if not MULTIVALUED.intersection(names):
        return {tuple(part for name in names for part in _part(figure, name, None, (None, None)))}
    pairs = [*figure["breakdown"].items()] or [(None, None)]
    return {
        tuple(part for name in names for part in _part(figure, name, place, pair))
        for place, pair in product(figure["places"] or [None], pairs)
    }


def _part(figure: StatedFigure, name: str, place: str | None, pair: tuple[str | None, str | None]) -> tuple[Any, ...]:
    if name == "place":
        return (place,)
    if name.startswith("dimension"):
        return (pair[name == "dimension_value"],)
    if name not in ("period", "year"):
        return (figure[name],)
    period = figure["period"]
    if not period:
        return (None,) * len(COLUMNS[name])
    first, last = period["earliest"] or OPEN_START, period["latest"] or OPEN_END
    if name == "period":
        return first, last
    one = last[:4] != "9999" and (first[:4] == last[:4] or figure["measured"] in TO_DATE)
    return (last[:4] if one else None,)


def _group(names: Sequence[str], row: Sequence[Any], members: Any) -> dict[str, Any]:
    *key, count, low, high = row
    parts = iter(key)
    shown_key = {name: _shown(name, parts) for name in names}
    summed = _sum(names, shown_key, tuple(key), members)
    return {"key": shown_key, "count": count, "min": _number(low), "max": _number(high), **summed}


def _shown(name: str, parts: Iterator[Any]) -> Any:
    value = next(parts)
    if name == "year":
        return None if value is None else int(value)
    if name != "period":
        return value
    last = next(parts)
    if value is None:
        return None
    return {"earliest": None if value == OPEN_START else value, "latest": None if last == OPEN_END else last}


def _sum(names: Sequence[str], shown_key: Mapping[str, Any], key: tuple[Any, ...], members: Any) -> dict[str, Any]:
    if shown_key["kind"] in NOT_ADDED_KINDS or shown_key["unit"] in NOT_ADDED_UNITS:
        return _summed(None, "not_additive")
    if members is None:
        return _summed(None, "too_many")
    figures, higher = members[0].get(key, []), members[1]
    if len({each["indicator"] for each in figures}) > 1:
        return _summed(None, "several_indicators")
    joint = [each for each in figures if "place" in names and len(each.area) > 1]
    alone = [each for each in figures if each not in joint]
    added, left = split_summands(alone, higher)
    left += [LeftOut(each.id, "several_places", None) for each in joint]
    quantity = total(added)
    return _summed(quantity, None if quantity else "nothing_to_add", len(added), left)


def _summed(quantity: Quantity | None, why: str | None, added: int = 0, left: Sequence[LeftOut] = ()) -> dict[str, Any]:
    value, high = quantity_shown(quantity)
    return {
        "sum": value,
        "sum_high": high,
        "qualifier": quantity.qualifier if quantity else None,
        "added": added,
        "no_sum": why,
        "left_out": sorted(left, key=lambda each: each.figure)[:MAX_LEFT_OUT],
        "left_out_count": len(left),
    }


def _number(value: float | None) -> int | float | None:
    return None if value is None else quantity_shown(Quantity(Decimal(repr(value))))[0]
