"""`/v1/reconcile/partners` and `/v1/reconcile/places`: the Reconciliation API 0.2 of the W3C community group."""

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, RootModel

from app.core.database.statements import Read
from app.core.errors import ErrorItem, Invalid, NotFound
from app.core.http.operations import PathParameter, checked_id, operation
from app.core.http.responses import read_request, run_read
from app.core.model.resource import RESOURCES, Id, Resource
from app.core.public_paths import public
from app.core.reading.parameters import MAX_ITEMS, MAX_QUERY_LENGTH, ONLY_DIGITS, SearchWords
from app.core.values.json import to_json
from app.exchange.reconciliation.candidates import (
    TYPES,
    ReconciliationResults,
    Suggestions,
    described,
    find_records,
    read_places,
    read_record,
    read_results,
    types_of,
)
from app.exchange.reconciliation.extension import (
    Extension,
    parse_extension,
    proposed,
    read_extension,
)
from app.exchange.reconciliation.manifest import PATH, PREVIEW_POLICY, manifest, preview, properties
from app.exchange.reconciliation.queries import EXTEND, FORM, QUERIES, member_of_form, parse_batch

LONG = 2  # queries of a batch that are read in the event loop
SUGGESTED = 10
JSON = "application/json"
JSON_OBJECT = {"schema": {"type": "object"}}
BATCH_FORM = {
    "schema": {
        "type": "object",
        "properties": {
            QUERIES: {"type": "string", "description": "A JSON object with at most 20 queries."},
            EXTEND: {"type": "string", "description": "A JSON object with `ids` and `properties`, at most 50 each."},
        },
    }
}
Name = Literal["partners", "places"]
IN_PATH = {"resource": PathParameter("What the names mean: `partners` or `places`.", "partners", Name)}

TAG = {
    "name": "reconciliation",
    "description": "Find the partners and places that the names in a table mean, with the Reconciliation API 0.2 that "
    "OpenRefine uses. `/guides/clients` explains the scores.",
}
router = APIRouter(tags=["reconciliation"])

_read = partial(operation, router, "GET", in_path=IN_PATH, problems=(NotFound,), tagged=False)


