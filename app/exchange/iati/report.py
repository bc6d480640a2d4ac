"""The loss report: an entry for each record, element and reason."""

from collections.abc import AsyncGenerator, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any

from app.core.model.resource import RESOURCES, Resource
from app.core.values.json import to_json
from app.exchange.iati.activity import Activity, missing
from app.exchange.iati.documents import agreement_link, document_link
from app.exchange.iati.files import Parts, Source
from app.exchange.iati.losses import Loss, all_lost, entries
from app.exchange.iati.organisation import organisation_losses
from app.exchange.iati.pages import AT_ONCE, BELONGING, Linked, Page
from app.exchange.iati.reporter import Reporter
from app.projects.models import PROJECTS

Record = Mapping[str, Any]
Entry = dict[str, Any]

# Members of other records that an activity has where it names the record.
IN_ACTIVITIES = {
    "documents": ("title", "description", "url", "language"),
    "indicators": ("name", "definition", "unit", "unit_text"),
    "places": ("id", "name", "point"),
}
OF_LINK = ("title", "kind")  # members that the link to an agreement has


async def loss_report(source: Source, filters: Mapping[str, Any]) -> AsyncGenerator[list[Entry], None]:
    """Yield entries: of projects with what belongs to them, and without filters of all other records."""
    async for new_entries in source.pages(PROJECTS, filters, partial(_of_projects, source.reporter), AT_ONCE):
        yield new_entries
    for resource in () if filters else RESOURCES.values():
        if resource is not PROJECTS:
            no_project = {"project_none": True} if resource.name in BELONGING else {}
            async for new_entries in source.pages(resource, no_project, partial(_of_others, resource)):
                yield new_entries


async def as_json_lines(report: AsyncGenerator[list[Entry], None]) -> Parts:
    """Yield the report as JSON Lines."""
    async for new_entries in report:
        yield "".join([f"{to_json(entry).decode()}\n" for entry in new_entries])


async def as_text(report: AsyncGenerator[list[Entry], None], language: str) -> Parts:
    """Yield the report for readers: a line for each record, and below it a line for each entry."""
    last = ("", "")
    async for new_entries in report:
        lines = []
        for entry in new_entries:
            record = (entry["resource"], entry["id"])
            if record != last:
                lines.append(f"{entry['resource']}/{entry['id']}")
                last = record
            element = f"{entry['element']}: " if entry["element"] else ""
            lines.append(f"  {element}{', '.join(entry['members'])}: {entry['detail'][language]}")
        yield "".join(f"{line}\n" for line in lines)


def _of_projects(reporter: Reporter, page: Page) -> list[Entry]:
    return list(chain.from_iterable(_of_project(project, page.linked, reporter) for project in page.records))


def _of_project(project: Record, linked: Linked, reporter: Reporter) -> Iterator[Entry]:
    lacking = list(missing(project, linked))
    activity = None if lacking else Activity(project, linked, reporter)
    own = activity.losses if activity else [*lacking, *all_lost(project, "not_an_activity")]
    cut = [Loss(f"/{name}", "", "too_many") for name in BELONGING if (name, project["id"]) in linked.cut]
    yield from entries(PROJECTS, project, [*own, *cut])
    for resource, record in linked.all_belonging(project):
        losses = activity.losses_of(resource.name, record["id"]) if activity else None
        yield from entries(resource, record, _losses(resource, record) if losses is None else losses)


def _of_others(resource: Resource, page: Page) -> list[Entry]:
    of_records = (entries(resource, record, _losses(resource, record)) for record in page.records)
    return list(chain.from_iterable(of_records))


def _losses(resource: Resource, record: Record) -> Iterator[Loss]:
    """Yield what the standard elements do not have of a record that is no project and no result of one."""
    if resource.name == "partners":
        yield from organisation_losses(record)
    elif resource.name in ("figures", "transactions"):
        yield from all_lost(record, "no_activity")
    elif resource.name == "documents" and document_link(record) is None:
        yield from all_lost(record, "no_link")
    elif resource.name == "agreements":
        yield from all_lost(record, "no_element", OF_LINK if record["projects"] and agreement_link(record) else ())
    else:
        yield from all_lost(record, "no_element", IN_ACTIVITIES.get(resource.name, ()))
