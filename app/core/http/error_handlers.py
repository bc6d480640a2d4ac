"""The responses to what no route answers: errors that FastAPI raises, and methods that a path does not have."""

import re
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from app.core.errors import MethodNotAllowed, NotFound, Problem, unexpected
from app.core.http.bodies import JSON
from app.core.http.dispatch import QUERY, takes_query


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error with a problem."""
    app.add_exception_handler(Problem, _problem_response)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected_error)


async def _problem_response(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _unexpected_error(_: Request, error: Exception) -> Response:
    return unexpected(error).response()


async def _http_error(request: Request, error: Exception) -> Response:
    """Return the problem for an error of the router itself."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        methods = _allowed_methods(request)
        headers = {"Allow": ", ".join(methods), **({"Accept-Query": JSON} if QUERY in methods else {})}
        if request.method == "OPTIONS":
            return Response(None, 204, headers)
        return MethodNotAllowed(headers=headers).response()
    return NotFound("There is no resource at this path.").response()


def _allowed_methods(request: Request) -> list[str]:
    """Return the methods of a path. A fixed path such as `/facets` does not have the methods of `/{id}`."""
    path = request.scope["path"]
    methods = {"OPTIONS"}
    state = request.app.state
    if not hasattr(state, "methods_by_path"):
        state.methods_by_path = _methods_by_path(request.app)
    exact = state.methods_by_path.get(path)
    if exact is not None:
        methods |= exact[1]
    else:
        methods.update(*(of_path for pattern, of_path in state.methods_by_path.values() if pattern.match(path)))
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def _methods_by_path(app: FastAPI) -> dict[str, tuple[re.Pattern[str], set[str]]]:
    """Return the compiled pattern and the methods of each path."""
    methods: dict[str, tuple[re.Pattern[str], set[str]]] = {}
    contexts: list[Any] = list(iter_route_contexts(app.routes))
    for route in contexts:
        if getattr(route, "methods", None):
            pattern = compile_path(route.path)[0]
            of_path = methods.setdefault(route.path, (pattern, set()))[1]
            of_path.update(route.methods)
            declared = getattr(route.endpoint, "operation", None)
            if declared is not None and takes_query(declared):
                of_path.add(QUERY)
    return methods
