"""Document links of activities, results and organisations. Each becomes a document, a memorandum also an agreement."""

from typing import Any

from app.core.values.urls import parse_web_url
from app.exchange.formats.lines import ParsedLine
from app.exchange.iati.documents import CATEGORIES
from app.exchange.iati.reading.findings import IMPORTED, keep
from app.exchange.iati.reading.parser import Node
from app.exchange.iati.reading.source import Origin
from app.exchange.iati.reading.values import (
    MAX_LINE,
    UNDETERMINED,
    clean_text,
    day_of,
    derived_id,
    language_tag,
    texts_of,
)
from app.exchange.iati.reporter import ACTIVITY

MAX_CITED = 190  # documents that one record cites
MAX_PROJECTS = 200  # of one agreement
MAX_URL = 2_000
URL = "url"
RAW_URL = "iati-url"  # the scheme of an address that is no web address
# The kinds of documents, by DocumentCategory.
KINDS = {
    **dict.fromkeys(("A07", "A08", "B01", "B06", "B07", "B09", "B10"), "report"),
    **dict.fromkeys(("B02", "B03", "B04", "B05", "B08", "B11", "B12", "B14", "B15"), "strategy_or_plan"),
    **dict.fromkeys(("A12", "B16", "B17", "B18"), "web_page"),
}
AGREEMENT_KINDS = {category: kind for kind, category in CATEGORIES.items()}
LINKED = {"en": "The file links to it here.", "vi": "Tệp dẫn liên kết đến tài liệu này."}


class DocumentLinks:
    """The document links of one activity: the lines of their records, and the citations that lead to them."""

    def __init__(self, origin: Origin, projects: list[str]) -> None:
        self._origin = origin
        self._projects = projects
        self.lines: list[ParsedLine] = []

    def citations_in(self, node: Node, supports: list[str]) -> list[dict[str, Any]]:
        """Return citations of the documents to which an element links."""
        citations: dict[str, dict[str, Any]] = {}
        for link in node.named("document-link"):
            document = self._document(link, is_full=len(citations) >= MAX_CITED)
            if document is not None:
                citations[document] = {"document": document, "supports": supports, "note": LINKED}
        return list(citations.values())

    def _document(self, link: Node, *, is_full: bool) -> str | None:
        address = clean_text(link.get("url"))
        title = texts_of(link.first("title"), self._origin.language)
        is_long = len(address) > (MAX_URL if is_web_address(address) else MAX_LINE)
        if is_full or is_long or not (address or title):
            link.fate = "too_many" if is_full else "too_long" if is_long else "empty"
            return None
        link.fate = IMPORTED
        categories = [category.get("code") for category in link.named("category")]
        keep(*link.named("category"))
        document_id = derived_id(next(iter(title.values()), "document"), "document", address or repr(title))
        if document_id not in self._origin.file.line_ids:
            self._origin.file.line_ids.add(document_id)
            self.lines.append(self._line(link, document_id, address, title or {UNDETERMINED: address}, categories))
        else:
            keep(*link.children)
        self._note_agreement(document_id, address, title, categories)
        return document_id

    def _line(
        self, link: Node, document_id: str, address: str, title: dict[str, str], categories: list[str]
    ) -> ParsedLine:
        is_url = is_web_address(address)
        languages = link.named("language")
        tags = [language_tag(language.get("code")) for language in languages]
        for language, tag in zip(languages, tags, strict=True):
            language.fate = "unknown_code" if tag == UNDETERMINED else IMPORTED if tag == tags[0] else "too_many"
        record = {
            "id": document_id,
            "kind": _kind(categories, link.get("format")),
            "title": title,
            "description": texts_of(link.first("description"), self._origin.language),
            "published_on": day_of(link.first("document-date")),
            "language": tags[0] if tags and tags[0] != UNDETERMINED else None,
            "url": address if is_url else None,
            "identifiers": [{"scheme": RAW_URL, "value": address}] if address and not is_url else [],
        }
        record["citations"] = self._origin.citations(record, ["kind"])
        return self._origin.file.line("documents", record)

    def _note_agreement(self, document_id: str, address: str, title: dict[str, str], categories: list[str]) -> None:
        """Note that the document is the text of an agreement, and that it is about this project."""
        kinds = [AGREEMENT_KINDS[category] for category in categories if category in AGREEMENT_KINDS]
        if not kinds or not title:
            return
        agreements = self._origin.file.agreements
        if document_id not in agreements:
            record: dict[str, Any] = {"title": title, "kind": kinds[0], "status": "signed", "projects": []}
            if is_web_address(address):
                record["identifiers"] = [{"scheme": URL, "value": address}]
            else:
                record["id"] = derived_id(next(iter(title.values())), "agreement", address or repr(title))
            # A text of several categories is not certain to be this form of agreement.
            inferred = ["status"] if len(categories) == 1 else ["status", "kind"]
            more = [{"document": document_id, "supports": ["title"], "note": LINKED}]
            record["citations"] = self._origin.citations(record, inferred, more)
            agreements[document_id] = record
        projects = agreements[document_id]["projects"]
        projects += [project for project in self._projects if project not in projects and len(projects) < MAX_PROJECTS]


def is_web_address(address: str) -> bool:
    """Return whether the registry accepts an address as that of a web page."""
    try:
        parse_web_url(address)
    except ValueError:
        return False
    return address.startswith(("http://", "https://"))


def _kind(categories: list[str], media_type: str) -> str:
    kinds = [KINDS[category] for category in categories if category in KINDS]
    if kinds:
        return kinds[0]
    return "web_page" if media_type.strip().lower() == "text/html" else "publication"


def project_link(identifier: str) -> str:
    """Return what a link to the project of an activity contains."""
    return f"{ACTIVITY}:{identifier}"
