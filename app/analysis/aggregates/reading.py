"""The read of aggregates: groups with counts and extremes from the database, and sums of figures that can be added."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from itertools import chain
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import ColumnElement, bindparam, func, literal_column, select

from app.analysis.aggregates.grouping import (
    ALWAYS,
    COLUMNS,
    DIMENSION,
    FIGURE,
    MULTIVALUED,
    PLACE,
    columns_of,
    keys_of,
    labels_of,
    literals,
    shown_key,
)
from app.analysis.aggregates.hierarchy import Hierarchy, TooManyAbove, read_hierarchy
from app.analysis.aggregates.places import (
    MAX_ADDED,
    Groups,
    OfPlaces,
    concerns_places,
    read_figures,
    read_of_places,
    related_ids,
    separate,
)
from app.analysis.aggregates.sums import NO_SUM, NOT_ADDED_KINDS, NOT_ADDED_UNITS, LeftOut, split_summands, sum_of
from app.core.database.sql import in_gathered
from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, fitting
from app.core.model.filters import Parameter
from app.core.model.labels import LABELS, Labels, code_label, codes_of_field, labelled
from app.core.reading.filter_conditions import FilterShape, conditions, few_links, filter_shape
from app.core.reading.filter_ids import HINTS_TEXT, Hint, resolve_ids, with_hints
from app.core.reading.parameters import LANGUAGES, MAX_ITEMS, SEPARATED, Digits, filter_fields, query_model
from app.core.reading.results import ReadRequest, computed
from app.core.stored_records import query_in_order, select_keys
from app.core.values.json import to_json
from app.core.values.numbers import Quantity, quantity_shown
from app.figures.models import FIGURES
from app.figures.stated import Exactness, StatedFigure

MAX_LEFT_OUT = 50  # shown in one group


class AggregatePeriod(BaseModel, defer_build=True):
    """The period of a group."""

    earliest: str | None = Field(description="First day. Null: the period is open at its start.")
    latest: str | None = Field(description="Last day. Null: the period is open at its end.")


Number = int | float | None


class AggregateGroup(BaseModel, defer_build=True):
    """The figures that have one key. A figure can be in several groups, so groups must not be added to each other."""

    key: dict[str, str | int | AggregatePeriod | None] = Field(
        description="Values of `group_by`, kind and unit, and `unit_text` with the unit `other`. Null: the figures do "
        "not state it. `year` is the year of the period, or the last year if the number is cumulative or a level; null "
        "for other periods of several years."
    )
    count: int = Field(description="Number of figures in the group.")
    min: Number = Field(description="Smallest value, where a range counts with its lower end. Null: no values.")
    max: Number = Field(description="Largest value, where a range counts with its lower end. Null: no values.")
    sum: Number = Field(description="Sum of the figures that can be added. Null: see `no_sum`.")
    sum_high: Number = Field(description="Upper end of the sum, if a range was added.")
    qualifier: Exactness
    added: int = Field(description="Number of figures in the sum.")
    no_sum: Annotated[str, NO_SUM] | None = Field(
        description="Why there is no sum. Null: there is one. `/v1/codelists/no_sum` explains the codes."
    )
    left_out: list[LeftOut] = Field(
        description=f"Figures that are not in the sum, with the reason: the first {MAX_LEFT_OUT} by id."
    )
    left_out_count: int = Field(description="Number of figures that are not in the sum.")
    labels: Labels = Field(default={})


class Aggregate(BaseModel, defer_build=True):
    """Groups of figures."""

    groups: list[AggregateGroup] = Field(description="Groups, ordered by key.")
    more: bool = Field(description="Whether there are more groups than `limit`.")
    empty_because: list[str] | None = Field(
        description="If there are no groups: the filters of which you can remove any one to get groups. An empty list: "
        "removing one filter is not enough. Null: there are groups, or the request has no filter."
    )
    hints: list[Hint] = Field(default=[], description=HINTS_TEXT)


class Members(NamedTuple):
    """The figures that can be added up, by the key of their group, and the hierarchy above them.

    `groups`: the groups of one place. Then `figures` has only those that may conflict with another one.
    """

    figures: Mapping[tuple[Any, ...], list[StatedFigure]]
    hierarchy: Hierarchy
    groups: Groups = {}


class Aggregates:
    """Aggregates of the figures that a list with the same filters returns."""

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The filters of the list of figures."""
        return FIGURES.parameters

    @cached_property
    def query(self) -> type[BaseModel]:
        """The model of the query string."""
        fields = filter_fields(self.parameters.values())
        offered = [name for name in COLUMNS if name != "unit_text"]
        choices = "|".join(offered)
        names = Annotated[str, StringConstraints(pattern=f"^({choices})(,({choices}))*$", max_length=300)]
        group_by = (
            f"Names to group by, separated by commas: {', '.join(offered)}. Kind, unit and unit_text are always added."
        )
        fields["group_by"] = (
            Annotated[names, SEPARATED],
            Field(default="indicator", description=group_by, examples=["indicator,place"]),
        )
        fields["labels"] = LANGUAGES["labels"]
        limit = "Maximum number of groups."
        fields["limit"] = (Digits, Field(default=MAX_ITEMS, ge=1, le=1000, description=limit))
        return query_model("FigureAggregateQuery", fields)

    def is_quick(self, query: Any) -> bool:
        """Return whether the links to places have all that a request needs."""
        shape, _ = filter_shape(self.parameters, _filters_of(query))
        return concerns_places(_names_of(query), shape)

    def aggregate(self, query: Any, request: ReadRequest) -> Read:
        """Read the groups with their sums or, if there are none, which filter is the reason."""
        filters = _filters_of(query)
        of_targets = [filters[name] for name in filters if self.parameters[name].target]
        if not request.tags and all(len(ids) == 1 for ids in of_targets):
            # If there are figures, the records in the filters exist, so that no other statement is needed.
            of_places: OfPlaces | None = yield from self._read_of_places(query, filters)
            if of_places:
                answer = yield from self._answer_of_places(query, of_places, [])
                return request.result(to_json(answer, vars), of_places.last)
        return (yield from computed(request, lambda: self._aggregate(query, filters), encode=vars))

    def _aggregate(self, query: Any, filters: Mapping[str, Any]) -> Read:
        filters, hints = yield from resolve_ids(self.parameters, filters)
        of_places: OfPlaces | None = yield from self._read_of_places(query, filters)
        if of_places:
            return (yield from self._answer_of_places(query, of_places, hints)), None
        names = _names_of(query)
        shape, values = filter_shape(self.parameters, filters)
        gathers = bool((yield STATEMENTS.query(self._build_few_links, shape), values)[0][0])
        rows = yield STATEMENTS.query(self._build_groups, names, shape, gathers), {**values, "most": query.limit + 1}
        because = (yield from self._empty_because(filters)) if filters and not rows else None
        members = None
        if rows and not _too_many(names, rows):
            members = yield from self._read_members(names, shape, values, gathers)
        return self._answer(query, names, rows, members, hints, because), None

    def _answer(
        self,
        query: Any,
        names: Sequence[str],
        rows: Sequence[Sequence[Any]],
        members: Members | None,
        hints: list[dict[str, Any]],
        because: list[str] | None = None,
    ) -> dict[str, Any]:
        groups = [_group(names, row, members) for row in rows[: query.limit]]
        if query.labels:
            groups = [_labelled(group, query.labels) for group in groups]
        content = {"groups": groups, "more": len(rows) > query.limit, "empty_because": because}
        return {**content, **with_hints(hints)}

    def _read_of_places(self, query: Any, filters: Mapping[str, Any]) -> Read:
        """Read OfPlaces; None if the links to places do not have all, or there are no figures."""
        shape, values = filter_shape(self.parameters, filters)
        names = _names_of(query)
        if not concerns_places(names, shape):
            return None
        return (yield from read_of_places(names, shape, {**values, "most": query.limit + 1}))

    def _answer_of_places(self, query: Any, of_places: OfPlaces, hints: list[dict[str, Any]]) -> Read:
        members = None
        if of_places.members is not None:
            try:
                members = yield from self._members_of_places(of_places)
            except TooManyAbove:
                members = None
        return self._answer(query, _names_of(query), of_places.groups, members, hints)

    def _members_of_places(self, of_places: OfPlaces) -> Read:
        """Read the figures among those about places that may conflict with another one, with what is above them."""
        groups = of_places.members or {}
        separate(groups, of_places.edges)
        figures: dict[str, StatedFigure] = {}
        hierarchy = Hierarchy()
        more = list(chain.from_iterable(group.others for group in groups.values()))
        while more:  # at most twice: a figure that only others refer to has no relations itself
            read = yield from read_figures([*figures, *more])
            if read is None:
                return None
            figures = read
            hierarchy = yield from read_hierarchy(list(figures.values()))
            related = related_ids(figures.values(), hierarchy.totals)
            more = list(chain.from_iterable(group.exclude(related) for group in groups.values()))
        by_key = {key: [figures[figure_id] for figure_id in group.others] for key, group in groups.items()}
        return Members(by_key, hierarchy, groups)

    def _build_few_links(self, shape: FilterShape) -> Query:
        return few_links(self.parameters, shape)

    def _build_groups(self, names: tuple[str, ...], shape: FilterShape, gathers: bool) -> Query:
        statement = select(FIGURE.id.label("figure"), FIGURE.value.label("value"), *columns_of(names))
        joined = FIGURE.__table__
        for link, names_of_link in ((PLACE, {"place"}), (DIMENSION, {"dimension", "dimension_value"})):
            if names_of_link & set(names):
                joined = joined.outerjoin(link, link.c.record_id == FIGURE.id)
        statement = statement.select_from(joined).where(FIGURE.state == literal_column("'published'"))
        is_linked = in_gathered if gathers else ColumnElement.in_
        figures = statement.where(*conditions(self.parameters, shape, is_linked)).subquery()
        keys = [figures.c[label] for label in labels_of(names)]
        count = func.count(figures.c.figure.distinct()) if "place" in names else func.count()
        grouped = select(*keys, count, func.min(figures.c.value), func.max(figures.c.value)).group_by(*keys)
        for key in keys:
            grouped = grouped.order_by(key.is_(None), key)  # NULL last on both engines
        return Query(grouped.limit(bindparam("most")))

    def _build_figures(self, shape: FilterShape, gathers: bool) -> Query:
        additive = [FIGURE.kind.not_in(literals(NOT_ADDED_KINDS)), FIGURE.unit.not_in(literals(NOT_ADDED_UNITS))]
        is_linked = in_gathered if gathers else ColumnElement.in_
        keys = select_keys(FIGURES).where(*additive, *conditions(self.parameters, shape, is_linked))
        keys = keys.order_by(FIGURE.id)
        return query_in_order(FIGURES, keys.limit(literal_column(str(MAX_ADDED + 1))))

    def _build_any(self, shape: FilterShape) -> Query:
        statement = select(FIGURE.id).where(FIGURE.state == literal_column("'published'"))
        return Query(statement.where(*conditions(self.parameters, shape)).limit(literal_column("1")))

    def _empty_because(self, filters: Mapping[str, Any]) -> Read:
        """Return each filter without which there would be figures."""
        names = []
        for name in filters:
            others = {other: value for other, value in filters.items() if other != name}
            shape, values = filter_shape(self.parameters, others)
            if (yield STATEMENTS.query(self._build_any, shape), values):
                names.append(name)
        return names

    def _read_members(self, names: Sequence[str], shape: FilterShape, values: Mapping[str, Any], gathers: bool) -> Read:
        """Read the Members of the groups; None if there are too many figures, or too many records above them."""
        rows = yield STATEMENTS.query(self._build_figures, shape, gathers), {**values, "most_bytes": MAX_PAGE_BYTES}
        if len(rows) > MAX_ADDED or len(fitting(rows)) < len(rows):
            return None
        figures = [StatedFigure.of(body) for _, body in rows]
        try:
            hierarchy = yield from read_hierarchy(figures)
        except TooManyAbove:
            return None
        by_key: dict[tuple[Any, ...], list[StatedFigure]] = {}
        for figure in figures:
            for key in keys_of(figure, names):
                by_key.setdefault(key, []).append(figure)
        return Members(by_key, hierarchy)


