"""How the filters of a request are combined: the shape that decides the statement, its conditions, and their values.

The SQL of each kind of filter is in `app/core/model/filters.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, zip_longest
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Table, and_, exists, false, func, literal_column, select
from sqlalchemy.sql.visitors import iterate

from app.core.database.sql import in_order_of, unindexed_in
from app.core.database.statements import Query
from app.core.model.filters import Parameter
from app.core.model.resource import Resource, owner_of

# The names of the filters in use, each with whether it has a single value. For a flag, its value.
FilterShape = tuple[tuple[str, bool], ...]

# Names in a shape that are not parameters:
MATCHES_OF_QUERY = "q"  # only records that match the query
CACHED_IDS = "cached_ids"  # only records with these ids
DRAFTS = "drafts"  # drafts instead of published records, with one of these flags:
OWN = True
ALL = False

MANY_LINKS = 20_000  # SQLite collects the records of fewer links in about 10 ms
MANY_IN_RANGE = 1_000  # SQLite reads fewer records from an index, and sorts them, in about 2 ms
MAX_GATHERED = 50_000  # records of links, not included: 4 MB in an array of PostgreSQL


def filter_shape(parameters: Mapping[str, Parameter], filters: Mapping[str, Any]) -> tuple[FilterShape, dict[str, Any]]:
    """Return the shape of the filters, and the values to bind."""
    shape: list[tuple[str, bool]] = []
    values: dict[str, Any] = {}
    for name, value in filters.items():
        if parameters[name].is_flag:
            shape.append((name, value))
            continue
        many = parameters[name].many
        wanted = parameters[name].values_of(value)
        single = not many or len(wanted) == 1
        shape.append((name, single))
        values |= parameters[name].encode(name, wanted[0] if many and single else wanted)
    return tuple(shape), values


class _Linked(NamedTuple):
    """The records that have such links: the id of a record, and the select of their ids.

    `link` is the table of the links, if they are in one, with the conditions on it. `is_exact`: the links are to one
    value, so that their index is in the order of the ids. Without a link table, `otherwise` is the condition on each
    record if there are `many` links, and `plainly` the condition if there are few.
    """

    own: Any
    ids: Any
    is_exact: bool
    link: Table | None = None
    clauses: Sequence[ColumnElement[bool]] = ()
    many: int | None = None  # by default MANY_LINKS
    otherwise: ColumnElement[bool] | None = None
    plainly: ColumnElement[bool] | None = None

    def is_in(self, condition: "IsLinked") -> Any:
        """Return the condition that the id of a record is one of the ids."""
        if self.plainly is not None:
            return self.plainly
        return (
            condition(self.own, self.ids) if self.is_exact or condition is not in_order_of else self.own.in_(self.ids)
        )

    def has_link(self) -> ColumnElement[bool]:
        """Return the condition that a record has such a link, for which SQLite looks up the links of the record."""
        if self.otherwise is not None:
            return self.otherwise
        link: Any = self.link
        of_record = [unindexed_in(link, clause) for clause in self.clauses]
        row: Any = literal_column("1")
        return exists(row).where(link.c.record_id == self.own, *of_record).correlate(owner_of(link))


class Gathered(NamedTuple):
    """The filter of which a list first collects all records, and which of its ranges few records fulfil."""

    name: str
    range: int
    table: Table


class Plan(NamedTuple):
    """How SQLite finds records: which links are many (`many_links`), what it gathers, and whether it reads a page."""

    many: tuple[bool, ...] = ()
    gathered: Gathered | None = None
    is_list: bool = False


ANY_PLAN = Plan()


# How a statement looks for the ids of the records that have such links. It matters on PostgreSQL only: `in_gathered` is
# for statements that read all records that match `few_links`, `in_order_of` for lists by id, which stop after a page.
IsLinked = Callable[[Any, Any], Any]


def conditions(
    parameters: Mapping[str, Parameter],
    shape: FilterShape,
    is_linked: IsLinked = ColumnElement.in_,
    plan: Plan = ANY_PLAN,
) -> list[ColumnElement[bool]]:
    """Return the conditions of a shape. Those on one link table must hold for the same link."""
    gathered = plan.gathered
    clauses: list[Any] = []
    for name, single in shape:
        if gathered is not None and name == gathered.name:
            clauses.append(_is_gathered(parameters[name], single, gathered))
        elif parameters[name].link is None and not _has_ids(parameters[name], single):
            where = parameters[name].where(name, single)
            walked = _table_of_absence(parameters[name], single) if plan.is_list else None
            table = gathered.table if gathered is not None else walked
            clauses.append(where if table is None else unindexed_in(table, where))
    for linked, has_many in zip_longest(_linked(parameters, shape), plan.many):
        clauses.append(linked.has_link() if has_many else linked.is_in(is_linked))
    return clauses


def many_links(parameters: Mapping[str, Parameter], shape: FilterShape) -> Query:
    """Return the query which links of a shape are many. It has no rows on PostgreSQL, whose planner knows this.

    To get a page of records of which many are linked, SQLite should go through the records in their order until the
    page is full. Otherwise it collects all that are linked first: of 100,000 projects in one country, in 100 ms.
    """
    counts: list[Any] = []
    for linked in _linked(parameters, shape):
        limit: Any = literal_column(str(linked.many or MANY_LINKS))
        count = select(func.count() >= limit).select_from(_first(linked.ids, limit)).scalar_subquery()
        has_two_ways = linked.link is not None or linked.otherwise is not None
        counts.append(count if has_two_ways else literal_column("0"))
    return Query(select(*counts), only_on_sqlite=True, alone=True)


def _is_gathered(parameter: Parameter, single: bool, gathered: Gathered) -> ColumnElement[bool]:
    """Return the condition of a parameter for which SQLite reads one of its ranges from the index of the range."""
    table = gathered.table
    ranges = parameter.ranges(gathered.name, single) if parameter.ranges else ()
    clauses = [clause if at == gathered.range else unindexed_in(table, clause) for at, clause in enumerate(ranges)]
    condition: ColumnElement[bool] = table.c.id.in_(select(table.c.id).where(*clauses).correlate(None))
    return condition


def _table_of_absence(parameter: Parameter, single: bool) -> Table | None:
    """Return the table of a flag that asks for records without a value in a column; None for other parameters.

    If a list does not gather them, they are many. SQLite would read all from the index of the column and sort them.
    """
    if not (parameter.is_flag and single and parameter.ranges):
        return None
    return _column_of(parameter.ranges(parameter.name, single)[0]).table


def _column_of(condition: ColumnElement[bool]) -> Column[Any]:
    """Return the only column of a condition."""
    (column,) = (element for element in iterate(condition) if isinstance(element, Column))
    return column.table.c[column.key]


def ranges_of(parameter: Parameter) -> list[Gathered]:
    """Return the ranges of a filter that are in an index."""
    conditions_on_columns = parameter.ranges(parameter.name, True) if parameter.ranges else ()
    columns = list(map(_column_of, conditions_on_columns))
    indexed = [(number, column) for number, column in enumerate(columns) if _is_first_in_index(column)]
    return [Gathered(parameter.name, number, column.table) for number, column in indexed]


def records_in_ranges(parameters: Mapping[str, Parameter], shape: FilterShape) -> Query:
    """Return the query how many records each of `ranges_of` has, up to `MANY_IN_RANGE`. It has no rows on PostgreSQL.

    SQLite does not know how many records a range has. It goes through all records in the order of the list until the
    page is full, which takes 100 ms for 100,000 records if no record is in the range.
    """
    limit: Any = literal_column(str(MANY_IN_RANGE))
    row: Any = literal_column("1")
    counts = []
    for name, single in shape:
        for gathered in ranges_of(parameters[name]):
            condition = parameters[name].ranges(name, single)[gathered.range]  # type: ignore[misc]
            rows = select(row).select_from(gathered.table).where(condition).correlate(None).limit(limit)
            counts.append(select(func.count()).select_from(rows.subquery()).scalar_subquery())
    return Query(select(*counts), only_on_sqlite=True, alone=True)


def few_links(parameters: Mapping[str, Parameter], shape: FilterShape) -> Query:
    """Return the query whether few links fulfil a shape, so that PostgreSQL should gather them; on SQLite always 0."""
    limit: Any = literal_column(str(MAX_GATHERED))
    counts = []
    for linked in _linked(parameters, shape):
        counts.append(select(func.count() < limit).select_from(_first(linked.ids, limit)).scalar_subquery())
    return Query(select(literal_column("0")), on_postgresql=select(and_(*counts) if counts else false()))


def has_links(parameters: Mapping[str, Parameter], shape: FilterShape) -> bool:
    """Return whether a shape has conditions on link tables."""
    return any(
        parameters[name].link is not None
        or _is_in_own_tree(parameters[name])
        or (parameters[name].is_flag and _has_ids(parameters[name], single))
        for name, single in shape
    )


def _first(ids: Any, limit: Any) -> Any:
    return ids.limit(limit).subquery()


def _linked(parameters: Mapping[str, Parameter], shape: FilterShape) -> Iterator[_Linked]:
    """Yield the linked records of each filter on several links, and of each link table."""
    on_links: dict[Any, list[tuple[str, bool]]] = {}
    for name, single in shape:
        parameter = parameters[name]
        if parameter.link is not None:
            on_links.setdefault(parameter.link, []).append((name, single))
        elif parameter.is_flag and parameter.ids is not None and not single:
            otherwise = parameter.where(name, False)
            yield _Linked(*parameter.ids(name, False), is_exact=False, many=MANY_IN_RANGE, otherwise=otherwise)
        elif _is_in_own_tree(parameter):
            column = parameter.columns[0].property.columns[0]
            where = parameter.where(name, single)
            ids = select(column.table.c.id).where(where).correlate(None)
            others = {"otherwise": unindexed_in(column.table, where), "plainly": where}
            yield _Linked(column.table.c.id, ids, is_exact=False, many=MANY_IN_RANGE, **others)
        elif parameter.ids is not None and not parameter.is_flag:
            yield _Linked(*parameter.ids(name, single), is_exact=single)
    for link, filters in on_links.items():
        has_target = any(parameters[name].target for name, _ in filters)
        clauses = []
        for name, single in filters:
            clause = parameters[name].where(name, single)
            # Of a code and a record, SQLite would choose the index of the code, which far more links have.
            clauses.append(unindexed_in(link, clause) if has_target and not parameters[name].target else clause)
        ids = select(link.c.record_id).where(*clauses)
        is_exact = all(single and not parameters[name].searches_tree for name, single in filters)
        yield _Linked(owner_of(link).c.id, ids, is_exact, link, clauses)


def _has_ids(parameter: Parameter, single: bool) -> bool:
    """Return whether the records that a parameter finds are linked ones. Of a flag, `single` is the value."""
    return _is_in_own_tree(parameter) or (parameter.ids is not None and not (parameter.is_flag and single))


def _is_in_own_tree(parameter: Parameter) -> bool:
    """Return whether a column of the record's own table links to a node of a tree."""
    return parameter.searches_tree and parameter.link is None


