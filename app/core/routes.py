"""The read routes that every resource has, made from its declaration."""

import inspect
import re
from collections.abc import Callable, Coroutine
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, RootModel, create_model

from app.core.errors import PROBLEM_JSON, BadRequest, Gone, Invalid, NotFound, Problem, Unavailable
from app.core.query import Queries, parse
from app.core.reading import READINGS, Answer, Reading
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


class ReadRoute(APIRoute):
    """A route whose query string one model reads, and whose endpoint answers with ready bytes.

    The endpoint's signature documents the parameters; FastAPI's own parsing of them would cost more than the read.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = self.endpoint
        parameter = inspect.signature(endpoint).parameters.get("query")
        model = parameter.annotation.__origin__ if parameter else _NoParameters

        async def handle(request: Request) -> Response:
            query = parse(model, request.scope["query_string"])
            given = {"query": query} if parameter else {}
            response: Response = await endpoint(request, **given, **request.path_params)
            return response

        return handle


class _NoParameters(BaseModel):
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
    """`GET /v1/<resource>`, `…/{id}`, and a nested list for each kind of record that belongs to one."""
    router = APIRouter(prefix=f"/v1/{resource.name}", tags=[resource.name], route_class=ReadRoute)
    _add_list(router, READINGS[resource.name])
    _add_detail(router, READINGS[resource.name])
    for include in resource.includes.values():
        if include.nested:
            _add_nested(router, READINGS[resource.name], include)
    return router


def _add_list(router: APIRouter, reading: Reading) -> None:
    resource = reading.resource
    model = queries(resource).page

    async def read(request: Request, query: Annotated[model, Query()]) -> Response:  # type: ignore[valid-type]
        asked: BaseModel = query
        return await answer(request, lambda: reading.page(asked, has(request), request.scope["path"]))

    router.add_api_route(
        "",
        read,
        response_model=page_model(resource),
        responses={**NOT_CHANGED, **problems(*OF_LISTS)},
        operation_id=f"list_{resource.name}",
        summary=f"List {resource.name}",
        description=f"{resource.about}\n\nRepeat a parameter for OR; different parameters must all hold.",
    )


def _add_detail(router: APIRouter, reading: Reading) -> None:
    resource = reading.resource
    model, id_name = queries(resource).detail, f"{resource.one}_id"

    async def read(request: Request, query: Annotated[model, Query()], **path: str) -> Response:  # type: ignore[valid-type]
        asked: BaseModel = query
        record_id = checked(path[id_name])
        return await answer(request, lambda: reading.detail(record_id, asked, has(request)))

    router.add_api_route(
        f"/{{{id_name}}}",
        _with_path(read, resource),
        response_model=detail_model(resource),
        responses={**NOT_CHANGED, **problems(*OF_DETAILS)},
        operation_id=f"read_{resource.one}",
        summary=f"Read one {resource.one}",
        description="One record, whole, with its evidence. Its ETag changes with each of its versions.",
    )


def _add_nested(router: APIRouter, reading: Reading, include: Include) -> None:
    target, owner = include.resource, reading.resource
    id_name = f"{owner.one}_id"
    model = queries(target).page

    async def read(request: Request, query: Annotated[model, Query()], **path: str) -> Response:  # type: ignore[valid-type]
        asked: BaseModel = query
        parent = checked(path[id_name])
        return await answer(
            request, lambda: reading.nested(parent, include, asked, has(request), request.scope["path"])
        )

    router.add_api_route(
        f"/{{{id_name}}}/{include.name}",
        _with_path(read, owner),
        response_model=page_model(target),
        responses={**NOT_CHANGED, **problems(*OF_DETAILS)},
        operation_id=f"list_{owner.one}_{include.name}",
        summary=f"List the {include.name} of one {owner.one}",
        description=f"The same as `/v1/{target.name}?{include.parameter}=…`, with the same other parameters.",
    )


def _with_path(endpoint: Any, resource: Resource) -> Any:
    """The endpoint with its path parameter named in the signature, for the docs."""
    about = Path(description=f"Id of the {resource.one}.", examples=[resource.example])
    signature = inspect.signature(endpoint)
    kept = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    path = inspect.Parameter(f"{resource.one}_id", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[Id, about])
    endpoint.__signature__ = signature.replace(parameters=[*kept, path])
    return endpoint


def checked(record_id: str) -> str:
    """An id that could exist; anything else is not found, and never reaches the database."""
    if len(record_id) > 120 or record_id in RESERVED or not _SLUG.fullmatch(record_id):
        raise NotFound
    return record_id


def has(request: Request) -> Callable[[str], bool]:
    """Tells whether the asker says it has the representation with this tag (If-None-Match, weak comparison)."""
    given = request.headers.get("if-none-match", "")
    if not given:
        return lambda _: False
    tags = {each.strip().removeprefix("W/").strip('"') for each in given.split(",")}
    return lambda tag: tag in tags or "*" in tags


async def answer(request: Request, read: Callable[[], Any]) -> Response:
    """Run a read and answer with its bytes, tag and next page, or with 304."""
    found: Answer = await request.app.state.reader.run(read)
    headers = {"ETag": f'"{found.tag}"', "Cache-Control": request.app.state.settings.cache_control}
    if found.next:
        headers["Link"] = f'<{found.next}>; rel="next"'
    if found.body is None:
        return Response(None, 304, headers)
    return Response(found.body, 200, headers, media_type="application/json")


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
