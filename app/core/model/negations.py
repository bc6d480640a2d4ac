"""The filters that are derived from others: `x_not` (none of these values) and `x_none` (whether there is a value)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, ColumnElement, String, Table, and_, exists, literal_column, not_, or_, select, true

from app.core.model.filters import Parameter, Ranges

NOT = "_not"
NONE = "_none"


def negation(parameter: Parameter) -> Parameter:
    """Return the parameter that excludes the records which another parameter finds.

    A record with several values is excluded if one of them matches. A record without a value is not excluded.
    """

    def where(bind: str, single: bool) -> ColumnElement[bool]:
        condition = parameter.where(bind, single)
        if parameter.link is None:
            return condition.is_not(true())  # true if the column is NULL
        return not_(_linked(parameter.link, condition))

    description = f"Excludes the records that `{parameter.name}` finds with these values."
    negated = replace(parameter, name=parameter.name + NOT, about=description, where=where)
    return replace(negated, link=None, ids=None, ranges=None, searches_tree=False)


def absence(name: str, columns: Sequence[Any]) -> Iterator[Parameter]:
    """Yield the parameter that asks whether a record has a value in one of the columns, if it may have none."""
    if not all(isinstance(column, Column) or _is_nullable(column) for column in columns):
        return

    def where(_: str, is_absent: bool) -> ColumnElement[bool]:
        if is_absent:
            return and_(*(not_(_has_value(column)) for column in columns))
        return or_(*(_has_value(column) for column in columns))

    parameter = flag(name, where)
    if len(columns) == 1:
        column = columns[0]
        if not isinstance(column, Column):
            parameter = replace(parameter, ranges=_absence_in_index(column))
        else:
            linked = _owner(column.table).c.id, select(column.table.c.record_id).where(column.is_not(None))
            parameter = replace(parameter, ids=lambda *_: linked)
    yield parameter


def _absence_in_index(column: Any) -> Ranges:
    """Return the `ranges` of whether a column has a value. SQLite uses no index for `IS NOT NULL`."""
    least: Any = literal_column("''" if isinstance(column.type, String) else "-1e999")
    return lambda _, is_absent: (column.is_(None) if is_absent else column >= least,)


def flag(name: str, where: Any) -> Parameter:
    """Return the parameter `x_none`. Its value is part of the shape of a request, because it decides the statement."""
    description = f"`true`: only records without a value of `{name}`. `false`: only records with a value."
    return Parameter(name + NONE, bool, description, where, is_flag=True)


def _is_nullable(column: Any) -> bool:
    return bool(column.property.columns[0].nullable)


def _has_value(column: Any) -> ColumnElement[bool]:
    if isinstance(column, Column):
        return _linked(column.table, column.is_not(None))
    condition: ColumnElement[bool] = column.is_not(None)
    return condition


def _owner(link: Table) -> Table:
    (key,) = link.c.record_id.foreign_keys
    return key.column.table


def _linked(link: Table, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that a record has a link that meets a condition."""
    owner = _owner(link)
    row: Any = literal_column("1")
    return exists(row).where(link.c.record_id == owner.c.id, condition).correlate(owner)
