"""`GET /v1/audit`: the findings of the audit, and `GET /v1/audit/rules`: its rules."""

import re
from datetime import date
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from app.analysis.audit.rule import SEVERITY
from app.analysis.audit.rules import ALL, RULE
from app.analysis.audit.walk import FILTERS, AuditPosition, AuditRequest, findings
from app.core.database.statements import Read
from app.core.errors import BadCursor
from app.core.http.operations import operation
from app.core.http.read_endpoints import OF_LISTS
from app.core.http.responses import json_response, read_request, write_response
from app.core.model.labels import Labels, Language, in_one_language, labelled
from app.core.model.resource import Id
from app.core.reading.cursors import MAX_CURSOR, Cursors
from app.core.reading.parameters import DEFAULT_LIMIT, LABELS_TEXT, LANG_TEXT, LANGUAGES, MAX_ITEMS, Digits
from app.core.reading.results import ReadRequest, computed
from app.core.values.dates import today_in_utc
from app.core.values.evidence import Citation
from app.core.values.json import to_json
from app.core.values.text import LanguageMap

PATH = "/v1/audit"
AUDITED_RESOURCES = sorted({rule.resource.name for rule in ALL})


def _day(text: str) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise ValueError("This is not a day such as 2026-11-22.")
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("The calendar has no such day.") from None


Day = Annotated[str, AfterValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]

Audited = Annotated[str, StringConstraints(pattern=f"^({'|'.join(AUDITED_RESOURCES)})$")]


def _many(description: str) -> Any:
    return Field(default=None, max_length=MAX_ITEMS, description=description)


class AuditQuery(BaseModel, defer_build=True):
    """Filters of the audit, and the day for which it is made."""

    model_config = ConfigDict(extra="forbid")

    rule: list[Annotated[str, RULE]] | None = _many("Only findings of these rules.")
    severity: Annotated[str, SEVERITY] = Field(
        default="note", description="Only findings of this severity or a higher one."
    )
    resource: list[Audited] | None = _many("Only findings whose first record belongs to these resources.")
    id: list[Id] | None = _many("Only findings whose first record has one of these ids.")
    project: list[Id] | None = _many("Only findings whose first record is, or is linked with, one of these projects.")
    agreement: list[Id] | None = _many(
        "Only findings whose first record is, or is linked with, one of these agreements."
    )
    partner: list[Id] | None = _many("Only findings whose first record is, or is linked with, one of these partners.")
    place: list[Id] | None = _many(
        "Only findings whose first record is, or is linked with, one of these places or their parts."
    )
    document: list[Id] | None = _many("Only findings whose first record cites one of these documents.")
    as_of: Day | None = Field(default=None, description="Day for which the audit is made. Default: today in UTC.")
    limit: Digits = Field(
        default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description="Maximum number of findings on a page."
    )
    cursor: str | None = Field(
        default=None, max_length=MAX_CURSOR, description="Start of the page, from `next` of the previous page."
    )
    labels: Language | None = Field(default=None, description=LABELS_TEXT)
    lang: Language | None = Field(default=None, description=LANG_TEXT)


class RecordNamed(BaseModel, defer_build=True):
    """A reference to a record."""

    resource: str = Field(description="Resource of the record.", examples=["figures"])
    id: str = Field(description="Id of the record.")


class EvidenceShown(Citation):
    """A citation, with the record that it belongs to."""

    resource: str = Field(description="Resource of the record with this citation.")
    id: str = Field(description="Id of the record with this citation.")


class ComputedShown(BaseModel, defer_build=True):
    """The computation that led to a finding."""

    how: str = Field(description="Formula with its numbers or dates.", examples=["2028 − 2024 + 1"])
    expected: int | float | str | None = Field(description="Number or date that the sources state.")
    found: int | float | str | None = Field(description="Conflicting value: computed, stated, or the day `as_of`.")


class FindingShown(BaseModel, defer_build=True):
    """A contradiction, an overdue date, or evidence that is missing."""

    rule: Annotated[str, RULE] = Field(description="Rule that found it. `/v1/audit/rules` describes the rules.")
    severity: Annotated[str, SEVERITY] = Field(
        description="`note`: it may be correct. `warning`: something is missing or does not fit. `error`: two "
        "statements cannot both be true."
    )
    message: LanguageMap = Field(description="Explanation in Vietnamese and English.")
    records: list[RecordNamed] = Field(description="Records involved. The first one is the subject of the finding.")
    evidence: list[EvidenceShown] = Field(description="Citations of these records that support the finding.")
    computed: ComputedShown | None = Field(description="Computation. Null: the rule computes nothing.")
    labels: Labels = Field(default={})


