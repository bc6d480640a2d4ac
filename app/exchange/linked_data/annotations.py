"""Citations as Web Annotations (https://www.w3.org/TR/annotation-model/).

The target of an annotation is the quoted passage of a document. Its bodies are the parts of the record that the passage
supports, the basis of the citation, and its note.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from app.core.public_paths import absolute
from app.core.values.json import to_json
from app.documents.texts.paragraphs import literally_around

CONTEXT = "http://www.w3.org/ns/anno.jsonld"  # the standard requires this address; its clients have the file
MEDIA_TYPE = f'application/ld+json; profile="{CONTEXT}"'
JSON_POINTER = "http://tools.ietf.org/rfc/rfc6901"
NO_LANGUAGE = "und"
CITATION = ("document", "paragraph", "as_written", "supports", "basis", "note")

Quotation = Mapping[str, Any]


class Publication(NamedTuple):
    """The registry that publishes annotations: its URL, name and the licence of its data."""

    url: str
    name: str
    licence: str

    def address(self, path: str) -> str:
        """Return the URL of a path, or the path if the URL of the registry is not known."""
        return absolute(self.url, path)


class Cited(NamedTuple):
    """A citation of a record: the path of the record, the paragraph if it may be shown, and the document."""

    record: str
    quotation: Quotation
    paragraph: str | None
    document: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """A digest of the citation, which stays the same while the citation does."""
        content = to_json([self.quotation[name] for name in CITATION])
        return hashlib.blake2b(content, digest_size=8).hexdigest()


def evidence_path(record: str) -> str:
    """Return the path of the annotations of a record."""
    return f"{record}/evidence.jsonld"


def annotation_id(cited: Cited, publication: Publication) -> str:
    """Return the address of an annotation. It is the same in all collections."""
    return f"{publication.address(evidence_path(cited.record))}#{cited.digest}"


def collection(path: str, label: str, citations: Iterable[Cited], publication: Publication) -> dict[str, Any]:
    """Return annotations as a collection with one page. Equal citations of a record are one annotation."""
    address = publication.address(path)
    annotations = {(cited.record, cited.digest): _annotation(cited, publication) for cited in citations}
    page = {"id": f"{address}#page", "type": "AnnotationPage", "startIndex": 0, "items": list(annotations.values())}
    return {
        "@context": CONTEXT,
        "id": address,
        "type": "AnnotationCollection",
        "label": label,
        "total": len(annotations),
        "rights": publication.licence,
        "generator": {"id": publication.address("/"), "type": "Software", "name": publication.name},
        "first": page,
        "last": page["id"],
    }


def _annotation(cited: Cited, publication: Publication) -> dict[str, Any]:
    return {
        "id": annotation_id(cited, publication),
        "type": "Annotation",
        "motivation": "linking",
        "body": [*_supported(cited, publication), *_remarks(cited.quotation)],
        "target": _target(cited, publication),
    }


def _supported(cited: Cited, publication: Publication) -> Iterator[dict[str, Any]]:
    """Yield the record, or each of its parts that the citation supports."""
    source = {"id": publication.address(cited.record), "type": "Dataset", "format": "application/json"}
    if not cited.quotation["supports"]:
        yield source
    for part in cited.quotation["supports"]:
        pointer = part if part.startswith("/") else f"/{part}"
        selector = {"type": "FragmentSelector", "conformsTo": JSON_POINTER, "value": pointer}
        yield {"type": "SpecificResource", "purpose": "linking", "source": source, "selector": selector}


def _remarks(quotation: Quotation) -> Iterator[dict[str, Any]]:
    yield {"type": "TextualBody", "purpose": "tagging", "value": quotation["basis"]}
    for language, text in (quotation["note"] or {}).items():
        remark = {"type": "TextualBody", "purpose": "commenting", "format": "text/plain", "value": text}
        yield remark if language == NO_LANGUAGE else {**remark, "language": language}


def _target(cited: Cited, publication: Publication) -> dict[str, Any]:
    """Return the quoted passage at the address of the publisher, or at that of the registry if there is none."""
    quotation = cited.quotation
    document = cited.document
    path = f"/v1/documents/{quotation['document']}"
    source: dict[str, Any] = {"id": document.get("url") or publication.address(path), "type": "Text"}
    if document.get("language"):
        source["language"] = document["language"]
    target: dict[str, Any] = {"type": "SpecificResource", "source": source}
    if quotation["paragraph"]:
        target["scope"] = publication.address(f"{path}/paragraphs/{quotation['paragraph']}")
    if quotation["as_written"]:
        target["selector"] = _selector(cited)
    return target


def _selector(cited: Cited) -> dict[str, str]:
    selector = {"type": "TextQuoteSelector", "exact": cited.quotation["as_written"]}
    places = cited.quotation["places"]
    if cited.paragraph and places:
        prefix, suffix = literally_around(cited.paragraph, places[0])
        selector |= {"prefix": prefix} if prefix else {}
        selector |= {"suffix": suffix} if suffix else {}
    return selector
