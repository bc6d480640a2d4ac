"""`/v1/import-mappings`: storing, reading and deleting mappings."""

import re
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import StringConstraints

from app.core.access.caller import Caller
from app.core.errors import Conflict, ErrorItem, Invalid, NotFound
from app.core.http.guarded_endpoints import run_transaction
from app.core.http.operations import PathParameter, operation
from app.core.http.responses import private_json
from app.core.http.write_endpoints import OF_BODIES, WRITERS
from app.core.values.text import SLUG
from app.exchange.formats.mapping import MappingFields
from app.exchange.mappings import stored

MAX_NAME = 60
MappingName = Annotated[str, StringConstraints(pattern=SLUG, max_length=MAX_NAME)]
PATH = {"mapping_name": PathParameter("Name of the mapping.", "moit-list", MappingName)}

router = APIRouter(prefix="/v1/import-mappings", tags=["imports"])


@operation(router, "GET", "", "List the mappings", returns=stored.MappingList, scopes=WRITERS)
async def list_import_mappings(request: Request, caller: Caller) -> Response:
    """Return the mappings of the partner of the key, or of the key if it has no partner."""
    mappings = await run_transaction(request, caller, stored.list_mappings)
    return private_json({"items": [mapping.model_dump() for mapping in mappings]})


@operation(
    router,
    "GET",
    "/{mapping_name}",
    "Read a mapping",
    returns=stored.MappingShown,
    in_path=PATH,
    scopes=WRITERS,
    problems=(NotFound,),
)
async def read_import_mapping(request: Request, caller: Caller, mapping_name: str) -> Response:
    """Return a mapping with its columns."""
    mapping = await run_transaction(request, caller, stored.read_mapping, mapping_name)
    return private_json(mapping.model_dump(by_alias=True))


@operation(
    router,
    "PUT",
    "/{mapping_name}",
    "Store a mapping",
    returns=stored.MappingShown,
    in_path=PATH,
    scopes=WRITERS,
    statuses={"200": "Replaced.", "201": "Created."},
    problems=(NotFound, Conflict, *OF_BODIES),
)
async def put_import_mapping(request: Request, caller: Caller, mapping_name: str, body: MappingFields) -> Response:
    """Store the meaning of the columns of a table, under a name. Then import the table with `mapping` and this name.

    Every key of the partner can use and replace the mapping. There are at most 100 mappings, each with at most 50,000
    bytes as JSON.
    """
    if len(mapping_name) > MAX_NAME or not re.fullmatch(SLUG, mapping_name):
        detail = f"A name consists of at most {MAX_NAME} letters from a to z, digits and single hyphens between them."
        raise Invalid(ErrorItem(parameter="mapping_name", code="invalid_value", detail=detail))
    mapping, is_new = await run_transaction(request, caller, stored.store_mapping, mapping_name, body)
    return private_json(mapping.model_dump(by_alias=True), 201 if is_new else 200)


@operation(
    router,
    "DELETE",
    "/{mapping_name}",
    "Delete a mapping",
    in_path=PATH,
    scopes=WRITERS,
    statuses={"204": "Deleted."},
    problems=(NotFound,),
)
async def delete_import_mapping(request: Request, caller: Caller, mapping_name: str) -> Response:
    """Delete a mapping. Imports that were sent with it are not affected."""
    await run_transaction(request, caller, stored.delete_mapping, mapping_name)
    return Response(None, 204)
