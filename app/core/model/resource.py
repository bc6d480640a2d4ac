"""A resource, declared once: what is accepted and shown, its table, its filters, sorts and links to other resources."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

from pydantic import StringConstraints
from sqlalchemy import Column, ColumnElement, Table, literal_column, or_, select, union_all

from app.core.errors import ErrorItem
from app.core.model.fields import Record, RecordFields
from app.core.model.filters import EqualFilter, Filter, IdentifierFilter, InstantFilter, Parameter, WithinFilter, equals
from app.core.values.text import SLUG

# Without the reserved words: an id that no record can have simply finds nothing.
Id = Annotated[str, StringConstraints(pattern=SLUG, max_length=120)]


@dataclass(frozen=True)
class Link:
    """How records of a resource name records of `target`: by own columns, or by columns of link tables.

    One declaration gives: the parameter under which it is declared (`projects?partner=`); with `include`, that include
    and the `opposite` parameter on the target, named after the source if not said otherwise (`partners?project=`);
    with `back`, the include and the nested list of that name on the target (`/v1/partners/{id}/projects`). With `tree`
    a target stands for all that is below it too.
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
    """One plural of the API; `app/catalogue.py` lists them all."""

    name: str
    one: str
    about: str
    fields: type[RecordFields]
    shown: type[Record]
    table: Any  # a type[RecordRow]; mypy would take its columns for plain values
    filters: Mapping[str, Filter]
    sorts: Mapping[str, Any]
    links: Mapping[str, Link] = field(default_factory=dict)
    number: int = 0  # its own for good: search goes through the resources in this order
    names: tuple[str, ...] = ()  # fields that name its records, the main one first: search prefers what they hold
    heading: tuple[str, ...] = ()  # where that is not a name: fields of which the first that is there stands for it
    citations: Table | None = None
    identifiers: Table | None = None
    unique: tuple[str, ...] = ()  # columns whose values no two records share, beside the id
    example: str = ""  # id of a record of the dataset, or of the record with these fields:
    example_fields: Mapping[str, Any] | None = None
    trees: tuple[str, ...] = ()  # links, named like their fields, that must not lead back to where they start
    rules: tuple[Callable[[Any], Iterable[ErrorItem]], ...] = ()  # its own, beside those of app.core.rules
    needs_evidence: bool = True

    @property
    def a_one(self) -> str:
        """One of its records with the indefinite article: `a project`, `an agreement`."""
        return f"an {self.one}" if self.one[0] in "aeiou" else f"a {self.one}"

    def own_example(self) -> RecordFields | None:
        """Return the example that is declared here, if any."""
        return None if self.example_fields is None else self.fields.model_validate(self.example_fields)

    @property
    def merged_into_column(self) -> Any:
        """Column that holds the id of the record that replaced a merged one; None if the table has no such column."""
        return getattr(self.table, "merged_into", None)

    @cached_property
    def all_links(self) -> dict[str, Link]:
        """Its own links and those that every record has: its keeper and the documents it cites."""
        common = {"managed_by": Link("partners", (self.table.managed_by,), "Kept by this partner.")}
        if self.citations is not None:
            cited, about = (self.citations.c.document_id,), "Cites this document."
            both_ways = ("documents", self.name) if self.name != "documents" else ()
            common["document"] = Link("documents", cited, about, *both_ways)
        return {**self.links, **common}

    @cached_property
    def all_sorts(self) -> dict[str, Any]:
        """Its own sorts, after those that every resource has."""
        return {"id": self.table.id, **self.sorts, "updated_at": self.table.updated_at}

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """Every filter parameter of its list, by name."""
        filters: dict[str, Filter] = {"id": EqualFilter(self.table.id, Id, "Any of these ids.")}
        if self.identifiers is not None:
            filters["identifier"] = IdentifierFilter(self.identifiers)
        filters |= dict(self.filters)
        found = [parameter for name, each in filters.items() for parameter in each.parameters(name)]
        found += [_linked(name, link) for name, link in self.all_links.items()]
        found += [parameter for source in RESOURCES.values() for parameter in _opposite(source, self)]
        instants = InstantFilter(self.table.updated_at, "Last change here.")
        found += instants.parameters("updated_at")
        named = {parameter.name: parameter for parameter in found}
        assert len(named) == len(found), f"{self.name}: two filters have the same name"
        return named

    def parameter_of(self, name: str) -> Parameter | None:
        """The filter for records that are (`project` on projects) or name one of these; None if there is none."""
        return self.parameters.get("id" if name == self.one else name)

    @cached_property
    def includes(self) -> dict[str, "Include"]:
        """What its records can be read together with, by the name of the include."""
        found: dict[str, Include] = {}
        for link in self.all_links.values():
            if link.include:
                target = RESOURCES[link.target]
                found[link.include] = Include(link.include, target, link.opposite or self.one)
        for source in RESOURCES.values():
            for name, link in source.all_links.items():
                if link.back and link.target == self.name:
                    found.setdefault(link.back, Include(link.back, source, name, nested=True))
        return found

    @cached_property
    def link_tables(self) -> list[Table]:
        """Tables whose rows go and come with the record."""
        owned = self.table.metadata.tables.values()
        return [table for table in owned if "record_id" in table.c and table.name.startswith(f"{self.name}_")]


