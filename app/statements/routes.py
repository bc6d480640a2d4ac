"""Routes of `/v1/statements`."""

from fastapi import APIRouter

from app.core.http.resource_router import resource_router
from app.statements.models import STATEMENTS


def statements_router() -> APIRouter:
    """Return the router with the reads and writes that every resource has."""
    return resource_router(STATEMENTS)
