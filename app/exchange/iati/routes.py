"""`/v1/iati/…` and `/v1/projects/{id}.xml`."""

from collections.abc import AsyncGenerator, Callable
from functools import cache, partial
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.core.access.clients import client_of
from app.core.database.statements import Read
from app.core.errors import (
    BadRequest,
    ErrorItem,
    Gone,
    Invalid,
    NotConfigured,
    NotExportable,
    NotFound,
    Unavailable,
)
from app.core.http.operations import checked_id, id_in_path, operation
from app.core.http.responses import json_response, read_request
from app.core.model.labels import Language
from app.core.model.resource import Resource
from app.core.reading.parameters import query_model
from app.core.reading.reads import reading_of
from app.core.reading.results import ReadRequest, last_change_tag
from app.core.values.json import from_json
from app.exchange.exports.sending import Pace, StreamedFile
from app.exchange.iati.activity import missing
from app.exchange.iati.files import ActivitiesFile, Parts, Source, list_query, one_activity, organisations_file
from app.exchange.iati.losses import NEEDS
from app.exchange.iati.pages import read_linked
from app.exchange.iati.report import as_json_lines, as_text, loss_report
from app.exchange.iati.reporter import Reporter
from app.partners.models import PARTNERS
from app.projects.models import PROJECTS

TAG = {
    "name": "iati",
    "description": "Projects and partners as files of the International Aid Transparency Initiative (IATI 2.03).",
}
XML = "application/xml"
TEXT = "text/plain; charset=utf-8"
JSON_LINES = "application/x-ndjson"
FILE = {"schema": {"type": "string"}}
REVISION = 1  # of the form of the files: raise it when the same records become another file
PROBLEMS = (BadRequest, NotConfigured, NotExportable, Invalid, Unavailable)
ACTIVITIES_TEXT = (
    "Takes the filters of the list of projects. Activities are the projects that state everything that IATI requires. "
    "After them come, as elements of an extension, the other projects, and without filters all other records. "
    "`/v1/iati/loss-report.jsonl` lists what a reader without the extension does not get, and why."
)
ORGANISATIONS_TEXT = (
    "Takes the filters of the list of partners. Organisations are the partners with an identifier of the scheme "
    "`iati-org`, and the organisation that publishes the registry. The other partners follow in the extension."
)
ACTIVITY_TEXT = (
    "The project as one IATI activity, with all that belongs to it in the extension. A project that does not state "
    "what IATI requires has no such form: the problem lists what it lacks."
)
LOSSES_TEXT = (
    "What a reader of the IATI files who ignores the extension does not get: an entry for each record, element and "
    "reason, with the members of the record as JSON Pointers. Takes the filters of the list of "
    "projects."
)

router = APIRouter(tags=["iati"])


@cache
def file_query(resource: Resource) -> type[BaseModel]:
    """Return the query model of a file: the filters, words and order of a list."""
    fields = list_query(resource).model_fields
    names = {*resource.parameters, "q", "sort"}
    own: dict[str, Any] = {name: (field.annotation, field) for name, field in fields.items() if name in names}
    return query_model(f"{resource.shown.__name__}IatiQuery", own)


@cache
def report_query(resource: Resource) -> type[BaseModel]:
    """Return the query model of the report for reading."""
    own: dict[str, Any] = {name: (field.annotation, field) for name, field in file_query(resource).model_fields.items()}
    own["lang"] = (Language, Field(default="en", description="Language of the report."))
    return query_model(f"{resource.shown.__name__}IatiReportQuery", own)


class Answer:
    """The response to a request for a file."""

    def __init__(self, request: Request) -> None:
        self._state = request.scope["app"].state
        self._client = client_of(request.scope)
        self._pace = Pace(request)
        self.request: ReadRequest = read_request(request)
        self.source = Source(self._read_part, Reporter.of(self._state.settings), self.request)
        self._headers = {"Cache-Control": self._state.settings.cache_control}

    async def of(self, make: Callable[[Source], Parts], media_type: str, name: str) -> Response:
        """Return the file, of which only the first part is made before. Its problems are those of the request."""
        if await self.is_current(searches=b"q=" in self.request.query):
            return Response(None, 304, self._headers)
        parts = make(self.source)
        first = await anext(parts)

        async def encoded() -> AsyncGenerator[bytes, None]:
            yield first.encode()
            async for part in parts:
                yield part.encode()

        disposition = f'attachment; filename="{name}"'
        return StreamedFile(
            {**self._headers, "Content-Type": media_type, "Content-Disposition": disposition}, encoded()
        )

    async def activity(self, record_id: str) -> Response:
        """Return the activity of one project."""
        if await self.is_current():
            return Response(None, 304, self._headers)
        text = await self._read(partial(_read_activity, record_id, self.source.reporter, self.request))
        return Response(text.encode(), 200, self._headers, media_type=XML)

    async def is_current(self, *, searches: bool = False) -> bool:
        """Note the tag of the state, and return whether the copy of the client has it. Later parts can be newer."""
        tag = f"{await self._read(partial(last_change_tag, self.request, searches=searches))}-{REVISION}"
        self._headers["ETag"] = f'W/"{tag}"'
        return self.request.is_conditional and self.request.matches(tag)

    async def _read(self, read: Callable[[], Read]) -> Any:
        return await self._state.reader.run(read, long=True, client=self._client)

    async def _read_part(self, read: Callable[[], Read]) -> Any:
        """Run a read of a response that may have begun: if the server is busy, it is tried again."""
        return await self._pace.next_part(partial(self._read, read))


