"""Prometheus metrics: the number of requests by route, method and status, their duration, and the registered gauges.

They need the extra `metrics`. With a port of their own, they are served by `app/server/metrics_port.py`.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import Scope

from app.core.asgi.http_middleware import Observe
from app.core.gauges import GAUGES

GAUGES_EVERY = 2.0  # seconds between two updates of the gauges for a port of their own


def mount(app: FastAPI, *, on_own_port: bool) -> Observe:
    """Count requests, and return the function to call for each of them.

    Without a port of their own, the metrics of this process are served at `/metrics`. With it, the gauges are written
    for the process that serves them.
    """
    registry = CollectorRegistry()
    observe = _counting(registry)
    if on_own_port:
        app.state.process_gauges = ProcessGauges(registry)
        return observe
    registry.register(GaugeCollector())

    @app.get("/metrics", include_in_schema=False)
    async def read_metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return observe


def _counting(registry: CollectorRegistry) -> Observe:
    requests = Counter("hoptac_requests", "Requests.", ["method", "route", "status"], registry=registry)
    seconds = Histogram("hoptac_request_seconds", "Seconds to the end of the response.", ["route"], registry=registry)

    def observe(method: str, scope: Scope, status: int, duration: float) -> None:
        route = _template(scope)
        requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        seconds.labels(route).observe(duration)

    return observe


class GaugeCollector(Collector):
    """The gauges that other parts of the program have registered, read at the time of a scrape."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, gauge in sorted(GAUGES.items()):
            yield GaugeMetricFamily(f"hoptac_{name}", gauge.description, gauge.read())


class ProcessGauges:
    """Writes the gauges of this process from time to time, each with the label `pid`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._gauges: dict[str, Gauge] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start in the running event loop."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Stop writing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            for name, gauge in GAUGES.items():
                if name not in self._gauges:
                    self._gauges[name] = Gauge(
                        f"hoptac_{name}", gauge.description, registry=self._registry, multiprocess_mode="liveall"
                    )
                self._gauges[name].set(gauge.read())
            await asyncio.sleep(GAUGES_EVERY)


_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "QUERY"})


def _template(scope: Scope) -> str:
    """Return the path template of the route. Requests without a route share one name, so that labels stay few."""
    context: Any = scope.get("fastapi", {}).get("effective_route_context")
    return str(getattr(context, "path", "none"))
