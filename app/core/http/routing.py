"""The read routes that every resource has, made from its declaration."""

import inspect
import re
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from starlette.types import Receive, Scope, Send

from app.core.access.caller import NOBODY
from app.core.errors import PROBLEM_JSON, BadRequest, Gone, Invalid, NotFound, Problem, Unavailable
from app.core.model.resource import Id, Resource
from app.core.reading.answers import Answer, Asked
from app.core.reading.parameters import parse
from app.core.values.text import RESERVED, SLUG

_SLUG = re.compile(SLUG)

OF_LISTS = (BadRequest, Invalid, Unavailable)

OF_DETAILS = (BadRequest, NotFound, Gone, Invalid, Unavailable)

# By reference: as a model, each response of each route would cost FastAPI a validator of its own.
PROBLEM_CONTENT = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemShown"}}}

NOT_CHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Not changed: the asker's copy, named in If-None-Match, is current."}
}


class InPath(NamedTuple):
    """A parameter in a path, for the contract."""

    about: str
    example: str
    kind: Any = Id


@dataclass(frozen=True)
class Documented:
    """What the contract says of an operation beside its texts: its models are made when they are first needed.

    FastAPI would derive the same from the endpoint's signature, at every start and for every route.
    """

    shown: Callable[[], Any] | None
    path: Mapping[str, InPath] = field(default_factory=dict)
    query: Callable[[], type[BaseModel]] = lambda: NoParameters
    body: Callable[[], type[BaseModel]] | None = None
    body_type: str = "application/json"
    accepts: Mapping[str, Any] = field(default_factory=dict)  # bodies of other types than JSON, by media type
    answers: Mapping[str, Any] = field(default_factory=dict)  # answers of other types
    headers: Mapping[str, str] = field(default_factory=dict)
    scopes: tuple[str, ...] = ()  # any of these, of a key; none: open to everybody
    statuses: Mapping[str, str] = field(default_factory=lambda: {"200": "Successful Response"})


class ReadRoute(APIRoute):
    """A read, `documented`: one model reads its query string, and its endpoint answers with ready bytes."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint, said = self.endpoint, documented_of(self.endpoint)
        assert said is not None, f"{self.path}: a read says what the contract says of it"

        async def handle(request: Request) -> Response:
            query = parse(said.query(), request.scope["query_string"])
            response: Response = await endpoint(request, query, **request.scope["path_params"])
            return response

        self.handle_read = handle
        return handle


def documented_of(endpoint: Any) -> Documented | None:
    """What was said of an endpoint with `documented`."""
    return getattr(endpoint, "documented", None)


def documented(endpoint: Any, said: Documented) -> Any:
    """The endpoint with what the contract says of it; FastAPI sees none of its parameters."""
    request = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)
    endpoint.documented, endpoint.__signature__ = said, inspect.Signature([request])
    return endpoint


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


class NoParameters(BaseModel, defer_build=True):
    """The query of an operation that takes no parameters."""

    model_config = ConfigDict(extra="forbid")


def problems(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation that may end in these problems."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        found[kind.status] = {"description": (kind.__doc__ or "").split("\n")[0], "content": PROBLEM_CONTENT}
    return found


def of_one(resource: Resource) -> dict[str, InPath]:
    """The path parameter of a record's routes."""
    return {f"{resource.one}_id": InPath(f"Id of the {resource.one}.", resource.example)}


def checked(record_id: str) -> str:
    """An id that could exist; anything else is not found, and never reaches the database."""
    if len(record_id) > 120 or record_id in RESERVED or not _SLUG.fullmatch(record_id):
        raise NotFound
    return record_id


def asked(request: Request) -> Asked:
    """What was asked, as it was asked."""
    scope = request.scope
    tags = request.headers.get("if-none-match", "")
    return Asked(scope["path"], scope["query_string"], tags, scope.get("asker", NOBODY))


async def answer(request: Request, read: Callable[[], Any], *, long: bool = False) -> Response:
    """Run a read and answer with its bytes, tag and next page, or with 304; a long one leaves the event loop free."""
    state = request.scope["app"].state
    found: Answer = await state.reader.run(read, long=long)
    caching = "private, no-cache" if found.private else state.settings.cache_control
    headers = [(b"etag", b'"%s"' % found.tag.encode()), (b"cache-control", caching.encode())]
    if found.next:
        headers.append((b"link", b'<%s>; rel="next"' % found.next.encode()))
    if found.body is None:
        return Ready(304, headers, b"")
    headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(found.body))]
    return Ready(200, headers, found.body)


class Ready(Response):
    """An answer whose head is ready too."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status_code, self.raw_headers, self.body, self.background = status, headers, body, None
