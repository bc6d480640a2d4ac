"""The writes that every resource has, made from its declaration."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from app.core.access.caller import Caller
from app.core.errors import (
    Conflict,
    ErrorItem,
    Gone,
    Invalid,
    NoCondition,
    NotFound,
    Stale,
    TooLarge,
    UnsupportedType,
)
from app.core.http.bodies import JSON, MERGE_PATCH, parse_model, read_body, read_json
from app.core.http.operations import checked_id, id_in_path, operation
from app.core.model.resource import Resource
from app.core.values.text import SLUGS
from app.core.writing.conditions import Conditions
from app.core.writing.edit import Edit, WriteResult, free_id
from app.core.writing.idempotency import HEADER, find_replay, store_replay
from app.core.writing.patch import writable_body

WRITERS = ("records:write", "records:write:own")
OF_BODIES = (TooLarge, UnsupportedType)
OF_CHANGES = (NotFound, Gone, Stale, NoCondition)

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
IF_MATCH = {"If-Match": "ETag of the version that the change was made from, or *. Needed to change what exists."}

IF_NONE_MATCH = {"If-None-Match": "`*`: only if there is no such record yet."}

IDEMPOTENCY_KEY = {
    HEADER: "Any text of your own, at most 255 ASCII characters: sent again within 24 hours, the same answer."
}

ABOUT_PUT = (
    "What is left out gets its default; `managed_by` alone stays. To replace, send If-Match. What a read returned can "
    "be sent back; a body that changes nothing makes no new version."
)

ABOUT_PATCH = (
    "A JSON Merge Patch (RFC 7396): the members that change; null gives a member its default; a list is replaced "
    "whole. The rules hold for the record as it is after the merge."
)


def add_writes(router: APIRouter, resource: Resource) -> None:
    """`POST /v1/<resource>`, and PUT, PATCH and DELETE of one record."""
    _add_create(router, resource)
    _add_put(router, resource)
    _add_patch(router, resource)
    _add_delete(router, resource)


def _add_create(router: APIRouter, resource: Resource) -> None:
    @operation(
        router,
        "POST",
        "",
        f"Create {resource.a_one}",
        name=f"create_{resource.one}",
        about="Under the `id` that the body gives, or one made of what the record is called.",
        returns=resource.shown,
        body=resource.fields,
        scopes=WRITERS,
        headers=IDEMPOTENCY_KEY,
        statuses={"201": "Created, at Location."},
        problems=(Conflict, *OF_BODIES),
    )
    async def create(request: Request, caller: Caller) -> Response:
        token = request.headers.get(HEADER)
        if token is not None and not _IDEMPOTENCY_KEY.fullmatch(token):
            detail = "1 to 255 visible ASCII characters."
            raise Invalid(ErrorItem(parameter=HEADER, code="invalid_value", detail=detail))
        raw = await read_body(request, JSON, request.app.state.settings.max_body)
        body = await parse_model(raw, resource.shown)
        members = writable_body(resource, None, body)
        wanted = body.get("id")
        if wanted is not None:
            _checked_slug(wanted, pointer="/id")
        digest = hashlib.sha256(request.scope["path"].encode() + b"\n" + raw).hexdigest()

        def work(session: Any, caller: Caller) -> WriteResult:
            if token and (earlier := find_replay(session, caller.key, token, digest)):
                record_id, tag, stored = earlier
                return WriteResult(record_id, tag, stored.encode(), created=True, replayed=True)
            record_id = wanted or free_id(session, resource, members)
            written = Edit(session, caller, resource, record_id).create(members)
            if token:
                store_replay(session, caller.key, token, digest, written.tag)
            return written

        return written_response(resource, await request.app.state.editor.run(caller, work))


def _add_put(router: APIRouter, resource: Resource) -> None:
    id_name = f"{resource.one}_id"

    @operation(
        router,
        "PUT",
        f"/{{{id_name}}}",
        f"Create or replace {resource.a_one}",
        name=f"put_{resource.one}",
        about=ABOUT_PUT,
        returns=resource.shown,
        body=resource.fields,
        in_path=id_in_path(resource),
        scopes=WRITERS,
        headers={**IF_MATCH, **IF_NONE_MATCH},
        statuses={"200": "Replaced, or the same as before.", "201": "Created, at Location."},
        problems=(Conflict, *OF_BODIES, Stale, NoCondition),
    )
    async def put(request: Request, caller: Caller, **path: str) -> Response:
        record_id = _checked_slug(path[id_name], parameter=id_name)
        return await _edited(request, caller, resource, record_id, JSON, Edit.put)


def _add_patch(router: APIRouter, resource: Resource) -> None:
    id_name = f"{resource.one}_id"

    @operation(
        router,
        "PATCH",
        f"/{{{id_name}}}",
        f"Change {resource.a_one}",
        name=f"patch_{resource.one}",
        about=ABOUT_PATCH,
        returns=resource.shown,
        body=resource.fields,
        body_type=MERGE_PATCH,
        in_path=id_in_path(resource),
        scopes=WRITERS,
        headers=IF_MATCH,
        statuses={"200": "Changed, or the same as before."},
        problems=(Conflict, *OF_BODIES, *OF_CHANGES),
    )
    async def patch(request: Request, caller: Caller, **path: str) -> Response:
        record_id = checked_id(path[id_name])
        return await _edited(request, caller, resource, record_id, MERGE_PATCH, Edit.patch)


def _add_delete(router: APIRouter, resource: Resource) -> None:
    id_name = f"{resource.one}_id"

    @operation(
        router,
        "DELETE",
        f"/{{{id_name}}}",
        f"Delete {resource.a_one}",
        name=f"delete_{resource.one}",
        about="Reading it answers 410 afterwards. Refused while others refer to it.",
        in_path=id_in_path(resource),
        scopes=WRITERS,
        headers=IF_MATCH,
        statuses={"204": "Deleted. Its id is never used again."},
        problems=(Conflict, *OF_CHANGES),
    )
    async def delete(request: Request, caller: Caller, **path: str) -> Response:
        record_id = checked_id(path[id_name])
        conditions = conditions_of(request)

        def work(session: Any, caller: Caller) -> None:
            Edit(session, caller, resource, record_id, conditions).delete()

        await request.app.state.editor.run(caller, work)
        return Response(None, 204)


def conditions_of(request: Request) -> Conditions:
    """The If-Match and If-None-Match headers of a request."""
    values = [", ".join(request.headers.getlist(name)) for name in ("if-match", "if-none-match")]
    return Conditions(*values)


def written_response(resource: Resource, written: WriteResult) -> Response:
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


async def _edited(
    request: Request,
    caller: Caller,
    resource: Resource,
    record_id: str,
    media_type: str,
    act: Callable[[Edit, dict[str, Any]], WriteResult],
) -> Response:
    """Carry out a write with a body to one record."""
    members = writable_body(resource, record_id, await read_json(request, resource.shown, media_type))
    conditions = conditions_of(request)

    def work(session: Any, caller: Caller) -> WriteResult:
        return act(Edit(session, caller, resource, record_id, conditions), members)

    return written_response(resource, await request.app.state.editor.run(caller, work))