@cache
def _is_first_in_index(column: Any) -> bool:
    """Return whether there is an index of all records in the order of a column."""
    indexes = [index for index in column.table.indexes if index.dialect_options["sqlite"]["where"] is None]
    return any(next(iter(index.columns)) is column for index in indexes)


def filter_conditions(
    resource: Resource,
    shape: FilterShape,
    is_linked: IsLinked = ColumnElement.in_,
    plan: Plan = ANY_PLAN,
) -> list[ColumnElement[bool]]:
    """Return the conditions of a shape on a resource. Merged records match only filters by `id` and `merged_into`."""
    clauses = conditions(resource.parameters, shape, is_linked, plan)
    merged = resource.merged_into_column
    if merged is not None and not any(name in ("id", "merged_into", "merged_into_none") for name, _ in shape):
        clauses.append(merged.is_(None))
    return clauses


def resources_of(resource: Resource, names: Iterable[str]) -> frozenset[str]:
    """Return the resources whose public records decide what filters with these names find.

    They are those to which the filters lead, too: a record there may have been merged, or have got parts.
    """
    filters = [resource.parameters[name] for name in names if name in resource.parameters]
    others = {name for name in chain(*((item.target, item.source) for item in filters)) if name}
    return frozenset({resource.name, *others})


def state_of(shape: FilterShape) -> str:
    """Return the state of the records that a shape selects."""
    return "draft" if any(name == DRAFTS for name, _ in shape) else "published"
