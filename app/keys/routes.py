"""`/v1/keys`: administrators create, see, rotate and revoke keys."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.core.access.caller import Caller
from app.core.access.keys import ID_LENGTH
from app.core.errors import NotFound
from app.core.http.operations import PathParameter, operation
from app.core.http.resource_writes import OF_BODIES
from app.core.http.responses import private_json
from app.core.reading.parameters import Digits
from app.keys.models import KeyCreated, KeyFields, KeyShown, Rotation, create, revoke, rotate, show_key, show_keys

SCOPES = ("keys",)
KeyId = Annotated[str, StringConstraints(pattern=rf"^[0-9a-z]{{{ID_LENGTH}}}$")]
PATH = {"key_id": PathParameter("Id of the key: the part of its text behind hoptac_.", "0123456789")}


class KeyPage(BaseModel, defer_build=True):
    """A page of keys."""

    items: list[KeyShown]
    next: str | None = Field(description="Path of the next page; null at the end.")


class KeysQuery(BaseModel, defer_build=True):
    """Where to go on, and how far."""

    model_config = ConfigDict(extra="forbid")

    limit: Digits = Field(default=50, ge=1, le=200, description="Items a page.")
    cursor: KeyId | None = Field(default=None, description="Where to go on: taken from `next`.")


TAG = {
    "name": "keys",
    "description": "Keys for writers. Administrators manage them, with the scope `keys`.",
}
router = APIRouter(prefix="/v1/keys", tags=["keys"])


@operation(router, "GET", "", "List the keys", returns=KeyPage, scopes=SCOPES)
async def list_keys(request: Request, caller: Caller, query: KeysQuery) -> Response:
    """Every key, also those that expired or were revoked; never their texts."""
    found = await _run(request, caller, show_keys, query.cursor or "", query.limit + 1)
    page = found[: query.limit]
    more = f"/v1/keys?limit={query.limit}&cursor={page[-1]['id']}" if len(found) > len(page) else None
    return private_json({"items": page, "next": more})


@operation(
    router,
    "POST",
    "",
    "Create a key",
    returns=KeyCreated,
    scopes=SCOPES,
    statuses={"201": "Created; the only answer with the text of the key."},
    problems=OF_BODIES,
)
async def create_key(request: Request, caller: Caller, body: KeyFields) -> Response:
    """The answer holds the text of the key. Nobody can read it again, here or in the database."""
    made = await _run(request, caller, create, body)
    return private_json(made, 201, {"Location": f"/v1/keys/{made['id']}"})


@operation(
    router, "GET", "/{key_id}", "Read one key", returns=KeyShown, in_path=PATH, scopes=SCOPES, problems=(NotFound,)
)
async def read_key(request: Request, caller: Caller, key_id: str) -> Response:
    """What a key allows, and when it was used last."""
    return private_json(await _run(request, caller, show_key, key_id))


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
    """A new text for the same key. The one before goes on counting for `overlap` seconds, one day by default."""
    return private_json(await _run(request, caller, rotate, key_id, body.overlap))


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
    """It stops at once, on every process of the server, and cannot be brought back."""
    await _run(request, caller, revoke, key_id)
    return Response(None, 204)


async def _run(request: Request, caller: Caller, act: Any, *arguments: Any) -> Any:
    """What an act on keys returns. Ids with a NUL never reach the database: they do not fit the pattern."""
    if "key_id" in request.path_params and not request.path_params["key_id"].isalnum():
        raise NotFound
    return await request.app.state.editor.run(caller, lambda session, _: act(session, *arguments))
