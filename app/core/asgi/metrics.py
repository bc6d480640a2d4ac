"""Prometheus metrics, where the extra is installed: requests by route, method and status, and their duration."""

from typing import Any

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.types import Scope

from app.core.asgi.middleware import Observe


def mount(app: FastAPI) -> Observe:
    """Serve `/metrics`; returns what is to be told of each request. Each server process counts for itself."""
    registry = CollectorRegistry()
    requests = Counter("hoptac_requests", "Requests.", ["method", "route", "status"], registry=registry)
    seconds = Histogram("hoptac_request_seconds", "Seconds to the end of the answer.", ["route"], registry=registry)

    @app.get("/metrics", include_in_schema=False)
    async def read_metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    def observe(method: str, scope: Scope, status: int, duration: float) -> None:
        route = _template(scope)
        requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        seconds.labels(route).observe(duration)

    return observe


_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


def _template(scope: Scope) -> str:
    """The route's path template; requests that no route took share one name, so that labels stay few."""
    context: Any = scope.get("fastapi", {}).get("effective_route_context")
    return str(getattr(context, "path", "none"))
