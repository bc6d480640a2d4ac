"""`GET /v1/{resource}/{id}/evidence` of every resource."""

from fastapi import APIRouter, Request, Response

from app.analysis.evidence.models import Evidence
from app.analysis.evidence.reading import read_evidence
from app.core.http.operations import checked_id, id_in_path, operation
from app.core.http.read_endpoints import of_records
from app.core.http.responses import read_request, write_response
from app.core.model.resource import Resource

DESCRIPTION = """\
One response with what the {one} rests on: its quotations with the paragraphs that may be shown, computations in which a
figure takes part, findings of the audit, and versions."""


def evidence_router(resource: Resource) -> APIRouter:
    """Return the route of the evidence of one resource."""
    router = APIRouter(prefix=f"/v1/{resource.name}", tags=[resource.name])
    id_name = f"{resource.one}_id"

    @operation(
        router,
        "GET",
        f"/{{{id_name}}}/evidence",
        f"Read the evidence of {resource.a_one}",
        name=f"read_{resource.one}_evidence",
        about=DESCRIPTION.format(one=resource.one),
        returns=Evidence,
        in_path=id_in_path(resource),
        problems=of_records(resource),
    )
    async def read(request: Request, **path: str) -> Response:
        record_id = checked_id(path[id_name])
        return await write_response(request, lambda: read_evidence(resource, record_id, read_request(request)))

    return router
