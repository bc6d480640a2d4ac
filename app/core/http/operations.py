"""Operations: one decorator declares a route, its checks and its entry in the OpenAPI document.

    router = APIRouter(prefix="/v1/keys", tags=["keys"])

    @operation(router, "POST", "/{key_id}/rotate", "Rotate a key", returns=KeyCreated, scopes=("keys",))
    async def rotate_key(request: Request, caller: Caller, key_id: str, body: Rotation) -> Response:
        ...

The parameters of an endpoint decide what it receives: `query`, `body`, `caller` and the parameters of the path are
parsed and checked before it is called. It returns a Response. Its docstring becomes the description of the operation.
"""

import inspect
import re
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from app.core.access.caller import ANONYMOUS, Caller
from app.core.errors import Forbidden, NotFound, Problem, ReadOnly
from app.core.http.bodies import JSON, read_json
from app.core.model.resource import Id, Resource
from app.core.model.validation import validate
from app.core.reading.parameters import parse_query
from app.core.values.text import RESERVED, SLUG

_SLUG = re.compile(SLUG)

Endpoint = Callable[..., Coroutine[Any, Any, Response]]
Model = type[Any] | Callable[[], type[Any]]  # a model, or a function that builds it when it is first needed


class PathParameter(NamedTuple):
    """A path parameter, as the OpenAPI document describes it."""

    about: str
    example: str
    kind: Any = Id


class NoParameters(BaseModel, defer_build=True):
    """The query of an operation that takes no parameters."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Operation:
    """A decorator that adds an endpoint to a router, and the description of this operation.

    FastAPI would derive the same from the signature of each endpoint at every start. Measured, that takes 153 ms for 18
    routes; all 139 take 21 ms this way.
    """

    router: APIRouter
    method: str
    path: str
    summary: str
    name: str = ""  # the operationId; by default the name of the endpoint
    about: str = ""  # the description; by default the docstring of the endpoint
    returns: Model | None = None
    query: Model = NoParameters  # by default the endpoint's annotation, and so for `body`
    query_by_path: Callable[[Mapping[str, str]], type[BaseModel]] | None = None  # of one path; `query` is for all
    formats: Callable[[Mapping[str, str]], Collection[str]] | None = (
        None  # of the file at a path; none: there is no file
    )
    leaves_out: Callable[[], Collection[str]] = frozenset  # parameters of the query that the description only mentions
    in_path: Mapping[str, PathParameter] = field(default_factory=dict)
    body: Model | None = None
    body_type: str = JSON
    body_schema: str = ""  # the name of its schema, if it is another than that of the model
    accepts: Mapping[str, Any] = field(default_factory=dict)  # request bodies of other types than JSON, by media type
    answers: Mapping[str, Any] = field(default_factory=dict)  # response bodies of other types than JSON, by media type
    headers: Mapping[str, str] = field(default_factory=dict)
    scopes: tuple[str, ...] = ()  # the key needs one of these; without scopes, no key is needed
    statuses: Mapping[str, str] = field(default_factory=dict)  # by default 200, with the docstring of `returns`
    problems: tuple[type[Problem], ...] = ()  # in addition to those that every operation has
    only_reads: bool = False  # although it takes a body
    tagged: bool | None = None  # responses have an ETag, so 304 is possible; by default for reads that need no key

    def __call__(self, endpoint: Endpoint) -> Endpoint:
        """Add the endpoint to the router."""
        annotations = endpoint.__annotations__
        models = {name: annotations[name] for name in ("query", "body") if _is_own_model(annotations.get(name))}
        declared = replace(
            self,
            name=self.name or endpoint.__name__,
            about=inspect.cleandoc(self.about or endpoint.__doc__ or ""),
            tagged=self.method == "GET" and not self.scopes if self.tagged is None else self.tagged,
            **models,
        )
        endpoint.operation = declared  # type: ignore[attr-defined]
        endpoint.__signature__ = _ONLY_REQUEST  # type: ignore[attr-defined]
        is_open_read = self.method == "GET" and not self.scopes
        route = ReadRoute if is_open_read else GuardedRoute
        self.router.add_api_route(self.path, endpoint, methods=[self.method], route_class_override=route)
        return endpoint


operation = Operation  # in lower case, as decorators are

# FastAPI sees an endpoint that takes the request alone, so it derives nothing from the other parameters.
_ONLY_REQUEST = inspect.Signature(
    [inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)]
)


def _is_own_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation is not BaseModel


def model_of(model: Model) -> type[Any]:
    """Return the model, from the function that builds it if there is one."""
    return model if isinstance(model, type) else model()


def operation_of(endpoint: Any) -> Operation:
    """Return the operation that an endpoint was declared with; raises AttributeError for any other function."""
    declared: Operation = endpoint.operation
    return declared


class ReadRoute(APIRoute):
    """A route that needs no key. One model parses its query string."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = self.endpoint
        declared = operation_of(endpoint)
        takes_query = "query" in _parameters(endpoint)

        async def handle(request: Request) -> Response:
            path = request.scope["path_params"]
            if declared.formats and path["format"] not in declared.formats(path):
                raise NotFound
            model = declared.query_by_path(path) if declared.query_by_path else model_of(declared.query)
            query = parse_query(model, request.scope["query_string"])
            try:
                response: Response = await (
                    endpoint(request, query=query, **path) if takes_query else endpoint(request, **path)
                )
            except Forbidden as refusal:
                _trace(request, refusal)
                raise
            return response

        self.answer = handle
        return handle


