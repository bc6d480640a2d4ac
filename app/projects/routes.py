"""Routes of `/v1/projects`."""

from fastapi import APIRouter

from app.core.http.resource_router import resource_router
from app.projects.models import PROJECTS


def projects_router() -> APIRouter:
    """Return the router with the reads and writes that every resource has."""
    return resource_router(PROJECTS)
