"""`/search?q=`: hits of the API's search, with the matched words marked in the original spelling."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.explorer.page_reads import cursor_of
from app.explorer.reads import PublicReads
from app.explorer.rendering import Content
from app.explorer.view import PAGES, View

PAGE_SIZE = 20


async def search_page(view: View, reads: PublicReads) -> Content:
    """Return the page of a search; without a query, its form only."""
    query = dict(view.query)
    search = query.get("q", "").strip()
    resource = query.get("resource") if query.get("resource") in PAGES else None
    page: dict[str, Any] = {"items": [], "next": None, "corrected": None, "not_found": []}
    if search:
        parameters = {"q": search, "resource": resource, "limit": PAGE_SIZE, "cursor": query.get("cursor")}
        page = await reads.get("/v1/search", {**parameters, "labels": view.language})
    values = {
        "search": search,
        "resource": resource,
        "resources": PAGES,
        "page": page,
        "hits": [_hit_values(view, hit) for hit in page["items"]],
        "next": cursor_of(page["next"]),
    }
    return Content("search.html", values)


def _hit_values(view: View, hit: Mapping[str, Any]) -> dict[str, Any]:
    """Return a hit with the parts of its snippet, and whether this is the name that the page shows, and stands once."""
    name = view.texts(hit["name"])[0].text if hit["name"] else ""
    return {"hit": hit, "parts": list(_parts(hit)), "is_title": name == hit["snippet"]}


def _parts(hit: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a snippet, and whether each is a matched word."""
    snippet = hit["snippet"] or ""
    end = 0
    for start, stop in hit["highlights"] or ():
        yield snippet[end:start], False
        yield snippet[start:stop], True
        end = stop
    yield snippet[end:], False
