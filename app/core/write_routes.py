"""The routes that write a resource's records, made from its declaration; and what holds for every route with a key."""

import hashlib
import re
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import ValidationError

from app.core.bodies import JSON, MERGE_PATCH, parsed, read_body
from app.core.editing import Conditions, Edit, Written, free_id, own_members
from app.core.errors import (
    Conflict,
    ErrorItem,
    Forbidden,
    Gone,
    Invalid,
    NoCondition,
    NotFound,
    Problem,
    Stale,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnsupportedType,
)
from app.core.keys import NOBODY, Asker
from app.core.query import parse
from app.core.replays import HEADER, recall, remember
from app.core.resource import Resource
from app.core.routes import Documented, ReadRoute, checked, documented, documented_of, of_one, problems
from app.core.text import SLUGS, to_json

WRITERS = ("records:write", "records:write:own")
OF_BODIES = (TooLarge, UnsupportedType)
Problems = tuple[type[Problem], ...]
REFUSALS: Problems = (Unauthorized, Forbidden, Invalid, Unavailable)
OF_WRITES: Problems = (Unauthorized, Forbidden, Conflict, Invalid, Unavailable)
OF_CHANGES = (NotFound, Gone, Stale, NoCondition)
_TOKEN = re.compile(r"[\x21-\x7e]{1,255}")
IF_MATCH = {"If-Match": "ETag of the version that the change was made from, or *. Needed to change what exists."}
IF_NONE_MATCH = {"If-None-Match": "`*`: only if there is no such record yet."}
TOKEN = {HEADER: "Any text of your own, at most 255 ASCII characters: sent again within 24 hours, the same answer."}

ABOUT_PUT = (
    "What is left out gets its default; `managed_by` alone stays. To replace, send If-Match. What a read returned can "
    "be sent back; a body that changes nothing makes no new version."
)
ABOUT_PATCH = (
    "A JSON Merge Patch (RFC 7396): the members that change; null gives a member its default; a list is replaced "
    "whole. The rules hold for the record as it is after the merge."
)


class GuardedRoute(APIRoute):
    """A route for holders of keys: its scopes are asked for before anything is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint, said = self.endpoint, documented_of(self.endpoint)
        assert said is not None
        assert said.scopes, f"{self.path}: a guarded route says which scopes it takes"

        async def handle(request: Request) -> Response:
            asker: Asker = request.scope.get("asker", NOBODY)
            asker.require(*said.scopes)
            query = parse(said.query(), request.scope["query_string"])
            response: Response = await endpoint(request, asker, query, **request.path_params)
            return response

        return handle


# A route beside those of records: path, method, endpoint, what is said of it, problems of its own, summary.
Row = tuple[str, str, Callable[..., Any], Documented, Problems, str]


def private_json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """What only the asker may know, as JSON: nobody on the way keeps it."""
    said = {"Cache-Control": "no-store", **(headers or {})}
    return Response(to_json(content), status, said, media_type="application/json")


def guarded_router(prefix: str, rows: Iterable[Row]) -> APIRouter:
    """Routes for holders of keys; one whose documentation names no scopes is open to everybody."""
    router = APIRouter(prefix=prefix, tags=[prefix.rpartition("/")[2]])
    for path, method, endpoint, said, also, summary in rows:
        router.add_api_route(
            path,
            documented(endpoint, said),
            methods=[method],
            responses=problems(*(REFUSALS if said.scopes else (Invalid,)), *also),
            operation_id=endpoint.__name__,
            summary=summary,
            route_class_override=GuardedRoute if said.scopes else ReadRoute,
        )
    return router


def write_router(resource: Resource) -> APIRouter:
    """`POST /v1/<resource>`, and PUT, PATCH and DELETE of one record."""
    router = APIRouter(prefix=f"/v1/{resource.name}", tags=[resource.name], route_class=GuardedRoute)
    one, path = resource.one, of_one(resource)
    body = Documented(lambda: resource.shown, body=lambda: resource.fields, scopes=WRITERS)

    def add(method: str, verb: str, endpoint: Any, said: Documented, words: tuple[str, str], also: Problems) -> None:
        router.add_api_route(
            "".join(f"/{{{name}}}" for name in said.path),
            documented(endpoint, said),
            methods=[method],
            responses=problems(*OF_WRITES, *also),
            operation_id=f"{verb}_{one}",
            summary=f"{words[0]} a {one}",
            description=words[1],
        )

    said = replace(body, headers=TOKEN, statuses={"201": "Created, at Location."})
    words = ("Create", "Under the `id` that the body gives, or one made of what the record is called.")
    add("POST", "create", _creating(resource), said, words, OF_BODIES)

    statuses = {"200": "Replaced, or the same as before.", "201": "Created, at Location."}
    said = replace(body, path=path, headers={**IF_MATCH, **IF_NONE_MATCH}, statuses=statuses)
    put = _editing(resource, JSON, partial(_checked_slug, parameter=f"{one}_id"), Edit.put)
    add("PUT", "put", put, said, ("Create or replace", ABOUT_PUT), (*OF_BODIES, Stale, NoCondition))

    statuses = {"200": "Changed, or the same as before."}
    said = replace(body, path=path, body_type=MERGE_PATCH, headers=IF_MATCH, statuses=statuses)
    patch = _editing(resource, MERGE_PATCH, checked, Edit.patch)
    add("PATCH", "patch", patch, said, ("Change", ABOUT_PATCH), (*OF_BODIES, *OF_CHANGES))

    statuses = {"204": "Deleted. Its id is never used again."}
    said = Documented(None, path, headers=IF_MATCH, scopes=WRITERS, statuses=statuses)
    words = ("Delete", "Reading it answers 410 afterwards. Refused while others refer to it.")
    add("DELETE", "delete", _deleting(resource), said, words, OF_CHANGES)
    return router


async def body_of(request: Request, model: Any, media_type: str = JSON) -> Any:
    """The value of the body, within the server's bound."""
    return await parsed(await read_body(request, media_type, request.app.state.settings.max_body), model)


