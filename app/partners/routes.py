"""Routes of `/v1/partners`: those of every resource, and the merge of a duplicate."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.core.access.caller import Caller
from app.core.errors import Conflict, NotFound, Stale
from app.core.http.operations import checked_id, id_in_path, operation
from app.core.http.resource_router import resource_router
from app.core.http.write_endpoints import OF_BODIES, conditions_of, written_response
from app.core.values.links import PartnerId
from app.core.writing.edit import WriteResult
from app.partners.merging import merge
from app.partners.models import PARTNERS, PartnerShown


class Merging(BaseModel, defer_build=True):
    """The partner that replaces a duplicate."""

    model_config = ConfigDict(extra="forbid")

    into: PartnerId = Field(description="Id of the partner that stays.", examples=["unido"])


def partners_router() -> APIRouter:
    """Return the routes of every resource with `POST /v1/partners/{partner_id}/merge`."""
    router = resource_router(PARTNERS)
    operation(
        router,
        "POST",
        "/{partner_id}/merge",
        "Merge a partner into another",
        returns=PartnerShown,
        in_path=id_in_path(PARTNERS),
        scopes=("records:write",),
        headers={"If-Match": "ETag of the duplicate. It may be left out."},
        statuses={"200": "The partner is merged, by this request or an earlier one."},
        problems=(Conflict, *OF_BODIES, NotFound, Stale),
    )(merge_partner)
    return router


async def merge_partner(request: Request, caller: Caller, partner_id: str, body: Merging) -> Response:
    """Replace a duplicate partner by another one (`into`), in one transaction.

    Every record that links to the duplicate is changed to link to the other partner. That partner takes over the
    identifiers of the duplicate, and its names as aliases. Keys and webhooks of the duplicate then belong to the other
    partner. The duplicate gets `merged_into` and leaves lists and search. Reading it answers 308 with the Location of
    the other partner.
    """
    duplicate = checked_id(partner_id)
    conditions = conditions_of(request)

    def work(session: Any, caller: Caller) -> WriteResult:
        return merge(session, caller, duplicate, body.into, conditions)

    return written_response(PARTNERS, await request.app.state.editor.run(caller, work))