class GuardedRoute(APIRoute):
    """A route that needs a key, or takes a body. The scopes of the key are checked before anything else is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = self.endpoint
        declared = operation_of(endpoint)
        parameters = _parameters(endpoint)

        async def handle(request: Request) -> Response:
            _ensure_answered_here(request, declared)
            with request.app.state.buffered_bodies.request(request):
                return await handle_body(request)

        async def handle_body(request: Request) -> Response:
            caller: Caller = request.scope.get("caller", ANONYMOUS)
            if declared.scopes:
                _require(request, caller, declared.scopes)
            query = parse_query(model_of(declared.query), request.scope["query_string"])
            arguments: dict[str, Any] = {**request.path_params}
            if "caller" in parameters:
                arguments["caller"] = caller
            if "query" in parameters:
                arguments["query"] = query
            if "body" in parameters and declared.body is not None:
                model = model_of(declared.body)
                arguments["body"] = validate(model, await read_json(request, model, declared.body_type))
            try:
                response: Response = await endpoint(request, **arguments)
            except Forbidden as refusal:
                _trace(request, refusal)
                raise
            return response

        self.answer = handle
        return handle


def _ensure_answered_here(request: Request, declared: Operation) -> None:
    """Raise ReadOnly at a read node, which has no keys and writes nothing."""
    writer_url = request.app.state.settings.writer_url
    if writer_url and (declared.scopes or not declared.only_reads):
        raise ReadOnly.at_node(writer_url, request.scope["path"])


def _require(request: Request, caller: Caller, scopes: tuple[str, ...]) -> None:
    try:
        caller.require(*scopes)
    except Forbidden as refusal:
        _trace(request, refusal)
        raise


def _trace(request: Request, refusal: Forbidden) -> None:
    """Let a refusal for a missing scope leave a trace in the events of the key, wherever the scope was required."""
    caller: Caller = request.scope.get("caller", ANONYMOUS)
    if refusal.reason:
        request.app.state.key_activity.refused(caller.key, refusal.reason, caller.address)


def _parameters(endpoint: Any) -> frozenset[str]:
    code = endpoint.__code__
    return frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def id_in_path(resource: Resource) -> dict[str, PathParameter]:
    """Return the path parameter of the routes of one record."""
    return {f"{resource.one}_id": PathParameter(f"Id of the {resource.one}.", resource.example)}


def checked_id(record_id: str) -> str:
    """Return an id that a record could have; raises NotFound for any other, so that it never reaches the database."""
    if len(record_id) > 120 or record_id in RESERVED or not _SLUG.fullmatch(record_id):
        raise NotFound
    return record_id
