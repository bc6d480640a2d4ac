"""How the filters of a request are combined: the shape that decides the statement, its conditions, and their values.

The SQL of each kind of filter is in `app/core/model/filters.py`.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, select

from app.core.model.filters import Parameter
from app.core.model.resource import Resource, owner_of

# The names of the filters in use, each with whether it has a single value. For a flag, its value.
FilterShape = tuple[tuple[str, bool], ...]

# Names in a shape that are not parameters:
MATCHES_OF_QUERY = "q"  # only records that match the query
DRAFTS = "drafts"  # drafts instead of published records, with one of these flags:
OWN = True
ALL = False


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


def conditions(parameters: Mapping[str, Parameter], shape: FilterShape) -> list[ColumnElement[bool]]:
    """Return the conditions of a shape. Those on one link table must hold for the same link."""
    clauses: list[ColumnElement[bool]] = []
    clauses_by_link: dict[Any, list[ColumnElement[bool]]] = {}
    for name, single in shape:
        parameter = parameters[name]
        clause = parameter.where(name, single)
        if parameter.link is None:
            clauses.append(clause)
        else:
            clauses_by_link.setdefault(parameter.link, []).append(clause)
    for link, link_clauses in clauses_by_link.items():
        clauses.append(owner_of(link).c.id.in_(select(link.c.record_id).where(*link_clauses)))
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
