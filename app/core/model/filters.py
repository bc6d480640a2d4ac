"""What a list can be asked for: each filter declares its query parameters, and how each becomes a condition."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, StringConstraints, WithJsonSchema
from sqlalchemy import Column, ColumnElement, Table, and_, bindparam, select

from app.core.database.sql import one_of
from app.core.values.dates import parse_edtf
from app.core.values.text import clean, fold

Condition = Callable[[str, bool], ColumnElement[bool]]

Encode = Callable[[str, Any], dict[str, Any]]


def _unchanged_value(name: str, value: Any) -> dict[str, Any]:
    return {name: value}


@dataclass(frozen=True)
class Parameter:
    """One query parameter: the type of a value, and the condition it makes.

    `where(name, single)` builds the condition on what `encode` binds under `name`; `single` says that there is one
    value (then it is compared with `=`, which keeps an index's order usable). `link` is the link table the condition
    is about: the conditions of one request on one link table must hold for the same link.
    """

    name: str
    annotation: Any
    about: str
    where: Condition
    encode: Encode = _unchanged_value
    link: Table | None = None
    many: bool = False


class Filter(Protocol):
    """A declared filter; a resource's filters are a mapping of names to these."""

    def parameters(self, name: str) -> Iterator[Parameter]:
        """The query parameters it stands for."""


def equals(column: Any, name: str, single: bool) -> ColumnElement[bool]:
    """The column equals the bound value, or one of the bound values."""
    return column == bindparam(name) if single else one_of(column, name)


def _link(column: Any) -> Table | None:
    return column.table if isinstance(column, Column) else None


@dataclass(frozen=True)
class EqualFilter:
    """A column, or a column of a link table, equals one of the values."""

    column: Any
    annotation: Any
    about: str

    def parameters(self, name: str) -> Iterator[Parameter]:
        def where(bind: str, single: bool) -> ColumnElement[bool]:
            return equals(self.column, bind, single)

        yield Parameter(name, self.annotation, self.about, where, link=_link(self.column), many=True)


@dataclass(frozen=True)
class WithinFilter:
    """A reference to a node of a tree: matches the node and everything below it."""

    column: Any
    annotation: Any
    about: str
    node: Any
    parent: Any

    def parameters(self, name: str) -> Iterator[Parameter]:
        def where(bind: str, single: bool) -> ColumnElement[bool]:
            top = select(self.node.label("id")).where(equals(self.node, bind, single))
            tree = top.cte(recursive=True)
            below = tree.union(select(self.node).join(tree, self.parent == tree.c.id))
            inside: ColumnElement[bool] = self.column.in_(select(below.c.id))
            return inside

        yield Parameter(name, self.annotation, self.about, where, link=_link(self.column), many=True)


EdtfText = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(lambda text: (parse_edtf(text), text)[1]),
    WithJsonSchema({"type": "string", "maxLength": 40, "examples": ["2023", "2023-09", "2022/2023"]}),
]


def _ends(name: str, text: str) -> dict[str, Any]:
    first, last = parse_edtf(text).days()
    return {f"{name}_from": first, f"{name}_to": last}


@dataclass(frozen=True)
class DuringFilter:
    """An imprecise date: matches when the record's interval can fall in the asked one."""

    earliest: Any
    latest: Any
    about: str

    def parameters(self, name: str) -> Iterator[Parameter]:
        earliest, latest = self.earliest, self.latest
        conditions: dict[str, tuple[str, Condition]] = {
            "": ("Can fall in this EDTF date or interval.", lambda bind, _: and_(
                latest >= bindparam(f"{bind}_from"), earliest <= bindparam(f"{bind}_to"))),
            "_gte": ("Can be on or after this EDTF date.", lambda bind, _: latest >= bindparam(f"{bind}_from")),
            "_gt": ("Can be after this EDTF date.", lambda bind, _: latest > bindparam(f"{bind}_to")),
            "_lte": ("Can be on or before this EDTF date.", lambda bind, _: earliest <= bindparam(f"{bind}_to")),
            "_lt": ("Can be before this EDTF date.", lambda bind, _: earliest < bindparam(f"{bind}_from")),
        }  # fmt: skip
        for suffix, (words, where) in conditions.items():
            yield Parameter(name + suffix, EdtfText, f"{self.about} {words}", where, _ends)


