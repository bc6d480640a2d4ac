"""`/changes`: what was created, changed and deleted, the newest first, and the same as an Atom feed."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from app.explorer.reads import PublicReads
from app.explorer.rendering import ATOM, Content
from app.explorer.view import View

PAGE_SIZE = 50
READS = 8
ITEMS_OF_READ = 200
MAX_NUMBERS = 4_000  # of a read: the API examines no more for a page
MAX_DIGITS = 15


async def changes_page(view: View, reads: PublicReads) -> Content:
    """Return a page of Changes. `before` in its URL is the number of the Change before which it starts."""
    before = dict(view.query).get("before", "")
    start = int(before) if before.isascii() and before.isdigit() and len(before) <= MAX_DIGITS else None
    return Content("changes.html", await _changes(reads, start), "changes")


async def changes_feed(_: View, reads: PublicReads) -> Content:
    """Return the newest Changes as an Atom feed."""
    return Content("changes.atom", await _changes(reads, None), media_type=ATOM)


async def _changes(reads: PublicReads, before: int | None) -> dict[str, Any]:
    """Return the public Changes before a number, the newest first.

    The API lists them in order, without those of drafts, and ends a page of large records early. So the newest numbers
    are read first: then earlier and more of them if there are too few public Changes, or fewer if a page ended early.
    """
    last = (await reads.get("/v1/changes", {"limit": 1}))["last"]
    until = last if before is None else min(before - 1, last)
    size = PAGE_SIZE
    items: list[dict[str, Any]] = []
    for _ in range(READS):
        after = max(0, until - size)
        if until <= 0 or len(items) >= PAGE_SIZE:
            break
        page = await reads.get("/v1/changes", {"after": after, "limit": ITEMS_OF_READ})
        if _read_to(page) < until:
            size = max(1, size // 4)
            continue
        items += [item for item in reversed(page["items"]) if item["sequence"] <= until]
        until = after
        size = min(size * 4, MAX_NUMBERS)
    newest = items[:PAGE_SIZE]
    older = newest[-1]["sequence"] if len(items) > PAGE_SIZE else until + 1 if until > 0 else None
    return {"items": newest, "last": last, "older": older, "is_first": before is None}


def _read_to(page: Mapping[str, Any]) -> int:
    """Return the number of the last Change that the API examined for a page."""
    return int(parse_qs(urlsplit(page["next"]).query)["after"][0])
