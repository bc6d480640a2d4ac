"""Facets: the number of records of a list for each value of a filter, such as a code or a linked record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import Column, ColumnElement, Select, bindparam, func, literal_column, select, union

from app.core.database.sql import one_of
from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, fitting
from app.core.model.filters import EqualFilter
from app.core.model.resource import RESOURCES, Resource
from app.core.reading.filter_conditions import FilterShape, filter_conditions, filter_shape
from app.core.reading.includes import select_texts, union_in_order
from app.core.reading.parameters import DEFAULT_LIMIT, MAX_ITEMS, Digits, filter_fields, query_model
from app.core.reading.results import ReadRequest, computed
from app.core.values.codelists import CodeList
from app.core.values.json import from_json
from app.core.values.text import LanguageMap


class FacetValue(BaseModel, defer_build=True):
    """A value, and the number of records that have it."""

    value: str = Field(description="A code, the id of a record, or a text, as the parameter of the same name takes it.")
    label: LanguageMap | None = Field(description="Label of the code, or name or title of the public record.")
    count: int = Field(description="Number of records with this value. Each record counts once.")


class FacetValues(BaseModel, defer_build=True):
    """The values of one facet: the most frequent first, then in the order of the values."""

    values: list[FacetValue]
    more: bool = Field(description="Whether there are more values than `limit`.")


class FacetsShown(BaseModel, defer_build=True):
    """The requested facets, by name."""

    facets: dict[str, FacetValues]


@dataclass(frozen=True, eq=False)
class Facet:
    """Columns whose values are counted: codes, ids of records of the resource `target`, or texts.

    With `tree`, a record counts for its target and for everything above it.
    """

    columns: tuple[Any, ...]
    codes: CodeList | None = None
    target: str | None = None
    tree: bool = False


def facets_of(resource: Resource) -> dict[str, Facet]:
    """Return the facets of a resource, by parameter: its filters by equality and its links."""
    facets: dict[str, Facet] = {}
    for name, declared in resource.filters.items():
        if isinstance(declared, EqualFilter):
            rules = getattr(declared.annotation, "__metadata__", ())
            codes = next((rule for rule in rules if isinstance(rule, CodeList)), None)
            facets[name] = Facet((declared.column,), codes)
    for name, link in resource.all_links.items():
        facets[name] = Facet(link.columns, target=link.target, tree=link.tree)
    return facets


class Facets:
    """The facets of one resource. Each is one statement, compiled once for each shape of a request."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource

    @cached_property
    def facets(self) -> dict[str, Facet]:
        """The facets by name."""
        return facets_of(self.resource)

    @cached_property
    def query(self) -> type[BaseModel]:
        """The query model: the filters of the list, and the facets to count."""
        fields = filter_fields(self.resource.parameters.values())
        text = "The facet to count. Repeat the parameter for several."
        names: Any = Literal[tuple(self.facets)]
        example = [next(iter(self.facets))]
        fields["facet"] = (list[names], Field(description=text, min_length=1, max_length=MAX_ITEMS, examples=[example]))
        text = "Maximum number of values of each facet."
        fields["limit"] = (Digits, Field(default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description=text))
        return query_model(f"{self.resource.shown.__name__}FacetsQuery", fields)

    def count(self, query: Any, request: ReadRequest) -> Read:
        """Count the values of the requested facets."""
        return (yield from computed(request, lambda: self._counted(query)))

    def _counted(self, query: Any) -> Read:
        filters = query.model_dump(exclude_none=True, exclude={"facet", "limit"})
        shape, values = filter_shape(self.resource.parameters, filters)
        counts: dict[str, Sequence[Any]] = {}
        for name in dict.fromkeys(query.facet):
            rows = yield STATEMENTS.query(self._build, name, shape), {**values, "most": query.limit + 1}
            counts[name] = [(_text(value), count) for value, count in rows]
        labels = yield from self._labels(counts, query.limit)
        facets = {name: self._facet_values(name, rows, labels, query.limit) for name, rows in counts.items()}
        return {"facets": facets}, None

    def _build(self, name: str, shape: FilterShape) -> Query:
        facet = self.facets[name]
        where = filter_conditions(self.resource, shape)
        link_where = self._conditions_on_link(name, shape)
        selects = [_pairs(self.resource, column, where, link_where) for column in facet.columns]
        pairs = (union(*selects) if len(selects) > 1 else selects[0]).subquery()
        value: Any = pairs.c.value
        source: Any = pairs
        if facet.tree:
            above = _ancestors_of(RESOURCES[str(facet.target)])
            value = above.c.above
            source = pairs.join(above, above.c.node == pairs.c.value)
        is_distinct = len(selects) > 1 or not isinstance(facet.columns[0], Column)
        count = func.count() if is_distinct and not facet.tree else func.count(pairs.c.record.distinct())
        statement = select(value, count).select_from(source).where(value.is_not(None)).group_by(value)
        return Query(statement.order_by(count.desc(), value).limit(bindparam("most")))

    def _conditions_on_link(self, name: str, shape: FilterShape) -> list[ColumnElement[bool]]:
        """Return the other conditions on the link table of a facet: with `role=funding`, funding partners count."""
        parameters = self.resource.parameters
        link = parameters[name].link
        if link is None:
            return []
        others = [(other, single) for other, single in shape if other != name and parameters[other].link is link]
        return [parameters[other].where(other, single) for other, single in others]

    def _labels(self, counts: Mapping[str, Sequence[Any]], limit: int) -> Read:
        """Read the names and titles of public records among the values, by resource and id, in one statement."""
        ids: dict[str, list[str]] = {}
        for name, rows in counts.items():
            target = self.facets[name].target
            if target and rows:
                ids.setdefault(target, []).extend(value for value, _ in rows[:limit])
        if not ids:
            return {}
        rows = yield STATEMENTS.query(_labelled_targets, tuple(ids)), {**ids, "most_bytes": MAX_PAGE_BYTES}
        return {(_text(target), _text(record_id)): _label(from_json(body)) for target, record_id, body in fitting(rows)}

    def _facet_values(self, name: str, rows: Sequence[Any], labels: Mapping[Any, Any], limit: int) -> dict[str, Any]:
        facet = self.facets[name]

        def label(value: str) -> Any:
            if facet.codes:
                code = facet.codes.codes[value]
                return {"vi": code.vi, "en": code.en}
            return labels.get((facet.target, value))

        values = [{"value": value, "label": label(value), "count": count} for value, count in rows[:limit]]
        return {"values": values, "more": len(rows) > limit}


