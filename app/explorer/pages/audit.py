"""`/audit`: contradictions and gaps in words, with the cited words that show them."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any
from urllib.parse import parse_qs, urlsplit

from app.explorer.page_reads import NAMES, read_documents, read_names
from app.explorer.reads import PublicReads
from app.explorer.rendering import Content
from app.explorer.view import View

PAGE_SIZE = 25
MAX_RECORDS = 10  # of a finding
MAX_QUOTATIONS = 6
SEVERITIES = ("warning", "error")  # each with the higher ones


async def audit_page(view: View, reads: PublicReads) -> Content:
    """Return a page of findings."""
    query = dict(view.query)
    severity = query.get("severity") if query.get("severity") in SEVERITIES else None
    cursor = query.get("cursor")
    place = {"as_of": query.get("as_of"), "cursor": cursor} if cursor else {}
    page = await reads.summary("/v1/audit", {"severity": severity, "limit": PAGE_SIZE, **place})
    mentioned = chain.from_iterable(finding["records"][:MAX_RECORDS] for finding in page["items"])
    await read_names(reads, view, mentioned, most=len(NAMES))
    await read_documents(reads, view, _documents_of(page["items"]))
    following = parse_qs(urlsplit(page["next"]).query) if page.get("next") else {}
    values = {
        "page": page,
        "most": MAX_RECORDS,
        "most_quotations": MAX_QUOTATIONS,
        "severity": severity,
        "severities": SEVERITIES,
        "next": {name: following[name][0] for name in ("severity", "as_of", "cursor") if name in following},
    }
    return Content("audit.html", values, "audit")


def _documents_of(findings: list[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the documents that the page quotes."""
    for finding in findings:
        yield from (cited["document"] for cited in finding["evidence"][:MAX_QUOTATIONS])
