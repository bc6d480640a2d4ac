"""The endpoints that write a resource, made from its declaration: POST, PUT, PATCH, DELETE."""

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
from app.core.http.openapi.records import partial
from app.core.http.operations import checked_id, id_in_path, operation
from app.core.model.resource import Resource
from app.core.public_paths import public
from app.core.values.text import SLUGS
from app.core.writing.edit import Edit, WriteResult, first_id, free_id
from app.core.writing.expected import Expected
from app.core.writing.idempotency import HEADER, find_replay, store_replay
from app.core.writing.patch import writable_body
from app.core.writing.preconditions import Conditions

WRITERS = ("records:write", "records:write:own")
OF_BODIES = (TooLarge, UnsupportedType)
OF_CHANGES = (NotFound, Gone, Stale, NoCondition)

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
IF_MATCH = {"If-Match": "ETag of the version to change, or *. Required for an existing record."}
IF_NONE_MATCH = {"If-None-Match": "`*` writes only if the record does not exist."}
IDEMPOTENCY_KEY = {
    HEADER: "A text of up to 255 ASCII characters. A request that is repeated with it within 24 hours writes nothing "
    "and receives the first response again."
}

UNCHANGED_DESCRIPTION = "The record, which is a new version only if the body changes it."

PUT_DESCRIPTION = (
    "Members that are left out get their default, except `managed_by`, which keeps its value. Replacing a record needs "
    "If-Match. The body can be a record as a read returns it. A body that changes nothing creates no new version. "
    "PUT restores a deleted record: its history and version numbers continue."
)
PATCH_DESCRIPTION = (
    "The body is a JSON Merge Patch (RFC 7396) with the members to change, as `application/merge-patch+json` or "
    "`application/json`. null sets a member to its default. A list "
    "replaces the previous list. The record is validated after the merge."
)


def add_writes(router: APIRouter, resource: Resource) -> None:
    """Add `POST /v1/<resource>`, and PUT, PATCH and DELETE of one record."""
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
        about="The record gets the `id` of the body, or an id made from its name or title.",
        returns=resource.shown,
        body=resource.fields,
        scopes=WRITERS,
        headers=IDEMPOTENCY_KEY,
        statuses={"201": "Created. Location is the path of the record."},
        problems=(Conflict, *OF_BODIES),
    )
    async def create(request: Request, caller: Caller) -> Response:
        idempotency_key = request.headers.get(HEADER)
        if idempotency_key is not None and not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
            detail = "This must be 1 to 255 visible ASCII characters."
            raise Invalid(ErrorItem(parameter=HEADER, code="invalid_value", detail=detail))
        raw = await read_body(request, (JSON,), request.app.state.settings.max_body)
        body = await parse_model(raw, resource.shown)
        members = writable_body(resource, None, body)
        chosen_id = body.get("id")
        if chosen_id is not None:
            _checked_slug(chosen_id, pointer="/id")
        expected = Expected(resource, chosen_id or first_id(resource, members), members)
        digest = hashlib.sha256(request.scope["path"].encode() + b"\n" + raw).hexdigest()

        def work(session: Any, caller: Caller) -> WriteResult:
            if idempotency_key and (earlier := find_replay(session, caller.key, idempotency_key, digest)):
                record_id, tag, stored = earlier
                return WriteResult(record_id, tag, stored.encode(), created=True, replayed=True)
            record_id = chosen_id or free_id(session, resource, members)
            written = Edit(session, caller, resource, record_id).create(members)
            if idempotency_key:
                store_replay(session, caller.key, idempotency_key, digest, written.tag)
            return written

        return written_response(resource, await request.app.state.editor.run(caller, work, expected=expected))


def _add_put(router: APIRouter, resource: Resource) -> None:
    id_name = f"{resource.one}_id"

    @operation(
        router,
        "PUT",
        f"/{{{id_name}}}",
        f"Create or replace {resource.a_one}",
        name=f"put_{resource.one}",
        about=PUT_DESCRIPTION,
        returns=resource.shown,
        body=resource.fields,
        in_path=id_in_path(resource),
        scopes=WRITERS,
        headers={**IF_MATCH, **IF_NONE_MATCH},
        statuses={"200": UNCHANGED_DESCRIPTION, "201": "Created. Location is the path of the record."},
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
        about=PATCH_DESCRIPTION,
        returns=resource.shown,
        body=resource.fields,
        body_type=MERGE_PATCH,
        body_schema=partial(resource.table.__name__),
        in_path=id_in_path(resource),
        scopes=WRITERS,
        headers=IF_MATCH,
        statuses={"200": UNCHANGED_DESCRIPTION},
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
        about="Reads of the record return 410 afterwards. A record cannot be deleted while other records link to it.",
        in_path=id_in_path(resource),
        scopes=WRITERS,
        headers=IF_MATCH,
        statuses={"204": "Deleted. PUT with the same id restores the record."},
        problems=(Conflict, *OF_CHANGES),
    )
    async def delete(request: Request, caller: Caller, **path: str) -> Response:
        record_id = checked_id(path[id_name])
        conditions = conditions_of(request)

        def work(session: Any, caller: Caller) -> None:
            Edit(session, caller, resource, record_id, conditions).delete()

        await request.app.state.editor.run(caller, work, expected=Expected(resource, record_id))
        return Response(None, 204)


def conditions_of(request: Request) -> Conditions:
    """Return the If-Match and If-None-Match headers of a request."""
    values = [", ".join(request.headers.getlist(name)) for name in ("if-match", "if-none-match")]
    return Conditions(*values)


def written_response(resource: Resource, written: WriteResult) -> Response:
    """Return the record after a write, with its ETag."""
    headers = {"ETag": f'"{written.tag}"', "Cache-Control": "no-store"}
    if written.created:
        headers["Location"] = public(f"/v1/{resource.name}/{written.id}")
    if written.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(written.body, 201 if written.created else 200, headers, media_type=JSON)


def _checked_slug(text: object, **place: str) -> str:
    try:
        return SLUGS.validate_python(text, strict=True)
    except ValidationError:
        detail = (
            "An id consists of lower-case ASCII letters, digits and single hyphens, has at most 120 characters, and is "
            "not a reserved word."
        )
        raise Invalid(ErrorItem(code="invalid_value", detail=detail, **place)) from None


async def _edited(
    request: Request,
    caller: Caller,
    resource: Resource,
    record_id: str,
    media_type: str,
    act: Callable[[Edit, dict[str, Any]], WriteResult],
) -> Response:
    """Run a write of one record with a body."""
    members = writable_body(resource, record_id, await read_json(request, resource.shown, media_type))
    conditions = conditions_of(request)

    def work(session: Any, caller: Caller) -> WriteResult:
        return act(Edit(session, caller, resource, record_id, conditions), members)

    expected = Expected(resource, record_id, members)
    return written_response(resource, await request.app.state.editor.run(caller, work, expected=expected))
