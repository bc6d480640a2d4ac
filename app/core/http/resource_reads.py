"""`GET /v1/<resource>/{id}/history`, made from a resource's declaration."""

from functools import cache, reduce
from operator import or_
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, RootModel, create_model

from app.core.errors import BadRequest, Forbidden, Invalid, Moved, NotFound, Problem, Unavailable
from app.core.http.routing import (
    NOT_CHANGED,
    OF_DETAILS,
    OF_LISTS,
    Documented,
    ReadRoute,
    answer,
    asked,
    checked,
    documented,
    of_one,
    problems,
)
from app.core.model.resource import RESOURCES, Include, Resource
from app.core.reading.facets import Facets, FacetsShown
from app.core.reading.history import History, HistoryPage, HistoryQuery
from app.core.reading.parameters import Queries
from app.core.reading.reads import READINGS, Reading
from app.core.search.interpretation import READING


def history_router(resource: Resource) -> APIRouter:
    """The versions of one record."""
    router = APIRouter(prefix=f"/v1/{resource.name}", tags=[resource.name], route_class=ReadRoute)
    history = History(resource)

    async def read(request: Request, query: Any, **path: str) -> Response:
        (record_id,) = map(checked, path.values())
        return await answer(request, lambda: history.page(record_id, query, asked(request)), long=True)

    router.add_api_route(
        f"/{{{resource.one}_id}}/history",
        documented(read, Documented(lambda: HistoryPage, of_one(resource), query=lambda: HistoryQuery)),
        responses={**NOT_CHANGED, **problems(BadRequest, NotFound, Invalid, Unavailable)},
        operation_id=f"read_{resource.one}_history",
        summary=f"Read the history of one {resource.one}",
        description="Who changed what and when, field by field, the newest first; also of what was deleted or merged. "
        "Drafts are in it for those who may write the record.",
    )
    return router


@cache
def queries(resource: Resource) -> Queries:
    """The query models of a resource; its lists, nested ones too, share one."""
    return Queries(resource)


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
