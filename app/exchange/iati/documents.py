"""Links to documents, if their format and their category in IATI are known."""

import posixpath
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from app.exchange.iati.markup import element, narrated

WEB_PAGE = "A12"  # codes of DocumentCategory
CATEGORIES = {"memorandum_of_understanding": "A09", "contract": "A11"}
PAGES = ("news", "web_page")  # kinds of documents that are web pages, unless their address says otherwise
FILES = {
    ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".htm": "text/html",
    ".html": "text/html",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".pdf": "application/pdf",
}

Record = Mapping[str, Any]


def document_link(document: Record) -> str | None:
    """Return the element of a web page; None if the document is none, or has no address."""
    url = document["url"]
    if not url or document["kind"] not in PAGES:
        return None
    published = document["published_on"] or {"earliest": None, "latest": None}
    is_day = published["earliest"] == published["latest"]
    return element(
        "document-link",
        {"format": _format_of(url) or "text/html", "url": url},
        narrated("title", document["title"]),
        narrated("description", document["description"]) if document["description"] else "",
        element("category", {"code": WEB_PAGE}),
        element("language", {"code": document["language"]}) if document["language"] else "",
        element("document-date", {"iso-date": published["earliest"]}) if is_day and published["earliest"] else "",
    )


def agreement_link(agreement: Record) -> str | None:
    """Return the element of the text of an agreement; None if it has no address, or no category in IATI."""
    urls = [item["value"] for item in agreement["identifiers"] if item["scheme"] == "url"]
    texts = [(url, form) for url in urls if (form := _format_of(url))]
    category = CATEGORIES.get(agreement["kind"])
    if not texts or category is None:
        return None
    url, form = texts[0]
    title = narrated("title", agreement["title"])
    return element("document-link", {"format": form, "url": url}, title, element("category", {"code": category}))


def _format_of(url: str) -> str | None:
    """Return the media type that the address of a file shows."""
    return FILES.get(posixpath.splitext(urlsplit(url).path)[1].lower())
