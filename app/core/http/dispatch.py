"""A fast path: one dictionary look-up instead of FastAPI's routing. Reads also answer the method QUERY.

A QUERY (RFC 10008) has its parameters in a JSON body. The body becomes the query string of the GET request with the
same meaning, so that both have the same response and ETag. `Content-Location` is the path of that request.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from app.core.errors import BadQuery, ErrorItem, Invalid, Problem
from app.core.http.bodies import JSON, parse_model, read_body
from app.core.http.operations import GuardedRoute, NoParameters, Operation, ReadRoute, model_of, operation_of
from app.core.public_paths import public
from app.core.reading.parameters import MAX_QUERY_LENGTH
from app.core.values.text import PLAIN_NAME

QUERY = "QUERY"
ACCEPT_QUERY = (b"accept-query", JSON.encode())
MAX_BODY = 2 * MAX_QUERY_LENGTH  # bytes
MAX_LOCATION = 2_000  # bytes of a path; longer ones are left out


def takes_query(operation: Operation) -> bool:
    """Return whether an operation answers QUERY: reads of many records without a key, which have a `limit`."""
    return operation.method == "GET" and not operation.scopes and "limit" in model_of(operation.query).model_fields


async def query_string_of(request: Request) -> bytes:
    """Return the query string of the GET request that means the same as a QUERY. Raise a problem for a bad body."""
    body = await parse_model(await read_body(request, (JSON,), MAX_BODY), NoParameters)
    if not isinstance(body, Mapping):
        raise Invalid(ErrorItem(pointer="", code="invalid_value", detail="The body must be an object."))
    own: bytes = request.scope["query_string"]
    text = b"&".join(filter(None, [own, urlencode([*_pairs(body)]).encode()]))
    if len(text) > MAX_QUERY_LENGTH:
        raise BadQuery(f"The query string is longer than {MAX_QUERY_LENGTH} bytes.")
    return text


def _pairs(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the parameters: a list is a parameter that is repeated, and null one that is absent."""
    for name, member in body.items():
        for value in member if isinstance(member, list) else [member]:
            if isinstance(value, bool):
                yield name, str(value).lower()
            elif isinstance(value, str | int | float):
                yield name, str(value)
            elif value is not None:
                detail = "A member must be a text, a number, true or false, or a list of these."
                raise Invalid(
                    ErrorItem(
                        parameter=name if PLAIN_NAME.fullmatch(name) else None, code="invalid_value", detail=detail
                    )
                )


def content_location(path: str, query_string: bytes) -> list[tuple[bytes, bytes]]:
    """Return the header with the path of the equal GET request, if it is short enough."""
    location = public(f"{path}?{query_string.decode('ascii')}" if query_string else path)
    return [(b"content-location", location.encode())] if len(location) <= MAX_LOCATION else []


ID_PART = 3  # of a path with the id of a record, counted from 0: /v1/projects/{id}
ITEM_PART = 5  # of a path with an item of a record: /v1/documents/{id}/paragraphs/{number}
PARAMETER_PARTS: tuple[list[int], ...] = (
    [],
    [ID_PART],
    [ID_PART, ID_PART + 1],
    [ID_PART, ITEM_PART],
)  # the parts that may be parameters
ID_PART_OF_PAGE = 2  # /projects/{id}
FORMAT_NAME = "format"
FORMAT = f".{{{FORMAT_NAME}}}"  # the ending of the path of a file

NEGOTIATED = "negotiated"  # in a scope: the path got the ending of a format that Accept asks for
VARY = [(b"vary", b"Accept")]

_Routes = dict[tuple[str, ...], tuple[ReadRoute, list[str]]]
_Pages = dict[tuple[str, ...], tuple[APIRoute, list[str]]]
_Guarded = dict[tuple[str, ...], tuple[GuardedRoute, list[str]]]
_NO_ROUTE: tuple[None, list[str]] = (None, [])


