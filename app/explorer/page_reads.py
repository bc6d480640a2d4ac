"""Reads that several pages make."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from app.explorer.reads import PublicReads
from app.explorer.view import View

MAX_LISTED = 25  # records of a list inside a page; the rest is behind a link

# The fields of included records that pages show. Whole ones take as long as the records of the list.
SHOWN_FIELDS = {"documents": "title,language", "projects": "title", "partners": "name", "indicators": "name"}


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


def _fields_of(include: str) -> dict[str, str]:
    """Return the parameters that choose fields of included records."""
    return {f"fields[{name}]": SHOWN_FIELDS[name] for name in include.split(",") if name in SHOWN_FIELDS}


async def read_evidence(reads: PublicReads, resource: str, record_id: str) -> dict[str, Any]:
    """Return the evidence of a record."""
    evidence: dict[str, Any] = await reads.get(f"/v1/{resource}/{record_id}/evidence")
    return evidence


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
