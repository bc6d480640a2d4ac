"""The sort of a list: its parameter, and the SQL condition for the rows after a cursor.

`parameters` accepts the parameter, and `reads` orders the rows. The sorts of a resource are in its `models.py`.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Double, and_, bindparam, or_, tuple_


@dataclass(frozen=True)
class Sort:
    """A sort key, its direction, and the direction of the ids of records with the same value."""

    name: str
    descending: bool
    ties_descending: bool

    @classmethod
    def of(cls, text: str) -> "Sort":
        """Parse the parameter, such as `-signed_on,id`. Without `,id` or `,-id`, ids have the direction of the key."""
        first, _, ties = text.partition(",")
        descending = first.startswith("-")
        return cls(first.lstrip("-"), descending, ties == "-id" if ties else descending)


@cache
def is_number(column: Any) -> bool:
    """Return whether the values of a sort are numbers; otherwise they are texts."""
    return isinstance(column.type, Double)


@cache
def nullable(column: Any) -> bool:
    """Return whether records may have no value for a sort."""
    return bool(column.property.columns[0].nullable)


def after_position(column: Any, record_id: Any, sort: Sort, segment: str) -> ColumnElement[bool]:
    """Return the condition for the rows after the cursor, within one segment of the list (`ListPage.segments`)."""
    value: Any = bindparam("after_value")
    last: Any = bindparam("after_id")
    tied: ColumnElement[bool] = record_id < last if sort.ties_descending else record_id > last
    if segment.startswith("absent") or sort.name == "id":
        return tied
    if sort.descending != sort.ties_descending:
        later = column < value if sort.descending else column > value
        return or_(later, and_(column == value, tied))
    row = tuple_(column, record_id)
    position = tuple_(value, last)
    return row < position if sort.descending else row > position
