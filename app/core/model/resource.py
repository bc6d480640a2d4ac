"""The declaration of a resource: its fields, table, filters, sorts and links to other resources."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Annotated, Any, get_origin

from pydantic import StringConstraints
from sqlalchemy import Column, ColumnElement, Table, exists, literal_column, not_, or_, select, true, union_all

from app.core.errors import ErrorItem
from app.core.model.fields import Record, RecordFields
from app.core.model.filters import EqualFilter, Filter, IdentifierFilter, InstantFilter, Parameter, WithinFilter, equals
from app.core.model.negations import absence, flag, negation
from app.core.values.text import SLUG

# A filter by id also accepts reserved words. No record has such an id, so they match nothing.
Id = Annotated[str, StringConstraints(pattern=SLUG, max_length=120)]


@dataclass(frozen=True)
class Link:
    """A link from the records of a resource to records of `target`.

    It is stored in `columns` of the resource's own table or of link tables. One declaration creates:

    - a filter parameter, under the name of the declaration (`projects?partner=`). With `tree`, it also matches links to
      descendants of the given record;
    - with `include`, an include of that name, and a filter parameter of the target (`partners?project=`). It is named
      `opposite`, or after the resource;
    - with `back`, an include and a nested list of that name on the target (`/v1/partners/{id}/projects`).
    """

    target: str
    columns: tuple[Any, ...]
    about: str
    include: str | None = None
    back: str | None = None
    tree: bool = False
    opposite: str | None = None


@dataclass(frozen=True, eq=False)
class Resource:
    """A kind of record, with its own URL. `app/catalogue.py` lists all resources."""

    name: str
    one: str
    about: str
    fields: type[RecordFields]
    shown: type[Record]
    table: Any  # a type[RecordRow]; mypy would take its columns for plain values
    filters: Mapping[str, Filter]
    sorts: Mapping[str, Any]
    links: Mapping[str, Link] = field(default_factory=dict)
    number: int = 0  # unique and never changed: the search index stores it and sorts by it
    names: tuple[str, ...] = ()  # fields that name its records, the main one first: search ranks them highest
    named_by: tuple[str, ...] = ()  # resources whose linked records name it in the search, as it has no name
    is_reference_data: bool = False  # records that nothing refers to are found only by a search in this resource
    heading: tuple[str, ...] = ()  # fields for the heading of a record if it is no name: the first with a value
    citations: Table | None = None
    identifiers: Table | None = None
    unique: tuple[str, ...] = ()  # columns with unique values, in addition to the id
    example: str = ""  # id of an example: a record of the dataset, or the one with the fields below
    example_fields: Mapping[str, Any] | None = None
    trees: tuple[str, ...] = ()  # links that must not form a cycle, named like their fields
    rules: tuple[Callable[[Any], Iterable[ErrorItem]], ...] = ()  # integrity rules, in addition to the general ones
    needs_evidence: bool = True

    @property
    def a_one(self) -> str:
        """The singular with its indefinite article: `a project`, `an agreement`."""
        return f"an {self.one}" if self.one[0] in "aeiou" else f"a {self.one}"

    def own_example(self) -> RecordFields | None:
        """Return the declared example, if any."""
        return None if self.example_fields is None else self.fields.model_validate(self.example_fields)

    @property
    def merged_into_column(self) -> Any:
        """The column with the id of the record into which a record was merged; None if the table has no such column."""
        return getattr(self.table, "merged_into", None)

    @cached_property
    def all_links(self) -> dict[str, Link]:
        """Declared links, and the links of every record: to its manager and to the documents that it cites."""
        common = {"managed_by": Link("partners", (self.table.managed_by,), "Managed by this partner.")}
        if self.citations is not None:
            both_ways = ("documents", self.name) if self.name != "documents" else ()
            common["document"] = Link("documents", (self.citations.c.document_id,), "Cites this document.", *both_ways)
        return {**self.links, **common}

    @cached_property
    def all_sorts(self) -> dict[str, Any]:
        """Declared sorts, and the sorts of every resource."""
        return {"id": self.table.id, **self.sorts, "updated_at": self.table.updated_at}

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """All filter parameters of the list, by name."""
        filters: dict[str, Filter] = {"id": EqualFilter(self.table.id, Id, "Id of the record.")}
        if self.identifiers is not None:
            filters["identifier"] = IdentifierFilter(self.identifiers)
        filters |= dict(self.filters)
        parameters: list[Parameter] = []
        for name, filter_ in filters.items():
            parameters += filter_.parameters(name)
        parameters += [_linked(name, link) for name, link in self.all_links.items()]
        for source in RESOURCES.values():
            parameters += _opposite(source, self)
        parameters += InstantFilter(self.table.updated_at, "Time of the last change.").parameters("updated_at")
        parameters += list(chain.from_iterable(map(_derived, parameters)))
        by_name = {parameter.name: parameter for parameter in parameters}
        assert len(by_name) == len(parameters), f"{self.name}: two filters have the same name"
        return by_name

    def parameter_of(self, name: str) -> Parameter | None:
        """Return the filter named by the singular of a linked resource, or `id` for this resource; None if absent."""
        return self.parameters.get("id" if name == self.one else name)

    @cached_property
    def includes(self) -> dict[str, "Include"]:
        """All includes of the records, by name."""
        includes: dict[str, Include] = {}
        for link in self.all_links.values():
            if link.include:
                target = RESOURCES[link.target]
                includes[link.include] = Include(link.include, target, link.opposite or self.one)
        for source in RESOURCES.values():
            for name, link in source.all_links.items():
                if link.back and link.target == self.name:
                    includes.setdefault(link.back, Include(link.back, source, name, nested=True))
        return includes

    @cached_property
    def lists(self) -> list[str]:
        """The fields that are lists, such as `roles`."""
        return [name for name, entry in self.shown.model_fields.items() if get_origin(entry.annotation) is list]

    @cached_property
    def link_tables(self) -> list[Table]:
        """The tables with the links of the records."""
        tables = self.table.metadata.tables.values()
        return [table for table in tables if "record_id" in table.c and table.name.startswith(f"{self.name}_")]


@dataclass(frozen=True)
class Include:
    """Linked records of a resource, selected by one of its filter parameters with the ids of the main records."""

    name: str
    resource: Resource
    parameter: str
    nested: bool = False


RESOURCES: dict[str, Resource] = {}


@dataclass(frozen=True)
class ComputedInclude:
    """An include that is computed from the requested records, such as the progress of projects.

    `compute` is a read. It takes the ids of the records, the language of the labels and the language of the texts (each
    may be None). It returns the JSON of each result, of the type `model`, by id.
    """

    model: Any
    compute: Callable[[Sequence[str], str | None, str | None], Any]


COMPUTED_INCLUDES: dict[str, dict[str, ComputedInclude]] = {}  # by resource and name


def declare(*resources: Resource) -> tuple[Resource, ...]:
    """Declare the resources of the API, in the order of the documentation."""
    assert not RESOURCES, "the resources are declared once, in app/catalogue.py"
    RESOURCES.update({resource.name: resource for resource in resources})
    return resources


def _linked(name: str, link: Link) -> Parameter:
    """Return the filter parameter of a link, for the list of the resource that declares it."""
    description = f"{link.about} Its parts are included." if link.tree else link.about
    parts = [_one_link(column, link, description, name) for column in link.columns]
    if len(parts) == 1:
        return replace(parts[0], target=link.target)

    def ids(bind: str, single: bool) -> tuple[Any, Any]:
        return _table_of(parts[0]).c.id, union_all(*(_ids(part, bind, single) for part in parts))

    def where(bind: str, single: bool) -> ColumnElement[bool]:
        # One list of ids. PostgreSQL reads a whole table for alternatives, if one of them is a list of ids.
        own, linking = ids(bind, single)
        is_linked: ColumnElement[bool] = own.in_(linking)
        return is_linked

    return Parameter(name, Id, description, where, many=True, target=link.target, columns=link.columns, ids=ids)


def _table_of(parameter: Parameter) -> Table:
    """Return the table of the records of a parameter."""
    table: Table = owner_of(parameter.link) if parameter.link is not None else parameter.columns[0].class_.__table__
    return table


def _ids(parameter: Parameter, bind: str, single: bool) -> Any:
    """Select the ids of the records that a parameter finds, some of them several times."""
    own = _table_of(parameter).c.id if parameter.link is None else parameter.link.c.record_id
    return select(own).where(parameter.where(bind, single)).correlate(None)


def _derived(parameter: Parameter) -> Iterator[Parameter]:
    """Yield the parameters `x_not` and `x_none` of a parameter, if it can have them."""
    if parameter.many and parameter.annotation is not bool:
        yield negation(parameter)
    if parameter.columns:
        yield from absence(parameter.stem or parameter.name, parameter.columns)


def _one_link(column: Any, link: Link, description: str, name: str) -> Parameter:
    filter_: Filter = EqualFilter(column, Id, description)
    if link.tree:
        target = RESOURCES[link.target].table
        filter_ = WithinFilter(column, Id, description, target.id, target.parent)
    return next(iter(filter_.parameters(name)))


def on_record(parameter: Parameter, bind: str, single: bool) -> ColumnElement[bool]:
    """Return the condition of a parameter as a condition on the record, even if it is a condition on a link table."""
    condition = parameter.where(bind, single)
    if parameter.link is None:
        return condition
    return owner_of(parameter.link).c.id.in_(select(parameter.link.c.record_id).where(condition))


def owner_of(link: Table) -> Table:
    """Return the resource's table to which a link table belongs."""
    (key,) = link.c.record_id.foreign_keys
    return key.column.table


