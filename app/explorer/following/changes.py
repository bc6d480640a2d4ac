"""`/changes`: what was created, changed and deleted, the newest first, and the same as an Atom feed."""

from typing import Any

from app.explorer.reads import PublicReads
from app.explorer.rendering import ATOM, Content
from app.explorer.view import View

PAGE_SIZE = 50
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
    """Return the Changes before a number. The API lists them in order, so the number of the last one is read first."""
    last = (await reads.get("/v1/changes", {"limit": 1}))["last"]
    until = last if before is None else min(before - 1, last)
    after = max(0, until - PAGE_SIZE)
    page = await reads.get("/v1/changes", {"after": after, "limit": PAGE_SIZE}) if until > 0 else {"items": []}
    items = [item for item in reversed(page["items"]) if item["sequence"] <= until]
    return {"items": items, "last": last, "older": after + 1 if after > 0 else None, "is_first": before is None}
