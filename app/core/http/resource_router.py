"""The router of a resource."""

from fastapi import APIRouter

from app.core.http.read_endpoints import add_reads
from app.core.http.write_endpoints import add_writes
from app.core.model.resource import Resource


def resource_router(resource: Resource) -> APIRouter:
    """Return a router with the reads and writes that every resource has. All resources must be declared before."""
    router = APIRouter(prefix=f"/v1/{resource.name}", tags=[resource.name])
    add_reads(router, resource)
    add_writes(router, resource)
    return router