def conditions_of(request: Request) -> Conditions:
    """If-Match and If-None-Match as they were sent."""
    given = [", ".join(request.headers.getlist(name)) for name in ("if-match", "if-none-match")]
    return Conditions(*given)


def answer(resource: Resource, written: Written) -> Response:
    """The record as it is after a write, with its tag."""
    headers = {"ETag": f'"{written.tag}"', "Cache-Control": "no-store"}
    if written.created:
        headers["Location"] = f"/v1/{resource.name}/{written.id}"
    if written.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(written.body, 201 if written.created else 200, headers, media_type=JSON)


def _checked_slug(text: object, **place: str) -> str:
    try:
        return SLUGS.validate_python(text, strict=True)
    except ValidationError:
        said = "An id is lower-case ASCII letters and digits with single hyphens, at most 120 characters, not reserved."
        raise Invalid(ErrorItem(code="invalid_value", detail=said, **place)) from None


def _creating(resource: Resource) -> Any:
    async def create(request: Request, asker: Asker, _: Any) -> Response:
        token = request.headers.get(HEADER)
        if token is not None and not _TOKEN.fullmatch(token):
            said = "1 to 255 visible ASCII characters."
            raise Invalid(ErrorItem(parameter=HEADER, code="invalid_value", detail=said))
        raw = await read_body(request, JSON, request.app.state.settings.max_body)
        shown = await parsed(raw, resource.shown)
        given = own_members(resource, None, shown)
        wanted = shown.get("id")
        if wanted is not None:
            _checked_slug(wanted, pointer="/id")
        digest = hashlib.sha256(request.scope["path"].encode() + b"\n" + raw).hexdigest()

        def work(session: Any, asker: Asker) -> Written:
            if token and (found := recall(session, asker.key, token, digest)):
                record_id, tag, body = found
                return Written(record_id, tag, body.encode(), created=True, replayed=True)
            written = Edit(session, asker, resource, wanted or free_id(session, resource, given)).create(given)
            if token:
                remember(session, asker.key, token, digest, written.tag)
            return written

        return answer(resource, await request.app.state.editor.run(asker, work))

    return create


def _editing(resource: Resource, media_type: str, checked: Callable[[str], str], act: Callable[..., Written]) -> Any:
    """The endpoint of a write with a body to one record."""

    async def edit(request: Request, asker: Asker, _: Any, **path: str) -> Response:
        record_id = checked(*path.values())
        given = own_members(resource, record_id, await body_of(request, resource.shown, media_type))
        conditions = conditions_of(request)

        def work(session: Any, asker: Asker) -> Written:
            return act(Edit(session, asker, resource, record_id, conditions), given)

        return answer(resource, await request.app.state.editor.run(asker, work))

    return edit


def _deleting(resource: Resource) -> Any:
    async def delete(request: Request, asker: Asker, _: Any, **path: str) -> Response:
        record_id, conditions = checked(*path.values()), conditions_of(request)

        def work(session: Any, asker: Asker) -> None:
            Edit(session, asker, resource, record_id, conditions).delete()

        await request.app.state.editor.run(asker, work)
        return Response(None, 204)

    return delete
