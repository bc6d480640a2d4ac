"""The routes that write a resource's records, made from its declaration; and what holds for every route with a key."""

import hashlib
import re
from collections.abc import Callable, Coroutine
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
from app.core.routes import Documented, NoParameters, checked, documented, documented_of, of_one, problems
from app.core.text import SLUGS

WRITERS = ("records:write", "records:write:own")
OF_BODIES = (TooLarge, UnsupportedType)
OF_WRITES: tuple[type[Problem], ...] = (Unauthorized, Forbidden, Conflict, Invalid, Unavailable)
OF_CHANGES = (NotFound, Gone, Stale, NoCondition)
_TOKEN = re.compile(r"[\x21-\x7e]{1,255}")
IF_MATCH = {"If-Match": "ETag of the version that the change was made from, or *. Needed to change what exists."}
IF_NONE_MATCH = {"If-None-Match": "`*`: only if there is no such record yet."}
TOKEN = {HEADER: "Any text of your own, at most 255 ASCII characters: sent again within 24 hours, the same answer."}


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


def write_router(resource: Resource) -> APIRouter:
    """`POST /v1/<resource>`, and PUT, PATCH and DELETE of one record."""
    router = APIRouter(prefix=f"/v1/{resource.name}", tags=[resource.name], route_class=GuardedRoute)
    for add in (_add_post, _add_put, _add_patch, _add_delete):
        add(router, resource)
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


def _checked_slug(text: object, place: dict[str, str]) -> str:
    try:
        return SLUGS.validate_python(text, strict=True)
    except ValidationError:
        said = "An id is lower-case ASCII letters and digits with single hyphens, at most 120 characters, not reserved."
        raise Invalid(ErrorItem(code="invalid_value", detail=said, **place)) from None


def _add_post(router: APIRouter, resource: Resource) -> None:
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
            _checked_slug(wanted, {"pointer": "/id"})
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

    said = Documented(
        lambda: NoParameters,
        lambda: resource.shown,
        body=lambda: resource.fields,
        scopes=WRITERS,
        headers=TOKEN,
        statuses={"201": "Created, at Location."},
    )
    router.add_api_route(
        "",
        documented(create, said),
        methods=["POST"],
        responses=problems(*OF_WRITES, *OF_BODIES),
        operation_id=f"create_{resource.one}",
        summary=f"Create a {resource.one}",
        description="Under the `id` that the body gives, or one made of what the record is called.",
    )


def _add_put(router: APIRouter, resource: Resource) -> None:
    async def put(request: Request, asker: Asker, _: Any, **path: str) -> Response:
        (record_id,) = path.values()
        _checked_slug(record_id, {"parameter": f"{resource.one}_id"})
        given = own_members(resource, record_id, await body_of(request, resource.shown))
        conditions = conditions_of(request)

        def work(session: Any, asker: Asker) -> Written:
            return Edit(session, asker, resource, record_id, conditions).put(given)

        return answer(resource, await request.app.state.editor.run(asker, work))

    said = Documented(
        lambda: NoParameters,
        lambda: resource.shown,
        of_one(resource),
        body=lambda: resource.fields,
        scopes=WRITERS,
        headers={**IF_MATCH, **IF_NONE_MATCH},
        statuses={"200": "Replaced, or the same as before.", "201": "Created, at Location."},
    )
    router.add_api_route(
        f"/{{{resource.one}_id}}",
        documented(put, said),
        methods=["PUT"],
        responses=problems(*OF_WRITES, *OF_BODIES, Stale, NoCondition),
        operation_id=f"put_{resource.one}",
        summary=f"Create or replace a {resource.one}",
        description="What is left out gets its default; `managed_by` alone stays. To replace, send If-Match. What a "
        "read returned can be sent back; a body that changes nothing makes no new version.",
    )


def _add_patch(router: APIRouter, resource: Resource) -> None:
    async def patch(request: Request, asker: Asker, _: Any, **path: str) -> Response:
        record_id = checked(*path.values())
        given = own_members(resource, record_id, await body_of(request, resource.shown, MERGE_PATCH))
        conditions = conditions_of(request)

        def work(session: Any, asker: Asker) -> Written:
            return Edit(session, asker, resource, record_id, conditions).patch(given)

        return answer(resource, await request.app.state.editor.run(asker, work))

    said = Documented(
        lambda: NoParameters,
        lambda: resource.shown,
        of_one(resource),
        body=lambda: resource.fields,
        body_type=MERGE_PATCH,
        scopes=WRITERS,
        headers=IF_MATCH,
        statuses={"200": "Changed, or the same as before."},
    )
    router.add_api_route(
        f"/{{{resource.one}_id}}",
        documented(patch, said),
        methods=["PATCH"],
        responses=problems(*OF_WRITES, *OF_BODIES, *OF_CHANGES),
        operation_id=f"patch_{resource.one}",
        summary=f"Change a {resource.one}",
        description="A JSON Merge Patch (RFC 7396): the members that change; null gives a member its default; a "
        "list is replaced whole. The rules hold for the record as it is after the merge.",
    )


def _add_delete(router: APIRouter, resource: Resource) -> None:
    async def delete(request: Request, asker: Asker, _: Any, **path: str) -> Response:
        record_id, conditions = checked(*path.values()), conditions_of(request)

        def work(session: Any, asker: Asker) -> None:
            Edit(session, asker, resource, record_id, conditions).delete()

        await request.app.state.editor.run(asker, work)
        return Response(None, 204)

    said = Documented(
        lambda: NoParameters,
        None,
        of_one(resource),
        scopes=WRITERS,
        headers=IF_MATCH,
        statuses={"204": "Deleted. Its id is never used again."},
    )
    router.add_api_route(
        f"/{{{resource.one}_id}}",
        documented(delete, said),
        methods=["DELETE"],
        responses=problems(*OF_WRITES, *OF_CHANGES),
        operation_id=f"delete_{resource.one}",
        summary=f"Delete a {resource.one}",
        description="Reading it answers 410 afterwards. Refused while others refer to it.",
    )
