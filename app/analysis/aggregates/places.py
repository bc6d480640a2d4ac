"""Aggregates of the figures about one place, from the links to it, which repeat what a sum needs of each figure.

An index contains all of it. The record of a figure is read only if something in its group can conflict with it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

from sqlalchemy import BigInteger, Text, bindparam, case, cast, func, literal_column, select, true

from app.analysis.aggregates.grouping import FIGURE, literals
from app.analysis.aggregates.hierarchy import Above, read_edges, transitive_parents, wider_projects_of
from app.analysis.aggregates.sums import NOT_ADDED_KINDS, NOT_ADDED_UNITS, shared_projects
from app.core.database.sql import joined, one_of
from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, fitting
from app.core.model.filters import equals
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

# If a place has places directly in it, a figure can have several links to places in it.
_HAS_NO_PARTS = ~select(literal_column("1")).where(PLACES.table.parent == bindparam("place")).exists()
_BODIES = select_keys(FIGURES).where(one_of(FIGURE.id, "ids")).order_by(FIGURE.id)
BODIES = query_in_order(FIGURES, _BODIES)


def concerns_one_place(names: Iterable[str], shape: FilterShape) -> bool:
    """Return whether the links to places have all that a request filters and groups by."""
    filters = dict(shape)
    return filters.get("place") is True and filters.keys() <= FILTERS and set(names) <= {*GROUPS, "unit_text"}


def build_groups(names: tuple[str, ...], shape: FilterShape) -> Query:
    """Return the query of the groups with their counts and extremes. `unit_text` is left out.

    It has no rows if there are places in the place.
    """
    statement = select(*(LINK[name] for name in names if name != "unit_text"))
    statement = statement.add_columns(func.count(), func.min(LINK.value), func.max(LINK.value))
    statement = statement.where(_HAS_NO_PARTS, *_conditions(shape)).group_by(*_key_in_order(names))
    for name in names:
        if name != "unit_text":
            statement = statement.order_by(LINK[name].is_(None), LINK[name])
    return Query(statement.limit(bindparam("most")))


def with_unit_text(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]] | None:
    """Return the rows of groups with an empty `unit_text`; None if a group has the unit that needs one."""
    place = names.index("unit_text")
    unit = names.index("unit")
    completed = [(*row[:place], None, *row[place:]) for row in rows]
    return None if any(row[unit] == OTHER_UNIT for row in completed) else completed


def build_members(names: tuple[str, ...], shape: FilterShape) -> Query:
    """Return the query of the figures that can be added: for each group a row with its key, and a `Group`."""
    key = [literal_column("NULL") if name == "unit_text" else LINK[name] for name in names]
    whole: Any = cast(LINK.value, BigInteger)
    value = case((LINK.value == whole, cast(whole, Text)), else_=cast(LINK.value, Text))
    lists = (LINK.record_id, LINK.project, case((LINK.is_plain, value)), LINK.qualifier)
    columns = (*key, func.min(LINK.indicator), func.max(LINK.indicator), *map(joined, lists))
    labelled = [column.label(f"member_{number}") for number, column in enumerate(columns)]
    return Query(select(*labelled).where(*_added(shape)).group_by(*_key_in_order(names)))


def build_number(shape: FilterShape) -> Query:
    """Return the query of the number of the figures that can be added, up to `most`."""
    members = select(LINK.record_id).where(*_added(shape)).limit(bindparam("most"))
    return Query(select(func.count()).select_from(members.subquery()))


def build_wider_projects(shape: FilterShape) -> Query:
    """Return the query of the projects above those of the figures that can be added."""
    return wider_projects_of(select(LINK.project).where(*_added(shape)))


def _key_in_order(names: Iterable[str]) -> list[Any]:
    return [LINK[name] for name in GROUPS if name in names]


def _added(shape: FilterShape) -> list[Any]:
    additive = [LINK.kind.not_in(literals(NOT_ADDED_KINDS)), LINK.unit.not_in(literals(NOT_ADDED_UNITS))]
    return [*additive, *_conditions(shape)]


def _conditions(shape: FilterShape) -> list[Any]:
    columns = {"place": LINK.place_id}
    filters = [equals(columns.get(name, LINK.get(name)), name, single) for name, single in shape]
    return [LINK.is_public.is_(true()), *filters]


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

    @property
    def has_several_projects(self) -> bool:
        """Whether a project can be part of another one of the group."""
        return len(self.projects) > 1

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


def grouped(rows: Sequence[Sequence[Any]], shape: FilterShape, values: Mapping[str, Any]) -> Read:
    """Return a Group for each key. Raise TooManyAbove."""
    groups = {tuple(row[:-6]): Group(*row[-6:]) for row in rows}
    wider: Above = {}
    if any(group.has_several_projects for group in groups.values()):
        edges = yield from read_edges(STATEMENTS.query(build_wider_projects, shape), values)
        wider = transitive_parents(edges, chain.from_iterable(group.projects for group in groups.values()))
    for group in groups.values():
        group.separate(wider)
    return groups


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
