"""`/timeline`: dated events by year, each as precisely as its source states it."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from app.explorer.drawing.time_axis import TimeAxis
from app.explorer.page_reads import RESOURCE_OF, cursor_of, read_filter_names, read_list, read_total
from app.explorer.reads import PublicReads
from app.explorer.rendering import Content
from app.explorer.view import View

FILTERS = ("project", "agreement", "partner", "place", "document")
PAGE_SIZE = 25


async def timeline_page(view: View, reads: PublicReads) -> Content:
    """Return a page of events."""
    query = dict(view.query)
    filters = {name: query[name] for name in FILTERS if query.get(name)}
    parameters = {**filters, "cursor": query.get("cursor"), "limit": PAGE_SIZE}
    page = await read_list(reads, view, "milestones", {**parameters, "sort": "date", "include": "projects,documents"})
    await read_filter_names(reads, view, filters.items())
    years = [(year, list(events)) for year, events in groupby(page["items"], key=_year)]
    cursor = cursor_of(page["next"])
    values = {
        "page": page,
        "total": await read_total(reads, "milestones", filters),
        "included": page["included"],
        "years": years,
        "axis": TimeAxis(event["date"] for event in page["items"]),
        "filters": filters,
        "resource_of": RESOURCE_OF,
        "next": {**filters, "cursor": cursor} if cursor else None,
        "is_first": "cursor" not in query,
    }
    return Content("timeline.html", values, "timeline")


def _year(event: Mapping[str, Any]) -> str:
    """Return the year in which an event begins; "before" if only its end is known, and "" without a date."""
    date = event["date"]
    if date is None:
        return ""
    earliest: str | None = date["earliest"]
    return earliest[:4] if earliest else "before"
