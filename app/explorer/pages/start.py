"""`/`: search, what the registry contains, targets with their results, open requests, and where developers begin."""

from collections.abc import Mapping
from typing import Any

from app.explorer.drawing.progress_bar import bars_of
from app.explorer.page_reads import by_id, joined, read_list, read_total
from app.explorer.reads import PublicReads
from app.explorer.rendering import Content
from app.explorer.view import View

COUNTED = ("projects", "agreements", "partners", "milestones", "figures", "statements", "transactions")
MAX_PROJECTS = 10  # whose progress is compared
MAX_MEASURES = 3
MAX_OPEN = 6
MAX_DOCUMENTS = 8

# Requests that work with any data: none of them needs a record of the dataset.
EXAMPLES = (
    ("/v1/search?q=nha%20may%20thong%20minh", "example_search"),
    ("/v1/projects?limit=1&include=partners,figures", "example_project"),
    ("/v1/progress?limit=3", "example_progress"),
)
FOR_DEVELOPERS = (
    ("/guides/use-the-api", "use_the_api"),
    ("/guides/keep-in-step", "keep_in_step"),
    ("/guides", "all_guides"),
    ("/docs", "try_api"),
    ("/reference", "api_reference"),
    ("/openapi.json", "contract"),
    ("/v1/export", "download_everything"),
    ("/v1", "index"),
    ("/readyz", "readiness"),
)


async def start_page(view: View, reads: PublicReads) -> Content:
    """Return the first page."""
    totals = {name: await read_total(reads, name, {}) for name in COUNTED}
    documents = await read_list(reads, view, "documents", {"kind": "news", "limit": MAX_DOCUMENTS})
    measures = _measures((await reads.summary("/v1/progress", {"limit": MAX_PROJECTS}))["items"])
    projects = list(dict.fromkeys(measure["project"]["project"] for measure in measures))
    figures = await read_list(reads, view, "figures", {"project": projects, "limit": 100, "include": "documents"})
    stated = {"kind": ["request", "commitment"], "include": "partners,documents"}
    statements = await read_list(reads, view, "statements", stated)
    values = {
        "totals": totals,
        "documents": documents,
        "measures": measures,
        "figures": by_id(figures["items"]),
        "included": joined(statements),
        "open_statements": [item for item in statements["items"] if not item["fulfilled_by"]][:MAX_OPEN],
        "examples": EXAMPLES,
        "for_developers": FOR_DEVELOPERS,
    }
    return Content("start.html", values, "start")


def _measures(projects: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the first indicators that have a target, those with a result first."""
    measures = []
    for project in projects:
        for entry in project["indicators"]:
            bars = bars_of(entry)
            measures += [{"project": project, "entry": entry, "bars": bars}] if bars else []
    measures.sort(key=lambda measure: measure["bars"][0].actual is None)
    return measures[:MAX_MEASURES]
