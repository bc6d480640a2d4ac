"""The router of a resource."""

from fastapi import APIRouter

from app.core.http.resource_reads import add_reads
from app.core.http.resource_writes import add_writes
from app.core.model.resource import Resource


def resource_router(resource: Resource) -> APIRouter:
    """A router with the reads and writes that every resource has; call it when all resources are declared."""
    router = APIRouter(prefix=f"/v1/{resource.name}", tags=[resource.name])
    add_reads(router, resource)
    add_writes(router, resource)
    return router