def _opposite(source: Resource, target: Resource) -> Iterator[Parameter]:
    """Yield the filter parameters of a target for the links of `source`: records to which a source links."""
    for link in source.all_links.values():
        if link.include and link.target == target.name:
            name = link.opposite or source.one
            where = _referenced_by(source, link, target)
            description = f"Records to which this {source.one} links."
            yield Parameter(name, Id, description, where, many=True, target=source.name)
            parameter = replace(flag(name, _unreferenced(source, link, target)), source=source.name)
            if len(link.columns) == 1:
                parameter = replace(parameter, ids=_all_referenced_by(source, link.columns[0], target))
            yield parameter


def _all_referenced_by(source: Resource, column: Any, target: Resource) -> Any:
    """Return the `ids` of the records to which a public record of the source links in a column."""
    linking = source.table.__table__.alias("linking")  # it can be the table of the record itself
    public = linking.c.state == literal_column("'published'")
    is_own = not isinstance(column, Column)
    linked = linking.c[column.key] if is_own else column
    is_linked = true() if is_own else column.table.c.record_id == linking.c.id
    # SQLite uses no index for `IS NOT NULL`.
    ids = select(linked).where(linked >= literal_column("''"), is_linked, public)
    return lambda *_: (target.table.__table__.c.id, ids)


