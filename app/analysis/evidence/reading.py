"""The read of the evidence of a record."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, literal_column, select, union_all

from app.analysis.audit.walk import findings_of
from app.analysis.evidence.arithmetic import computations
from app.analysis.evidence.models import CitedDocument
from app.analysis.evidence.quotations import paragraphs_shown, quotations_of, read_stored_texts
from app.core.change_log import CHANGES, REDACTOR
from app.core.database.sql import in_gathered, one_of
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, fitting
from app.core.model.resource import Resource
from app.core.public_paths import public
from app.core.reading.reads import reading_of
from app.core.reading.results import ReadRequest
from app.core.stored_records import query_in_order, select_keys, select_stored
from app.core.values.dates import today_in_utc
from app.core.values.json import from_json
from app.documents.models import DOCUMENTS
from app.documents.texts.reading import with_texts
from app.figures.models import FIGURES, RELATIONS

MAX_VERSIONS = 50
MAX_RELATED = 200  # figures around one
ROUNDS = 2  # relations between a figure and the others of its computations: a part, its total, the other parts
MIN_SEVERITY = "warning"

FIGURE = FIGURES.table
DOCUMENT_MEMBERS = tuple(CitedDocument.model_fields)


def latest_changes(*columns: Any) -> Select[Any]:
    """Return the query of the latest public Changes of a record, the newest first."""
    of_record = (CHANGES.c.resource == bindparam("resource"), CHANGES.c.record_id == bindparam("id"))
    query = select(*columns).where(*of_record, CHANGES.c.shown.is_not(None))
    return query.order_by(CHANGES.c.sequence.desc()).limit(literal_column(str(MAX_VERSIONS)))


_VERSIONS = Query(latest_changes(CHANGES.c.version, CHANGES.c.at, CHANGES.c.shown, CHANGES.c.actor))


def read_evidence(resource: Resource, record_id: str, request: ReadRequest) -> Read:
    """Read the evidence of a public record. Its ETag contains the day, since dates become overdue without a Change."""
    today = today_in_utc()
    return (yield from with_texts(request, _read(resource, record_id, request, today), suffix=f"-{today}"))


def _read(resource: Resource, record_id: str, request: ReadRequest, today: str) -> Callable[[], Read]:
    def read() -> Read:
        record, quotations, paragraphs, documents = yield from read_quoted(resource, record_id, request, today)
        figures = (yield from _figures_around(record)) if resource is FIGURES else {}
        versions = yield _VERSIONS, {"resource": resource.name, "id": record_id}
        evidence = {
            "resource": resource.name,
            "id": record_id,
            "version": record["version"],
            "quotations": quotations,
            "paragraphs": paragraphs,
            "documents": documents,
            "arithmetic": computations(record, figures) if figures else [],
            "findings": (yield from _findings(resource, record, figures, today)),
            "versions": [_version(*row) for row in versions],
            "history": public(f"/v1/{resource.name}/{record_id}/history"),
        }
        return evidence, None

    return read


class Quoted(NamedTuple):
    """A record, its quotations in reading order, their paragraphs that may be shown, and the cited documents."""

    record: dict[str, Any]
    quotations: list[dict[str, Any]]
    paragraphs: list[dict[str, Any]]
    documents: list[dict[str, Any]]


def read_quoted(resource: Resource, record_id: str, request: ReadRequest, today: str) -> Read:
    """Read a public record and what it quotes, as Quoted."""
    record = yield from _record(resource, record_id, request)
    cited = list(dict.fromkeys(citation["document"] for citation in record["citations"]))
    bodies = yield from reading_of(DOCUMENTS).bodies(cited)
    documents = {document: from_json(body) for document, body in bodies.items()}
    texts = yield from read_stored_texts(record["citations"])
    quotations = quotations_of(record["citations"], documents, texts, today)
    descriptions = [_document(documents[document]) for document in cited if document in documents]
    return Quoted(record, quotations, paragraphs_shown(quotations, texts), descriptions)


def _record(resource: Resource, record_id: str, request: ReadRequest) -> Read:
    rows = yield _stored(resource), {"id": record_id}
    record = from_json(rows[0][0]) if rows else {}
    if not rows or record.get("merged_into"):
        yield from reading_of(resource).raise_missing(record_id, request)
    return record


@cache
def _stored(resource: Resource) -> Query:
    return Query(select_stored(resource).where(resource.table.id == bindparam("id")))


def _document(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in DOCUMENT_MEMBERS}


def _version(version: int, at: str, action: str, actor: str) -> dict[str, Any]:
    return {"version": version, "at": at, "action": "redact" if actor.startswith(REDACTOR) else action}


def _figures_around(record: Mapping[str, Any]) -> Read:
    """Read a figure and those that it is related to, directly or through another one."""
    figures: dict[str, Any] = {record["id"]: record}
    for _ in range(ROUNDS):
        values = {"ids": list(figures), "most_bytes": MAX_PAGE_BYTES}
        for _, body in fitting((yield _around(), values)):
            figure = from_json(body)
            figures.setdefault(figure["id"], figure)
    return figures


@cache
def _around() -> Query:
    named = select(RELATIONS.c.figure_id).where(one_of(RELATIONS.c.record_id, "ids"))
    naming = select(RELATIONS.c.record_id).where(one_of(RELATIONS.c.figure_id, "ids"))
    keys = select_keys(FIGURES).where(in_gathered(FIGURE.id, union_all(named, naming))).order_by(FIGURE.id)
    return query_in_order(FIGURES, keys.limit(literal_column(str(MAX_RELATED))))


def _findings(resource: Resource, record: Mapping[str, Any], figures: Mapping[str, Any], today: str) -> Read:
    """Return the findings of the audit that involve a record. Its subject can be another figure about the same."""
    ids = [record["id"], *figures]
    if resource is FIGURES:
        start = (record["period"] or {}).get("earliest")
        same = {"indicator": record["indicator"], "kind": record["kind"], "project": record["project"], "start": start}
        statement = _comparable(record["project"] is not None, start is not None)
        ids += [row[0] for row in (yield statement, same)]
    findings = yield from findings_of(resource, sorted({*ids}), today, MIN_SEVERITY)
    own = {"resource": resource.name, "id": record["id"]}
    return [vars(finding) for finding in findings if own in finding.records]


@cache
def _comparable(has_project: bool, has_start: bool) -> Query:
    """Return the query for the figures that can state the same fact: of the project or, without one, of the period."""
    of_start = FIGURE.period_earliest == bindparam("start") if has_start else FIGURE.period_earliest.is_(None)
    where = [FIGURE.project == bindparam("project")] if has_project else [FIGURE.project.is_(None), of_start]
    where += [FIGURE.indicator == bindparam("indicator"), FIGURE.kind == bindparam("kind")]
    keys = select(FIGURE.id).where(*where, FIGURE.state == literal_column("'published'"))
    return Query(keys.order_by(FIGURE.id).limit(literal_column(str(MAX_RELATED))))
