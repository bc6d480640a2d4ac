"""Routes of `/v1/places`."""

from fastapi import APIRouter

from app.core.http.resource_router import resource_router
from app.places.models import PLACES


def places_router() -> APIRouter:
    """Return the router with the reads and writes that every resource has."""
    return resource_router(PLACES)
