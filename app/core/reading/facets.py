"""Facets: how many records of a list there are for each value of a code, or of a link to other records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import Column, ColumnElement, Select, bindparam, func, literal_column, select, union, union_all

from app.core.database.sql import one_of
from app.core.database.statements import Query, Read
from app.core.model.filters import EqualFilter
from app.core.model.resource import RESOURCES, Resource
from app.core.reading.answers import ReadRequest, computed
from app.core.reading.includes import select_stored
from app.core.reading.pages import FilterShape, filter_conditions, filter_shape
from app.core.reading.parameters import DEFAULT_LIMIT, MAX_ITEMS, Digits, filter_fields, query_model
from app.core.values.codelists import CodeList
from app.core.values.json import from_json
from app.core.values.text import LanguageMap


class FacetValue(BaseModel, defer_build=True):
    """One value, and how many records have it."""

    value: str = Field(description="A code, the id of a record, or a text: what the parameter of the same name takes.")
    label: LanguageMap | None = Field(description="Of a code, or the name or title of a public record.")
    count: int = Field(description="Records with this value; each counts once.")


class FacetValues(BaseModel, defer_build=True):
    """The values of one facet, most frequent first, then by value."""

    values: list[FacetValue]
    more: bool = Field(description="There are more values than `limit`.")


class FacetsShown(BaseModel, defer_build=True):
    """The facets that were asked for, by name."""

    facets: dict[str, FacetValues]


@dataclass(frozen=True, eq=False)
class Facet:
    """Columns whose values are counted: codes, ids of a target resource, or plain texts."""

    columns: tuple[Any, ...]
    codes: CodeList | None = None
    target: str | None = None
    tree: bool = False


def facets_of(resource: Resource) -> dict[str, Facet]:
    """The facets of a resource: its filters by equality and its links, under the names of their parameters."""
    found: dict[str, Facet] = {}
    for name, each in resource.filters.items():
        if isinstance(each, EqualFilter):
            rules = getattr(each.annotation, "__metadata__", ())
            codes = next((rule for rule in rules if isinstance(rule, CodeList)), None)
            found[name] = Facet((each.column,), codes)
    for name, link in resource.all_links.items():
        found[name] = Facet(link.columns, target=link.target, tree=link.tree)
    return found


class Facets:
    """The facets of one resource; each is one statement, compiled once for each shape of a request."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self._statement = lru_cache(maxsize=1024)(self._build)

    @cached_property
    def facets(self) -> dict[str, Facet]:
        """By name."""
        return facets_of(self.resource)

    @cached_property
    def query(self) -> type[BaseModel]:
        """The query model: the list's filters, and the facets to count."""
        fields = filter_fields(self.resource.parameters.values())
        about = "Count the values of this; repeat it for more."
        names: Any = Literal[tuple(self.facets)]
        example = [next(iter(self.facets))]
        asked = Field(description=about, min_length=1, max_length=MAX_ITEMS, examples=[example])
        fields["facet"] = (list[names], asked)
        fields["limit"] = (
            Digits,
            Field(default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description="Values of each facet."),
        )
        return query_model(f"{self.resource.shown.__name__}FacetsQuery", fields)

    def count(self, query: Any, request: ReadRequest) -> Read:
        """The counts of every facet that is asked for."""
        return (yield from computed(request, lambda: self._counted(query)))

    def _counted(self, query: Any) -> Read:
        filters = query.model_dump(exclude_none=True, exclude={"facet", "limit"})
        shape, values = filter_shape(self.resource.parameters, filters)
        found: dict[str, Sequence[Any]] = {}
        for name in dict.fromkeys(query.facet):
            rows = yield self._statement(name, shape), {**values, "most": query.limit + 1}
            found[name] = [(_text(value), count) for value, count in rows]
        labels = yield from self._labels(found, query.limit)
        facets = {name: self._shown(name, rows, labels, query.limit) for name, rows in found.items()}
        return {"facets": facets}, None

    def _build(self, name: str, shape: FilterShape) -> Query:
        facet = self.facets[name]
        where, of_link = filter_conditions(self.resource, shape), self._of_the_same_link(name, shape)
        each = [_pairs(self.resource, column, where, of_link) for column in facet.columns]
        pairs = (union(*each) if len(each) > 1 else each[0]).subquery()
        value: Any = pairs.c.value
        source: Any = pairs
        if facet.tree:
            above = _ancestors_of(RESOURCES[str(facet.target)])
            value, source = above.c.above, pairs.join(above, above.c.node == pairs.c.value)
        once = len(each) > 1 or not isinstance(facet.columns[0], Column)
        count = func.count() if once and not facet.tree else func.count(pairs.c.record.distinct())
        statement = select(value, count).select_from(source).where(value.is_not(None)).group_by(value)
        return Query(statement.order_by(count.desc(), value).limit(bindparam("most")))

    def _of_the_same_link(self, name: str, shape: FilterShape) -> list[ColumnElement[bool]]:
        """What else is asked of the link that is counted: of `role=funding` the funding partners."""
        parameters = self.resource.parameters
        link = parameters[name].link
        others = [each for each in shape if each[0] != name and link is not None and parameters[each[0]].link is link]
        return [parameters[other].where(other, single) for other, single in others]

    def _labels(self, found: Mapping[str, Sequence[Any]], limit: int) -> Read:
        """Names and titles of the public records among the values, by resource and id: one statement for all."""
        ids: dict[str, list[str]] = {}
        for name, rows in found.items():
            target = self.facets[name].target
            if target and rows:
                ids.setdefault(target, []).extend(value for value, _ in rows[:limit])
        if not ids:
            return {}
        rows = yield _labelled_targets(tuple(ids)), ids
        return {(_text(target), _text(one)): _label(from_json(body)) for target, one, body in rows}

    def _shown(self, name: str, rows: Sequence[Any], labels: Mapping[Any, Any], limit: int) -> dict[str, Any]:
        facet = self.facets[name]

        def label(value: str) -> Any:
            if facet.codes:
                code = facet.codes.codes[value]
                return {"vi": code.vi, "en": code.en}
            return labels.get((facet.target, value))

        values = [{"value": value, "label": label(value), "count": count} for value, count in rows[:limit]]
        return {"values": values, "more": len(rows) > limit}


