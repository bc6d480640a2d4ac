"""Routes of `/v1/agreements`."""

from fastapi import APIRouter

from app.agreements.models import AGREEMENTS
from app.core.http.resource_router import resource_router


def agreements_router() -> APIRouter:
    """Return the router with the reads and writes that every resource has."""
    return resource_router(AGREEMENTS)
