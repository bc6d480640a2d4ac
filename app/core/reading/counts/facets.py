"""Facets: the number of records of a list for each value of a filter, such as a code or a linked record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Select,
    String,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    union,
    union_all,
    values,
)

from app.core.database.sql import bounded, one_of
from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, fitting
from app.core.model.code_counts import coded
from app.core.model.filters import EqualFilter, code_list_of
from app.core.model.labels import in_one_language
from app.core.model.resource import RESOURCES, Resource
from app.core.reading.counts.count_cache import CountCache, values_key
from app.core.reading.counts.counted_codes import Combinations, is_counted, matching, read_combinations, values_of
from app.core.reading.filter_conditions import FilterShape, filter_conditions, filter_shape, resources_of
from app.core.reading.filter_ids import HINTS_TEXT, Hint, resolve_ids, with_hints
from app.core.reading.parameters import DEFAULT_LIMIT, LANGUAGES, MAX_ITEMS, Digits, filter_fields, query_model
from app.core.reading.results import ReadRequest, ReadResult, last_change_name
from app.core.stored_records import select_texts, union_in_order
from app.core.values.codelists import CodeList
from app.core.values.json import from_json, to_json
from app.core.values.text import LanguageMap

MAX_LEVELS = 20  # above the place of a record, for which the record counts too


class FacetValue(BaseModel, defer_build=True):
    """A value, and the number of records that have it."""

    value: str = Field(description="A code, the id of a record, or a text, as the parameter of the same name takes it.")
    label: LanguageMap | None = Field(description="Label of the code, or name or title of the public record.")
    count: int = Field(description="Number of records with this value. Each record counts once.")


class FacetValues(BaseModel, defer_build=True):
    """The values of one facet: the most frequent first, then in the order of the values."""

    values: list[FacetValue] = Field(description="At most `limit` values.")
    more: bool = Field(description="Whether there are more values than `limit`.")


class FacetsShown(BaseModel, defer_build=True):
    """The requested facets, by name."""

    facets: dict[str, FacetValues] = Field(description="The counted values of each name in `facet`.")
    hints: list[Hint] = Field(default=[], description=HINTS_TEXT)


@dataclass(frozen=True, eq=False)
class Facet:
    """Columns whose values are counted: codes, ids of records of the resource `target`, or texts.

    With `tree`, a record counts for its target and for all ancestors of the target. It also counts for wider codes.
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
            facets[name] = Facet((declared.column,), code_list_of(declared.annotation))
    for name, link in resource.all_links.items():
        facets[name] = Facet(link.columns, target=link.target, tree=link.tree)
    return facets


