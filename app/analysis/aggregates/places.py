"""Aggregates of the figures about one place, from the links to it, which repeat what a sum needs of each figure.

An index contains all of it. The record of a figure is read only if something in its group can conflict with it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, func, literal_column, select, true

from app.analysis.aggregates.grouping import FIGURE, literals
from app.analysis.aggregates.hierarchy import WIDER_PROJECTS, Above, read_edges, transitive_parents
from app.analysis.aggregates.sums import NOT_ADDED_KINDS, NOT_ADDED_UNITS, shared_projects
from app.core.database.sql import one_of
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, fitting
from app.core.model.filters import equals
from app.core.reading.filter_conditions import FilterShape
from app.core.stored_records import query_in_order, select_keys
from app.core.values.numbers import Quantity
from app.figures.codelists import OTHER_UNIT
from app.figures.models import FIGURES, PLACES_OF
from app.figures.stated import StatedFigure
from app.places.models import PLACES
from app.projects.models import PARTS

LINK = PLACES_OF.c
FILTERS = frozenset({"place", "kind", "indicator", "unit", "qualifier"})
GROUPS = ("kind", "indicator", "unit", "project")  # in the order of the index

# The places directly in a place. If there are any, a figure can have several links to places in it.
HAS_PARTS = Query(select(PLACES.table.id).where(PLACES.table.parent == bindparam("place")).limit(literal_column("1")))
_BODIES = select_keys(FIGURES).where(one_of(FIGURE.id, "ids")).order_by(FIGURE.id)
BODIES = query_in_order(FIGURES, _BODIES)


def concerns_one_place(names: Iterable[str], shape: FilterShape) -> bool:
    """Return whether the links to places have all that a request filters and groups by."""
    filters = dict(shape)
    return filters.get("place") is True and filters.keys() <= FILTERS and set(names) <= {*GROUPS, "unit_text"}


def build_groups(names: tuple[str, ...], shape: FilterShape) -> Query:
    """Return the query of the groups with their counts and extremes. `unit_text` is left out."""
    statement = select(*(LINK[name] for name in names if name != "unit_text"))
    statement = statement.add_columns(func.count(), func.min(LINK.value), func.max(LINK.value))
    statement = statement.where(*_conditions(shape)).group_by(*(LINK[name] for name in GROUPS if name in names))
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
    """Return the query of the figures that can be added, with the key of their group. Its parameter is `most`."""
    key = [literal_column("NULL") if name == "unit_text" else LINK[name] for name in names]
    is_part: Any = select(literal_column("1")).where(PARTS.c.record_id == LINK.project).exists()
    others = (is_part, LINK.record_id, LINK.indicator, LINK.project, LINK.value, LINK.qualifier, LINK.is_plain)
    additive = [LINK.kind.not_in(literals(NOT_ADDED_KINDS)), LINK.unit.not_in(literals(NOT_ADDED_UNITS))]
    labelled = [column.label(f"member_{number}") for number, column in enumerate((*key, *others))]
    return Query(select(*labelled).where(*additive, *_conditions(shape)).limit(bindparam("most")))


def _conditions(shape: FilterShape) -> list[Any]:
    columns = {"place": LINK.place_id}
    filters = [equals(columns.get(name, LINK.get(name)), name, single) for name, single in shape]
    return [LINK.is_public.is_(true()), *filters]


class Group:
    """The figures of one group that can be added: those without a possible conflict, and the ids of the others."""

    def __init__(self, rows: Sequence[Sequence[Any]], wider: Above) -> None:
        self.indicators = {row[-5] for row in rows}
        counts = Counter(row[-4] for row in rows)
        shared = counts.keys() if None in counts else shared_projects(counts, wider)
        self._plain = {row[-6]: row for row in rows if row[-1] and row[-4] not in shared}
        self.others = [row[-6] for row in rows if row[-6] not in self._plain]

    def exclude(self, ids: Iterable[str]) -> list[str]:
        """Treat these figures as if they had a conflict. Return those that had none."""
        excluded = [figure_id for figure_id in ids if self._plain.pop(figure_id, None)]
        self.others += excluded
        return excluded

    def quantities(self) -> list[Quantity]:
        """Return the sum of the figures without a conflict for each qualifier."""
        values: dict[str, list[float]] = {}
        for row in self._plain.values():
            values.setdefault(row[-2], []).append(row[-3])
        return [Quantity(_exact_sum(numbers), None, qualifier) for qualifier, numbers in values.items()]

    def __len__(self) -> int:
        return len(self._plain)


def _exact_sum(numbers: Sequence[float]) -> Decimal:
    whole = sum(int(number) for number in numbers if number.is_integer())
    return whole + sum((Decimal(repr(number)) for number in numbers if not number.is_integer()), Decimal(0))


def grouped(rows: Sequence[Sequence[Any]], width: int) -> Read:
    """Return a Group for each key, which has `width` columns. Raise TooManyAbove."""
    by_key: dict[tuple[Any, ...], list[Sequence[Any]]] = {}
    for row in rows:
        by_key.setdefault(tuple(row[:width]), []).append(row)
    projects = sorted({row[-4] for row in rows if row[-7]})  # only these have wider ones
    wider = transitive_parents((yield from read_edges(WIDER_PROJECTS, projects)), projects) if projects else {}
    return {key: Group(members, wider) for key, members in by_key.items()}


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
