"""Pages of a list: the sort, the shape that decides the statement, and cursors bound to both."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, Double, and_, bindparam, or_, select, tuple_

from app.core.access.caller import Caller
from app.core.errors import ERROR_DETAILS, BadCursor, ErrorItem, Invalid
from app.core.model.filters import Parameter
from app.core.model.resource import Resource, owner_of
from app.core.search.ranking import SearchPosition
from app.core.values.text import UNSAFE

MATCHES_OF_QUERY = "q"  # in a shape: what the query of a list finds

DRAFTS, OWN, ALL = "drafts", True, False  # in a shape: the caller's drafts, or all

FilterShape = tuple[tuple[str, bool], ...]


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


def filter_shape(parameters: Mapping[str, Parameter], asked: Mapping[str, Any]) -> tuple[FilterShape, dict[str, Any]]:
    """The shape of what is asked with these parameters, and the values to bind."""
    shape: list[tuple[str, bool]] = []
    values: dict[str, Any] = {}
    for name, value in asked.items():
        many = parameters[name].many
        single = not many or len(value) == 1
        shape.append((name, single))
        values |= parameters[name].encode(name, value[0] if many and single else value)
    return tuple(shape), values


def conditions(parameters: Mapping[str, Parameter], shape: FilterShape) -> list[ColumnElement[bool]]:
    """The conditions of a shape; those on one link table must hold for the same link."""
    found: list[ColumnElement[bool]] = []
    of_links: dict[Any, list[ColumnElement[bool]]] = {}
    for name, single in shape:
        parameter = parameters[name]
        if parameter.link is None:
            found.append(parameter.where(name, single))
        else:
            of_links.setdefault(parameter.link, []).append(parameter.where(name, single))
    for link, each in of_links.items():
        found.append(owner_of(link).c.id.in_(select(link.c.record_id).where(*each)))
    return found


def filter_conditions(resource: Resource, shape: FilterShape) -> list[ColumnElement[bool]]:
    """The conditions of a shape on a resource's records; those merged into others only by id, or if asked for."""
    found = conditions(resource.parameters, shape)
    merged = resource.merged_into_column
    if merged is not None and not any(name in ("id", "merged_into") for name, _ in shape):
        found.append(merged.is_(None))
    return found


def state_of(shape: FilterShape) -> str:
    """The state of the records that a shape is about."""
    return "draft" if any(name == DRAFTS for name, _ in shape) else "published"


@dataclass
class ListPage:
    """One page that is asked for: its shape (which decides the statement) and its values."""

    resource: Resource
    query: Any
    also: Mapping[str, Any]
    path: str
    shape: FilterShape = ()
    values: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = self.query.model_fields_set
        self._filters = {name: getattr(self.query, name) for name in self.resource.parameters if name in given}
        asked = {**self.also, **self._filters}
        self.shape, self.values = filter_shape(self.resource.parameters, asked)
        self.sort, self.limit = Sort.of(self.query.sort), self.query.limit
        if self.query.cursor is not None:
            self.after = dict(zip(("after_value", "after_id"), self._read(self.query.cursor), strict=True))

    @cached_property
    def query_pairs(self) -> list[tuple[str, str]]:
        """The asked parameters that a cursor is bound to."""
        given = [(name, value) for name, value in self._filters.items() if not isinstance(value, list)]
        given += [(name, one) for name, value in self._filters.items() if isinstance(value, list) for one in value]
        if self.query.q is not None:
            given.append(("q", self.query.q))
        asked = self.query.model_fields_set
        return [*given, *((name, getattr(self.query, name)) for name in ("state", "sort") if name in asked)]

    @property
    def segments(self) -> tuple[str, ...]:
        """First the records that have a value to sort by, then those that have none."""
        may_lack = nullable(self.resource.all_sorts[self.sort.name])
        if not self.after:
            return ("value", "absent") if may_lack else ("value",)
        if self.after["after_value"] is None:
            return ("absent-after",)
        return ("value-after", "absent") if may_lack else ("value-after",)

    @property
    def by_relevance(self) -> bool:
        """Whether the hits of a query are asked for in the order of search."""
        return self.query.q is not None and "sort" not in self.query.model_fields_set

    @property
    def position(self) -> SearchPosition | None:
        """Where the page begins among hits in the order of search."""
        return SearchPosition.from_cursor(self.after["after_value"]) if self.after and self.by_relevance else None

    def narrow(self, name: str, values: Mapping[str, Any]) -> None:
        """One condition more, which no parameter states."""
        self.shape += ((name, True),)
        self.values |= values

    def narrow_to_drafts(self, caller: Caller) -> None:
        """The drafts that are the caller's to write, instead of what is public."""
        caller.require("records:write", "records:write:own")
        for name in ("include", "q"):
            if getattr(self.query, name) is not None:
                raise Invalid(ErrorItem(parameter=name, code="of_drafts", detail=ERROR_DETAILS["of_drafts"]))
        self.shape += ((DRAFTS, ALL if caller.writes_all else OWN),)
        self.values["manager"] = caller.partner

    def next(self, value: Any, record_id: str) -> str:
        """The path of the page behind the row with this value to sort by and this id."""
        shaping = [("limit", self.limit)]
        shaping += [(name, said) for name in ("fields", "include") if (said := getattr(self.query, name))]
        shaping += [("total", "true")] if self.query.total else []
        return self._cursors.next(shaping, value, record_id)

    @property
    def _cursors(self) -> "Cursors":
        return Cursors(self.path, self.query_pairs)

    def _read(self, given: str) -> tuple[Any, str]:
        value, record_id = self._cursors.read(given)
        kind = (int, float) if is_number(self.resource.all_sorts[self.sort.name]) else str
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise BadCursor
        return value, record_id


@dataclass(frozen=True)
class Cursors:
    """The cursors of one list, bound by a checksum to its path and to its filters and sort, in whatever order."""

    path: str
    parameters: Sequence[tuple[str, Any]] = ()

    def next(self, shaping: Iterable[tuple[str, Any]], value: Any, record_id: str) -> str:
        """The path of the page after a row: the parameters, those that only shape a page, and the cursor."""
        cursor = ("cursor", self.cursor(value, record_id))
        return f"{self.path}?{urlencode([*self.parameters, *shaping, cursor])}"

    def read(self, cursor: str) -> tuple[Any, str]:
        """The sort value and id of the row before the page; BadCursor unless it was made for the same list."""
        try:
            value, record_id = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"==")[6:])
            is_genuine = self.cursor(value, record_id) == cursor
        except (ValueError, TypeError, RecursionError):
            raise BadCursor from None
        if not is_genuine or not isinstance(record_id, str) or UNSAFE.search(f"{value}{record_id}"):
            raise BadCursor
        return value, record_id

    def cursor(self, value: Any, record_id: str) -> str:
        """The opaque cursor of a row, from its sort value and id."""
        position = _POSITION.encode([value, record_id]).encode()
        bound = f"{self.path}?{sorted(self.parameters)}".encode()
        check = hashlib.blake2b(position + bound, digest_size=6).digest()
        return base64.urlsafe_b64encode(check + position).rstrip(b"=").decode()


_POSITION = json.JSONEncoder(separators=(",", ":"))


@cache
def is_number(column: Any) -> bool:
    """Whether records are sorted by a number rather than a text."""
    return isinstance(column.type, Double)


@cache
def nullable(column: Any) -> bool:
    """Whether records may have nothing to sort by."""
    return bool(column.property.columns[0].nullable)


def after_position(column: Any, record_id: Any, sort: Sort, segment: str) -> ColumnElement[bool]:
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