class Dispatch:
    """An ASGI application that calls the routes of operations and pages directly, and FastAPI for all other requests.

    FastAPI tries its routes one after the other, and wraps each call for features that operations do not use. Together
    this takes longer than most reads. `pages` has the pages for people, whose endpoints take the request alone.
    """

    def __init__(self, app: FastAPI, routers: Iterable[APIRouter], pages: APIRouter) -> None:
        self.app = app
        self._reads: _Routes = {}
        self._files: _Routes = {}  # by their paths without the ending
        self._pages = _by_parts(pages)
        self._guarded: dict[str, _Guarded] = {}  # by method
        for route in chain.from_iterable(router.routes for router in routers):
            if isinstance(route, ReadRoute):
                stem = route.path.removesuffix(FORMAT)
                routes = self._reads if stem == route.path else self._files
                parts = stem.split("/")
                places = [place for place, part in enumerate(parts) if part.startswith("{")]
                has_fixed_format = any(not parts[place].endswith("}") for place in places)  # `{project_id}.xml`
                if not has_fixed_format and places in PARAMETER_PARTS:
                    key = tuple("" if place in places else part for place, part in enumerate(parts))
                    routes.setdefault(key, (route, [parts[place][1:-1] for place in places]))
            elif isinstance(route, GuardedRoute):
                key, names = _key_and_names(route)
                for method in route.methods or ():
                    self._guarded.setdefault(method, {}).setdefault(key, (route, names))

        self._with_file = {id(route) for key, (route, _) in self._reads.items() if self._has_file(key)}

    def _has_file(self, key: tuple[str, ...]) -> bool:
        """Return whether a read has a file too. The blank part of a key stands for an id."""
        return bool(self._formats_of("/".join(part or "x" if place else "" for place, part in enumerate(key))))

    def has_file(self, path: str, ending: str) -> bool:
        """Return whether the file with the content of a path exists in this format."""
        return ending in self._formats_of(path)

    def _formats_of(self, path: str) -> Collection[str]:
        """Return the formats in which the content of a path exists as a file."""
        route, path_params = self._file_of(f"{path}.")
        formats = operation_of(route.endpoint).formats if route else None
        return formats(path_params) if formats else ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, path_params = self._find(scope) if scope["type"] == "http" else (None, {})
        if route is None:
            await self.app(scope, receive, send)
            return
        scope["app"] = self.app
        scope["path_params"] = path_params
        scope["fastapi"] = {"effective_route_context": route}
        request = Request(scope, receive)
        try:
            if scope["method"] == QUERY:
                response = await self._query(route, request)
            else:
                handle = route.answer if isinstance(route, ReadRoute | GuardedRoute) else route.endpoint
                response = await handle(request)
        except Problem as problem:
            response = problem.response()
        if id(route) in self._with_file or NEGOTIATED in scope:
            response.raw_headers += VARY
        if NEGOTIATED in scope and scope["method"] != QUERY and response.status_code == 200:
            response.raw_headers += content_location(scope["path"], scope["query_string"])
        await response(scope, receive, send)

    async def _query(self, route: ReadRoute, request: Request) -> Response:
        """Return the response to the GET request that means the same as a QUERY, with the header Accept-Query."""
        scope = request.scope
        scope["query_string"] = await query_string_of(request)
        response: Response = await route.answer(request)
        response.raw_headers += [ACCEPT_QUERY, *content_location(scope["path"], scope["query_string"])]
        return response

    def _find(self, scope: Scope) -> tuple[Any, dict[str, str]]:
        """Return the route of `/v1/projects`, `/v1/projects/{id}`, `…/{id}/figures` and the like, and its parameter."""
        method = scope["method"]
        path = scope["path"]
        if scope.get("root_path"):
            return None, {}
        route, path_params = self._route_of(path) if method in ("GET", QUERY) else (None, {})
        if method == QUERY and route is not None and not takes_query(operation_of(route.endpoint)):
            return None, {}
        if route is None and method == "GET":
            route, path_params = _match_first(self._pages, path, ID_PART_OF_PAGE)
        if route is None and method in self._guarded:
            route, path_params = _match_first(self._guarded[method], path, ID_PART)
        return route, path_params

    def _route_of(self, path: str) -> tuple[Any, dict[str, str]]:
        parts = tuple(path.split("/"))
        route, parameters = self._reads.get(parts, _NO_ROUTE)
        if route or len(parts) < ID_PART:
            return (None, {}) if parameters else (route, {})
        if "." in parts[-1]:
            return self._file_of(path)
        route, parameters = self._reads.get((*parts[:ID_PART], "", *parts[ID_PART + 1 :]), _NO_ROUTE)
        if len(parameters) == 1:
            return (route, {parameters[0]: parts[ID_PART]}) if parts[ID_PART] else (None, {})
        return _match(self._reads, parts, PARAMETER_PARTS[-1])

    def _file_of(self, path: str) -> tuple[Any, dict[str, str]]:
        """Return the route of `/v1/projects.csv`, `/v1/projects/{id}/figures.csv` and the like, and its parameters."""
        stem, _, ending = path.rpartition(".")
        parts = tuple(stem.split("/"))
        for places in PARAMETER_PARTS:
            route, path_params = _match(self._files, parts, places)
            if route:
                return route, {**path_params, FORMAT_NAME: ending}
        return None, {}


def _match_first(routes: _Pages | _Guarded, path: str, id_part: int) -> tuple[Any, dict[str, str]]:
    """Return the route of `/projects`, `/projects/{id}` and the like, and its parameter, of which `id_part` is one."""
    parts = tuple(path.split("/"))
    for places in ([], [id_part]):
        route, path_params = _match(routes, parts, places)
        if route:
            return route, path_params
    return None, {}


def _match(
    routes: _Routes | _Pages | _Guarded, parts: tuple[str, ...], places: list[int]
) -> tuple[APIRoute | None, dict[str, str]]:
    """Return the route of a path whose parameters are at these places, and its parameters."""
    if places and (len(parts) <= places[-1] or not all(parts[place] for place in places)):
        return None, {}
    key = tuple("" if place in places else part for place, part in enumerate(parts))
    route, parameters = routes.get(key, _NO_ROUTE)
    if route is None or len(parameters) != len(places):
        return None, {}
    return route, dict(zip(parameters, (parts[place] for place in places), strict=True))


def _by_parts(pages: APIRouter) -> _Pages:
    """Return the pages by the parts of their paths, and their parameters. A blank part stands for an id."""
    routes: _Pages = {}
    for route in pages.routes:
        if isinstance(route, APIRoute):
            key, names = _key_and_names(route)
            routes[key] = (route, names)
    return routes


def _key_and_names(route: APIRoute) -> tuple[tuple[str, ...], list[str]]:
    """Return the parts of the path of a route, blank for a parameter, and the names of its parameters."""
    parts = route.path.split("/")
    names = [part[1:-1] for part in parts if part.startswith("{")]
    return tuple("" if part.startswith("{") else part for part in parts), names
