"""The read routes that every resource has, made from its declaration."""

import inspect
import re
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, RootModel, create_model
from starlette.types import Receive, Scope, Send

from app.core.errors import (
    PROBLEM_JSON,
    BadRequest,
    Forbidden,
    Gone,
    Invalid,
    Moved,
    NotFound,
    Problem,
    Unavailable,
)
from app.core.facets import Facets, FacetsShown
from app.core.history import History
from app.core.keys import NOBODY
from app.core.query import Queries, parse
from app.core.reading import READINGS, Answer, Asked, Reading
from app.core.resource import RESOURCES, Id, Include, Resource
from app.core.senses import READING
from app.core.text import RESERVED, SLUG

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


@cache
def queries(resource: Resource) -> Queries:
    """The query models of a resource; its lists, nested ones too, share one."""
    return Queries(resource)


def problems(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation that may end in these problems."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        found[kind.status] = {"description": (kind.__doc__ or "").split("\n")[0], "content": PROBLEM_CONTENT}
    return found


def resource_router(resource: Resource) -> APIRouter:
    """`GET /v1/<resource>`, `…/facets`, `…/{id}`, and a nested list for each kind of record that belongs to one."""
    router = APIRouter(prefix=f"/v1/{resource.name}", tags=[resource.name], route_class=ReadRoute)
    _add_list(router, READINGS[resource.name])
    _add_facets(router, Facets(resource))
    _add_detail(router, READINGS[resource.name])
    for include in resource.includes.values():
        if include.nested:
            _add_nested(router, READINGS[resource.name], include)
    return router


def _add_list(router: APIRouter, reading: Reading) -> None:
    resource = reading.resource

    async def read(request: Request, query: BaseModel) -> Response:
        return await answer(request, lambda: reading.page(query, asked(request)))

    router.add_api_route(
        "",
        documented(read, Documented(lambda: page_model(resource), query=lambda: queries(resource).page)),
        responses={**NOT_CHANGED, **problems(*OF_LISTS, Forbidden)},
        operation_id=f"list_{resource.name}",
        summary=f"List {resource.name}",
        description=f"{resource.about}\n\nRepeat a parameter for OR; different parameters must all hold.",
    )


def _add_facets(router: APIRouter, facets: Facets) -> None:
    resource = facets.resource

    async def read(request: Request, query: BaseModel) -> Response:
        return await answer(request, lambda: facets.count(query, asked(request)), long=True)

    router.add_api_route(
        "/facets",
        documented(read, Documented(lambda: FacetsShown, query=lambda: facets.query)),
        responses={**NOT_CHANGED, **problems(*OF_LISTS)},
        operation_id=f"count_{resource.name}",
        summary=f"Count {resource.name} by the values they have",
        description="Under the filters of the list. A value counts the records that its parameter finds among them. "
        "What else is asked of a link holds for that link: with `role=funding`, `facet=partner` counts who funds.",
    )


def _add_detail(router: APIRouter, reading: Reading) -> None:
    resource = reading.resource
    id_name, history = f"{resource.one}_id", History(resource)

    async def read(request: Request, query: Any, **path: str) -> Response:
        record_id = checked(path[id_name])
        road = reading.detail if query.as_of is None else history.detail
        return await answer(request, lambda: road(record_id, query, asked(request)))

    said = Documented(lambda: detail_model(resource), of_one(resource), query=lambda: queries(resource).detail)
    router.add_api_route(
        f"/{{{id_name}}}",
        documented(read, said),
        responses=_of_records(resource),
        operation_id=f"read_{resource.one}",
        summary=f"Read one {resource.one}",
        description="One record, whole, with its evidence, now or as it was. Its ETag changes with each version.",
    )


def _add_nested(router: APIRouter, reading: Reading, include: Include) -> None:
    target, owner = include.resource, reading.resource
    id_name = f"{owner.one}_id"

    async def read(request: Request, query: BaseModel, **path: str) -> Response:
        parent = checked(path[id_name])
        return await answer(request, lambda: reading.nested(parent, include, query, asked(request)))

    said = Documented(lambda: page_model(target), of_one(owner), query=lambda: queries(target).page)
    router.add_api_route(
        f"/{{{id_name}}}/{include.name}",
        documented(read, said),
        responses=_of_records(owner, Forbidden),
        operation_id=f"list_{owner.one}_{include.name}",
        summary=f"List the {include.name} of one {owner.one}",
        description=f"The same as `/v1/{target.name}?{include.parameter}=…`, with the same other parameters.",
    )


def _of_records(resource: Resource, *also: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of the reads of one record and of what belongs to it."""
    merging = (Moved,) if hasattr(resource.table, "merged_into") else ()
    return {**NOT_CHANGED, **problems(*OF_DETAILS, *merging, *also)}


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


@cache
def page_model(resource: Resource) -> Any:
    """A page of a list, for the docs."""
    fields: dict[str, Any] = {
        "items": (list[resource.shown], Field(description="The records, in the order asked for.")),  # type: ignore[name-defined]
        "next": (str | None, Field(description="Path of the next page; null at the end.")),
        "total": (int, Field(default=0, description="How many match in all; only with total=true.")),
        "reading": (Annotated[str, READING], Field(default="all_words", description="Only with q: how it was read.")),
        "corrected": (str | None, Field(default=None, description="Only with q: what was searched for instead.")),
        **_included(),
    }
    return create_model(f"{resource.table.__name__}Page", __doc__=f"A page of {resource.name}.", **fields)


@cache
def detail_model(resource: Resource) -> Any:
    """A record with what was asked along, for the docs."""
    name, about = f"{resource.table.__name__}Detail", str(resource.shown.__doc__)
    return create_model(name, __base__=resource.shown, __doc__=about, **_included())


@cache
def _included() -> dict[str, Any]:
    shown: Any = reduce(or_, [resource.shown for resource in RESOURCES.values()])
    record: Any = Annotated[shown, Field(discriminator="resource")]
    about = "For each name in include: the records by id, at most 200."
    included = create_model("Included", __base__=RootModel[dict[str, dict[str, record]]], __doc__=about)
    further = "For each name that has more than 200: the paths where the rest is."
    return {
        "included": (included, Field(default=None, description="Only with include.")),
        "included_next": (dict[str, list[str]], Field(default={}, description=further)),
    }
