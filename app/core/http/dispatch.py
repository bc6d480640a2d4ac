"""A fast path for reads: one dictionary look-up instead of FastAPI's routing."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.types import Receive, Scope, Send

from app.core.errors import Problem
from app.core.http.operations import ReadRoute

_NO_ROUTE: tuple[None, list[str]] = (None, [])


class Dispatch:
    """An ASGI application that calls the routes of reads directly, and FastAPI for all other requests.

    FastAPI tries its routes one after the other, and wraps each call for features that reads do not use. Together this
    takes longer than most reads.
    """

    def __init__(self, app: FastAPI, routers: Iterable[APIRouter]) -> None:
        self.app = app
        self._reads: dict[tuple[str, ...], tuple[ReadRoute, list[str]]] = {}
        for route in chain.from_iterable(router.routes for router in routers):
            if isinstance(route, ReadRoute):
                parts = route.path.split("/")
                parameters = [part[1:-1] for part in parts if part.startswith("{")]
                key = (*parts[:3], "", *parts[4:]) if parameters else tuple(parts)
                if "{" not in "".join(key):
                    self._reads.setdefault(key, (route, parameters))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, path_params = self._find(scope) if scope["type"] == "http" else (None, {})
        if route is None:
            await self.app(scope, receive, send)
            return
        scope["app"] = self.app
        scope["path_params"] = path_params
        scope["fastapi"] = {"effective_route_context": route}
        try:
            response = await route.handle_read(Request(scope, receive))
        except Problem as problem:
            response = problem.response()
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[Any, dict[str, str]]:
        """Return the route of `/v1/projects`, `/v1/projects/{id}`, `…/{id}/figures` and the like, and its parameter."""
        if scope["method"] != "GET" or scope.get("root_path"):
            return None, {}
        parts = tuple(scope["path"].split("/"))
        route, parameters = self._reads.get(parts, _NO_ROUTE)
        if route or len(parts) < 4:
            return (None, {}) if parameters else (route, {})
        route, parameters = self._reads.get((*parts[:3], "", *parts[4:]), _NO_ROUTE)
        return (route, {parameters[0]: parts[3]}) if parameters and parts[3] else (None, {})
