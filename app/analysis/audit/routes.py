"""`GET /v1/audit`: what a careful reader would flag, and `/v1/audit/rules`: what is looked for."""

import re
from datetime import UTC, date, datetime
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
from app.core.http.resource_reads import OF_LISTS
from app.core.http.responses import json_response, read_request, write_response
from app.core.model.resource import Id
from app.core.reading.cursors import Cursors
from app.core.reading.parameters import DEFAULT_LIMIT, MAX_ITEMS, Digits
from app.core.reading.results import ReadRequest, computed
from app.core.values.evidence import Citation
from app.core.values.json import to_json
from app.core.values.text import LanguageMap

PATH = "/v1/audit"

AUDITED_RESOURCES = sorted({rule.resource.name for rule in ALL})


def _day(text: str) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise ValueError("is not a day (2026-11-22)")
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("there is no such day or time") from None


Day = Annotated[str, AfterValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]

Audited = Annotated[str, StringConstraints(pattern=f"^({'|'.join(AUDITED_RESOURCES)})$")]


def _ids(about: str) -> Any:
    return Field(default=None, max_length=MAX_ITEMS, description=about)


class AuditQuery(BaseModel, defer_build=True):
    """What to audit, on which day."""

    model_config = ConfigDict(extra="forbid")

    rule: list[Annotated[str, RULE]] | None = _ids("Only findings of these rules.")
    severity: Annotated[str, SEVERITY] = Field(default="note", description="Findings of this weight or more.")
    resource: list[Audited] | None = _ids("Only findings whose first record is of these resources.")
    id: list[Id] | None = _ids("Only findings whose first record has one of these ids.")
    project: list[Id] | None = _ids("Only findings whose first record is or names one of these projects.")
    agreement: list[Id] | None = _ids("Only findings whose first record is or names one of these agreements.")
    partner: list[Id] | None = _ids("Only findings whose first record is or names one of these partners.")
    place: list[Id] | None = _ids("Only findings whose first record is or names one of these places or their parts.")
    document: list[Id] | None = _ids("Only findings whose first record cites one of these documents.")
    as_of: Day | None = Field(default=None, description="The day that counts as today; today (UTC) if not given.")
    limit: Digits = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description="Findings a page at most.")
    cursor: str | None = Field(default=None, max_length=1000, description="Where to go on: taken from `next`.")


class RecordNamed(BaseModel, defer_build=True):
    """A record by resource and id."""

    resource: str = Field(examples=["figures"])
    id: str


class EvidenceShown(Citation):
    """A citation of one of the records of a finding."""

    resource: str = Field(description="The resource of the record that cites.")
    id: str = Field(description="The id of the record that cites.")


class ComputedShown(BaseModel, defer_build=True):
    """How a finding was computed."""

    how: str = Field(description="The computation.", examples=["2028 − 2024 + 1"])
    expected: int | float | str | None = Field(description="What is stated.")
    found: int | float | str | None = Field(description="What the computation gives.")


class FindingShown(BaseModel, defer_build=True):
    """Something that a careful reader would flag."""

    rule: Annotated[str, RULE]
    severity: Annotated[str, SEVERITY]
    message: LanguageMap = Field(description="What was found, in Vietnamese and English.")
    records: list[RecordNamed] = Field(description="The records concerned; the first is what the finding is about.")
    evidence: list[EvidenceShown] = Field(description="The citations of these records that matter.")
    computed: ComputedShown | None = Field(description="Null where nothing was computed.")


class AuditPage(BaseModel, defer_build=True):
    """Findings, ordered by rule, resource and id."""

    as_of: date = Field(description="The day that counts as today.")
    items: list[FindingShown]
    next: str | None = Field(description="Path of the next page; null at the end. A page may be short, even empty.")


class RuleShown(BaseModel, defer_build=True):
    """A rule of the audit."""

    rule: str
    label: LanguageMap
    severity: Annotated[str, SEVERITY]
    resources: list[str] = Field(description="What its findings are about.")
    description: str = Field(description="What it flags, and what it leaves alone.")


class Rules(BaseModel, defer_build=True):
    """All rules of the audit."""

    items: list[RuleShown]
    next: None = Field(description="Always null: the rules fit one page.")


router = APIRouter(prefix=PATH, tags=["registry"])


@operation(
    router,
    "GET",
    "",
    "What a careful reader would flag",
    returns=AuditPage,
    problems=OF_LISTS,
)
async def read_audit(request: Request, query: AuditQuery) -> Response:
    """Sums, percentages, durations and dates that do not fit, what is overdue, what lacks evidence, and what no longer
    exists.

    Each finding names its rule, its records, their evidence and how it was computed.
    """
    return await write_response(request, lambda: read_findings(query, read_request(request), today()))


@operation(
    router,
    "GET",
    "/rules",
    "List the rules of the audit",
    returns=Rules,
)
async def list_audit_rules(request: Request) -> Response:
    """Every rule."""
    return json_response(request, _rules())


@cache
def _rules() -> bytes:
    return to_json({"items": shown_rules(), "next": None})


def today() -> str:
    """The present day in UTC (ISO 8601)."""
    return datetime.now(UTC).date().isoformat()


def audit_request(query: AuditQuery, today: str) -> AuditRequest:
    """The audit that the parameters ask for."""
    only = {name: ids for name in FILTERS if (ids := getattr(query, name))}
    return AuditRequest(query.as_of or today, query.rule, query.resource, query.severity, only)


def read_findings(query: AuditQuery, request: ReadRequest, today: str) -> Read:
    """A page of findings. Its tag names the day too: what is overdue changes without a Change."""
    as_of = query.as_of or today
    return (yield from computed(request, lambda: _page(query, as_of), suffix=f"-{as_of}"))


def _page(query: AuditQuery, as_of: str) -> Read:
    pairs = [("as_of", as_of), ("severity", query.severity)]
    pairs += [(name, one) for name in ("rule", "resource", *FILTERS) for one in getattr(query, name) or ()]
    cursors = Cursors(PATH, pairs)
    start = _position(cursors, query.cursor) if query.cursor is not None else None
    found, further = yield from findings(audit_request(query, as_of), query.limit, start)
    following = None
    if further:
        place = [*further[:2], *further[3:]]
        following = cursors.next([("limit", query.limit)], place, further.after)
    shown = {"as_of": as_of, "items": [vars(one) for one in found], "next": following}
    return shown, following


def _position(cursors: Cursors, cursor: str) -> AuditPosition:
    place, after = cursors.read(cursor)
    match place:
        case [str(rule), str(resource), str(last_id), int(last_number)]:
            return AuditPosition(rule, resource, after, last_id, last_number)
    raise BadCursor


def shown_rules() -> list[dict[str, Any]]:
    """Each rule once, with every resource it is about."""
    shown: dict[str, dict[str, Any]] = {}
    for rule in ALL:
        label = {"vi": rule.label.vi, "en": rule.label.en}
        entry = {
            "rule": rule.name,
            "label": label,
            "severity": rule.severity,
            "resources": [],
            "description": rule.about,
        }
        shown.setdefault(rule.name, entry)["resources"].append(rule.resource.name)
    return list(shown.values())
