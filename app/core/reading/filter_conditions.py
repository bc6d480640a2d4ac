"""How the filters of a request are combined: the shape that decides the statement, its conditions, and their values.

The SQL of each kind of filter is in `app/core/model/filters.py`.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, literal_column, select

from app.core.database.sql import in_gathered
from app.core.database.statements import Query
from app.core.model.filters import Parameter
from app.core.model.resource import Resource, owner_of

# The names of the filters in use, each with whether it has a single value. For a flag, its value.
FilterShape = tuple[tuple[str, bool], ...]

# Names in a shape that are not parameters:
MATCHES_OF_QUERY = "q"  # only records that match the query
DRAFTS = "drafts"  # drafts instead of published records, with one of these flags:
OWN = True
ALL = False

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


def conditions(
    parameters: Mapping[str, Parameter], shape: FilterShape, *, gathers: bool = False
) -> list[ColumnElement[bool]]:
    """Return the conditions of a shape. Those on one link table must hold for the same link.

    `gathers`: PostgreSQL gathers the records of `few_links` first. This is for statements that read all records that
    match: those of a list stop after a page.
    """
    clauses = [parameters[name].where(name, single) for name, single in shape if parameters[name].link is None]
    for link, link_clauses in _clauses_by_link(parameters, shape).items():
        owner = owner_of(link).c.id
        records = select(link.c.record_id).where(*link_clauses)
        clauses.append(in_gathered(owner, records) if gathers else owner.in_(records))
    return clauses


def few_links(parameters: Mapping[str, Parameter], shape: FilterShape) -> Query:
    """Return the query whether few links fulfil a shape, so that PostgreSQL should gather them; on SQLite always 0."""
    limit: Any = literal_column(str(MAX_GATHERED))
    counts = []
    for link, clauses in _clauses_by_link(parameters, shape).items():
        links = select(link.c.record_id).where(*clauses).limit(limit)
        counts.append(select(func.count() < limit).select_from(links.subquery()).scalar_subquery())
    return Query(select(literal_column("0")), on_postgresql=select(and_(*counts) if counts else false()))


def _clauses_by_link(parameters: Mapping[str, Parameter], shape: FilterShape) -> dict[Any, list[ColumnElement[bool]]]:
    clauses: dict[Any, list[ColumnElement[bool]]] = {}
    for name, single in shape:
        link = parameters[name].link
        if link is not None:
            clauses.setdefault(link, []).append(parameters[name].where(name, single))
    return clauses


def filter_conditions(resource: Resource, shape: FilterShape) -> list[ColumnElement[bool]]:
    """Return the conditions of a shape on a resource. Merged records match only filters by `id` and `merged_into`."""
    clauses = conditions(resource.parameters, shape)
    merged = resource.merged_into_column
    if merged is not None and not any(name in ("id", "merged_into", "merged_into_none") for name, _ in shape):
        clauses.append(merged.is_(None))
    return clauses


def state_of(shape: FilterShape) -> str:
    """Return the state of the records that a shape selects."""
    return "draft" if any(name == DRAFTS for name, _ in shape) else "published"