@dataclass(frozen=True)
class RangeFilter:
    """A number or an instant in a range."""

    column: Any
    annotation: Any
    about: str

    def parameters(self, name: str) -> Iterator[Parameter]:
        conditions: dict[str, tuple[str, Condition]] = {
            "gte": ("At least this.", lambda bind, _: self.column >= bindparam(bind)),
            "gt": ("More than this.", lambda bind, _: self.column > bindparam(bind)),
            "lte": ("At most this.", lambda bind, _: self.column <= bindparam(bind)),
            "lt": ("Less than this.", lambda bind, _: self.column < bindparam(bind)),
        }
        for suffix, (words, where) in conditions.items():
            yield Parameter(f"{name}_{suffix}", self.annotation, f"{self.about} {words}", where)


_INSTANT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,6})?Z)?")


def _instant(text: str) -> datetime:
    """The instant, or the start of the day."""
    if not _INSTANT.fullmatch(text) or not text.isascii():
        raise ValueError("is neither an RFC 3339 instant in UTC (2026-11-22T09:30:00Z) nor a day (2026-11-22)")
    try:
        return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        raise ValueError("there is no such day or time") from None


InstantText = Annotated[
    str,
    AfterValidator(lambda text: (_instant(text), text)[1]),
    WithJsonSchema({"type": "string", "pattern": f"^{_INSTANT.pattern}$", "examples": ["2026-11-22T00:00:00Z"]}),
]


@dataclass(frozen=True)
class InstantFilter:
    """An instant in a range. A day alone is meant whole: after it is after its end, up to it includes it."""

    column: Any
    about: str

    def parameters(self, name: str) -> Iterator[Parameter]:
        ranges = RangeFilter(self.column, InstantText, f"{self.about} RFC 3339 in UTC, or a day.").parameters(name)
        for parameter in ranges:
            ends_the_day = parameter.name.endswith(("_gt", "_lte"))
            yield replace(parameter, encode=partial(_bound, ends_the_day))


def _bound(ends_the_day: bool, name: str, text: str) -> dict[str, Any]:
    return {name: stored_instant(text, ends_the_day=ends_the_day)}


def stored_instant(text: str, *, ends_the_day: bool) -> str:
    """As instants are stored: 27 characters, whatever precision it was asked with."""
    whole = timedelta(days=1) - timedelta(microseconds=1) if ends_the_day and "T" not in text else timedelta()
    return (_instant(text) + whole).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


SearchText = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(clean)]


@dataclass(frozen=True)
class TextFilter:
    """Text in a name or title, typed with or without diacritics, in either case."""

    column: Any
    about: str = "Text in it, in either case, with or without Vietnamese diacritics."

    def parameters(self, name: str) -> Iterator[Parameter]:
        def where(bind: str, _: bool) -> ColumnElement[bool]:
            like: ColumnElement[bool] = self.column.like(bindparam(bind), escape="\\")
            return like

        def encode(bind: str, text: str) -> dict[str, Any]:
            literal = fold(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            return {bind: f"%{literal}%"}

        yield Parameter(name, SearchText, self.about, where, encode)


@dataclass(frozen=True)
class IdentifierFilter:
    """`scheme:value`: a code that another register gave."""

    table: Table

    def parameters(self, name: str) -> Iterator[Parameter]:
        def where(bind: str, _: bool) -> ColumnElement[bool]:
            columns = self.table.c
            return and_(columns.scheme == bindparam(f"{bind}_scheme"), columns.value == bindparam(f"{bind}_value"))

        def encode(bind: str, text: str) -> dict[str, Any]:
            scheme, _, value = text.partition(":")
            return {f"{bind}_scheme": scheme, f"{bind}_value": value}

        shape = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*:.+$", max_length=300)]
        about = "A code another register gave it, as scheme:value, such as vn-legal:202/2025/QH15."
        yield Parameter(name, Annotated[shape, AfterValidator(clean)], about, where, encode, self.table)
