"""Reads of the annotations and the provenance of a record, and of the annotations of a paragraph."""

from collections.abc import Mapping
from typing import Any

from app.analysis.evidence.reading import Quoted, latest_changes, read_quoted
from app.core.access.keys import KEYS
from app.core.change_log import CHANGES, REDACTOR
from app.core.database.statements import Query, Read
from app.core.model.resource import Resource
from app.core.reading.reads import reading_of
from app.core.reading.results import ReadRequest
from app.core.values.dates import today_in_utc
from app.core.values.json import from_json
from app.documents.models import DOCUMENTS
from app.documents.texts.reading import paragraph_content, with_texts
from app.exchange.linked_data.annotations import Cited, Publication, collection
from app.exchange.linked_data.provenance import Provenance, Version

_MEMBERS = (CHANGES.c.sequence, CHANGES.c.version, CHANGES.c.at, CHANGES.c.shown, CHANGES.c.actor, KEYS.c.partner)
_VERSIONS = Query(latest_changes(*_MEMBERS).outerjoin_from(CHANGES, KEYS, CHANGES.c.actor == "key:" + KEYS.c.id))


def read_annotations(resource: Resource, record_id: str, request: ReadRequest, publication: Publication) -> Read:
    """Read the citations of a public record as annotations."""

    def read() -> Read:
        quoted = yield from read_quoted(resource, record_id, request, today_in_utc())
        label = f"Citations of {resource.name}/{record_id}"
        return collection(request.path, label, _cited(resource, quoted), publication), None

    return (yield from with_texts(request, read))


def read_provenance(resource: Resource, record_id: str, request: ReadRequest, publication: Publication) -> Read:
    """Read the provenance of a public record."""

    def read() -> Read:
        quoted = yield from read_quoted(resource, record_id, request, today_in_utc())
        rows = yield _VERSIONS, {"resource": resource.name, "id": record_id}
        versions = [_version(Version(*row)) for row in rows]
        cited = _cited(resource, quoted)
        path = f"/v1/{resource.name}/{record_id}"
        provenance = Provenance(path, quoted.record, cited, quoted.documents, versions, publication)
        return provenance.graph(), None

    return (yield from with_texts(request, read))


def read_paragraph_annotations(document_id: str, number: int, request: ReadRequest, publication: Publication) -> Read:
    """Read the citations of a paragraph as annotations."""

    def read() -> Read:
        paragraph = yield from paragraph_content(document_id, number, request)
        bodies = yield from reading_of(DOCUMENTS).bodies([document_id])
        document = from_json(bodies[document_id])
        cited = [_of_paragraph(quotation, paragraph, document) for quotation in paragraph["quotations"]]
        label = f"Citations of paragraph {number} of {document_id}"
        return collection(request.path, label, cited, publication), None

    return (yield from with_texts(request, read))


def _cited(resource: Resource, quoted: Quoted) -> list[Cited]:
    path = f"/v1/{resource.name}/{quoted.record['id']}"
    documents = {document["id"]: document for document in quoted.documents}
    texts = {(paragraph["document"], paragraph["paragraph"]): paragraph["text"] for paragraph in quoted.paragraphs}
    return [
        Cited(
            path,
            quotation,
            texts.get((quotation["document"], quotation["paragraph"])),
            documents.get(quotation["document"], {}),
        )
        for quotation in quoted.quotations
    ]


def _of_paragraph(quotation: Mapping[str, Any], paragraph: Mapping[str, Any], document: Mapping[str, Any]) -> Cited:
    return Cited(f"/v1/{quotation['resource']}/{quotation['id']}", quotation, paragraph["text"], document)


def _version(version: Version) -> Version:
    return version._replace(action="redact") if version.actor.startswith(REDACTOR) else version
