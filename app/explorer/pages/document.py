"""`/documents/{id}`: the cited paragraphs of a document, with the words and the records that cite them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from app.explorer.page_reads import cursor_of, read_record
from app.explorer.passages import Part, marked
from app.explorer.reads import PublicReads
from app.explorer.rendering import Content
from app.explorer.view import View

# The resources that cite documents, with the fields that name a record.
RESOURCES = {
    "projects": "title",
    "agreements": "title",
    "partners": "name",
    "milestones": "title",
    "statements": "summary",
    "figures": "indicator,value,value_high",
    "transactions": "value,currency",
}
MAX_CITING = 50  # records of each resource
MAX_PARAGRAPHS = 200  # of a stored text on a page
MAX_SQUARES = 400  # of a document with more paragraphs, only the cited ones are listed


class Quotation(NamedTuple):
    """Words of a document, with the record that cites them."""

    resource: str
    record: Mapping[str, Any]
    citation: Mapping[str, Any]


async def document_page(view: View, reads: PublicReads, document: str) -> Content:
    """Return the page of a document."""
    record = await read_record(reads, view, "documents", document, "partners,documents")
    view.add_documents({document: record})
    quotations: list[Quotation] = []
    more = []
    for resource, fields in RESOURCES.items():
        parameters: dict[str, Any] = {"document": document, "limit": MAX_CITING, "fields": f"{fields},citations"}
        if resource == "figures":
            parameters |= {"include": "indicators", "fields[indicators]": "name"}
        page = await reads.get(f"/v1/{resource}", parameters)
        quotations += _quotations(resource, page, document)
        more += [resource] if page["next"] else []
    paragraphs = _by_paragraph(quotations)
    text = await _read_text(view, reads, document)
    counts = {number: len(cited) for number, cited in paragraphs.items() if number}
    values = {
        "record": record,
        "included": record["included"],
        "paragraphs": _of_page(paragraphs, text),
        "parts": {item["paragraph"]: _parts(item) for item in _readable(text)},
        "next": cursor_of(text["next"]) if _readable(text) else None,
        "squares": _squares(record["paragraphs"], counts),
        "count": len(counts),
        "more": more,
    }
    return Content("document.html", values, "documents")


async def _read_text(view: View, reads: PublicReads, document: str) -> dict[str, Any]:
    """Return a page of the paragraphs of the document; an empty one if none of its text may be shown.

    A page of paragraphs has all quotations from them, which take long, and which this page has already read.
    """
    text = await reads.get_if_exists(f"/v1/documents/{document}/text")
    if text is None or text["shown"] == "nobody":
        return {"items": [], "next": None}
    parameters = {"limit": MAX_PARAGRAPHS, "cursor": dict(view.query).get("cursor")}
    page: dict[str, Any] = await reads.get(f"/v1/documents/{document}/paragraphs", parameters)
    return page


def _readable(text: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the paragraphs whose text may be shown."""
    return [item for item in text["items"] if item["text"] is not None]


def _parts(paragraph: Mapping[str, Any]) -> list[Part]:
    """Return the parts of a paragraph, with the stronger mark for words that state a number."""
    quotations = paragraph["quotations"]
    states_number = [
        quotation["resource"] == "figures" and "value" in quotation["supports"] for quotation in quotations
    ]
    return marked(paragraph["text"], zip(quotations, states_number, strict=True))


def _of_page(
    paragraphs: dict[int, dict[str, list[Quotation]]], text: Mapping[str, Any]
) -> dict[int, dict[str, list[Quotation]]]:
    """Return the quotations of the paragraphs of this page; those of the whole document are on each page."""
    if not _readable(text):
        return paragraphs
    whole = {0: paragraphs[0]} if 0 in paragraphs else {}
    numbers = [item["paragraph"] for item in text["items"]]
    return {**whole, **{number: paragraphs.get(number, {}) for number in numbers}}


def _quotations(resource: str, page: Mapping[str, Any], document: str) -> Iterator[Quotation]:
    for record in page["items"]:
        named = record
        if resource == "figures":
            indicator = page["included"]["indicators"].get(record["indicator"], {})
            named = {**record, "name": indicator.get("name")}
        for citation in record["citations"]:
            if citation["document"] == document:
                yield Quotation(resource, named, citation)


def _by_paragraph(quotations: list[Quotation]) -> dict[int, dict[str, list[Quotation]]]:
    """Return the quotations by paragraph (0: of the whole document) and by their words, in reading order."""
    paragraphs: dict[int, dict[str, list[Quotation]]] = {}
    for quotation in quotations:
        number = quotation.citation["paragraph"] or 0
        words = quotation.citation["as_written"] or ""
        paragraphs.setdefault(number, {}).setdefault(words, []).append(quotation)
    return dict(sorted(paragraphs.items()))


def _squares(total: int | None, counts: Mapping[int, int]) -> list[tuple[int, str]]:
    """Return each paragraph with the class of its square, which shows the number of quotations from it."""
    if not total or total > MAX_SQUARES:
        return []
    shades = ("", "c1", "c2", "c3")
    return [(number, shades[min((counts.get(number, 0) + 2) // 3, 3)]) for number in range(1, total + 1)]
