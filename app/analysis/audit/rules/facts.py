"""Facts that cannot be as they are recorded: results without a time, in the future, or in impossible numbers."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, cast, exists, literal_column, or_

from app.agreements.models import AGREEMENTS, PARTIES
from app.analysis.audit.rule import AS_OF, Case, Finding, date_in_words, is_one_of, rule
from app.core.database.sql import unindexed
from app.core.model.resource import Resource
from app.core.values.dates import OPEN_END, ends, parse_edtf
from app.documents.models import DOCUMENTS
from app.figures.codelists import COUNTED
from app.figures.models import DONE_BY, FIGURES
from app.milestones.models import MILESTONES, PARTICIPANTS
from app.projects.models import PROJECTS, ROLES

FIGURE = FIGURES.table
MILESTONE = MILESTONES.table
PROJECT = PROJECTS.table
AGREEMENT = AGREEMENTS.table
DOCUMENT = DOCUMENTS.table

RESULTS = ("actual", "baseline")
WHOLE = ("ordinal", *(unit for unit in COUNTED if unit != "person_day"))
NO_END: Any = literal_column(f"'{OPEN_END}'")


@rule(
    "A result or total without a period",
    "Kết quả, số cộng dồn không nêu thời gian",
    "warning",
    FIGURES,
    or_(FIGURE.kind == "actual", is_one_of(FIGURE.measured, ("over_period", "cumulative"))),
    FIGURE.period_earliest.is_(None),
)
def result_without_period(case: Case) -> Iterator[Finding]:
    """A figure is a result, or is measured over a period or up to its end, and has no period.

    It cannot be compared with a target, and lists filtered by `period` leave it out. If the source states no time, the
    period can end on the day of the document.
    """
    vi = "Số thực hiện hoặc số cộng dồn mà không nêu thời gian."
    en = "It is a result or a total over a period, and no period is recorded."
    yield case.finding(vi, en, evidence=[(case.record, ("value", "kind", "measured"))])


@rule(
    "A result whose period has no end",
    "Kết quả có thời gian chưa kết thúc",
    "warning",
    FIGURES,
    is_one_of(FIGURE.kind, RESULTS),
    FIGURE.period_latest == NO_END,
)
def result_without_end(case: Case) -> Iterator[Finding]:
    """The period of a result has no end, although a source can state only results from before its own day.

    «Since 2015» ends on the day of the document that says so.
    """
    vi = "Giai đoạn của số thực hiện không có điểm cuối ({period}); số liệu chỉ đúng đến ngày của nguồn."
    en = "The period of this result has no end ({period}). A result is known only up to the day of its source."
    period = date_in_words(case.record["period"]["edtf"], is_extent=True)
    yield case.finding(vi, en, evidence=[(case.record, ("period",))], period=period)


# The records that state something as done, by resource, and the fields that say when.
DONE: dict[Resource, tuple[ColumnElement[bool], str]] = {
    MILESTONES: (and_(MILESTONE.status == "done", MILESTONE.date_latest > AS_OF), "date"),
    PROJECTS: (and_(is_one_of(PROJECT.status, ("completed", "past")), PROJECT.period_latest > AS_OF), "period"),
    AGREEMENTS: (
        and_(is_one_of(AGREEMENT.status, ("signed", "in_force", "ended")), AGREEMENT.signed_on_latest > AS_OF),
        "signed_on",
    ),
    DOCUMENTS: (
        and_(
            or_(DOCUMENT.status.is_(None), ~is_one_of(DOCUMENT.status, ("draft", "proposed"))),
            DOCUMENT.published_on_latest > AS_OF,
        ),
        "published_on",
    ),
    FIGURES: (and_(is_one_of(FIGURE.kind, RESULTS), FIGURE.period_latest > AS_OF), "period"),
}


def fact_in_future(case: Case) -> Iterator[Finding]:
    """A record states as done what can only take place after the day of the audit: a milestone that is done, a project
    that is completed or past, an agreement that is signed, a document that is published, or a result.

    A date that is partly in the future, such as the current year, is not reported. For an audit of an earlier day, what
    was done before the last change of the record is not reported either.
    """
    today = max(case.as_of, case.record["updated_at"][:10])
    field = DONE[case.rule.resource][1]
    when = case.record[field]["edtf"]
    day = _first_day_of_end(when) if field == "period" else case.record[field]["earliest"]
    if day is not None and day > today:
        yield case.finding(
            "Ghi là đã xong nhưng thời gian còn ở tương lai ({when}).",
            "It is recorded as done, and its time is in the future ({when}).",
            evidence=[(case.record, (field, "status", "kind"))],
            computed={"how": f"{day} > {today}", "expected": today, "found": when},
            when=date_in_words(when, is_extent=field == "period"),
        )


def _first_day_of_end(edtf: str) -> str | None:
    """Return the first day that the end of a period can mean, such as 1 January 2031 for 2020/2031.

    If it has no end, return the first day of its start.
    """
    start, end = ends(edtf)
    first = parse_edtf(end or start or "").earliest
    return first.isoformat() if first else None


for _resource, (_condition, _) in DONE.items():
    rule("A fact in the future", "Việc đã xong ở tương lai", "error", _resource, _condition)(fact_in_future)


@rule(
    "A number that cannot be counted",
    "Số đếm không thể có",
    "error",
    FIGURES,
    is_one_of(FIGURE.unit, WHOLE),
    or_(FIGURE.value < 0, FIGURE.value != cast(FIGURE.value, BigInteger)),
)
def impossible_count(case: Case) -> Iterator[Finding]:
    """The number of enterprises, persons or other things that are counted one by one is negative or has a fraction.

    A change (the relation `change_of`) can be negative.
    """
    value = case.record["value"]
    is_change = any(relation["kind"] == "change_of" for relation in case.record["relations"])
    if value != int(value) or not is_change:
        yield case.finding(
            "Không thể đếm được {value}: đơn vị này là số nguyên không âm.",
            "{value} cannot be counted. Numbers in this unit are whole and not negative.",
            evidence=[(case.record, ("value", "unit"))],
            computed={"how": "0, 1, 2, …", "expected": None, "found": value},
            value=value,
        )


def _names_partners(link: Any, owner: Any, owner_id: Any) -> Any:
    """Return the condition that the record to which a figure belongs names a partner."""
    return exists().where(link.c.record_id == owner_id, owner.id == owner_id, unindexed(owner.state) == "published")


@rule(
    "A figure that is linked to nobody",
    "Số liệu không gắn với bên nào",
    "note",
    FIGURES,
    FIGURE.partner.is_(None),
    FIGURE.said_by_id.is_(None),
    FIGURE.relayed_for_id.is_(None),
    ~exists().where(DONE_BY.c.record_id == FIGURE.id),
    ~_names_partners(ROLES, PROJECT, FIGURE.project),
    ~_names_partners(PARTIES, AGREEMENT, FIGURE.agreement),
    ~_names_partners(PARTICIPANTS, MILESTONE, FIGURE.milestone),
    ~exists().where(DOCUMENT.id == FIGURE.document, DOCUMENT.issuer.is_not(None)),
)
def figure_without_partner(case: Case) -> Iterator[Finding]:
    """No partner is linked to a figure: it is about none, none did the work or stated it, and its project, agreement,
    milestone and document name none. So no list of a partner contains it.
    """
    vi = "Số liệu không gắn với bên nào: không rõ ai làm, ai nêu."
    en = "No partner is linked to this figure: who did the work, and who stated it, is not recorded."
    yield case.finding(vi, en, evidence=[(case.record, ("value",))])