def _filters_of(query: Any) -> dict[str, Any]:
    filters: dict[str, Any] = query.model_dump(exclude_none=True, exclude={"group_by", "limit", "labels"})
    return filters


def _names_of(query: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*query.group_by.split(","), *ALWAYS]))


def _too_many(names: Sequence[str], groups: Sequence[Sequence[Any]]) -> bool:
    """Return whether the counts of the groups show that there are too many figures to add up.

    The counts show this only if no figure is in two groups.
    """
    if MULTIVALUED.intersection(names):
        return False
    labels = labels_of(names)
    kind = labels.index("kind_0")
    unit = labels.index("unit_0")
    count = len(labels)
    added = [row[count] for row in groups if row[kind] not in NOT_ADDED_KINDS and row[unit] not in NOT_ADDED_UNITS]
    return bool(sum(added) > MAX_ADDED)


def _group(names: Sequence[str], row: Sequence[Any], members: Members | None) -> dict[str, Any]:
    """Return the members of an AggregateGroup."""
    *key, count, low, high = row
    group_key = shown_key(names, key)
    summed = _sum(names, group_key, tuple(key), members)
    return {"key": group_key, "count": count, "min": _number(low), "max": _number(high), **summed}


def _labelled(group: dict[str, Any], language: str) -> dict[str, Any]:
    """Return a group with the labels of the codes in its key and in its other members."""
    group = labelled(AggregateGroup, group, language)
    for name, value in group["key"].items():
        if isinstance(value, str) and (codes := codes_of_field(FIGURES.shown, name)):
            group[LABELS][f"/key/{name}"] = code_label(codes, value, language)
    return group