class Facets:
    """The facets of one resource, counted in one statement, which is compiled once for each shape of a request."""

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
        fields["lang"] = LANGUAGES["lang"]
        return query_model(f"{self.resource.shown.__name__}FacetsQuery", fields)

    def count(self, query: Any, request: ReadRequest) -> Read:
        """Count the values of the requested facets."""
        last = yield from last_change_name()
        if request.matches(request.tag(last)):
            return ReadResult(None, request.tag(last))
        return request.result(to_json((yield from self._counted(query, request.counts, last))), last)

    def _counted(self, query: Any, cache: CountCache, last: str) -> Read:
        filters = query.model_dump(exclude_none=True, exclude={"facet", "limit", "lang"})
        filters, hints = yield from resolve_ids(self.resource.parameters, filters)
        shape, bound = filter_shape(self.resource.parameters, filters)
        names = dict.fromkeys(query.facet)
        counts: dict[str, list[Any]] = {name: [] for name in names}
        scanned = [name for name in names if not self._is_counted(name, shape)]
        if len(scanned) < len(names):
            combinations = yield from read_combinations(self.resource)
            for name in names.keys() - set(scanned):
                counts[name] = self._sums(name, combinations, shape, bound)[: query.limit + 1]
        counts |= yield from self._scanned(sorted(scanned), shape, {**bound, "most": query.limit + 1}, cache, last)
        labels = yield from self._labels(counts, query.limit)
        facets = {name: self._facet_values(name, rows, labels, query.limit) for name, rows in counts.items()}
        if query.lang:
            for facet in facets.values():
                facet["values"] = [in_one_language(FacetValue, value, query.lang) for value in facet["values"]]
        return {"facets": facets, **with_hints(hints)}

    def _scanned(
        self, names: Sequence[str], shape: FilterShape, bound: Mapping[str, Any], cache: CountCache, last: str
    ) -> Read:
        """Return the values of each of these facets with their counts, for which records have to be read."""
        keys = {("facet", self.resource.name, name, shape, values_key(bound)): name for name in names}

        def count(missing: Sequence[Any]) -> Read:
            counts: dict[Any, list[tuple[Any, int]]] = {key: [] for key in missing}
            key_of = {keys[key]: key for key in missing}
            for group in self._statements_of([keys[key] for key in missing]):
                rows = yield STATEMENTS.query(self._build, group, shape), bound
                for name, value, number in rows:
                    counts[key_of[_text(name)]].append((_text(value), number))
            return counts

        depends_on = resources_of(self.resource, [name for name, _ in shape]) | self._trees(names)
        counts = yield from cache.read(list(keys), last, depends_on, count)
        return {keys[key]: rows for key, rows in counts.items()}

    def _is_counted(self, name: str, shape: FilterShape) -> bool:
        """Return whether a facet and all filters of the request are codes whose combinations are counted."""
        return name in coded(self.resource) and is_counted(self.resource, shape)

    def _sums(
        self, name: str, combinations: Combinations, shape: FilterShape, bound: Mapping[str, Any]
    ) -> list[tuple[Any, int]]:
        """Return the values of a facet with their counts. The filter of the facet itself does not apply."""
        codes = self.facets[name].codes
        wider = {code: entry.parent for code, entry in codes.codes.items()} if codes and codes.parts else {}
        others = tuple(item for item in shape if item[0] != name)
        return values_of(matching(combinations, others, bound), name, wider)

    def _statements_of(self, names: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the facets of each statement: all facets of texts in one, and each other facet in one of its own."""
        alone = [name for name in names if isinstance(self.facets[name].columns[0].type, Boolean)]
        together = tuple(name for name in names if name not in alone)
        return [*([together] if together else []), *((name,) for name in alone)]

    def _build(self, names: tuple[str, ...], shape: FilterShape) -> Query:
        """Return the statement of all facets. If a filter searches a tree, it selects the matching records once."""
        matching = None
        shared = [name for name in names if name not in dict(shape)]
        if len(shared) > 1 and self._searches_tree(shape):
            matching = self._matching(shared, filter_conditions(self.resource, shape))
        trees = {target: _ancestors_of(RESOURCES[target]) for target in self._trees(names)}
        trees |= {codes.name: _wider_codes(codes) for name in names if (codes := self.facets[name].codes)}
        counts = [select(self._count(name, shape, matching, trees).subquery()) for name in names]
        return Query(union_all(*counts) if len(counts) > 1 else counts[0])

    def _trees(self, names: Sequence[str]) -> set[str]:
        return {str(self.facets[name].target) for name in names if self.facets[name].tree}

    def _searches_tree(self, shape: FilterShape) -> bool:
        links = self.resource.all_links
        return any(links[name].tree for name, _ in shape if name in links)

    def _matching(self, names: Sequence[str], where: Sequence[Any]) -> CTE:
        """Select the public records that match, with the columns to count, into a table inside the statement."""
        table = self.resource.table
        columns = chain.from_iterable(self.facets[name].columns for name in names)
        own = {column.key: column for column in columns if not isinstance(column, Column)}
        is_public = table.state == literal_column("'published'")
        matching = select(table.id.label("record"), *own.values()).where(is_public, *where)
        return matching.cte("matching").prefix_with("MATERIALIZED")

    def _count(self, name: str, shape: FilterShape, matching: CTE | None, trees: Mapping[str, Any]) -> Select[Any]:
        """Select the name of a facet, its values and their counts. The filter of the facet itself does not apply."""
        facet = self.facets[name]
        if name in dict(shape):
            matching = None
        where = filter_conditions(self.resource, tuple(item for item in shape if item[0] != name))
        link_where = self._conditions_on_link(name, shape)
        selects = [
            _pairs(self.resource, column, where, link_where)
            if matching is None
            else _matching_pairs(matching, column, link_where)
            for column in facet.columns
        ]
        if len(selects) > 1:  # most records have no value in some of several columns
            selects = [part.where(part.selected_columns.value.is_not(None)) for part in selects]
        pairs: Any = union(*selects) if len(selects) > 1 else selects[0]
        above = trees.get(str(facet.target)) if facet.tree else trees.get(facet.codes.name) if facet.codes else None
        is_distinct = len(selects) > 1 or not isinstance(facet.columns[0], Column)
        if above is None:
            pairs = pairs.subquery()
            source = pairs
            value: Any = pairs.c.value
            count: Any = func.count() if is_distinct else func.count(pairs.c.record.distinct())
        elif len(selects) == 1 and is_distinct:  # each record has one value: there are fewer values than records
            pairs = pairs.subquery()
            numbers = select(pairs.c.value, func.count().label("records")).group_by(pairs.c.value).subquery()
            nodes = select(above.c.node, above.c.above).distinct().subquery()
            source = numbers.join(nodes, nodes.c.node == numbers.c.value)
            value = nodes.c.above
            count = cast(func.sum(numbers.c.records), BigInteger)
        else:
            # SQLite would search the links of each code or place for each record that matches.
            has_filter = bool(where or link_where)
            pairs = pairs.cte(f"pairs_{name}").prefix_with("MATERIALIZED") if has_filter else pairs.subquery()
            source = pairs.join(above, above.c.node == pairs.c.value)
            value = above.c.above
            count = func.count(pairs.c.record.distinct())
        label: ColumnElement[str] = literal_column(f"'{name}'")
        statement = select(label.label("facet"), value.label("value"), count.label("count")).select_from(source)
        statement = statement.where(value.is_not(None)).group_by(value)
        return statement.order_by(count.desc(), value).limit(bindparam("most"))

    def _conditions_on_link(self, name: str, shape: FilterShape) -> list[ColumnElement[bool]]:
        """Return the other conditions on the link table of a facet: `role=funding` counts only funding partners."""
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
                return facet.codes.codes[value].label
            return labels.get((facet.target, value))

        if isinstance(facet.columns[0].type, Boolean):  # SQLite stores 0 and 1
            rows = [("true" if value else "false", count) for value, count in rows]
        values = [{"value": value, "label": label(value), "count": count} for value, count in rows[:limit]]
        return {"values": values, "more": len(rows) > limit}


@cache
def counts_of(resource: Resource) -> Facets:
    """Return the facets of a resource, always the same object."""
    return Facets(resource)


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


def _matching_pairs(matching: CTE, column: Any, link_where: Sequence[Any]) -> Select[Any]:
    """Select each record of a table of matching ones with each of its values in a column."""
    if not isinstance(column, Column):
        return select(matching.c.record, matching.c[column.key].label("value"))
    record = column.table.c.record_id
    pairs = select(record.label("record"), column.label("value"))
    return pairs.where(record.in_(select(matching.c.record)), *link_where)


def _ancestors_of(resource: Resource) -> Any:
    """Select each node of a tree with itself and with its ancestors on MAX_LEVELS levels. This ends cycles too.

    All ancestors of all nodes would be the square of the length of a chain.
    """
    table = resource.table
    itself = select(table.id.label("node"), table.id.label("above"), literal_column("0").label("level"))
    nodes = itself.cte(f"above_{resource.name}", recursive=True)
    higher = select(nodes.c.node, table.parent, nodes.c.level + literal_column("1"))
    higher = higher.join(table, table.id == nodes.c.above)
    is_near = nodes.c.level < literal_column(str(MAX_LEVELS))
    return nodes.union_all(higher.where(table.parent.is_not(None), is_near))


def _wider_codes(codes: CodeList) -> Any:
    """Select each code with itself and with its wider code; None if the list has no wider codes."""
    if not codes.parts:
        return None
    pairs = [(code, code) for code in codes.codes]
    pairs += [(code, entry.parent) for code, entry in codes.codes.items() if entry.parent]
    columns = (column("node", String), column("above", String))
    return values(*columns, name=f"above_{codes.name}", literal_binds=True).data(pairs).cte(f"above_{codes.name}")


def _labelled_targets(targets: tuple[str, ...]) -> Query:
    selects = [bounded(_bodies(RESOURCES[name])) for name in targets]
    return Query(union_in_order(*selects))


def _bodies(resource: Resource) -> Select[Any]:
    name: ColumnElement[str] = literal_column(f"'{resource.name}'").label("target")
    return select_texts(resource, name, resource.table.id).where(one_of(resource.table.id, resource.name))


def _label(record: Mapping[str, Any]) -> Any:
    return next((record[field] for field in ("name", "title", "summary") if record.get(field)), None)


def _text(value: Any) -> str:
    text: str = value.decode() if isinstance(value, bytes) else value
    return text