class AuditPage(BaseModel, defer_build=True):
    """Findings, ordered by rule, resource and id."""

    as_of: date = Field(description="Day for which the audit was made.")
    items: list[FindingShown] = Field(
        description="Findings. There can be fewer than `limit`, even none, although there is a next page."
    )
    next: str | None = Field(description="Path of the next page; null on the last page.")


class RuleShown(BaseModel, defer_build=True):
    """A rule of the audit."""

    rule: str = Field(description="Name of the rule.")
    label: LanguageMap = Field(description="Short description in Vietnamese and English.")
    severity: Annotated[str, SEVERITY] = Field(description="Severity of its findings.")
    resources: list[str] = Field(description="Resources that it examines.")
    description: str = Field(description="When the rule reports a finding, and when it does not.")


class Rules(BaseModel, defer_build=True):
    """All rules of the audit."""

    items: list[RuleShown] = Field(description="Rules, ordered by name.")
    next: None = Field(description="Always null: all rules are in one page.")


router = APIRouter(prefix=PATH, tags=["analysis"])


@operation(router, "GET", "", "Audit the records", returns=AuditPage, problems=OF_LISTS)
async def read_audit(request: Request, query: AuditQuery) -> Response:
    """The audit compares published records with each other and with the day `as_of`. It reports:

    - sums, percentages, durations and dates that contradict each other,
    - planned dates that have passed without a recorded result,
    - records without evidence, and sources that state one fact differently,
    - links to partners and places that no longer exist.

    Each finding states its rule, the records involved, their citations and the computation. It takes rounding, ranges
    and imprecise dates into account.
    """
    return await write_response(request, lambda: read_findings(query, read_request(request), today_in_utc()), long=True)


@operation(router, "GET", "/rules", "List the rules of the audit", returns=Rules)
async def list_audit_rules(request: Request) -> Response:
    """Each rule with its severity, the resources that it examines, and when it reports a finding."""
    return json_response(request, _rules())


@cache
def _rules() -> bytes:
    return to_json({"items": shown_rules(), "next": None})


def audit_request(query: AuditQuery, today: str) -> AuditRequest:
    """Return the audit that the query parameters describe."""
    only = {name: ids for name in FILTERS if (ids := getattr(query, name))}
    return AuditRequest(query.as_of or today, query.rule, query.resource, query.severity, only)


def read_findings(query: AuditQuery, request: ReadRequest, today: str) -> Read:
    """Read a page of findings. Its ETag contains the day, since dates become overdue without a Change."""
    as_of = query.as_of or today
    return (yield from computed(request, lambda: _page(query, as_of, request), suffix=f"-{as_of}"))


def _page(query: AuditQuery, as_of: str, request: ReadRequest) -> Read:
    pairs = [("as_of", as_of), ("severity", query.severity)]
    for name in ("rule", "resource", *FILTERS):
        pairs += [(name, value) for value in getattr(query, name) or ()]
    cursors: Cursors = yield from request.cursors(pairs)
    start = _position(cursors, query.cursor) if query.cursor is not None else None
    page, position = yield from findings(audit_request(query, as_of), query.limit, start)
    next_path = None
    if position:
        place = [position.rule, position.resource, position.last_id, position.last_number]
        shaping = [(name, value) for name in LANGUAGES if (value := getattr(query, name))]
        next_path = cursors.next([("limit", query.limit), *shaping], place, position.after)
    items = [_shaped(vars(finding), query) for finding in page]
    return {"as_of": as_of, "items": items, "next": next_path}, next_path


def _shaped(finding: dict[str, Any], query: AuditQuery) -> dict[str, Any]:
    """Return a finding with the labels and in the language that the request asks for."""
    if query.lang:
        finding = in_one_language(FindingShown, finding, query.lang)
    return labelled(FindingShown, finding, query.labels) if query.labels else finding


def _position(cursors: Cursors, cursor: str) -> AuditPosition:
    place, after = cursors.read(cursor)
    match place:
        case [str(rule), str(resource), str(last_id), int(last_number)]:
            return AuditPosition(rule, resource, after, last_id, last_number)
    raise BadCursor


def shown_rules() -> list[dict[str, Any]]:
    """Return each rule once, with all resources that it examines."""
    entries: dict[str, dict[str, Any]] = {}
    for rule in ALL:
        label = {"vi": rule.label.vi, "en": rule.label.en}
        entry = {
            "rule": rule.name,
            "label": label,
            "severity": rule.severity,
            "resources": [],
            "description": rule.description,
        }
        entries.setdefault(rule.name, entry)["resources"].append(rule.resource.name)
    return list(entries.values())