def _pairs(resource: Resource, column: Any, where: Sequence[Any], link_where: Sequence[Any]) -> Select[Any]:
    """Select each public record that matches with each of its values in a column, which may be of a link table.

    Excluding the few drafts is faster than looking up the many public records.
    """
    table = resource.table
    is_link = isinstance(column, Column)
    record = column.table.c.record_id if is_link else table.id
    every = table.__table__.alias("every")
    drafts = select(every.c.id).where(every.c.state == literal_column("'draft'"))
    pairs = select(record.label("record"), column.label("value")).where(record.not_in(drafts), *link_where)
    if is_link and where:
        return pairs.where(record.in_(select(table.id).where(*where)))
    return pairs.where(*where)


def _ancestors_of(resource: Resource) -> Any:
    """Select each node of a tree with itself and with everything above it. UNION ends the recursion in a cycle."""
    table = resource.table
    nodes = select(table.id.label("node"), table.id.label("above")).cte("above", recursive=True)
    higher = select(nodes.c.node, table.parent).join(table, table.id == nodes.c.above)
    return nodes.union(higher.where(table.parent.is_not(None)))


def _labelled_targets(targets: tuple[str, ...]) -> Query:
    selects = [_bodies(RESOURCES[name]) for name in targets]
    return Query(union_in_order(*selects))


def _bodies(resource: Resource) -> Select[Any]:
    name: ColumnElement[str] = literal_column(f"'{resource.name}'").label("target")
    return select_texts(resource, name, resource.table.id).where(one_of(resource.table.id, resource.name))


def _label(record: Mapping[str, Any]) -> Any:
    return next((record[field] for field in ("name", "title", "summary") if record.get(field)), None)


def _text(value: Any) -> str:
    text: str = value.decode() if isinstance(value, bytes) else value
    return text
