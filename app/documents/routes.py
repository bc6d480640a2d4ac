"""Routes of `/v1/documents`."""

from fastapi import APIRouter

from app.core.http.resource_router import resource_router
from app.documents.models import DOCUMENTS


def documents_router() -> APIRouter:
    """Return the router with the reads and writes that every resource has."""
    return resource_router(DOCUMENTS)
