"""`/v1/keys`: administrators create, see, rotate and revoke keys."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.core.access.caller import Asker
from app.core.access.keys import ID_LENGTH
from app.core.errors import NotFound
from app.core.http.resource_writes import OF_BODIES, Row, body_of, guarded_router, private_json
from app.core.http.routing import Documented, InPath
from app.core.model.validation import checked_by
from app.core.reading.parameters import Digits
from app.keys.models import KeyCreated, KeyFields, KeyShown, Rotation, create, every, one, revoke, rotate

SCOPES = ("keys",)
KeyId = Annotated[str, StringConstraints(pattern=rf"^[0-9a-z]{{{ID_LENGTH}}}$")]
PATH = {"key_id": InPath("Id of the key: the part of its text behind hoptac_.", "0123456789")}


class KeyPage(BaseModel, defer_build=True):
    """A page of keys."""

    items: list[KeyShown]
    next: str | None = Field(description="Path of the next page; null at the end.")


class KeysQuery(BaseModel, defer_build=True):
    """Where to go on, and how far."""

    model_config = ConfigDict(extra="forbid")

    limit: Digits = Field(default=50, ge=1, le=200, description="Items a page.")
    cursor: KeyId | None = Field(default=None, description="Where to go on: taken from `next`.")


def keys_router() -> APIRouter:
    """The routes of keys."""
    return guarded_router("/v1/keys", _routes())


def _routes() -> list[Row]:
    page = Documented(lambda: KeyPage, query=lambda: KeysQuery, scopes=SCOPES)
    made = {"201": "Created; the only answer with the text of the key."}
    new = Documented(lambda: KeyCreated, body=lambda: KeyFields, scopes=SCOPES, statuses=made)
    single = Documented(lambda: KeyShown, PATH, scopes=SCOPES)
    again = Documented(lambda: KeyCreated, PATH, body=lambda: Rotation, scopes=SCOPES)
    gone = Documented(None, PATH, scopes=SCOPES, statuses={"204": "Revoked."})
    return [
        ("", "GET", list_keys, page, (), "List the keys"),
        ("", "POST", create_key, new, OF_BODIES, "Create a key"),
        ("/{key_id}", "GET", read_key, single, (NotFound,), "Read one key"),
        ("/{key_id}/rotate", "POST", rotate_key, again, (NotFound, *OF_BODIES), "Rotate a key"),
        ("/{key_id}", "DELETE", revoke_key, gone, (NotFound,), "Revoke a key"),
    ]


async def list_keys(request: Request, asker: Asker, query: KeysQuery) -> Response:
    """Every key, also those that expired or were revoked; never their texts."""
    found = await _run(request, asker, every, query.cursor or "", query.limit + 1)
    page = found[: query.limit]
    more = f"/v1/keys?limit={query.limit}&cursor={page[-1]['id']}" if len(found) > len(page) else None
    return private_json({"items": page, "next": more})


async def create_key(request: Request, asker: Asker, _: BaseModel) -> Response:
    """The answer holds the text of the key. Nobody can read it again, here or in the database."""
    fields = checked_by(KeyFields, await body_of(request, KeyFields))
    made = await _run(request, asker, create, fields)
    return private_json(made, 201, {"Location": f"/v1/keys/{made['id']}"})


async def read_key(request: Request, asker: Asker, _: BaseModel, key_id: str) -> Response:
    """What a key allows, and when it was used last."""
    return private_json(await _run(request, asker, one, key_id))


async def rotate_key(request: Request, asker: Asker, _: BaseModel, key_id: str) -> Response:
    """A new text for the same key. The one before goes on counting for `overlap` seconds, one day by default."""
    rotation = checked_by(Rotation, await body_of(request, Rotation))
    return private_json(await _run(request, asker, rotate, key_id, rotation.overlap))


async def revoke_key(request: Request, asker: Asker, _: BaseModel, key_id: str) -> Response:
    """It stops at once, on every process of the server, and cannot be brought back."""
    await _run(request, asker, revoke, key_id)
    return Response(None, 204)


async def _run(request: Request, asker: Asker, act: Any, *arguments: Any) -> Any:
    """What an act on keys returns. Ids with a NUL never reach the database: they do not fit the pattern."""
    if "key_id" in request.path_params and not request.path_params["key_id"].isalnum():
        raise NotFound
    return await request.app.state.editor.run(asker, lambda session, _: act(session, *arguments))