def _read_activity(record_id: str, reporter: Reporter, request: ReadRequest) -> Read:
    reading = reading_of(PROJECTS)
    bodies = yield from reading.bodies([record_id])
    if not bodies:
        yield from reading.raise_missing(record_id, request)
    project = from_json(bodies[record_id])
    linked = yield from read_linked([project])
    lacking = missing(project, linked)
    errors = [ErrorItem(pointer=loss.member, code="not_stated", detail=NEEDS[loss.element]) for loss in lacking]
    if errors:
        raise NotExportable("The project does not state what an IATI activity must have.", errors=errors)
    return one_activity(project, linked, reporter)


def _filters(query: Any) -> dict[str, Any]:
    return {name: getattr(query, name) for name in query.model_fields_set if name != "lang"}


@operation(
    router,
    "GET",
    "/v1/iati/activities.xml",
    "Download projects as IATI activities",
    name="export_iati_activities",
    about=ACTIVITIES_TEXT,
    query=lambda: file_query(PROJECTS),
    leaves_out=lambda: PROJECTS.parameters,
    answers={XML: FILE},
    statuses={"200": "The file."},
    problems=PROBLEMS,
)
async def read_activities(request: Request, query: Any) -> Response:
    """Send projects as activities."""
    return await Answer(request).of(
        lambda source: ActivitiesFile(source, _filters(query)).parts(), XML, "activities.xml"
    )


@operation(
    router,
    "GET",
    "/v1/iati/organisations.xml",
    "Download partners as IATI organisations",
    name="export_iati_organisations",
    about=ORGANISATIONS_TEXT,
    query=lambda: file_query(PARTNERS),
    leaves_out=lambda: PARTNERS.parameters,
    answers={XML: FILE},
    statuses={"200": "The file."},
    problems=PROBLEMS,
)
async def read_organisations(request: Request, query: Any) -> Response:
    """Send partners as organisations."""
    return await Answer(request).of(
        lambda source: organisations_file(source, _filters(query)), XML, "organisations.xml"
    )


@operation(
    router,
    "GET",
    "/v1/iati/loss-report.jsonl",
    "List what the IATI files leave out",
    name="list_iati_losses",
    about=LOSSES_TEXT,
    query=lambda: file_query(PROJECTS),
    leaves_out=lambda: PROJECTS.parameters,
    answers={JSON_LINES: FILE},
    statuses={"200": "The report."},
    problems=PROBLEMS,
)
async def list_losses(request: Request, query: Any) -> Response:
    """Send the loss report for programs."""
    return await Answer(request).of(
        lambda source: as_json_lines(loss_report(source, _filters(query))), JSON_LINES, "loss-report.jsonl"
    )


@operation(
    router,
    "GET",
    "/v1/iati/loss-report.txt",
    "Read what the IATI files leave out",
    name="read_iati_losses",
    about=f"{LOSSES_TEXT} For reading.",
    query=lambda: report_query(PROJECTS),
    leaves_out=lambda: PROJECTS.parameters,
    answers={"text/plain": FILE},
    statuses={"200": "The report."},
    problems=PROBLEMS,
)
async def read_losses(request: Request, query: Any) -> Response:
    """Send the loss report for readers."""
    return await Answer(request).of(
        lambda source: as_text(loss_report(source, _filters(query)), query.lang), TEXT, "loss-report.txt"
    )


@operation(
    router,
    "GET",
    "/v1/iati/extension.xsd",
    "Read the schema of the extension",
    answers={XML: FILE},
    statuses={"200": "The schema."},
)
async def read_iati_extension(request: Request) -> Response:
    """The XML Schema of the extension of our IATI files."""
    return json_response(request, _schema(), XML)


@operation(
    router,
    "GET",
    "/v1/projects/{project_id}.xml",
    "Read a project as an IATI activity",
    name="read_iati_activity",
    about=ACTIVITY_TEXT,
    in_path=id_in_path(PROJECTS),
    answers={XML: FILE},
    statuses={"200": "The file, with one activity."},
    problems=(NotFound, Gone, NotConfigured, NotExportable, Unavailable),
)
async def read_activity(request: Request, project_id: str) -> Response:
    """Send one project as an activity."""
    return await Answer(request).activity(checked_id(project_id))


@cache
def _schema() -> bytes:
    return (files("app.exchange.iati.extension") / "extension.xsd").read_bytes()
