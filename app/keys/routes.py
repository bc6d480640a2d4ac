"""`/v1/keys`: administrators create, read, change, rotate and revoke keys; a holder reads and rotates their own."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlmodel import Session

from app.core.access.caller import SCOPE, Caller
from app.core.access.rotation import Rotation
from app.core.errors import Conflict, ErrorItem, Invalid, NotFound, TooMany, Unauthorized, Unavailable
from app.core.http.bodies import JSON, MERGE_PATCH, parse_model, read_body, read_json
from app.core.http.guarded_endpoints import PageQuery, ensure_possible_ids, page_of, run_transaction
from app.core.http.operations import PathParameter, operation
from app.core.http.responses import private_json
from app.core.http.write_endpoints import OF_BODIES
from app.core.model.validation import validate
from app.core.public_paths import public
from app.core.reading.parameters import ONLY_DIGITS
from app.keys import administration, reading
from app.keys.models import KeyCreated, KeyEventPage, KeyFields, KeyPage, KeyShown, LeakedKey
from app.keys.revocation import revoke, revoke_leaked

Result = TypeVar("Result")

SCOPES = ("keys",)
ANY_SCOPE = tuple(SCOPE.codes)
MAX_LEAKED = 1_000  # bytes of a body with a token
PATH = {"key_id": PathParameter("Id of the key: the part of its token between `hoptac_` and `_`.", "0123456789")}


class KeyEventQuery(PageQuery):
    """The size of a page of events, and the position where it starts."""

    cursor: Annotated[int, Field(ge=1, le=reading.AFTER_ALL_IDS), ONLY_DIGITS] | None = Field(  # type: ignore[assignment]
        default=None, description="Start of the page, from `next` of the previous page."
    )


TAG = {
    "name": "keys",
    "description": "Keys for writers. Administrators manage them, with the scope `keys`. No key can create, change or "
    "rotate a key that permits more than itself: more scopes, another partner, other networks, or, for administrators, "
    "a longer time.",
}
router = APIRouter(prefix="/v1/keys", tags=["keys"])


@operation(router, "GET", "", "List keys", returns=KeyPage, scopes=SCOPES)
async def list_keys(request: Request, query: PageQuery) -> Response:
    """Return all keys, including expired and revoked ones. Tokens are never included."""
    rows = await reading.show_keys(request, query.cursor, query.limit + 1)
    return private_json(page_of(rows, query.limit, "/v1/keys?"))


@operation(
    router,
    "POST",
    "",
    "Create a key",
    returns=KeyCreated,
    scopes=SCOPES,
    statuses={"201": "Created. No other response contains the token."},
    problems=(*OF_BODIES, Conflict),
)
async def create_key(request: Request, caller: Caller, body: KeyFields) -> Response:
    """Create a key. The response contains its token, of which the registry stores only a hash.

    A registry has at most 1,000 valid keys, and a partner 100; more get 409. One key creates at most 60 in a minute,
    and all administrators 1,000 in a day.

    The key cannot permit more than yours. `partner` and `networks` that are left out are those of your key.
    """
    request.app.state.manual_limits.take("keys", caller.key, caller.key)
    max_days = request.app.state.settings.key_max_days
    key = await _administer(
        request, caller, lambda session, caller: administration.create(session, body, caller, max_days=max_days)
    )
    return private_json(key.model_dump(), 201, {"Location": public(f"/v1/keys/{key.id}")})


@operation(
    router,
    "POST",
    "/revoke",
    "Revoke a leaked key",
    body=LeakedKey,
    statuses={"204": "The key is not valid now. The response does not say whether it was valid before."},
    problems=(*OF_BODIES, TooMany, Unavailable),
)
async def revoke_leaked_key(request: Request) -> Response:
    """Revoke the key whose token is in the body, such as one found in a public repository. This needs no other key.

    The response is the same for every text that has the form of a token. The last administrator is no exception.
    """
    raw = await read_body(request, (JSON,), MAX_LEAKED)
    body: LeakedKey = validate(LeakedKey, await parse_model(raw, LeakedKey))
    try:
        await revoke_leaked(request, body.key.strip())
    except Unauthorized:
        detail = "This is not a whole token: hoptac_, an id, _, and 36 characters."
        raise Invalid(ErrorItem(pointer="/key", code="invalid_value", detail=detail)) from None
    return Response(None, 204, {"Cache-Control": "no-store"})


@operation(router, "GET", "/self", "Read your own key", returns=KeyShown, scopes=ANY_SCOPE)
async def read_own_key(request: Request, caller: Caller) -> Response:
    """Return the key of the request: its scopes, its networks, and when it expires."""
    key = await reading.show_key(request, caller.key)
    return private_json(key.model_dump())


@operation(
    router,
    "POST",
    "/self/rotate",
    "Rotate your own key",
    returns=KeyCreated,
    scopes=ANY_SCOPE,
    problems=(Conflict, *OF_BODIES),
)
async def rotate_own_key(request: Request, caller: Caller, body: Rotation) -> Response:
    """Replace the token of the key of the request. The key expires when it would have expired before.

    Send the present token: one that a rotation has already replaced gets 409, also while it is still valid.
    """
    key = await run_transaction(
        request, caller, lambda session, caller: administration.rotate(session, caller.key, body, caller)
    )
    return private_json(key.model_dump())


@operation(
    router, "GET", "/{key_id}", "Read a key", returns=KeyShown, in_path=PATH, scopes=SCOPES, problems=(NotFound,)
)
async def read_key(request: Request, key_id: str) -> Response:
    """Return a key with its scopes and the time of its last use."""
    key = await reading.show_key(request, key_id)
    return private_json(key.model_dump())


@operation(
    router,
    "GET",
    "/{key_id}/events",
    "List the events of a key",
    returns=KeyEventPage,
    in_path=PATH,
    scopes=SCOPES,
    problems=(NotFound,),
)
async def list_key_events(request: Request, query: KeyEventQuery, key_id: str) -> Response:
    """Return who created, changed, rotated and revoked a key, and its refused uses, the latest first.

    Refused uses are counted by reason, address and hour. Events are kept for a year, at most 500 of a key, and as many
    counts of refused uses. Refused uses appear after some seconds.
    """
    rows = await reading.show_events(request, key_id, query.cursor, query.limit + 1)
    return private_json(page_of(rows, query.limit, f"/v1/keys/{key_id}/events?"))


@operation(
    router,
    "PATCH",
    "/{key_id}",
    "Change a key",
    returns=KeyShown,
    body=KeyFields,
    body_type=MERGE_PATCH,
    in_path=PATH,
    scopes=SCOPES,
    problems=(NotFound, Conflict, *OF_BODIES),
)
async def patch_key(request: Request, caller: Caller, key_id: str) -> Response:
    """Change the name, scopes, networks or end of a key (JSON Merge Patch, RFC 7396). Its token stays the same.

    The key cannot permit more than yours, before or after the change. The only administrator stays an administrator.
    """
    patch: Any = await read_json(request, KeyFields, MERGE_PATCH)
    if not isinstance(patch, dict):
        raise Invalid(ErrorItem(pointer="", code="invalid_value", detail="The body must be an object."))
    max_days = request.app.state.settings.key_max_days
    key = await _administer(
        request,
        caller,
        lambda session, caller: administration.change(session, caller, key_id, patch, max_days=max_days),
    )
    return private_json(key.model_dump())


@operation(
    router,
    "POST",
    "/{key_id}/rotate",
    "Rotate a key",
    returns=KeyCreated,
    in_path=PATH,
    scopes=SCOPES,
    problems=(NotFound, Conflict, *OF_BODIES),
)
async def rotate_key(request: Request, caller: Caller, key_id: str, body: Rotation) -> Response:
    """Replace the token of a key. The previous token stays valid for `overlap` seconds, by default for one day.

    The response contains the new token, so the key cannot permit more than yours.
    """
    key = await _administer(
        request, caller, lambda session, caller: administration.rotate(session, key_id, body, caller)
    )
    return private_json(key.model_dump())


@operation(
    router,
    "DELETE",
    "/{key_id}",
    "Revoke a key",
    in_path=PATH,
    scopes=SCOPES,
    statuses={"204": "Revoked."},
    problems=(NotFound, Conflict),
)
async def revoke_key(request: Request, caller: Caller, key_id: str) -> Response:
    """Revoke a key for good. Every process of the server refuses it from now on.

    The only valid key with the scope `keys` cannot be revoked.
    """
    await _administer(request, caller, lambda session, caller: revoke(session, key_id, caller), urgent=True)
    return Response(None, 204)


async def _administer(
    request: Request, caller: Caller, work: Callable[[Session, Caller], Result], *, urgent: bool = False
) -> Result:
    """Run a transaction of an administrator. The key may have lost the scope since the request arrived."""

    def run(session: Session, caller: Caller) -> Result:
        caller.require(*SCOPES)
        return work(session, caller)

    ensure_possible_ids(request)
    result: Result = await request.app.state.editor.run(caller, run, urgent=urgent)
    return result
