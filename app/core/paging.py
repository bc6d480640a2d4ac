"""Pages of a list: the sort, the shape that decides the statement, and cursors bound to both."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, Double, and_, bindparam, or_, tuple_

from app.core.errors import BadCursor
from app.core.resource import Resource
from app.core.text import UNSAFE

Shape = tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Sort:
    """A closed sort key with its direction and that of the ids between equals."""

    name: str
    descending: bool
    ties_descending: bool

    @classmethod
    def of(cls, text: str) -> "Sort":
        """From the parameter, such as `-signed_on,id`; ties follow the direction of the key unless said."""
        first, _, ties = text.partition(",")
        descending = first.startswith("-")
        return cls(first.lstrip("-"), descending, ties == "-id" if ties else descending)


@dataclass
class Page:
    """One page that is asked for: its shape (which decides the statement) and its values."""

    resource: Resource
    query: Any
    also: Mapping[str, Any]
    path: str
    shape: Shape = ()
    values: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = self.query.model_fields_set
        asked = {**self.also, **{name: getattr(self.query, name) for name in self.resource.parameters if name in given}}
        shape = []
        for name, value in asked.items():
            many = self.resource.parameters[name].many
            single = not many or len(value) == 1
            shape.append((name, single))
            self.values |= self.resource.parameters[name].encode(name, value[0] if many and single else value)
        self.shape = tuple(shape)
        self.sort, self.limit = Sort.of(self.query.sort), self.query.limit
        self._bound = bound(self.path, self.query_pairs())
        if self.query.cursor is not None:
            self.after = dict(zip(("after_value", "after_id"), self._read(self.query.cursor), strict=True))

    def query_pairs(self) -> list[tuple[str, str]]:
        """The asked parameters that a cursor is bound to."""
        known = {**self.resource.parameters, "state": None, "sort": None}
        given = [(name, getattr(self.query, name)) for name in known if name in self.query.model_fields_set]
        return [(name, one) for name, value in given for one in (value if isinstance(value, list) else [value])]

    @property
    def segments(self) -> tuple[str, ...]:
        """First the records that have a value to sort by, then those that have none."""
        may_lack = nullable(self.resource.all_sorts[self.sort.name])
        if not self.after:
            return ("value", "absent") if may_lack else ("value",)
        if self.after["after_value"] is None:
            return ("absent-after",)
        return ("value-after", "absent") if may_lack else ("value-after",)

    def next(self, last: Sequence[Any]) -> str:
        """The path of the page after the one whose last row is given."""
        pairs = [*self.query_pairs(), ("limit", self.limit)]
        for name in ("fields", "include"):
            if getattr(self.query, name):
                pairs.append((name, getattr(self.query, name)))
        if self.query.total:
            pairs.append(("total", "true"))
        return f"{self.path}?{urlencode([*pairs, ('cursor', cursor(self._bound, last[0], last[1]))])}"

    def _read(self, given: str) -> tuple[Any, str]:
        try:
            value, record_id = json.loads(base64.urlsafe_b64decode(given.encode("ascii") + b"==")[6:])
            genuine = cursor(self._bound, value, record_id) == given
        except (ValueError, TypeError, RecursionError):
            raise BadCursor from None
        kind = (int, float) if isinstance(self.resource.all_sorts[self.sort.name].type, Double) else str
        fits = value is None or (isinstance(value, kind) and not isinstance(value, bool))
        if not genuine or not fits or not isinstance(record_id, str) or UNSAFE.search(f"{value}{record_id}"):
            raise BadCursor
        return value, record_id


def bound(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    """What a cursor is bound to: a path with its filters and sort, in whatever order they were given."""
    return f"{path}?{sorted(pairs)}"


def cursor(bound: str, value: Any, record_id: str) -> str:
    """An opaque place in a list: the last row's sort value and id, with a checksum that binds it to path and filter."""
    place = json.dumps([value, record_id], separators=(",", ":")).encode()
    check = hashlib.blake2b(place + bound.encode(), digest_size=6).digest()
    return base64.urlsafe_b64encode(check + place).rstrip(b"=").decode()


def nullable(column: Any) -> bool:
    """Whether records may have nothing to sort by."""
    return bool(column.property.columns[0].nullable)


def beyond(column: Any, record_id: Any, sort: Sort, segment: str) -> ColumnElement[bool]:
    """The condition of what comes after a cursor, within a segment of the list."""
    value: Any = bindparam("after_value")
    last: Any = bindparam("after_id")
    tied: ColumnElement[bool] = record_id < last if sort.ties_descending else record_id > last
    if segment.startswith("absent") or sort.name == "id":
        return tied
    if sort.descending != sort.ties_descending:
        further = column < value if sort.descending else column > value
        return or_(further, and_(column == value, tied))
    both, place = tuple_(column, record_id), tuple_(value, last)
    return both < place if sort.descending else both > place