def _unreferenced(source: Resource, link: Link, target: Resource) -> Any:
    owner = target.table.__table__

    def where(_: str, is_absent: bool) -> ColumnElement[bool]:
        linking = [_linking(source, column, owner) for column in link.columns]
        return not_(or_(*linking)) if is_absent else or_(*linking)

    return where


def _linking(source: Resource, column: Any, owner: Table) -> ColumnElement[bool]:
    """Return the condition that a public record of the source links to a record in a column."""
    linking = source.table.__table__.alias("linking")  # it can be the table of the record itself
    public = linking.c.state == literal_column("'published'")
    row: Any = literal_column("1")
    if not isinstance(column, Column):
        return exists(row).where(linking.c[column.key] == owner.c.id, public).correlate(owner)
    is_linked = column.table.c.record_id == linking.c.id
    return exists(row).where(column == owner.c.id, is_linked, public).correlate(owner)


def _linked_from(source: Resource, column: Any, bind: str, single: bool) -> Any:
    """Select the ids in a column of the public source records whose ids are bound to `bind`."""
    linking = source.table.__table__.alias("linking")  # it can be the table of the record itself
    public = linking.c.state == literal_column("'published'")
    if not isinstance(column, Column):
        return select(linking.c[column.key]).where(equals(linking.c.id, bind, single), public)
    owner = column.table.c.record_id
    return select(column).where(equals(owner, bind, single), public, owner == linking.c.id)


def _referenced_by(source: Resource, link: Link, target: Resource) -> Any:
    def where(bind: str, single: bool) -> ColumnElement[bool]:
        selects: list[Any] = [_linked_from(source, column, bind, single) for column in link.columns]
        linked_ids: Any = union_all(*selects) if len(selects) > 1 else selects[0]
        is_linked: ColumnElement[bool] = target.table.id.in_(linked_ids)
        return is_linked

    return where