@dataclass(frozen=True)
class Include:
    """Records of another resource, found by one of that resource's own filter parameters with the ids at hand."""

    name: str
    resource: Resource
    parameter: str
    nested: bool = False


RESOURCES: dict[str, Resource] = {}


def declare(*resources: Resource) -> tuple[Resource, ...]:
    """Make these the resources of the API, in this order; the order of imports decides nothing."""
    assert not RESOURCES, "the resources are declared once, in app/catalogue.py"
    RESOURCES.update({resource.name: resource for resource in resources})
    return resources


def _linked(name: str, link: Link) -> Parameter:
    """The parameter of a link on the resource that declares it."""
    about = f"{link.about} Its parts count too." if link.tree else link.about
    parts = [_one_link(column, link, about, name) for column in link.columns]
    if len(parts) == 1:
        return parts[0]

    def where(bind: str, single: bool) -> ColumnElement[bool]:
        return or_(*(on_record(part, bind, single) for part in parts))

    return Parameter(name, Id, about, where, many=True)


def _one_link(column: Any, link: Link, about: str, name: str) -> Parameter:
    target = RESOURCES[link.target].table
    filter_ = WithinFilter(column, Id, about, target.id, target.parent) if link.tree else EqualFilter(column, Id, about)
    return next(iter(filter_.parameters(name)))


def on_record(parameter: Parameter, bind: str, single: bool) -> ColumnElement[bool]:
    """The condition of a parameter on the record itself, also where it is about a link table."""
    condition = parameter.where(bind, single)
    if parameter.link is None:
        return condition
    owner = owner_of(parameter.link)
    return owner.c.id.in_(select(parameter.link.c.record_id).where(condition))


def owner_of(link: Table) -> Table:
    """The table whose records own the rows of a link table."""
    (key,) = link.c.record_id.foreign_keys
    return key.column.table


def _opposite(source: Resource, target: Resource) -> Iterator[Parameter]:
    """The parameters that links of `source` give to their target: the records that a source names."""
    for link in source.all_links.values():
        if link.include and link.target == target.name:
            name = link.opposite or source.one
            yield Parameter(name, Id, f"Named by this {source.one}.", _referenced_by(source, link, target), many=True)


def _referenced_by(source: Resource, link: Link, target: Resource) -> Any:
    def where(bind: str, single: bool) -> ColumnElement[bool]:
        named = []
        for column in link.columns:
            owner = column.table.c.record_id if isinstance(column, Column) else source.table.id
            public = source.table.state == literal_column("'published'")
            naming = select(column).where(equals(owner, bind, single), public)
            named.append(naming.where(owner == source.table.id) if isinstance(column, Column) else naming)
        found: ColumnElement[bool] = target.table.id.in_(union_all(*named) if len(named) > 1 else named[0])
        return found

    return where
