"""Routes of `/v1/milestones`."""

from fastapi import APIRouter

from app.core.http.resource_router import resource_router
from app.milestones.models import MILESTONES


def milestones_router() -> APIRouter:
    """Return the router with the reads and writes that every resource has."""
    return resource_router(MILESTONES)