def _sum(
    names: Sequence[str], group_key: Mapping[str, Any], key: tuple[Any, ...], members: Members | None
) -> dict[str, Any]:
    if group_key["kind"] in NOT_ADDED_KINDS or group_key["unit"] in NOT_ADDED_UNITS:
        return _summed(None, "not_additive")
    if members is None:
        return _summed(None, "too_many")
    figures = members.figures.get(key, [])
    group = members.groups.get(key)
    if group is not None and not group.has_one_indicator:
        return _summed(None, "several_indicators")
    if group is None and len({figure["indicator"] for figure in figures}) > 1:
        return _summed(None, "several_indicators")
    joint = [figure for figure in figures if "place" in names and len(figure.area) > 1]
    separate = [figure for figure in figures if figure not in joint]
    added, left_out = split_summands(separate, members.hierarchy)
    left_out += [LeftOut(figure.id, "several_places", None) for figure in joint]
    quantities = [figure.quantity for figure in added if figure.quantity]
    quantity = sum_of([*quantities, *(group.quantities() if group else ())])
    count = len(added) + (len(group) if group else 0)
    return _summed(quantity, None if quantity else "nothing_to_add", count, left_out)


def _summed(
    quantity: Quantity | None, no_sum: str | None, added: int = 0, left_out: Sequence[LeftOut] = ()
) -> dict[str, Any]:
    value, high = quantity_shown(quantity)
    return {
        "sum": value,
        "sum_high": high,
        "qualifier": quantity.qualifier if quantity else None,
        "added": added,
        "no_sum": no_sum,
        "left_out": sorted(left_out, key=lambda entry: entry.figure)[:MAX_LEFT_OUT],
        "left_out_count": len(left_out),
    }


def _number(value: float | None) -> int | float | None:
    return None if value is None else quantity_shown(Quantity(Decimal(repr(value))))[0]
