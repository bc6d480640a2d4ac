"""`/v1/catalog.jsonld` and `/v1/schemas/projects.json`."""

from fastapi import APIRouter, Request, Response

from app.core.errors import NotFound
from app.core.http.operations import PathParameter, operation
from app.core.http.responses import json_response, read_request, run_read
from app.core.model.resource import RESOURCES
from app.core.reading.results import ReadResult, computed
from app.exchange.metadata import dataset_catalog, record_schemas
from app.exchange.metadata.dataset_catalog import PATH, read_catalog
from app.exchange.metadata.record_schemas import record_schema

JSON_OBJECT = {"schema": {"type": "object"}}
router = APIRouter(tags=["service"])


@operation(
    router,
    "GET",
    PATH,
    "Read the catalogue",
    answers={dataset_catalog.MEDIA_TYPE: JSON_OBJECT},
    statuses={"200": "The catalogue."},
)
async def read_dataset_catalog(request: Request) -> Response:
    """The datasets of the registry for data portals, as JSON-LD in the profile DCAT-AP 3.

    Each resource is a dataset with its distributions: the API, CSV, JSON Lines, a workbook, and the archive of all.
    """
    settings = request.scope["app"].state.settings
    caller = read_request(request)
    result: ReadResult = await run_read(request, lambda: computed(caller, lambda: read_catalog(settings)))
    headers = {"ETag": f'"{result.tag}"', "Cache-Control": settings.cache_control}
    if result.body is None:
        return Response(None, 304, headers)
    return Response(result.body, 200, headers, media_type=dataset_catalog.MEDIA_TYPE)


@operation(
    router,
    "GET",
    "/v1/schemas/{file}",
    "Read the JSON Schema of a resource",
    answers={record_schemas.MEDIA_TYPE: JSON_OBJECT},
    statuses={"200": "The schema."},
    in_path={"file": PathParameter("Name of the resource with the ending `.json`.", "projects.json", str)},
    problems=(NotFound,),
)
async def read_record_schema(request: Request, file: str) -> Response:
    """The schema (draft 2020-12) of a record as the API and JSON Lines return it. Its address does not change."""
    resource = RESOURCES.get(file.removesuffix(".json"))
    if resource is None or not file.endswith(".json"):
        raise NotFound
    body = record_schema(resource, request.scope["app"].state.settings.public_url)
    return json_response(request, body, record_schemas.MEDIA_TYPE)
