"""The files, part by part. Each part is a read of its own, so no client holds a connection or a snapshot."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from pydantic import BaseModel

from app.core.database.statements import Read
from app.core.errors import NotExportable
from app.core.model.resource import RESOURCES, Resource
from app.core.reading.parameters import Queries
from app.core.reading.reads import reading_of
from app.core.reading.results import ReadRequest
from app.exchange.iati.activity import Activity, missing
from app.exchange.iati.extension.shapes import NAMESPACE, PREFIX
from app.exchange.iati.extension.writing import record_element
from app.exchange.iati.markup import DECLARATION, element
from app.exchange.iati.organisation import organisation, reporting_organisation
from app.exchange.iati.pages import AT_ONCE, BELONGING, Key, Linked, Page, read_linked, read_page
from app.exchange.iati.reporter import ORGANISATION, Reporter
from app.partners.models import PARTNERS
from app.projects.models import PROJECTS

VERSION = "2.03"
OTHERS_AT_ONCE = 200  # records of a page of another resource than projects
SCHEMA_PATH = "/v1/iati/extension.xsd"
NONE_TEXT = (
    "No record that matches can be a valid IATI activity, and a file needs at least one. /v1/iati/loss-report.jsonl "
    "states what each record lacks."
)

Record = Mapping[str, Any]
Parts = AsyncGenerator[str, None]
Run = Callable[[Callable[[], Read]], Awaitable[Any]]


@cache
def list_query(resource: Resource) -> type[BaseModel]:
    """Return the query model with which pages of a list are read."""
    return Queries(resource).export


@dataclass
class Source:
    """What files are made from: how a read is run, who reports, and the request."""

    run: Run
    reporter: Reporter
    request: ReadRequest = field(default_factory=lambda: ReadRequest("/v1/iati"))

    async def pages(
        self, resource: Resource, filters: Mapping[str, Any], write: Callable[[Page], Any], size: int = OTHERS_AT_ONCE
    ) -> AsyncGenerator[Any, None]:
        """Yield what `write` returns for each page of a list. It runs as a part of the read."""
        query: Any = list_query(resource).model_construct(set(filters), **filters)
        reading = reading_of(resource)

        def read(query: Any) -> Read:
            page: Page = yield from read_page(reading, query, self.request, size)
            return page, None if page.is_too_large else write(page)

        while True:
            page, written = await self.run(partial(read, query))
            for project in page.records if page.is_too_large else ():
                yield await self.run(partial(_read_alone, project, write))
            if not page.is_too_large:
                yield written
            if page.cursor is None:
                return
            query = query.model_copy(update={"cursor": page.cursor})


def _read_alone(project: Record, write: Callable[[Page], Any]) -> Read:
    """Read what belongs to one project, and write it."""
    linked: Linked = yield from read_linked([project])
    return write(Page([project], None, linked))


def head(root: str, reporter: Reporter) -> str:
    """Return the start of a file."""
    empty = element(
        root,
        {
            "version": VERSION,
            f"xmlns:{PREFIX}": NAMESPACE,
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:schemaLocation": f"{NAMESPACE} {reporter.base}{SCHEMA_PATH}",
        },
    )
    return DECLARATION + empty.removesuffix("/>") + ">\n"


class ActivitiesFile:
    """A file of activities. Projects that cannot be one follow in the extension, and without filters all the rest."""

    def __init__(self, source: Source, filters: Mapping[str, Any]) -> None:
        self._source = source
        self._filters = filters
        self._cut: dict[Key, str] = {}

    async def parts(self) -> Parts:
        """Yield the file. Raise NotExportable before the first part if it would have no activity."""
        has_begun = False
        async for activities in self._source.pages(PROJECTS, self._filters, self._activities, AT_ONCE):
            if activities and not has_begun:
                yield head("iati-activities", self._source.reporter)
                has_begun = True
            if activities:
                yield activities
        if not has_begun:
            raise NotExportable(NONE_TEXT)
        async for others in self._source.pages(PROJECTS, self._filters, self._others, AT_ONCE):
            yield others
        if not self._filters:
            async for rest in self._rest():
                yield rest
        yield "</iati-activities>\n"

    def _activities(self, page: Page) -> str:
        self._cut |= page.linked.cut
        activities = [project for project in page.records if not any(missing(project, page.linked))]
        return "".join([Activity(project, page.linked, self._source.reporter).xml for project in activities])

    def _others(self, page: Page) -> str:
        others = [project for project in page.records if any(missing(project, page.linked))]
        return "".join([_with_belonging(project, page.linked) for project in others])

    async def _rest(self) -> Parts:
        """Yield the records of which no project has given the file one."""
        for resource in RESOURCES.values():
            if resource is PROJECTS:
                continue
            filters = {"project_none": True} if resource.name in BELONGING else {}
            async for records in self._source.pages(resource, filters, partial(_record_elements, resource)):
                yield records
        for (name, project_id), last in self._cut.items():
            write = partial(_record_elements, RESOURCES[name], after=last)
            async for records in self._source.pages(RESOURCES[name], {"project": [project_id]}, write):
                yield records


def one_activity(project: Record, linked: Linked, reporter: Reporter) -> str:
    """Return a file with the activity of one project."""
    activity = Activity(project, linked, reporter).xml
    return f"{head('iati-activities', reporter)}{activity}</iati-activities>\n"


async def organisations_file(source: Source, filters: Mapping[str, Any]) -> Parts:
    """Yield a file of organisations: first the one that reports, if it is no partner of the registry.

    Partners without an identifier follow in the extension.
    """
    reporter = source.reporter
    yield head("iati-organisations", reporter)
    own = {"identifier": f"{ORGANISATION}:{reporter.ref}"}
    partners = [count async for count in source.pages(PARTNERS, own, lambda page: len(page.records), 1)]
    if not sum(partners):
        yield reporting_organisation(reporter)

    def organisations(page: Page) -> str:
        return "".join(filter(None, [organisation(partner, reporter) for partner in page.records]))

    def others(page: Page) -> str:
        return _record_elements(
            PARTNERS, Page([partner for partner in page.records if not organisation(partner, reporter)], None)
        )

    async for part in source.pages(PARTNERS, filters, organisations):
        yield part
    async for part in source.pages(PARTNERS, filters, others):
        yield part
    yield "</iati-organisations>\n"


def _with_belonging(project: Record, linked: Linked) -> str:
    return "".join(f"{xml}\n" for xml in _elements_with_belonging(project, linked))


def _elements_with_belonging(project: Record, linked: Linked) -> Iterator[str]:
    yield record_element(PROJECTS, project)
    yield from (record_element(resource, record) for resource, record in linked.all_belonging(project))


def _record_elements(resource: Resource, page: Page, after: str = "") -> str:
    return "".join([f"{record_element(resource, record)}\n" for record in page.records if record["id"] > after])
