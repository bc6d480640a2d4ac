"""Reads that several pages make."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any
from urllib.parse import parse_qs, urlsplit

from app.explorer.reads import PublicReads
from app.explorer.view import View

MAX_NAMED = 100  # records of one resource of which a page reads only the names
MAX_LISTED = 25  # records of a list inside a page; the rest is behind a link
MAX_LINES = 15  # the same where a page has several lists

# The fields of included records that pages show. Whole ones take as long as the records of the list.
SHOWN_FIELDS = {"documents": "title,language", "projects": "title", "partners": "name", "indicators": "name"}

# The fields of records in lists inside other pages.
LINE_FIELDS = {
    "projects": "title,status,roles,citations",
    "agreements": "title,status,signed_on,citations",
    "figures": "indicator,kind,value,value_high,text,unit,unit_text,qualifier,period,places,project,as_written,"
    "breakdown,citations",
    "partners": "name",
}

# The resources of the records by which lists are filtered.
RESOURCE_OF = {
    **dict.fromkeys(("partner", "parent", "issuer", "speaker", "to", "provider", "receiver"), "partners"),
    **dict.fromkeys(("project", "part_of"), "projects"),
    **dict.fromkeys(("place", "country"), "places"),
    **{name.removesuffix("s"): name for name in ("agreements", "milestones", "indicators", "documents")},
}

# The fields that name a record. A figure has no name, but the words that state it.
NAMES = {
    "projects": "title",
    "agreements": "title",
    "partners": "name",
    "milestones": "title",
    "statements": "summary",
    "figures": "as_written",
    "indicators": "name",
    "documents": "title",
    "places": "name",
}


async def read_list(reads: PublicReads, view: View, resource: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page of a list with labels, and add the documents that its records cite."""
    fields = _fields_of(parameters.get("include", ""))
    everything = {"limit": MAX_LISTED, **parameters, "labels": view.language, **fields}
    page: dict[str, Any] = await reads.get(f"/v1/{resource}", everything)
    view.add_documents(page.get("included", {}).get("documents", {}))
    return page


async def read_record(reads: PublicReads, view: View, resource: str, record_id: str, include: str) -> dict[str, Any]:
    """Return a record with labels and included records, and add the documents that it cites."""
    parameters = {"include": include, "labels": view.language, **_fields_of(include)}
    record: dict[str, Any] = await reads.get(f"/v1/{resource}/{record_id}", parameters)
    view.add_documents(record["included"].get("documents", {}))
    return record


async def read_lines(reads: PublicReads, view: View, resource: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page of a list of which another page shows a line for each record."""
    return await read_list(reads, view, resource, {"limit": MAX_LINES, **parameters, "fields": LINE_FIELDS[resource]})


def _fields_of(include: str) -> dict[str, str]:
    """Return the parameters that choose fields of included records."""
    return {f"fields[{name}]": SHOWN_FIELDS[name] for name in include.split(",") if name in SHOWN_FIELDS}


async def read_evidence(reads: PublicReads, view: View, resource: str, record_id: str) -> dict[str, Any]:
    """Return the evidence of a record, and add the names of the records in its findings."""
    evidence: dict[str, Any] = await reads.get(f"/v1/{resource}/{record_id}/evidence")
    mentioned = chain.from_iterable(finding["records"] for finding in evidence["findings"])
    await read_names(reads, view, [other for other in mentioned if other["id"] != record_id], most=4)
    return evidence


async def read_names(reads: PublicReads, view: View, records: Iterable[Mapping[str, Any]], most: int) -> None:
    """Add the names of records, which are given by resource and id, with at most this number of reads."""
    wanted: dict[str, dict[str, None]] = {}
    for record in records:
        wanted.setdefault(record["resource"], {})[record["id"]] = None
    named = [resource for resource in wanted if resource in NAMES][:most]
    for resource in named:
        parameters = {"id": list(wanted[resource])[:MAX_NAMED], "fields": NAMES[resource], "limit": MAX_NAMED}
        page = await reads.get(f"/v1/{resource}", parameters)
        view.add_names(resource, page["items"])


async def read_documents(reads: PublicReads, view: View, documents: Iterable[str]) -> None:
    """Add documents that a page quotes, given by their ids."""
    wanted = list(dict.fromkeys(documents))[:MAX_NAMED]
    if wanted:
        parameters = {"id": wanted, "fields": SHOWN_FIELDS["documents"], "limit": MAX_NAMED}
        view.add_documents(by_id((await reads.get("/v1/documents", parameters))["items"]))


async def read_filter_names(reads: PublicReads, view: View, filters: Iterable[tuple[str, str]]) -> None:
    """Add the names of the records by which a list is filtered."""
    named = [{"resource": RESOURCE_OF[name], "id": value} for name, value in filters if name in RESOURCE_OF]
    await read_names(reads, view, named, most=2)


async def read_total(reads: PublicReads, resource: str, filters: Mapping[str, Any]) -> int:
    """Return the number of records of a resource that filters select."""
    page = await reads.summary(f"/v1/{resource}", {**filters, "limit": 1, "total": "true", "fields": "id"})
    total: int = page["total"]
    return total


def cursor_of(path: str | None) -> str | None:
    """Return the cursor in the path of the next page."""
    return parse_qs(urlsplit(path).query)["cursor"][0] if path else None


def by_id(records: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return records by their ids."""
    return {record["id"]: record for record in records}


def joined(*pages: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the included records of several responses together."""
    together: dict[str, dict[str, Any]] = {}
    for page in pages:
        for name, records in page.get("included", {}).items():
            together.setdefault(name, {}).update(records)
    return together
