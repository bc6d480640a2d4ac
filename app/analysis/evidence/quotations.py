"""The citations of a record with their places in the stored texts, and links that open at the words."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from app.core.database.statements import MAX_PAGE_BYTES, Read
from app.core.values.urls import MAX_LENGTH
from app.documents.texts.paragraphs import around, places_of
from app.documents.texts.reading import StoredText, read_numbered, read_stored

NO_PARAGRAPH = 1 << 30  # sorts after every paragraph
WITHOUT_PLACE = (NO_PARAGRAPH, 0)

Citation = Mapping[str, Any]
Paragraphs = Mapping[tuple[str, int], str]


class StoredTexts(NamedTuple):
    """The stored texts of cited documents, and those of their cited paragraphs that were read."""

    stored: Mapping[str, StoredText]
    paragraphs: Paragraphs

    def verified(self, citation: Citation) -> str | None:
        """Return the paragraph with which a citation can be compared; "" if the text has no such paragraph."""
        stored = self.stored.get(citation["document"])
        number = citation["paragraph"]
        if stored is None or not number or not citation["as_written"]:
            return None
        return "" if number > stored.paragraphs else self.paragraphs.get((citation["document"], number))

    def may_show(self, citation: Citation) -> bool:
        """Return whether everyone may read the cited paragraph. The record that cites it is public."""
        stored = self.stored.get(citation["document"])
        return stored is not None and stored.shown != "nobody"


def read_stored_texts(citations: Iterable[Citation]) -> Read:
    """Read the paragraphs that citations name, of the texts that the registry holds, up to MAX_PAGE_BYTES."""
    numbers: dict[str, set[int]] = {}
    for citation in citations:
        if citation["paragraph"]:
            numbers.setdefault(citation["document"], set()).add(citation["paragraph"])
    stored = yield from read_stored(numbers)
    left = MAX_PAGE_BYTES
    paragraphs: dict[tuple[str, int], str] = {}
    for document in stored:
        read = (yield from read_numbered(document, numbers[document], left)) if left > 0 else {}
        left -= sum(len(text.encode()) for text in read.values())
        paragraphs |= {(document, number): text for number, text in read.items()}
    return StoredTexts(stored, paragraphs)


def quotations_of(
    citations: Iterable[Citation], documents: Mapping[str, Mapping[str, Any]], texts: StoredTexts, today: str
) -> list[dict[str, Any]]:
    """Return the citations in reading order: document by document, and by their places in the text."""
    order: dict[str, int] = {}
    keyed = []
    for position, citation in enumerate(citations):
        rank = order.setdefault(citation["document"], len(order))
        paragraph = texts.verified(citation)
        places = places_of(citation["as_written"], paragraph) if paragraph else []
        quotation = _quotation(citation, documents.get(citation["document"], {}), texts, paragraph, places, today)
        keyed.append(
            ((rank, citation["paragraph"] or NO_PARAGRAPH, (places or [WITHOUT_PLACE])[0], position), quotation)
        )
    return [quotation for _, quotation in sorted(keyed, key=lambda pair: pair[0])]


def paragraphs_shown(quotations: Iterable[Citation], texts: StoredTexts) -> list[dict[str, Any]]:
    """Return the quoted paragraphs that everyone may read, in the order of the quotations."""
    names = dict.fromkeys(
        (citation["document"], citation["paragraph"]) for citation in quotations if texts.may_show(citation)
    )
    return [
        {"document": name[0], "paragraph": name[1], "text": texts.paragraphs[name]}
        for name in names
        if name in texts.paragraphs
    ]


def _quotation(
    citation: Citation,
    document: Mapping[str, Any],
    texts: StoredTexts,
    paragraph: str | None,
    places: list[tuple[int, int]],
    today: str,
) -> dict[str, Any]:
    may_show = bool(paragraph and places) and texts.may_show(citation)
    prefix, suffix = around(paragraph or "", places[0]) if may_show else (None, None)
    return {
        **citation,
        "places": places if may_show else [],
        "prefix": prefix,
        "suffix": suffix,
        "link": _link(document.get("url"), citation["as_written"], prefix, suffix),
        "verified": None if paragraph is None else {"on": today, "holds": bool(places)},
    }


def _link(url: str | None, words: str | None, prefix: str | None, suffix: str | None) -> str | None:
    """Return a URL with a text fragment; without one if it would be too long.

    See https://wicg.github.io/scroll-to-text-fragment/.
    """
    if not url or not words:
        return url
    before = f"{_encoded(prefix)}-," if prefix else ""
    after = f",-{_encoded(suffix)}" if suffix else ""
    link = f"{url}{'' if '#' in url else '#'}:~:text={before}{_encoded(words)}{after}"
    return link if len(link) <= MAX_LENGTH else url


def _encoded(text: str) -> str:
    return quote(text, safe="").replace("-", "%2D")
