"""Lists of records with a search field, filters as links with their counts, and downloads of the same records."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from app.core.public_paths import public
from app.explorer.page_reads import RESOURCE_OF, read_filter_names, read_list, read_total
from app.explorer.pages.money import INCLUDE
from app.explorer.reads import PublicReads
from app.explorer.rendering import Content
from app.explorer.view import View

PAGE_SIZE = 25
MAX_FACET_VALUES = 12
FORMATS = ("csv", "xlsx", "jsonl")


class RecordList(NamedTuple):
    """A list page: what it includes, its facets, its order, and other filters that links of pages set."""

    resource: str
    include: str
    facets: tuple[str, ...]
    filters: tuple[str, ...]
    sort: str | None = None


LISTS = (
    RecordList("projects", "documents", ("kind", "status", "role"), ("partner", "place", "part_of", "sector", "sdg")),
    RecordList("agreements", "documents", ("kind", "status"), ("partner", "project", "place"), "-signed_on"),
    RecordList("partners", "places", ("kind", "country"), ("parent", "project"), "name"),
    RecordList("documents", "partners", ("kind",), ("issuer",)),
    RecordList(
        "figures",
        "indicators,projects,places,documents",
        ("kind", "unit"),
        ("indicator", "project", "agreement", "partner", "place", "milestone"),
    ),
    RecordList(
        "statements", "partners,documents", ("kind",), ("project", "agreement", "partner", "milestone", "speaker", "to")
    ),
    RecordList(
        "transactions",
        INCLUDE,
        ("kind", "currency"),
        ("project", "agreement", "partner", "provider", "receiver"),
        "-date",
    ),
)


def list_page(record_list: RecordList) -> Callable[[View, PublicReads], Any]:
    """Return the function that reads the page of a list."""

    async def read(view: View, reads: PublicReads) -> Content:
        return await _list_content(record_list, view, reads)

    return read


async def _list_content(record_list: RecordList, view: View, reads: PublicReads) -> Content:
    filters = _filters(record_list, view.query)
    search = dict(view.query).get("q", "").strip()
    narrowed: dict[str, Any] = {**filters, "q": search}
    order = {} if search or not record_list.sort else {"sort": record_list.sort}
    cursor = dict(view.query).get("cursor")
    place = {"cursor": cursor, "limit": PAGE_SIZE}
    page = await read_list(
        reads, view, record_list.resource, {**narrowed, **order, **place, "include": record_list.include}
    )
    total = _count_of_hits(page, cursor) if search else await read_total(reads, record_list.resource, filters)
    await read_filter_names(reads, view, _pairs(filters))
    facets: dict[str, Any] = {}
    if not search:  # facets do not take a search
        parameters = {"facet": list(record_list.facets), "limit": MAX_FACET_VALUES, **filters}
        facets = (await reads.summary(f"/v1/{record_list.resource}/facets", parameters))["facets"]
    values = {
        "resource": record_list.resource,
        "page": page,
        "total": total,
        "included": page.get("included", {}),
        "search": search,
        "chosen": _pairs(filters),
        "resource_of": RESOURCE_OF,
        "facets": facets,
        "filters": filters,
        "next": _next(page["next"], narrowed),
        "is_first": "cursor" not in dict(view.query),
        "narrowed": {name: value for name, value in narrowed.items() if value},
        "downloads": _downloads(record_list.resource, narrowed),
    }
    return Content("list.html", values, record_list.resource)


def _count_of_hits(page: Mapping[str, Any], cursor: str | None) -> int | None:
    """Return the number of records that match a search, if this page has all. To count many takes too long."""
    return None if cursor or page["next"] else len(page["items"])


def _filters(record_list: RecordList, query: Any) -> dict[str, list[str]]:
    """Return the filters of the URL that this list has; others are ignored."""
    filters: dict[str, list[str]] = {}
    for name, value in query:
        if value and name in (*record_list.facets, *record_list.filters, "document"):
            filters.setdefault(name, []).append(value)
    return filters


def _pairs(filters: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, values in filters.items():
        pairs += [(name, value) for value in values]
    return pairs


def _next(path: str | None, narrowed: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the parameters of the next page, from the path of the next page of the API."""
    if path is None:
        return None
    cursor = parse_qs(urlsplit(path).query)["cursor"][0]
    return {**{name: value for name, value in narrowed.items() if value}, "cursor": cursor}


def _downloads(resource: str, narrowed: Mapping[str, Any]) -> list[tuple[str, str]]:
    query = urlencode({name: value for name, value in narrowed.items() if value}, doseq=True)
    return [(name, public(f"/v1/{resource}.{name}") + (f"?{query}" if query else "")) for name in FORMATS]
