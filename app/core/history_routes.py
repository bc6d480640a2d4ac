"""`GET /v1/<resource>/{id}/history`, made from a resource's declaration."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.core.errors import BadRequest, Invalid, NotFound, Unavailable
from app.core.history import History, HistoryPage, HistoryQuery
from app.core.resource import Resource
from app.core.routes import NOT_CHANGED, Documented, ReadRoute, answer, asked, checked, documented, of_one, problems


def history_router(resource: Resource) -> APIRouter:
    """The versions of one record."""
    router = APIRouter(prefix=f"/v1/{resource.name}", tags=[resource.name], route_class=ReadRoute)
    history = History(resource)

    async def read(request: Request, query: Any, **path: str) -> Response:
        (record_id,) = map(checked, path.values())
        return await answer(request, lambda: history.page(record_id, query, asked(request)), long=True)

    router.add_api_route(
        f"/{{{resource.one}_id}}/history",
        documented(read, Documented(lambda: HistoryPage, of_one(resource), query=lambda: HistoryQuery)),
        responses={**NOT_CHANGED, **problems(BadRequest, NotFound, Invalid, Unavailable)},
        operation_id=f"read_{resource.one}_history",
        summary=f"Read the history of one {resource.one}",
        description="Who changed what and when, field by field, the newest first; also of what was deleted or merged. "
        "Drafts are in it for those who may write the record.",
    )
    return router
