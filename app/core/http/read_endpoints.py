"""The endpoints that read a resource, made from its declaration: list, facets, detail, history, nested lists."""

from collections.abc import Callable
from functools import cache, reduce
from itertools import chain
from operator import or_
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, create_model

from app.core.errors import BadRequest, Forbidden, Gone, Invalid, Moved, NotFound, Problem, Unavailable
from app.core.http.operations import checked_id, id_in_path, operation
from app.core.http.response_keys import keys_of_detail, keys_of_list
from app.core.http.responses import read_request, write_response
from app.core.model.negations import NONE, NOT
from app.core.model.resource import COMPUTED_INCLUDES, RESOURCES, Include, Resource
from app.core.reading.counts.facets import Facets, FacetsShown, counts_of
from app.core.reading.filter_ids import HINTS_TEXT, Hint
from app.core.reading.history import History, HistoryPage, HistoryQuery
from app.core.reading.parameters import FIELDS_OF_INCLUDED, Queries
from app.core.reading.reads import ResourceReads, reading_of
from app.core.search.query.interpretation import INTERPRETATION

OF_LISTS = (BadRequest, Invalid, Unavailable)
OF_DETAILS = (BadRequest, NotFound, Gone, Invalid, Unavailable)
OF_SELECT = frozenset({"fields", FIELDS_OF_INCLUDED})
SELECTED_TEXT = "With `fields=id,{field}` the response has only these fields: see `GET /v1/{name}/select`."


@cache
def query_models(resource: Resource) -> Queries:
    """Return the query models of a resource. All of its lists share one, including nested lists."""
    return Queries(resource)


def add_reads(router: APIRouter, resource: Resource) -> None:
    """Add `GET /v1/<resource>`, `…/select`, `…/facets`, `…/{id}`, `…/{id}/history`, nested lists `…/{id}/<include>`."""
    reading = reading_of(resource)
    _add_list(router, reading)
    _add_select(router, reading)
    _add_facets(router, counts_of(resource))
    _add_detail(router, reading)
    _add_history(router, resource)
    for include in resource.includes.values():
        if include.nested:
            _add_nested(router, reading, include)


def _selected_text(resource: Resource) -> str:
    return SELECTED_TEXT.format(name=resource.name, field=next(iter(resource.names), "kind"))


def _add_list(router: APIRouter, reading: ResourceReads) -> None:
    resource = reading.resource

    @operation(
        router,
        "GET",
        "",
        f"List {resource.name}",
        name=f"list_{resource.name}",
        about=f"{resource.about}\n\nRepeat a parameter to match any of several values. "
        f"Different parameters must all match. {_selected_text(resource)}",
        returns=lambda: page_model(resource),
        query=lambda: query_models(resource).page,
        leaves_out=lambda: OF_SELECT,
        problems=(*OF_LISTS, Forbidden),
    )
    async def read(request: Request, query: BaseModel) -> Response:
        return await write_response(
            request, lambda: reading.page(query, read_request(request)), keys=lambda: keys_of_list(resource, query)
        )


def _add_select(router: APIRouter, reading: ResourceReads) -> None:
    resource = reading.resource

    @operation(
        router,
        "GET",
        "/select",
        f"List some fields of {resource.name}",
        name=f"select_{resource.name}",
        about=f"Returns the same as `GET /v1/{resource.name}`, with only the fields in `fields`. It has its own path, "
        "so that generated clients can distinguish complete records from partial ones. "
        "`fields[partners]=name` selects fields of included partners. All filters of the list can be used.",
        returns=lambda: partial_page_model(resource),
        query=lambda: query_models(resource).select,
        leaves_out=lambda: {FIELDS_OF_INCLUDED, *_negations(resource)},
        problems=(*OF_LISTS, Forbidden),
    )
    async def read(request: Request, query: BaseModel) -> Response:
        return await write_response(
            request, lambda: reading.page(query, read_request(request)), keys=lambda: keys_of_list(resource, query)
        )


def _add_facets(router: APIRouter, facets: Facets) -> None:
    resource = facets.resource

    @operation(
        router,
        "GET",
        "/facets",
        f"Count {resource.name} by the values of filters",
        name=f"count_{resource.name}",
        about="Takes all filters of the list. Each count is the number of records that the list would have with this "
        "value in place of the filter of the same name: with `status=active`, the facet `status` still counts the "
        "other stages. Filters on the same link apply to it: with `role=funding`, `facet=partner` counts funding "
        "partners.",
        returns=FacetsShown,
        query=lambda: facets.query,
        leaves_out=lambda: _negations(resource),
        problems=OF_LISTS,
    )
    async def read(request: Request, query: Any) -> Response:
        return await write_response(
            request,
            lambda: facets.count(query, read_request(request)),
            long=True,
            keys=lambda: keys_of_list(resource, query, query.facet),
        )


