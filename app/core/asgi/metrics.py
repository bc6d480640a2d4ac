"""Prometheus metrics: the number of requests by route, method and status, their duration, and the registered gauges.

They need the extra `metrics`.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import Scope

from app.core.asgi.http_middleware import Observe
from app.core.gauges import GAUGES


def mount(app: FastAPI) -> Observe:
    """Serve `/metrics`, and return the function to call for each request. Each server process has its own counts."""
    registry = CollectorRegistry()
    registry.register(GaugeCollector())
    requests = Counter("hoptac_requests", "Requests.", ["method", "route", "status"], registry=registry)
    seconds = Histogram("hoptac_request_seconds", "Seconds to the end of the response.", ["route"], registry=registry)

    @app.get("/metrics", include_in_schema=False)
    async def read_metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    def observe(method: str, scope: Scope, status: int, duration: float) -> None:
        route = _template(scope)
        requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        seconds.labels(route).observe(duration)

    return observe


class GaugeCollector(Collector):
    """The numbers that other parts of the program have registered, as they are at the time of a scrape."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, gauge in sorted(GAUGES.items()):
            yield GaugeMetricFamily(f"hoptac_{name}", gauge.description, gauge.read())


_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


def _template(scope: Scope) -> str:
    """Return the path template of the route. Requests without a route share one name, so that labels stay few."""
    context: Any = scope.get("fastapi", {}).get("effective_route_context")
    return str(getattr(context, "path", "none"))
