"""How every route is declared: one decorator that says what the route does and what the contract says of it.

    router = APIRouter(prefix="/v1/keys", tags=["keys"])

    @operation(router, "POST", "/{key_id}/rotate", "Rotate a key", returns=KeyCreated, scopes=("keys",))
    async def rotate_key(request: Request, caller: Caller, key_id: str, body: Rotation) -> Response:
        ...

An endpoint names what it needs: `query`, `body` and `caller` are parsed and checked before it is called, and so are the
parameters of the path. It answers with a Response. Its docstring is the description in the contract.
"""

import inspect
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from app.core.access.caller import ANONYMOUS, Caller
from app.core.errors import PROBLEM_JSON, Forbidden, Invalid, NotFound, Problem, Unauthorized, Unavailable
from app.core.http.bodies import JSON, read_json
from app.core.model.resource import Id, Resource
from app.core.model.validation import validate
from app.core.reading.parameters import parse_query
from app.core.values.text import RESERVED, SLUG

# By reference: as a model, each response of each route would cost FastAPI a validator of its own.
PROBLEM_CONTENT = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemShown"}}}
NOT_CHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Not changed: the client's copy, named in If-None-Match, is current."}
}
_SLUG = re.compile(SLUG)
REFUSALS = (Unauthorized, Forbidden, Invalid, Unavailable)

Endpoint = Callable[..., Coroutine[Any, Any, Response]]
Model = type[BaseModel] | Callable[[], type[BaseModel]]


class PathParameter(NamedTuple):
    """A parameter in a path, for the contract."""

    about: str
    example: str
    kind: Any = Id


class NoParameters(BaseModel, defer_build=True):
    """The query of an operation that takes no parameters."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Operation:
    """What the contract says of a route beside its texts; models are built when they are first needed.

    FastAPI would derive the same from the endpoint's signature, at every start and for every route: measured, 153 ms
    for 18 routes against 21 ms for all 139 this way.
    """

    returns: Model | None = None
    query: Model = NoParameters
    in_path: Mapping[str, PathParameter] = field(default_factory=dict)
    body: Model | None = None
    body_type: str = JSON
    accepts: Mapping[str, Any] = field(default_factory=dict)  # bodies of other types than JSON, by media type
    answers: Mapping[str, Any] = field(default_factory=dict)  # answers of other types
    headers: Mapping[str, str] = field(default_factory=dict)
    scopes: tuple[str, ...] = ()  # any of these, of a key; none: open to everybody
    statuses: Mapping[str, str] = field(default_factory=lambda: {"200": "Successful Response"})


def model_of(model: Model) -> type[BaseModel]:
    """The model itself, built now if it was given as a function."""
    return model if isinstance(model, type) else model()


def operation_of(endpoint: Any) -> Operation:
    """What was declared of an endpoint with `operation`; AttributeError for any other function."""
    declared: Operation = endpoint.operation
    return declared


def operation(
    router: APIRouter,
    method: str,
    path: str,
    summary: str,
    *,
    problems: tuple[type[Problem], ...] = (),
    name: str | None = None,
    about: str | None = None,
    tagged: bool | None = None,
    **contract: Any,
) -> Callable[[Endpoint], Endpoint]:
    """Add an endpoint to a router. `contract` holds fields of Operation.

    `problems` are those beside the ones that every such route has. `name` is the operationId (default: the name of the
    function), `about` the description (default: its docstring). `tagged`: answers have an ETag, so a client may get
    304; the default for reads that are open to everybody. `query` and `body` default to the endpoint's annotations.
    """

    def add(endpoint: Endpoint) -> Endpoint:
        annotations = endpoint.__annotations__
        for parameter in ("query", "body"):
            model = annotations.get(parameter)
            if isinstance(model, type) and issubclass(model, BaseModel) and model is not BaseModel:
                contract.setdefault(parameter, model)
        declared = Operation(**contract)
        has_tags = method == "GET" and not declared.scopes if tagged is None else tagged
        endpoint.operation = declared  # type: ignore[attr-defined]
        endpoint.__signature__ = _ONLY_REQUEST  # type: ignore[attr-defined]
        router.add_api_route(
            path,
            endpoint,
            methods=[method],
            responses={
                **(NOT_CHANGED if has_tags else {}),
                **responses_of(*(REFUSALS if declared.scopes else (Invalid,)), *problems),
            },
            operation_id=name or endpoint.__name__,
            summary=summary,
            description=inspect.cleandoc(about or endpoint.__doc__ or ""),
            route_class_override=GuardedRoute if declared.scopes else ReadRoute,
        )
        return endpoint

    return add


# FastAPI sees an endpoint that takes the request alone, so it derives nothing from the others.
_ONLY_REQUEST = inspect.Signature(
    [inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)]
)


class ReadRoute(APIRoute):
    """A route that is open to everybody: one model reads its query string."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = self.endpoint
        declared = operation_of(endpoint)
        takes_query = "query" in _parameters(endpoint)

        async def handle(request: Request) -> Response:
            query = parse_query(model_of(declared.query), request.scope["query_string"])
            path = request.scope["path_params"]
            response: Response = await (
                endpoint(request, query=query, **path) if takes_query else endpoint(request, **path)
            )
            return response

        self.handle_read = handle
        return handle


class GuardedRoute(APIRoute):
    """A route for holders of keys: its scopes are required before anything is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = self.endpoint
        declared = operation_of(endpoint)
        wanted = _parameters(endpoint)

        async def handle(request: Request) -> Response:
            caller: Caller = request.scope.get("caller", ANONYMOUS)
            caller.require(*declared.scopes)
            query = parse_query(model_of(declared.query), request.scope["query_string"])
            arguments: dict[str, Any] = {"caller": caller, **request.path_params}
            if "query" in wanted:
                arguments["query"] = query
            if "body" in wanted and declared.body is not None:
                model = model_of(declared.body)
                arguments["body"] = validate(model, await read_json(request, model, declared.body_type))
            response: Response = await endpoint(request, **arguments)
            return response

        return handle


def responses_of(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation that may end in these problems."""
    return {
        kind.status: {"description": (kind.__doc__ or "").split("\n")[0], "content": PROBLEM_CONTENT} for kind in kinds
    }


def _parameters(endpoint: Any) -> frozenset[str]:
    """The names of the parameters of an endpoint."""
    code = endpoint.__code__
    return frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def id_in_path(resource: Resource) -> dict[str, PathParameter]:
    """The path parameter of a record's routes."""
    return {f"{resource.one}_id": PathParameter(f"Id of the {resource.one}.", resource.example)}


def checked_id(record_id: str) -> str:
    """An id that a record could have; NotFound for anything else, which never reaches the database."""
    if len(record_id) > 120 or record_id in RESERVED or not _SLUG.fullmatch(record_id):
        raise NotFound
    return record_id
