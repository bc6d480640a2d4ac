"""The reads that every resource has, made from its declaration."""

from functools import cache, reduce
from operator import or_
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, RootModel, create_model

from app.core.errors import BadRequest, Forbidden, Gone, Invalid, Moved, NotFound, Problem, Unavailable
from app.core.http.operations import checked_id, id_in_path, operation
from app.core.http.responses import read_request, write_response
from app.core.model.resource import RESOURCES, Include, Resource
from app.core.reading.facets import Facets, FacetsShown
from app.core.reading.history import History, HistoryPage, HistoryQuery
from app.core.reading.parameters import Queries
from app.core.reading.reads import ResourceReads, reading_of
from app.core.search.interpretation import INTERPRETATION

OF_LISTS = (BadRequest, Invalid, Unavailable)
OF_DETAILS = (BadRequest, NotFound, Gone, Invalid, Unavailable)


@cache
def query_models(resource: Resource) -> Queries:
    """The query models of a resource; its lists, nested ones too, share one."""
    return Queries(resource)


def add_reads(router: APIRouter, resource: Resource) -> None:
    """`GET /v1/<resource>`, `…/facets`, `…/{id}`, `…/{id}/history`, and a nested list of each kind of its records."""
    reading = reading_of(resource)
    _add_list(router, reading)
    _add_facets(router, Facets(resource))
    _add_detail(router, reading)
    _add_history(router, resource)
    for include in resource.includes.values():
        if include.nested:
            _add_nested(router, reading, include)


def _add_list(router: APIRouter, reading: ResourceReads) -> None:
    resource = reading.resource

    @operation(
        router,
        "GET",
        "",
        f"List {resource.name}",
        name=f"list_{resource.name}",
        about=f"{resource.about}\n\nRepeat a parameter for OR; different parameters must all hold.",
        returns=lambda: page_model(resource),
        query=lambda: query_models(resource).page,
        problems=(*OF_LISTS, Forbidden),
    )
    async def read(request: Request, query: BaseModel) -> Response:
        return await write_response(request, lambda: reading.page(query, read_request(request)))


def _add_facets(router: APIRouter, facets: Facets) -> None:
    resource = facets.resource

    @operation(
        router,
        "GET",
        "/facets",
        f"Count {resource.name} by the values they have",
        name=f"count_{resource.name}",
        about="Under the filters of the list. A value counts the records that its parameter finds among them. "
        "What else is asked of a link holds for that link: with `role=funding`, `facet=partner` counts who funds.",
        returns=FacetsShown,
        query=lambda: facets.query,
        problems=OF_LISTS,
    )
    async def read(request: Request, query: BaseModel) -> Response:
        return await write_response(request, lambda: facets.count(query, read_request(request)), long=True)


def _add_detail(router: APIRouter, reading: ResourceReads) -> None:
    resource = reading.resource
    id_name = f"{resource.one}_id"
    history = History(resource)

    @operation(
        router,
        "GET",
        f"/{{{id_name}}}",
        f"Read one {resource.one}",
        name=f"read_{resource.one}",
        about="One record, whole, with its evidence, now or as it was. Its ETag changes with each version.",
        returns=lambda: detail_model(resource),
        query=lambda: query_models(resource).detail,
        in_path=id_in_path(resource),
        problems=_of_records(resource),
    )
    async def read(request: Request, query: Any, **path: str) -> Response:
        record_id = checked_id(path[id_name])
        detail = reading.detail if query.as_of is None else history.detail
        return await write_response(request, lambda: detail(record_id, query, read_request(request)))


def _add_history(router: APIRouter, resource: Resource) -> None:
    id_name = f"{resource.one}_id"
    history = History(resource)

    @operation(
        router,
        "GET",
        f"/{{{id_name}}}/history",
        f"Read the history of one {resource.one}",
        name=f"read_{resource.one}_history",
        about="Who changed what and when, field by field, the newest first; also of what was deleted or merged. "
        "Drafts are in it for those who may write the record.",
        returns=HistoryPage,
        query=HistoryQuery,
        in_path=id_in_path(resource),
        problems=(BadRequest, NotFound, Invalid, Unavailable),
    )
    async def read(request: Request, query: Any, **path: str) -> Response:
        record_id = checked_id(path[id_name])
        return await write_response(request, lambda: history.page(record_id, query, read_request(request)), long=True)


def _add_nested(router: APIRouter, reading: ResourceReads, include: Include) -> None:
    target = include.resource
    owner = reading.resource
    id_name = f"{owner.one}_id"

    @operation(
        router,
        "GET",
        f"/{{{id_name}}}/{include.name}",
        f"List the {include.name} of one {owner.one}",
        name=f"list_{owner.one}_{include.name}",
        about=f"The same as `/v1/{target.name}?{include.parameter}=…`, with the same other parameters.",
        returns=lambda: page_model(target),
        query=lambda: query_models(target).page,
        in_path=id_in_path(owner),
        problems=_of_records(owner, Forbidden),
    )
    async def read(request: Request, query: BaseModel, **path: str) -> Response:
        parent = checked_id(path[id_name])
        return await write_response(request, lambda: reading.nested(parent, include, query, read_request(request)))


def _of_records(resource: Resource, *also: type[Problem]) -> tuple[type[Problem], ...]:
    """The problems of the reads of one record and of what belongs to it."""
    merging = () if resource.merged_into_column is None else (Moved,)
    return (*OF_DETAILS, *merging, *also)


@cache
def page_model(resource: Resource) -> Any:
    """A page of a list, for the docs."""
    fields: dict[str, Any] = {
        "items": (list[resource.shown], Field(description="The records, in the order asked for.")),  # type: ignore[name-defined]
        "next": (str | None, Field(description="Path of the next page; null at the end.")),
        "total": (int, Field(default=0, description="How many match in all; only with total=true.")),
        "reading": (
            Annotated[str, INTERPRETATION],
            Field(default="all_words", description="Only with q: how it was read."),
        ),
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
