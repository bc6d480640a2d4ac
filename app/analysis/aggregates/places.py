"""Aggregates of the figures about places, from the links to it, which repeat what a sum needs of each figure.

An index contains all of it. The record of a figure is read only if something in its group can conflict with it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Text, bindparam, case, cast, func, literal_column, select, true, union_all

from app.analysis.aggregates.grouping import FIGURE, literals
from app.analysis.aggregates.hierarchy import Above, distinct_edges, select_wider_projects, transitive_parents
from app.analysis.aggregates.sums import NOT_ADDED_KINDS, NOT_ADDED_UNITS, shared_projects
from app.core.change_log import LAST_CHANGE_NAME
from app.core.database.sql import joined, one_of
from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, fitting
from app.core.reading.filter_conditions import FilterShape
from app.core.stored_records import query_in_order, select_keys
from app.core.values.numbers import Quantity
from app.figures.codelists import OTHER_UNIT
from app.figures.models import FIGURES, PLACES_OF
from app.figures.stated import StatedFigure
from app.places.models import PLACES

LINK = PLACES_OF.c
FILTERS = frozenset({"place", "kind", "indicator", "unit", "qualifier"})
GROUPS = ("kind", "indicator", "unit", "project")  # in the order of the index
_COPIED = ("record_id", *GROUPS, "value", "qualifier", "is_plain")
MAX_ADDED = 1_000  # figures that are read to be added up, in one response

_BODIES = select_keys(FIGURES).where(one_of(FIGURE.id, "ids")).order_by(FIGURE.id)
BODIES = query_in_order(FIGURES, _BODIES)


def concerns_places(names: Iterable[str], shape: FilterShape) -> bool:
    """Return whether the links to places have all that a request filters and groups by."""
    filters = dict(shape)
    return "place" in filters and filters.keys() <= FILTERS and set(names) <= {*GROUPS, "unit_text"}


class OfPlaces(NamedTuple):
    """What a statement has read of the figures about places: the rows of groups, and the Groups that can be added.

    `members` is None if there are too many figures. `edges` are those above the projects of the members, with levels.
    `last` is the name of the last Change.
    """

    groups: list[tuple[Any, ...]]
    members: "Groups | None"
    edges: list[tuple[str, str, int]]
    last: str


def read_of_places(names: tuple[str, ...], shape: FilterShape, values: Mapping[str, Any]) -> Read:
    """Read the figures about places; None if there are none, or if a figure has the unit that needs a text."""
    rows: Sequence[tuple[Any, ...]] = ()
    if ("place", True) in shape:
        rows = yield STATEMENTS.query(_build, names, shape, False), values
    if len(rows) <= 1:
        rows = yield STATEMENTS.query(_build, names, shape, True), values
    width = len(names) - 1
    unit = [name for name in names if name != "unit_text"].index("unit")
    if len(rows) <= 1 or any(row[1 + unit] == OTHER_UNIT for row in rows):
        return None
    place = 1 + names.index("unit_text")
    completed = [(*row[1:place], None, *row[place:]) for row in rows]
    of_rows = [(row[0], key) for row, key in zip(rows, completed, strict=True)]
    groups = [row[: width + 4] for kind, row in of_rows if kind == _GROUP]
    number, _, _, last, _, *lists, _ = rows[-1][1 + width :]
    if number > MAX_ADDED:
        return OfPlaces(groups, None, [], last)
    members = {row[: width + 1]: Group(*row[width + 4 :]) for kind, row in of_rows if kind == _MEMBERS}
    nodes, above, levels = (text.split(" ") if text else [] for text in lists)
    return OfPlaces(groups, members, list(zip(nodes, above, map(int, levels), strict=True)), last)


_GROUP, _MEMBERS, _LAST = range(3)  # the kinds of rows, in their order


def _build(names: tuple[str, ...], shape: FilterShape, in_trees: bool) -> Query:
    """Return the query of all that is read of the figures about places.

    Without `in_trees`, there is one place, and no figure if there are places in it. So a figure has one link to it. In
    trees, a figure can have several links. `unit_text` is left out of the keys.
    """
    parts = partial(_select, names, shape, in_trees)
    return Query(partial(parts, "sqlite"), on_postgresql=partial(parts, "postgresql"), looks_up=True)


def _select(names: tuple[str, ...], shape: FilterShape, in_trees: bool, engine: str) -> Any:
    key = [name for name in names if name != "unit_text"]
    in_order = [name for name in GROUPS if name in names]
    where = _conditions(shape, in_trees)
    groups = _groups(key, in_order, where, in_trees)
    number = _number_to_add(groups, where)

    # If there are too many, nothing is read of them: with NULL for the second column of the index, there are no rows.
    are_few = number.c.figures.between(literal_column("1"), literal_column(str(MAX_ADDED)))
    if_few = LINK.is_public == case((select(are_few).scalar_subquery(), true()))
    added = select(*(LINK[name] for name in _COPIED)).where(if_few, *_additive(LINK), *where)
    figure = (added.distinct() if in_trees else added).subquery("added").c
    whole: Any = cast(figure.value, BigInteger)
    value = case((figure.value == whole, cast(whole, Text)), else_=cast(figure.value, Text))
    lists = map(joined, (figure.record_id, figure.project, case((figure.is_plain, value)), figure.qualifier))
    indicators = (func.min(figure.indicator), func.max(figure.indicator))
    members = select(_kind(_MEMBERS), *(figure[name] for name in key), *_nulls(3), *indicators, *lists)

    edges = select_wider_projects(added.with_only_columns(LINK.project), engine).subquery("edges")
    of_edges = (joined(edges.c.node), joined(edges.c.above), joined(cast(edges.c.level, Text)))
    figures = select(number.c.figures).scalar_subquery()
    last = (figures, *_nulls(2), LAST_CHANGE_NAME.scalar_subquery(), *_nulls(1), *of_edges, *_nulls(1))
    return union_all(
        select(_kind(_GROUP), *groups.c, *_nulls(6)),
        members.group_by(*(figure[name] for name in in_order)),
        select(_kind(_LAST), *_nulls(len(key)), *last).select_from(edges),
    )


def _conditions(shape: FilterShape, in_trees: bool) -> list[Any]:
    conditions: list[Any] = [_HAS_NO_PARTS, LINK.place_id == _PLACE]
    if in_trees:
        conditions = [FIGURES.parameters["place"].where("place", dict(shape)["place"])]
    for name, single in shape:
        if name != "place":
            column = LINK[name]
            conditions.append(column == _subquery_of(name, column.type) if single else one_of(column, name))
    return conditions


def _groups(key: Sequence[str], in_order: Sequence[str], where: Sequence[Any], in_trees: bool) -> Any:
    """Return the groups with their counts and extremes, in the order of their keys."""
    number = func.count(LINK.record_id.distinct()) if in_trees else func.count()
    extremes = (func.min(LINK.value).label("low"), func.max(LINK.value).label("high"))
    groups = select(*(LINK[name] for name in key), number.label("figures"), *extremes)
    groups = groups.where(_IS_PUBLIC, *where).group_by(*(LINK[name] for name in in_order))
    for name in key:
        groups = groups.order_by(LINK[name].is_(None), LINK[name])
    return groups.limit(_subquery_of("most")).cte("groups")


def _number_to_add(groups: Any, where: Sequence[Any]) -> Any:
    """Return the number of the figures that can be added: those of the groups.

    If there are more groups than were read, the figures are counted up to the limit.
    """
    some = select(LINK.record_id).where(_IS_PUBLIC, *_additive(LINK), *where).distinct()
    of_some = select(func.count()).select_from(some.limit(literal_column(str(MAX_ADDED + 1))).subquery("some"))
    of_groups = select(cast(func.coalesce(func.sum(groups.c.figures), literal_column("0")), BigInteger))
    of_groups = of_groups.where(*_additive(groups.c))
    are_all = select(func.count() < _subquery_of("most")).select_from(groups).scalar_subquery()
    figures = case((are_all, of_groups.scalar_subquery()), else_=of_some.scalar_subquery())
    return select(figures.label("figures")).cte("number")


def _subquery_of(name: str, kind: Any = None) -> Any:
    """Return the value of a parameter as a subquery. PostgreSQL cannot estimate from it, so one plan serves all."""
    return select(bindparam(name, type_=kind)).scalar_subquery()


_PLACE: Any = _subquery_of("place", LINK.place_id.type)

# If a place has places directly in it, a figure can have several links to places in it.
_HAS_NO_PARTS = ~select(literal_column("1")).where(PLACES.table.parent == _PLACE).exists()


_IS_PUBLIC = LINK.is_public.is_(true())


def _kind(number: int) -> Any:
    return literal_column(str(number)).label("kind_of_row")


def _nulls(count: int) -> list[Any]:
    return [literal_column("NULL") for _ in range(count)]


def _additive(columns: Any) -> list[Any]:
    return [columns.kind.not_in(literals(NOT_ADDED_KINDS)), columns.unit.not_in(literals(NOT_ADDED_UNITS))]


class Group:
    """The figures of one group that can be added: those without a possible conflict, and the ids of the others.

    `lists` are the ids, projects, values and qualifiers of the figures, each in one text. A figure that is not plain
    has no value there.
    """

    def __init__(self, first_indicator: str, last_indicator: str, *lists: str) -> None:
        self.has_one_indicator = first_indicator == last_indicator
        self._ids, self._projects, self._values, self._qualifiers = (text.split(" ") for text in lists)
        self.projects = Counter(self._projects)
        self._plain: dict[str, tuple[str, str]] = {}
        self.others: list[str] = []

    def separate(self, wider: Above) -> None:
        """Find the figures with a possible conflict."""
        shared = self.projects.keys() if "" in self.projects else shared_projects(self.projects, wider)
        columns = zip(self._ids, self._projects, self._values, self._qualifiers, strict=True)
        self._plain = {
            figure_id: (value, qualifier)
            for figure_id, project, value, qualifier in columns
            if value and project not in shared
        }
        if len(self._plain) < len(self._ids):
            self.others = [figure_id for figure_id in self._ids if figure_id not in self._plain]

    def exclude(self, ids: Iterable[str]) -> list[str]:
        """Treat these figures as if they had a conflict. Return those that had none."""
        excluded = [figure_id for figure_id in ids if self._plain.pop(figure_id, None)]
        self.others += excluded
        return excluded

    def quantities(self) -> list[Quantity]:
        """Return the sum of the figures without a conflict for each qualifier."""
        values: dict[str, list[str]] = {}
        for value, qualifier in self._plain.values():
            values.setdefault(qualifier, []).append(value)
        return [Quantity(_exact_sum(numbers), None, qualifier) for qualifier, numbers in values.items()]

    def __len__(self) -> int:
        return len(self._plain)


def _exact_sum(numbers: Sequence[str]) -> Decimal:
    """Return the sum of numbers in the texts of both engines, which write a whole number without a point."""
    try:
        return Decimal(sum(map(int, numbers)))
    except ValueError:
        whole = sum(int(number) for number in numbers if "." not in number and "e" not in number)
        others = (Decimal(repr(float(number))) for number in numbers if "." in number or "e" in number)
        return whole + sum(others, Decimal(0))


def separate(groups: "Groups", edges: Sequence[tuple[str, str, int]]) -> None:
    """Find the figures with a possible conflict in each group. Raise TooManyAbove."""
    projects = chain.from_iterable(group.projects for group in groups.values())
    wider = transitive_parents(distinct_edges(edges), projects) if edges else {}
    for group in groups.values():
        group.separate(wider)


def read_figures(ids: Sequence[str]) -> Read:
    """Read the records of these figures by id; None if they are too large together."""
    if not ids:
        return {}
    rows = yield BODIES, {"ids": sorted(ids), "most_bytes": MAX_PAGE_BYTES}
    if len(fitting(rows)) < len(rows):
        return None
    return {figure.id: figure for figure in (StatedFigure.of(body) for _, body in rows)}


def related_ids(figures: Iterable[StatedFigure], totals: Above) -> set[str]:
    """Return the ids of all figures that these repeat or are a part of."""
    ids: set[str] = set()
    for figure in figures:
        ids.update(figure.related("same_as"), totals.get(figure.id, ()))
    return ids


Groups = Mapping[tuple[Any, ...], Group]
