"""The records of a list, page by page, with the records that belong to them and those that they name."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import bindparam

from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, fitting
from app.core.model.resource import RESOURCES, Resource, on_record
from app.core.reading.list_pages import ListPage
from app.core.reading.reads import ResourceReads, reading_of
from app.core.reading.results import ReadRequest
from app.core.stored_records import query_in_order, select_keys
from app.core.values.json import from_json

AT_ONCE = 25  # projects of a page
MAX_BELONGING = 1_000  # records of one resource that the activity of a project contains
MAX_LEVELS = 10  # of places above a place

Record = Mapping[str, Any]
Key = tuple[str, str]  # the name of a resource, and an id

# Members of the records that projects name, which activities need. The others can be long, and take memory.
NEEDED = {
    "partners": ("id", "name", "kind", "identifiers"),
    "documents": ("id", "kind", "title", "description", "published_on", "language", "url"),
    "projects": ("id", "description", "status", "period", "roles", "places", "sectors", "identifiers"),
    "indicators": ("id", "name", "unit", "unit_text", "direction", "definition"),
    "places": ("id", "name", "level", "parent", "code", "point"),
}
BELONGING = ("figures", "milestones", "statements", "agreements", "transactions")  # they have a link to a project


@dataclass
class Linked:
    """The records around some projects.

    `named` are those that they name, by resource and id. `belonging` are lists of those that name a project, by
    resource and project. `cut` has the id of the last one of a list that is not complete.
    """

    named: dict[Key, Record] = field(default_factory=dict)
    belonging: dict[Key, list[Record]] = field(default_factory=dict)
    cut: dict[Key, str] = field(default_factory=dict)

    def get(self, resource: str, record_id: str) -> Record | None:
        """Return a record that a project names; None if readers cannot see it."""
        return self.named.get((resource, record_id))

    def all_of(self, resource: str, ids: Iterable[str]) -> list[Record]:
        """Return the records of these ids that readers can see."""
        return [record for record_id in ids if (record := self.get(resource, record_id))]

    def of(self, resource: str, project: Record) -> list[Record]:
        """Return the records of a resource that belong to a project."""
        return self.belonging.get((resource, project["id"]), [])

    def all_belonging(self, project: Record) -> Iterator[tuple[Resource, Record]]:
        """Yield every record that belongs to a project, with its resource."""
        for name in BELONGING:
            yield from ((RESOURCES[name], record) for record in self.of(name, project))


@dataclass(frozen=True)
class Page:
    """Some records of a list, and the cursor of those after them."""

    records: Sequence[Record]
    cursor: str | None
    linked: Linked = field(default_factory=Linked)

    @property
    def is_too_large(self) -> bool:
        """Whether too many records belong to its projects together, so that each project is read on its own."""
        return len(self.records) > 1 and bool(self.linked.cut)


def read_page(reading: ResourceReads, query: Any, request: ReadRequest, size: int) -> Read:
    """Read a page of a list of public records, from the cursor of the query. Projects come with what is around them."""
    yield from request.signer.load()
    page = ListPage(reading.resource, query, {}, request.path, request.signer)
    page.limit = size
    yield from page.prepare(request.caller)
    _, rows, next_path, _ = yield from reading.rows(page, alone=False)
    records = [from_json(row[2]) for row in rows]
    cursor = parse_qs(urlsplit(next_path).query)["cursor"][0] if next_path else None
    linked = (yield from read_linked(records)) if reading.resource.name == "projects" else Linked()
    return Page(records, cursor, linked)


def read_linked(projects: Sequence[Record]) -> Read:
    """Read the records around some projects. Stop if too many records belong to several projects together."""
    linked = Linked()
    ids = [project["id"] for project in projects]
    for name in BELONGING:
        yield from _read_belonging(linked, RESOURCES[name], ids)
        if linked.cut and len(projects) > 1:
            return linked
    figures = chain.from_iterable(linked.of("figures", project) for project in projects)
    citations = chain.from_iterable(project["citations"] for project in projects)
    wanted = {
        "partners": _partners(projects) | _sides(linked, projects),
        "documents": {citation["document"] for citation in citations},
        "projects": set(chain.from_iterable(project["part_of"] for project in projects)),
        "indicators": {figure["indicator"] for figure in figures},
    }
    for name, named_ids in wanted.items():
        yield from _read_named(linked, name, named_ids)
    wider = [record for (name, _), record in linked.named.items() if name == "projects"]
    yield from _read_places(linked, chain.from_iterable(project["places"] for project in [*projects, *wider]))
    return linked


def _partners(projects: Sequence[Record]) -> set[str]:
    roles = chain.from_iterable(project["roles"] for project in projects)
    managers = {project["managed_by"] for project in projects if project["managed_by"]}
    return {role["partner"] for role in roles} | managers


def _sides(linked: Linked, projects: Sequence[Record]) -> set[str]:
    """Return the partners that provide or receive money of some projects."""
    transactions = chain.from_iterable(linked.of("transactions", project) for project in projects)
    sides = chain.from_iterable((record["provider"], record["receiver"]) for record in transactions)
    return set(filter(None, sides))


def _read_places(linked: Linked, ids: Iterable[str]) -> Read:
    """Read places, and those that they are part of."""
    wanted = set(ids)
    for _ in range(MAX_LEVELS):
        yield from _read_named(linked, "places", wanted)
        parents = {place["parent"] for (name, _), place in linked.named.items() if name == "places" and place["parent"]}
        wanted = {parent for parent in parents if ("places", parent) not in linked.named}
        if not wanted:
            return


def _read_named(linked: Linked, name: str, ids: Collection[str]) -> Read:
    """Read records by their ids, in as many steps as their bytes need."""
    wanted = sorted(ids)
    while wanted:
        bodies: Mapping[str, bytes] = yield from reading_of(RESOURCES[name]).bodies(wanted)
        for record_id, body in bodies.items():
            record = from_json(body)
            linked.named[name, record_id] = {member: record[member] for member in NEEDED[name]}
        wanted = [record_id for record_id in wanted if record_id not in bodies] if bodies else []


def _read_belonging(linked: Linked, resource: Resource, ids: Sequence[str]) -> Read:
    """Read the first of the records that belong to projects."""
    if not ids:
        return
    statement = STATEMENTS.query(_belonging, resource)
    rows = yield statement, {"ids": list(ids), "most": MAX_BELONGING + 1, "most_bytes": MAX_PAGE_BYTES}
    fitted = fitting(rows[:MAX_BELONGING])
    wanted = set(ids)
    for _, body in fitted:
        record = from_json(body)
        for project_id in _projects_of(record):
            if project_id in wanted:
                linked.belonging.setdefault((resource.name, project_id), []).append(record)
    if len(fitted) < len(rows):
        linked.cut[resource.name, ids[0]] = fitted[-1][0]


def _belonging(resource: Resource) -> Query:
    keys = select_keys(resource).where(on_record(resource.parameters["project"], "ids", False))
    return query_in_order(resource, keys.order_by(resource.table.id).limit(bindparam("most")))


def _projects_of(record: Record) -> list[str]:
    """Return the projects to which a record belongs."""
    return list(record["projects"]) if "projects" in record else [record["project"]]