def _negations(resource: Resource) -> list[str]:
    """Return the filters that the description of the list describes, and those of its other forms only mention."""
    return [name for name in resource.parameters if name.endswith((NOT, NONE))]


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
        about="The record with its evidence, in its current version or that of `as_of`. Each version has its own ETag. "
        f"{_selected_text(resource)}",
        returns=lambda: detail_model(resource),
        query=lambda: query_models(resource).detail,
        leaves_out=lambda: OF_SELECT,
        in_path=id_in_path(resource),
        statuses={"200": f"The {resource.one}."},
        problems=of_records(resource),
    )
    async def read(request: Request, query: Any, **path: str) -> Response:
        record_id = checked_id(path[id_name])
        detail = reading.detail if query.as_of is None else history.detail
        return await write_response(
            request,
            lambda: detail(record_id, query, read_request(request)),
            keys=lambda: keys_of_detail(resource, record_id, query),
        )


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
        about=f"Returns the same as `GET /v1/{target.name}?{include.parameter}=…`, and accepts the filters of "
        f"that list.",
        returns=lambda: page_model(target),
        query=lambda: query_models(target).page,
        leaves_out=lambda: {*OF_SELECT, *target.parameters},
        in_path=id_in_path(owner),
        problems=of_records(owner, Forbidden),
    )
    async def read(request: Request, query: BaseModel, **path: str) -> Response:
        parent = checked_id(path[id_name])
        return await write_response(
            request,
            lambda: reading.nested(parent, include, query, read_request(request)),
            keys=lambda: keys_of_list(target, query, [include.parameter]),
        )


def of_records(resource: Resource, *others: type[Problem]) -> tuple[type[Problem], ...]:
    """Return the problems of the reads of one record and of its nested lists."""
    merging = () if resource.merged_into_column is None else (Moved,)
    return (*OF_DETAILS, *merging, *others)


@cache
def page_model(resource: Resource) -> Any:
    """Return the model of a page of a list, for the OpenAPI document."""
    name = f"{resource.table.__name__}Page"
    return create_model(name, __doc__=f"A page of {resource.name}.", **_page_members(resource.shown, _included()))


@cache
def partial_page_model(resource: Resource) -> Any:
    """Return the model of a page of records with some of their members, for the OpenAPI document."""
    partial = _partial(resource)
    name = f"Partial{resource.table.__name__}Page"
    text = f"A page of {resource.name} with the members that `fields` names."
    return create_model(name, __doc__=text, **_page_members(partial, _partial_included()))


def _page_members(items: Any, included: dict[str, Any]) -> dict[str, Any]:
    return {
        "items": (list[items], Field(description="The records in the order of `sort`.")),
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
        **included,
    }


@cache
def detail_model(resource: Resource) -> Any:
    """Return the model of a detail, for the OpenAPI document."""
    name = f"{resource.table.__name__}Detail"
    return create_model(name, __base__=resource.shown, __doc__=str(resource.shown.__doc__), **_included())


@cache
def _partial(resource: Resource) -> Any:
    """Return a model that stands for some members of a record. The OpenAPI document has its members."""
    return create_model(f"Partial{resource.table.__name__}", __doc__=f"Some members of {resource.a_one}.")


@cache
def _included() -> dict[str, Any]:
    return _included_members("Included", lambda resource: resource.shown)


@cache
def _partial_included() -> dict[str, Any]:
    return _included_members("PartialIncluded", _partial)


def _included_members(name: str, model_of: Callable[[Resource], Any]) -> dict[str, Any]:
    """Return the members of a response with linked records. Their model has a member for each name of an include."""
    resources: dict[str, dict[str, Resource]] = {}
    for link in chain.from_iterable(resource.includes.values() for resource in RESOURCES.values()):
        resources.setdefault(link.name, {})[link.resource.name] = link.resource
    members: dict[str, Any] = {}
    for include_name, targets in resources.items():
        models: Any = reduce(or_, map(model_of, targets.values()))
        text = f"Linked records ({', '.join(targets)}) by id."
        members[include_name] = (dict[str, models], Field(default={}, description=text))
    for owner, computed in COMPUTED_INCLUDES.items():
        for include_name, include in computed.items():
            model: Any = include.model
            text = f"Computed for each of the {owner}, by id."
            members[include_name] = (dict[str, model], Field(default={}, description=text))
    text = "The linked records that `include` asked for, by name of the include and by id. At most 200 for each name."
    included = create_model(name, __doc__=text, **members)
    text = "Paths of the remaining records, for each name in include with more than 200. Only with include."
    return {
        "included": (included, Field(default=None, description="Only with include.")),
        "included_next": (dict[str, list[str]], Field(default={}, description=text)),
    }
