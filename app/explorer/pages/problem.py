"""The page of a read that failed: what is missing, since when, and where to look instead."""

from app.core.public_paths import public
from app.explorer.reads import PublicReads, ReadFailed
from app.explorer.rendering import Content
from app.explorer.view import View

DELETED = 410
MAX_CHANGES = 200


async def problem_content(reads: PublicReads, failure: ReadFailed, path: str) -> Content:
    """Return the page of a failure. That of a deleted record says when it was deleted."""
    since = await _deleted_at(reads, path.strip("/")) if failure.status == DELETED else ""
    values = {"status": failure.status, "problem": failure.problem, "since": since}
    return Content("problem.html", values)


async def _deleted_at(reads: PublicReads, record: str) -> str:
    """Return the instant of a deletion; "" if the record has more Changes than one page."""
    page = await reads.get("/v1/changes", {"record": record, "limit": MAX_CHANGES})
    last = page["items"][-1] if page["items"] else None
    return last["at"] if last and last["action"] == "delete" else ""


def successor_of(view: View, location: str) -> str:
    """Return the page of the record that has replaced another one, from its URL in the API."""
    return view.href(location.partition("?")[0].removeprefix(public("")).removeprefix("/v1"))
