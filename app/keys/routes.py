"""`/v1/keys`: administrators create, read, rotate and revoke keys."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.core.access.caller import Caller
from app.core.access.rotation import Rotation
from app.core.errors import NotFound
from app.core.http.guarded_endpoints import PageQuery, page_of, run_transaction
from app.core.http.operations import PathParameter, operation
from app.core.http.responses import private_json
from app.core.http.write_endpoints import OF_BODIES
from app.keys import models as keys
from app.keys.models import KeyCreated, KeyFields, KeyShown

SCOPES = ("keys",)
PATH = {"key_id": PathParameter("Id of the key: the part of its token between `hoptac_` and `_`.", "0123456789")}


class KeyPage(BaseModel, defer_build=True):
    """A page of keys, in the order of their ids."""

    items: list[KeyShown]
    next: str | None = Field(description="Path of the next page; null on the last page.")


TAG = {
    "name": "keys",
    "description": "Keys for writers. Administrators manage them, with the scope `keys`.",
}
router = APIRouter(prefix="/v1/keys", tags=["keys"])


@operation(router, "GET", "", "List keys", returns=KeyPage, scopes=SCOPES)
async def list_keys(request: Request, caller: Caller, query: PageQuery) -> Response:
    """Return all keys, including expired and revoked ones. Tokens are never included."""
    rows = await run_transaction(
        request, caller, lambda session, _: keys.show_keys(session, query.cursor or "", query.limit + 1)
    )
    return private_json(page_of(rows, query.limit, "/v1/keys?"))


@operation(
    router,
    "POST",
    "",
    "Create a key",
    returns=KeyCreated,
    scopes=SCOPES,
    statuses={"201": "Created. No other response contains the token."},
    problems=OF_BODIES,
)
async def create_key(request: Request, caller: Caller, body: KeyFields) -> Response:
    """Create a key. The response contains its token, of which the registry stores only a hash."""
    key = await run_transaction(request, caller, lambda session, _: keys.create(session, body))
    return private_json(key.model_dump(), 201, {"Location": f"/v1/keys/{key.id}"})


@operation(
    router, "GET", "/{key_id}", "Read a key", returns=KeyShown, in_path=PATH, scopes=SCOPES, problems=(NotFound,)
)
async def read_key(request: Request, caller: Caller, key_id: str) -> Response:
    """Return a key with its scopes and the time of its last use."""
    key = await run_transaction(request, caller, lambda session, _: keys.show_key(session, key_id))
    return private_json(key.model_dump())


@operation(
    router,
    "POST",
    "/{key_id}/rotate",
    "Rotate a key",
    returns=KeyCreated,
    in_path=PATH,
    scopes=SCOPES,
    problems=(NotFound, *OF_BODIES),
)
async def rotate_key(request: Request, caller: Caller, key_id: str, body: Rotation) -> Response:
    """Replace the token of a key. The previous token stays valid for `overlap` seconds, by default for one day."""
    key = await run_transaction(request, caller, lambda session, _: keys.rotate(session, key_id, body))
    return private_json(key.model_dump())


@operation(
    router,
    "DELETE",
    "/{key_id}",
    "Revoke a key",
    in_path=PATH,
    scopes=SCOPES,
    statuses={"204": "Revoked."},
    problems=(NotFound,),
)
async def revoke_key(request: Request, caller: Caller, key_id: str) -> Response:
    """Revoke a key for good. Every process of the server refuses it from now on."""
    await run_transaction(request, caller, lambda session, _: keys.revoke(session, key_id))
    return Response(None, 204)
