"""The endpoints that read a resource, made from its declaration: list, facets, detail, history, nested lists."""

from functools import cache, reduce
from itertools import chain
from operator import or_
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, RootModel, create_model

from app.core.errors import BadRequest, Forbidden, Gone, Invalid, Moved, NotFound, Problem, Unavailable
from app.core.http.operations import checked_id, id_in_path, operation
from app.core.http.responses import read_request, write_response
from app.core.model.resource import COMPUTED_INCLUDES, RESOURCES, Include, Resource
from app.core.reading.facets import Facets, FacetsShown
from app.core.reading.filter_ids import HINTS_TEXT, Hint
from app.core.reading.history import History, HistoryPage, HistoryQuery
from app.core.reading.parameters import Queries
from app.core.reading.reads import ResourceReads, reading_of
from app.core.search.interpretation import INTERPRETATION

OF_LISTS = (BadRequest, Invalid, Unavailable)
OF_DETAILS = (BadRequest, NotFound, Gone, Invalid, Unavailable)


@cache
def query_models(resource: Resource) -> Queries:
    """Return the query models of a resource. All of its lists share one, including nested lists."""
    return Queries(resource)


def add_reads(router: APIRouter, resource: Resource) -> None:
    """Add `GET /v1/<resource>`, `…/facets`, `…/{id}`, `…/{id}/history`, and the nested lists `…/{id}/<include>`."""
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
        about=f"{resource.about}\n\nRepeat a parameter to match any of its values. All parameters must match.",
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
        f"Count {resource.name} by the values of filters",
        name=f"count_{resource.name}",
        about="Takes the filters of the list. Each count is the number of records that the list would have with this "
        "value in place of the filter of the same name: with `status=active`, the facet `status` still counts the "
        "other stages. Filters on the same link apply to it: with `role=funding`, `facet=partner` counts funding "
        "partners.",
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
        about="The record with its evidence, in its current version or that of `as_of`. Each version has its own ETag.",
        returns=lambda: detail_model(resource),
        query=lambda: query_models(resource).detail,
        in_path=id_in_path(resource),
        statuses={"200": f"The {resource.one}."},
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
        about="Who changed which fields and when, the newest version first. Deleted and merged records have a history "
        "too. It includes drafts if the key may write the record.",
        returns=HistoryPage,
        query=HistoryQuery,
        in_path=id_in_path(resource),
        problems=(BadRequest, NotFound, Invalid, Unavailable),
    )
    async def read(request: Request, query: Any, **path: str) -> Response:
        record_id = checked_id(path[id_name])
        return await write_response(request, lambda: history.page(record_id, query, read_request(request)))


def _nested_summary(owner: Resource, include: Include) -> str:
    """Return the summary of a nested list, such as "List the figures of a project"."""
    special = {"later": "List later projects", "relating": "List the figures that refer to a figure"}
    return special.get(include.name) or f"List the {include.name} of {owner.a_one}"


def _add_nested(router: APIRouter, reading: ResourceReads, include: Include) -> None:
    target = include.resource
    owner = reading.resource
    id_name = f"{owner.one}_id"

    @operation(
        router,
        "GET",
        f"/{{{id_name}}}/{include.name}",
        _nested_summary(owner, include),
        name=f"list_{owner.one}_{include.name}",
        about=f"The same as `/v1/{target.name}?{include.parameter}=…`. Takes the other parameters of that list.",
        returns=lambda: page_model(target),
        query=lambda: query_models(target).page,
        in_path=id_in_path(owner),
        problems=_of_records(owner, Forbidden),
    )
    async def read(request: Request, query: BaseModel, **path: str) -> Response:
        parent = checked_id(path[id_name])
        return await write_response(request, lambda: reading.nested(parent, include, query, read_request(request)))


def _of_records(resource: Resource, *others: type[Problem]) -> tuple[type[Problem], ...]:
    """Return the problems of the reads of one record and of its nested lists."""
    merging = () if resource.merged_into_column is None else (Moved,)
    return (*OF_DETAILS, *merging, *others)


@cache
def page_model(resource: Resource) -> Any:
    """Return the model of a page of a list, for the OpenAPI document."""
    fields: dict[str, Any] = {
        "items": (list[resource.shown], Field(description="The records in the order of `sort`.")),  # type: ignore[name-defined]
        "next": (str | None, Field(description="Path of the next page; null on the last page.")),
        "total": (int, Field(default=0, description="Number of all matching records. Only with total=true.")),
        "reading": (
            Annotated[str, INTERPRETATION],
            Field(default="all_words", description="How q was understood. Only with q."),
        ),
        "corrected": (
            str | None,
            Field(default=None, description="The corrected q, if any. Only with q."),
        ),
        "hints": (list[Hint], Field(default=[], description=HINTS_TEXT)),
        **_included(),
    }
    return create_model(f"{resource.table.__name__}Page", __doc__=f"A page of {resource.name}.", **fields)


@cache
def detail_model(resource: Resource) -> Any:
    """Return the model of a detail, for the OpenAPI document."""
    name = f"{resource.table.__name__}Detail"
    return create_model(name, __base__=resource.shown, __doc__=str(resource.shown.__doc__), **_included())


@cache
def _included() -> dict[str, Any]:
    models: Any = reduce(or_, [resource.shown for resource in RESOURCES.values()])
    record: Any = Annotated[models, Field(discriminator="resource")]
    computed = chain.from_iterable(includes.values() for includes in COMPUTED_INCLUDES.values())
    record = reduce(or_, [include.model for include in computed], record)
    text = "Linked records by id, at most 200 for each name in include."
    included = create_model("Included", __base__=RootModel[dict[str, dict[str, record]]], __doc__=text)
    text = "Paths of the remaining records, for each name in include with more than 200. Only with include."
    return {
        "included": (included, Field(default=None, description="Only with include.")),
        "included_next": (dict[str, list[str]], Field(default={}, description=text)),
    }