def _pairs(resource: Resource, column: Any, where: Sequence[Any], of_link: Sequence[Any]) -> Select[Any]:
    """Each public record that is chosen, with each value it has in this column of its own or of a link table.

    The few drafts are left out, rather than the many public records looked up.
    """
    table, is_link = resource.table, isinstance(column, Column)
    record = column.table.c.record_id if is_link else table.id
    every = table.__table__.alias("every")
    drafts = select(every.c.id).where(every.c.state == literal_column("'draft'"))
    pairs = select(record.label("record"), column.label("value")).where(record.not_in(drafts), *of_link)
    if is_link and where:
        return pairs.where(record.in_(select(table.id).where(*where)))
    return pairs.where(*where)


def _ancestors_of(resource: Resource) -> Any:
    """Each node of a tree with itself and everything above it; UNION ends where a tree comes round."""
    table = resource.table
    nodes = select(table.id.label("node"), table.id.label("above")).cte("above", recursive=True)
    higher = select(nodes.c.node, table.parent).join(table, table.id == nodes.c.above)
    return nodes.union(higher.where(table.parent.is_not(None)))


@lru_cache(maxsize=256)
def _labelled_targets(targets: tuple[str, ...]) -> Query:
    each = [_bodies(RESOURCES[name]) for name in targets]
    return Query(union_all(*each) if len(each) > 1 else each[0])


def _bodies(resource: Resource) -> Select[Any]:
    name: ColumnElement[str] = literal_column(f"'{resource.name}'")
    return select_stored(resource, name, resource.table.id).where(one_of(resource.table.id, resource.name))


def _label(record: Mapping[str, Any]) -> Any:
    return next((record[field] for field in ("name", "title", "summary") if record.get(field)), None)


def _text(value: Any) -> str:
    found: str = value.decode() if isinstance(value, bytes) else value
    return found
