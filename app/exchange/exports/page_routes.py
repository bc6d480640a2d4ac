"""`/v1/search.csv`, `/v1/timeline.csv`, `/v1/audit.csv`, `/v1/figures/aggregate.csv`, `/v1/projects/facets.csv`."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.analysis.aggregates.grouping import ALWAYS
from app.analysis.aggregates.reading import AggregateGroup, AggregatePeriod
from app.analysis.aggregates.routes import aggregate_figures
from app.analysis.audit.routes import FindingShown, read_audit
from app.analysis.timeline.models import EntryShown
from app.analysis.timeline.routes import read_timeline
from app.core.http.operations import Endpoint, operation, operation_of
from app.core.http.responses import read_request, write_response
from app.core.model.labels import LABELS
from app.core.model.resource import RESOURCES, Resource
from app.core.reading.counts.facets import FacetValue, counts_of
from app.exchange.exports.formats import (
    TABLES,
    file_bodies,
    file_response,
    format_in_path,
)
from app.exchange.exports.pages import (
    PagedRead,
    file_query,
    left_out,
    page_chunks,
    rows_of_items,
)
from app.exchange.exports.routes import PROBLEMS
from app.exchange.exports.table_columns import (
    Column,
    TableStyle,
    code_columns,
    model_columns,
)
from app.search.routes import SearchHit, search

PAGE_TEXT = (
    "Takes the parameters of `GET {path}`, and has one row for each {row}, on all pages. `fields` chooses columns, "
    "`labels` adds labels beside codes and dates, and `lang` leaves out texts in the other language."
)
KEY = "key"  # of a group
UNDETERMINED = "name.und"  # the heading of a figure in the words of its source


def _items(content: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = content["items"]
    return items


def _of_search(_: Any, style: TableStyle) -> Sequence[Column]:
    columns = model_columns(SearchHit, style, (LABELS,))
    place = next(number for number, column in enumerate(columns) if column.name.startswith("project"))
    words = Column(UNDETERMINED, "text", ("name", "und"), "The words of the source, for a figure.")
    return (*columns[:place], words, *columns[place:])


def _of_groups(query: Any, style: TableStyle) -> Sequence[Column]:
    names = dict.fromkeys([*query.group_by.split(","), *ALWAYS])
    keys = chain.from_iterable(_of_key(name, style) for name in names)
    return (*keys, *model_columns(AggregateGroup, style, (KEY, LABELS)))


def _of_key(name: str, style: TableStyle) -> Sequence[Column]:
    """Return the columns of a part of the key of a group: a period has two, a code can have its label."""
    if name == "period":
        meanings = AggregatePeriod.model_fields
        return [
            Column(
                f"key.period.{end}",
                "day",
                (KEY, name, end),
                str(meanings[end].description),
            )
            for end in meanings
        ]
    return code_columns(RESOURCES["figures"], name, (KEY, name), style)


def _facet_rows(content: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, facet in content["facets"].items():
        rows += [{"facet": name, **value} for value in facet["values"]]
    return rows


def _of_facets(_: Any, style: TableStyle) -> Sequence[Column]:
    name = Column("facet", "plain", ("facet",), "Name of the facet.")
    return (name, *model_columns(FacetValue, style))


def _has_more_values(content: Any) -> bool:
    return any(facet["more"] for facet in content["facets"].values())


def _facets(resource: Resource) -> PagedRead:
    facets = counts_of(resource)

    async def count(request: Request, query: Any) -> Response:
        return await write_response(request, lambda: facets.count(query, read_request(request)), long=True)

    def query() -> type[BaseModel]:
        return facets.query

    path = f"/v1/{resource.name}/facets"
    name = f"{resource.name}-facets"
    return PagedRead(
        name,
        path,
        resource.name,
        "value",
        query,
        count,
        _facet_rows,
        _of_facets,
        _has_more_values,
    )


def page_exports() -> list[APIRouter]:
    """Return the routers with the files of all reads that return no records."""
    return [_router(paged) for paged in (*READS, *map(_facets, RESOURCES.values()))]


def _of_operation(endpoint: Endpoint, row: str, *table: Any) -> PagedRead:
    """Return the read of an operation. `table` are the other members of PagedRead."""
    declared = operation_of(endpoint)
    path = f"{declared.router.prefix}{declared.path}"
    name = path.removeprefix("/v1/").replace("/", "-")
    return PagedRead(name, path, str(declared.router.tags[0]), row, declared.query, endpoint, *table)


READS = (
    _of_operation(search, "hit", _items, _of_search),
    _of_operation(
        read_timeline,
        "entry",
        _items,
        lambda _, style: model_columns(EntryShown, style, (LABELS,)),
    ),
    _of_operation(
        read_audit,
        "finding",
        _items,
        lambda _, style: model_columns(FindingShown, style, (LABELS,)),
    ),
    _of_operation(
        aggregate_figures,
        "group",
        lambda content: content["groups"],
        _of_groups,
        lambda content: content["more"],
    ),
)


# What the rows of a file are, in the summary of its operation.
ROWS = {
    "hit": "the hits of a search",
    "entry": "entries of the timeline",
    "finding": "findings of the audit",
    "group": "sums of figures",
    "value": "counts of {tag}",
}


def _router(paged: PagedRead) -> APIRouter:
    router = APIRouter(tags=[paged.tag])

    @operation(
        router,
        "GET",
        f"{paged.path}.{{format}}",
        f"Download {ROWS[paged.row].format(tag=paged.tag)} as a table",
        name=f"export_{paged.name.replace('-', '_')}",
        about=PAGE_TEXT.format(path=paged.path, row=paged.row),
        query=lambda: file_query(paged),
        leaves_out=lambda: left_out(paged),
        formats=lambda _: TABLES,
        in_path={"format": format_in_path(TABLES)},
        answers=file_bodies(TABLES),
        statuses={"200": "The file."},
        problems=PROBLEMS,
    )
    async def read(request: Request, query: Any, **path: str) -> Response:
        ending = path["format"]
        table = rows_of_items(paged, query, ending)
        return await file_response(request, table, page_chunks(request, paged, query, ending), query, ending)

    return router
