"""The shortest way from a path to its read route, in front of FastAPI's own routing."""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.types import Receive, Scope, Send

from app.core.errors import Problem
from app.core.http.operations import ReadRoute


class Dispatch:
    """Takes a read straight to its route; whatever it does not know is FastAPI's.

    FastAPI tries its routes one after the other, and wraps each call for features that reads do not use: together
    that costs more than most reads.
    """

    def __init__(self, app: FastAPI, routers: Iterable[APIRouter]) -> None:
        self.app = app
        self._reads: dict[tuple[str, ...], tuple[ReadRoute, list[str]]] = {}
        for route in (route for router in routers for route in router.routes):
            if isinstance(route, ReadRoute):
                parts = route.path.split("/")
                parameters = [part[1:-1] for part in parts if part.startswith("{")]
                key = (*parts[:3], "", *parts[4:]) if parameters else tuple(parts)
                if "{" not in "".join(key):
                    self._reads.setdefault(key, (route, parameters))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found, path_params = self._find(scope) if scope["type"] == "http" else (None, {})
        if found is None:
            await self.app(scope, receive, send)
            return
        scope["app"], scope["path_params"], scope["fastapi"] = self.app, path_params, {"effective_route_context": found}
        try:
            response = await found.handle_read(Request(scope, receive))
        except Problem as problem:
            response = problem.response()
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[Any, dict[str, str]]:
        """The route of a path whose third part may be an id: `/v1/projects`, `/v1/projects/{id}`, `…/{id}/figures`."""
        if scope["method"] != "GET" or scope.get("root_path"):
            return None, {}
        parts = tuple(scope["path"].split("/"))
        found = self._reads.get(parts)
        if found or len(parts) < 4:
            return (found[0], {}) if found and not found[1] else (None, {})
        found = self._reads.get((*parts[:3], "", *parts[4:]))
        return (found[0], {found[1][0]: parts[3]}) if found and found[1] and parts[3] else (None, {})
