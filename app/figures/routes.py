"""Routes of `/v1/figures`, `/v1/indicators` and `/v1/transactions`."""

from fastapi import APIRouter

from app.core.http.resource_router import resource_router
from app.figures.indicators import INDICATORS
from app.figures.models import FIGURES
from app.figures.transactions import TRANSACTIONS


def figures_router() -> APIRouter:
    """Return the router with the reads and writes that every resource has."""
    return resource_router(FIGURES)


def indicators_router() -> APIRouter:
    """Return the router with the reads and writes that every resource has."""
    return resource_router(INDICATORS)


def transactions_router() -> APIRouter:
    """Return the router with the reads and writes that every resource has."""
    return resource_router(TRANSACTIONS)
