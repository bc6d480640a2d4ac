"""The filters of lists. Each declares its query parameters and the SQL condition of each parameter."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, StringConstraints, WithJsonSchema
from sqlalchemy import Column, ColumnElement, Table, and_, bindparam, select

from app.core.database.sql import in_gathered, one_of
from app.core.values.codelists import CodeList
from app.core.values.dates import parse_edtf
from app.core.values.text import clean, fold

Condition = Callable[[str, bool], ColumnElement[bool]]
Ranges = Callable[[str, bool], Sequence[ColumnElement[bool]]]
Encode = Callable[[str, Any], dict[str, Any]]


def _unchanged_value(name: str, value: Any) -> dict[str, Any]:
    return {name: value}


@dataclass(frozen=True)
class Parameter:
    """One query parameter: the type of its values and its SQL condition.

    - `where(name, single)` returns the condition. `encode` binds the values under `name`. With `single` there is one
      value, which is compared with `=`, so that an index also gives the order. For a flag, its value takes the place of
      `single` and is not bound.
    - `link` is the link table of the condition, if any. All conditions of a request on the same link table must hold
      for the same link.
    - `ids(name, single)`, for a condition on one of several links, returns the id of a record, and the select of the
      ids of all records that have such a link. For a flag, of those that its value `false` finds.
    - `searches_tree`: the condition also matches the descendants of its values.
    - `ranges(name, single)`, for a condition on columns of the record's own table, returns the conditions on each
      of them, which must all hold. An index has the records that fulfil one of them next to each other.
    - `source` is the resource whose links decide the value of a flag, if it is another one than that of the list.
    - `codes` is the code list of the values, if `many`: a wider code also matches the narrower codes in it.
    - `target` is the resource whose ids the values are.
    - `columns`: a record has a value for the parameter if one of these columns has a value. `stem` is the name of the
      parameter that asks for this.
    """

    name: str
    annotation: Any
    about: str
    where: Condition
    encode: Encode = _unchanged_value
    link: Table | None = None
    many: bool = False
    codes: CodeList | None = None
    target: str | None = None
    is_flag: bool = False
    columns: tuple[Any, ...] = ()
    stem: str = ""
    ids: Callable[[str, bool], tuple[Any, Any]] | None = None
    searches_tree: bool = False
    source: str | None = None
    ranges: Ranges | None = None

    def values_of(self, value: Any) -> Any:
        """Return the value of a request, or its values: each once, and the narrower codes of a wider code."""
        if not self.many:
            return value
        values = dict.fromkeys(value)
        if self.codes is not None and self.codes.parts:
            values = dict.fromkeys(chain.from_iterable(map(self.codes.with_parts, values)))
        return list(values)


class Filter(Protocol):
    """A filter of a list. A resource declares its filters as a mapping from names to filters."""

    def parameters(self, name: str) -> Iterator[Parameter]:
        """Yield the query parameters of the filter."""


def equals(column: Any, name: str, single: bool) -> ColumnElement[bool]:
    """Return the condition that a column equals the bound value, or one of the bound values."""
    return column == bindparam(name) if single else one_of(column, name)


def code_list_of(annotation: Any) -> CodeList | None:
    """Return the list of codes that a type accepts; None if it accepts other text."""
    rules = getattr(annotation, "__metadata__", ())
    return next((rule for rule in rules if isinstance(rule, CodeList)), None)


def _link(column: Any) -> Table | None:
    return column.table if isinstance(column, Column) else None


@dataclass(frozen=True)
class EqualFilter:
    """The column, which may be one of a link table, equals one of the values."""

    column: Any
    annotation: Any
    about: str

    def parameters(self, name: str) -> Iterator[Parameter]:
        def where(bind: str, single: bool) -> ColumnElement[bool]:
            return equals(self.column, bind, single)

        codes = code_list_of(self.annotation)
        yield Parameter(
            name,
            self.annotation,
            self.about,
            where,
            link=_link(self.column),
            many=True,
            codes=codes,
            columns=(self.column,),
        )


@dataclass(frozen=True)
class WithinFilter:
    """The column refers to one of the given nodes of a tree, or to one of their descendants."""

    column: Any
    annotation: Any
    about: str
    node: Any
    parent: Any

    def parameters(self, name: str) -> Iterator[Parameter]:
        def where(bind: str, single: bool) -> ColumnElement[bool]:
            nodes = select(self.node.label("id")).where(equals(self.node, bind, single)).cte(recursive=True)
            nodes = nodes.union(select(self.node).join(nodes, self.parent == nodes.c.id))
            is_within: ColumnElement[bool] = in_gathered(self.column, select(nodes.c.id))
            return is_within

        link = _link(self.column)
        yield Parameter(
            name,
            self.annotation,
            self.about,
            where,
            link=link,
            many=True,
            columns=(self.column,),
            searches_tree=True,
        )


_UNENCODED_PLUS = re.compile(r"(?<=\d) (?=\d\d:\d\d$)")  # `+` in a query string means a space


def _valid_edtf(text: str) -> str:
    text = _UNENCODED_PLUS.sub("+", text)
    parse_edtf(text)
    return text


EdtfText = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(_valid_edtf),
    WithJsonSchema({"type": "string", "maxLength": 40, "examples": ["2023", "2023-09", "2022/2023"]}),
]


def _ends(name: str, text: str) -> dict[str, Any]:
    first, last = parse_edtf(text).days()
    return {f"{name}_from": first, f"{name}_to": last}


def _all_of(ranges: Ranges) -> Condition:
    return lambda bind, single: and_(*ranges(bind, single))


@dataclass(frozen=True)
class DuringFilter:
    """A date or period, stored as its first and last possible day, overlaps the given date or interval."""

    earliest: Any
    latest: Any
    about: str

    def parameters(self, name: str) -> Iterator[Parameter]:
        earliest = self.earliest
        latest = self.latest
        conditions: dict[str, tuple[str, Ranges]] = {
            "": ("Records that overlap this EDTF date or interval.", lambda bind, _: (
                latest >= bindparam(f"{bind}_from"), earliest <= bindparam(f"{bind}_to"))),
            "_gte": ("Records that can be on or after this EDTF date.",
                lambda bind, _: (latest >= bindparam(f"{bind}_from"),)),
            "_gt": ("Records that can be after this EDTF date.",
                lambda bind, _: (latest > bindparam(f"{bind}_to"),)),
            "_lte": ("Records that can be on or before this EDTF date.",
                lambda bind, _: (earliest <= bindparam(f"{bind}_to"),)),
            "_lt": ("Records that can be before this EDTF date.",
                lambda bind, _: (earliest < bindparam(f"{bind}_from"),)),
        }  # fmt: skip
        for suffix, (comparison, ranges) in conditions.items():
            columns = () if suffix else (earliest,)
            description = f"{self.about} {comparison}"
            where = _all_of(ranges)
            yield Parameter(name + suffix, EdtfText, description, where, _ends, columns=columns, ranges=ranges)


@dataclass(frozen=True)
class RangeFilter:
    """A number or an instant is in a range."""

    column: Any
    annotation: Any
    about: str

    def parameters(self, name: str) -> Iterator[Parameter]:
        conditions: dict[str, tuple[str, Ranges]] = {
            "gte": ("Lower limit, inclusive.", lambda bind, _: (self.column >= bindparam(bind),)),
            "gt": ("Lower limit, exclusive.", lambda bind, _: (self.column > bindparam(bind),)),
            "lte": ("Upper limit, inclusive.", lambda bind, _: (self.column <= bindparam(bind),)),
            "lt": ("Upper limit, exclusive.", lambda bind, _: (self.column < bindparam(bind),)),
        }
        for suffix, (comparison, ranges) in conditions.items():
            columns = (self.column,) if suffix == "gte" else ()
            description = f"{self.about} {comparison}"
            where = _all_of(ranges)
            yield Parameter(
                f"{name}_{suffix}", self.annotation, description, where, columns=columns, stem=name, ranges=ranges
            )


_INSTANT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d))?")


def _instant(text: str) -> datetime:
    """Parse an instant, or a day (of UTC) as its start; ValueError with the reason."""
    text = _UNENCODED_PLUS.sub("+", text)
    if not _INSTANT.fullmatch(text) or not text.isascii():
        raise ValueError("This is neither an RFC 3339 instant (2026-11-22T09:30:00Z) nor a day (2026-11-22).")
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # an offset can lead out of the years that exist
        raise ValueError("There is no such day or time.") from None


def _valid_instant(text: str) -> str:
    _instant(text)
    return text


InstantText = Annotated[
    str,
    AfterValidator(_valid_instant),
    WithJsonSchema({"type": "string", "pattern": f"^{_INSTANT.pattern}$", "examples": ["2026-11-22T00:00:00Z"]}),
]


@dataclass(frozen=True)
class InstantFilter:
    """An instant is in a range. A limit can be a whole day: `_gt` starts after it, and `_lte` includes it."""

    column: Any
    about: str

    def parameters(self, name: str) -> Iterator[Parameter]:
        limits = RangeFilter(self.column, InstantText, f"{self.about} An instant (RFC 3339) or a day in UTC.")
        for parameter in limits.parameters(name):
            ends_the_day = parameter.name.endswith(("_gt", "_lte"))
            yield replace(parameter, encode=partial(_bound, ends_the_day))


def _bound(ends_the_day: bool, name: str, text: str) -> dict[str, Any]:
    return {name: stored_instant(text, ends_the_day=ends_the_day)}


def stored_instant(text: str, *, ends_the_day: bool) -> str:
    """Return an instant or a day as instants are stored, in 27 characters; with `ends_the_day` the end of a day."""
    moment = _instant(text)
    if ends_the_day and "T" not in text:
        moment += timedelta(days=1) - timedelta(microseconds=1)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


SearchText = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(clean)]


@dataclass(frozen=True)
class TextFilter:
    """A name or title contains a text, regardless of letter case and diacritics."""

    column: Any
    about: str = "Text that it contains. Letter case and Vietnamese diacritics make no difference."

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
    """A record has a code of another register, written as `scheme:value`."""

    table: Table

    def parameters(self, name: str) -> Iterator[Parameter]:
        def where(bind: str, _: bool) -> ColumnElement[bool]:
            columns = self.table.c
            return and_(columns.scheme == bindparam(f"{bind}_scheme"), columns.value == bindparam(f"{bind}_value"))

        def encode(bind: str, text: str) -> dict[str, Any]:
            scheme, _, value = text.partition(":")
            return {f"{bind}_scheme": scheme, f"{bind}_value": value}

        pair = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*:.+$", max_length=300)]
        description = "Code in another register, as `scheme:value`, such as vn-legal:202/2025/QH15."
        columns = (self.table.c.value,)
        kind = Annotated[pair, AfterValidator(clean)]
        yield Parameter(name, kind, description, where, encode, self.table, columns=columns)
