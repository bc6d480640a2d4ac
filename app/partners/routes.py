"""What is special about partners: a twin is merged into the record that stays."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.core.bodies import checked_by
from app.core.editing import Written
from app.core.errors import NotFound, Stale
from app.core.keys import Asker
from app.core.names import PartnerId
from app.core.routes import Documented, checked, documented, of_one, problems
from app.core.write_routes import OF_BODIES, OF_WRITES, GuardedRoute, answer, body_of, conditions_of
from app.partners.merging import merge
from app.partners.models import PARTNERS, PartnerShown


class Merging(BaseModel, defer_build=True):
    """Which record stays."""

    model_config = ConfigDict(extra="forbid")

    into: PartnerId = Field(description="Id of the partner that stays.", examples=["unido"])


async def merge_partner(request: Request, asker: Asker, _: BaseModel, partner_id: str) -> Response:
    """Every record that names this partner is rewritten to name the other one, in one transaction.

    This one stays, `merged_into` the other, and leaves lists and search; reading it answers 308 with the other's
    Location. The other takes over its identifiers and, as aliases, its names. Its keys act for the other from now on,
    and its webhooks belong to it.
    """
    twin = checked(partner_id)
    merging = checked_by(Merging, await body_of(request, Merging))
    conditions = conditions_of(request)

    def work(session: Any, asker: Asker) -> Written:
        return merge(session, asker, twin, merging.into, conditions)

    return answer(PARTNERS, await request.app.state.editor.run(asker, work))


def partners_router() -> APIRouter:
    """`POST /v1/partners/{partner_id}/merge`."""
    router = APIRouter(prefix="/v1/partners", tags=["partners"], route_class=GuardedRoute)
    said = Documented(
        lambda: PartnerShown,
        of_one(PARTNERS),
        body=lambda: Merging,
        scopes=("records:write",),
        headers={"If-Match": "ETag of the partner that is merged; may be left out."},
        statuses={"200": "Merged, now or before."},
    )
    router.add_api_route(
        "/{partner_id}/merge",
        documented(merge_partner, said),
        methods=["POST"],
        responses=problems(*OF_WRITES, *OF_BODIES, NotFound, Stale),
        operation_id="merge_partner",
        summary="Merge a partner into another",
    )
    return router