class ReconcileQuery(BaseModel, defer_build=True):
    """The parameters of the service."""

    model_config = {"extra": "forbid"}
    queries: Annotated[str, Field(max_length=MAX_QUERY_LENGTH)] | None = Field(
        default=None, description="A JSON object with at most 20 queries. Without it, the response is the manifest."
    )
    extend: Annotated[str, Field(max_length=MAX_QUERY_LENGTH // 2)] | None = Field(
        default=None, description="A JSON object with the ids of records and the properties that are asked for."
    )


class ReconciliationResponse(RootModel[Extension | ReconciliationResults]):
    """The candidates of each query, or the values of the properties of records."""


class ProposalQuery(BaseModel, defer_build=True):
    """The parameters of a proposal of properties."""

    model_config = {"extra": "forbid"}
    type: Annotated[str, Field(max_length=300)] = Field(default="", description="Type of the records.")
    limit: Annotated[int, Field(ge=1, le=MAX_ITEMS), ONLY_DIGITS] | None = Field(
        default=None, description="Largest number of properties."
    )


class PrefixQuery(BaseModel, defer_build=True):
    """The parameters of a suggestion."""

    model_config = {"extra": "forbid"}
    prefix: SearchWords = Field(description="What the user has typed.", examples=["bo cong"])
    cursor: Annotated[int, ONLY_DIGITS] = Field(default=0, ge=0, le=90, description="Number of suggestions to skip.")


class PreviewQuery(BaseModel, defer_build=True):
    """The parameter of a preview."""

    model_config = {"extra": "forbid"}
    id: Id = Field(description="Id of the record.", examples=["unido"])


@_read(
    PATH + "/{resource}",
    "Read the manifest, or find the records that names mean",
    answers={JSON: JSON_OBJECT},
    statuses={"200": "The manifest or, with a parameter, the same as for POST."},
)
async def read_reconciliation(request: Request, resource: str, query: ReconcileQuery) -> Response:
    """Without parameters, the manifest of the service. With `queries` or `extend`, the same response as for POST."""
    service = _resource(resource)
    if query.queries is not None and query.extend is not None:
        detail = "A request has either queries or extend."
        raise Invalid(ErrorItem(parameter=EXTEND, code="invalid_value", detail=detail))
    for name, text in ((QUERIES, query.queries), (EXTEND, query.extend)):
        if text is not None:
            return await _results(request, service, name, text)
    settings = request.scope["app"].state.settings
    return _response(to_json(manifest(service, settings.site_name, _base(request))))


@operation(
    router,
    "POST",
    PATH + "/{resource}",
    "Find the records that names mean",
    returns=ReconciliationResponse,
    accepts={FORM: BATCH_FORM},
    statuses={"200": "The candidates of each query, or the values of the properties."},
    in_path=IN_PATH,
    only_reads=True,
    problems=(NotFound,),
)
async def reconcile(request: Request, resource: str) -> Response:
    """Find up to 25 candidates for each of at most 20 names, with scores and reasons.

    `match` is true only if a name is equal to that of one record alone. For authorities, the query must also state
    their country, in the name or as the property `country`. A request costs as much as its searches.

    With `extend`, return the values of properties of records: each column of the exported table that contains single
    values, or ids and codes.
    """
    service = _resource(resource)
    return await _results(request, service, *await member_of_form(request))


@_read(
    PATH + "/{resource}/suggest/entity",
    "Suggest records while a user types",
    returns=Suggestions,
)
async def suggest_entities(request: Request, resource: str, query: PrefixQuery) -> Response:
    """The first records that a search for the typed words finds. The last word can be incomplete."""
    service = _resource(resource)

    def read() -> Read:
        records = yield from find_records(service, query.prefix, SUGGESTED, query.cursor)
        return records, (yield from read_places(service, records))

    records, places = await run_read(request, read)
    suggestions = [
        {**described(service, record, places), "notable": types_of(service, record)} for record in records.values()
    ]
    return _response(to_json({"result": suggestions}))


@_read(
    PATH + "/{resource}/suggest/property",
    "Suggest properties",
    answers={JSON: JSON_OBJECT},
    statuses={"200": "The properties whose names contain the text."},
)
async def suggest_properties(_: Request, resource: str, query: PrefixQuery) -> Response:
    """The properties that a query can have: `country` of partners, and `date` of places."""
    return _response(to_json(properties(_resource(resource), query.prefix)))


@_read(
    PATH + "/{resource}/preview",
    "Show a record in a small page",
    answers={"text/html": {"schema": {"type": "string"}}},
    statuses={"200": "A page for a frame of 420 by 180 pixels."},
)
async def preview_record(request: Request, resource: str, query: PreviewQuery) -> Response:
    """The names and the description of a record, for the preview of OpenRefine."""
    service = _resource(resource)
    record_id = checked_id(query.id)

    def read() -> Read:
        records = yield from read_record(service, record_id)
        return records, (yield from read_places(service, records))

    records, places = await run_read(request, read)
    if not records:
        raise NotFound
    page = preview(service, records[record_id], places, _base(request))
    headers = {"Content-Security-Policy": PREVIEW_POLICY, "Cache-Control": "no-store"}
    return Response(page, 200, headers, media_type="text/html")


@_read(
    PATH + "/{resource}/extend/propose",
    "List the properties of records",
    answers={JSON: JSON_OBJECT},
    statuses={"200": "The properties."},
)
async def propose_properties(_: Request, resource: str, query: ProposalQuery) -> Response:
    """The properties of which a request with `extend` returns the values."""
    return _response(to_json(proposed(_resource(resource), query.type, query.limit)))


async def _results(request: Request, resource: Resource, name: str, text: str) -> Response:
    """Return the response to `queries` or `extend` with a JSON text."""
    batch: Any = parse_extension(text) if name == EXTEND else parse_batch(text)
    result = partial(read_extension if name == EXTEND else read_results, resource, batch)
    is_long = name == EXTEND or len(batch) > LONG

    def read() -> Read:
        return to_json((yield from result()))

    return _response(await run_read(request, read, long=is_long, key=(read_request(request), name, text)))


def _response(body: bytes) -> Response:
    """Return JSON that contains the address of the registry, or belongs to a body, so that no cache may store it."""
    return Response(body, 200, {"Cache-Control": "no-store"}, media_type=JSON)


def _resource(name: str) -> Resource:
    if name not in TYPES:
        raise NotFound("There is no resource at this path.")
    return RESOURCES[name]


def _base(request: Request) -> str:
    """Return the address of the registry without its path, as the client sees it."""
    settings = request.scope["app"].state.settings
    if settings.public_url:
        return str(settings.public_url).rstrip("/").removesuffix(public(""))
    return f"{request.url.scheme}://{request.headers.get('host', '')}"
