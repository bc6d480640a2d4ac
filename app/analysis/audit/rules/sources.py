"""Missing evidence, and sources that state one fact differently."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from app.agreements.models import AGREEMENTS, PARTIES
from app.analysis.audit.rule import Case, Finding, JsonRecord, citations, is_same, related_records, rule
from app.core.database.sql import unindexed
from app.figures.models import FIGURES, RELATIONS
from app.figures.ranges import range_of
from app.figures.units import unit_of

FIGURE = FIGURES.table
AGREEMENT = AGREEMENTS.table
CITATIONS: Any = FIGURES.citations
PARTY_COUNT = select(func.count()).where(PARTIES.c.record_id == AGREEMENT.id).scalar_subquery()


@rule("An agreement without parties", "Thỏa thuận không nêu bên ký", "warning", AGREEMENTS, PARTY_COUNT == 0)
def agreement_without_parties(case: Case) -> Iterator[Finding]:
    """No party of an agreement is recorded."""
    vi = "Chưa nêu bên nào của thỏa thuận."
    en = "No party to the agreement is recorded."
    yield case.finding(vi, en, evidence=[(case.record, ("title", "status"))])


@rule("An agreement with one party", "Thỏa thuận chỉ nêu một bên", "note", AGREEMENTS, PARTY_COUNT == 1)
def agreement_with_one_party(case: Case) -> Iterator[Finding]:
    """Only one party of an agreement is recorded, so the other side is missing."""
    vi = "Chỉ nêu một bên của thỏa thuận."
    en = "Only one party to the agreement is recorded."
    yield case.finding(vi, en, evidence=[(case.record, ("parties",))])


@rule(
    "A figure without a document",
    "Số liệu không có văn bản làm căn cứ",
    "warning",
    FIGURES,
    ~exists().where(CITATIONS.c.record_id == FIGURE.id),
)
def figure_without_document(case: Case) -> Iterator[Finding]:
    """A figure cites no document, so its only evidence is the partner that submitted it."""
    vi = "Không dẫn văn bản nào, chỉ có bên cung cấp."
    en = "It cites no document. Its only evidence is the partner that submitted it."
    yield case.finding(vi, en, evidence=[])


def _contradiction(case: Case, other: JsonRecord) -> Finding:
    """Return the finding that two figures state one fact differently."""
    value = case.record["value"]
    return case.finding(
        "Cùng một sự việc: nơi này nêu {value}, nơi kia nêu {other}.",
        "The same fact is stated as {value} and as {other}.",
        evidence=[(case.record, ("value", "relations")), (other, ("value",))],
        computed={"how": f"{value} ≠ {other['value']}", "expected": value, "found": other["value"]},
        value=value,
        other=other["value"],
    )


def _differ(figure: JsonRecord, other: JsonRecord) -> bool:
    """Return whether two figures with numbers cannot be equal."""
    own_range = range_of(figure)
    other_range = range_of(other)
    if own_range is None or other_range is None:
        return False
    return unit_of(figure) != unit_of(other) or not own_range.overlaps(other_range)


@rule(
    "Figures that are related as the same differ",
    "Các số được coi là một lại khác nhau",
    "error",
    FIGURES,
    exists().where(RELATIONS.c.record_id == FIGURE.id, unindexed(RELATIONS.c.kind) == "same_as"),
    related=(
        related_records(
            FIGURES, RELATIONS.c.record_id, unindexed(RELATIONS.c.kind) == "same_as", RELATIONS.c.figure_id == FIGURE.id
        ),
    ),
)
def same_as_differs(case: Case) -> Iterator[Finding]:
    """A figure has the relation `same_as` to a figure with another unit, or with a number that differs by more than
    rounding explains."""
    yield from (_contradiction(case, other) for other in case.related if _differ(case.record, other))


ANOTHER: Any = aliased(FIGURE)

SUBJECT = ("agreement", "partner", "milestone", "document", "measured", "period_earliest", "period_latest")


def _same_subject(first: Any, second: Any) -> Any:
    """Return the condition that two figures state different numbers about one subject.

    `first` has the smaller id. Figures without a project are compared if their periods start on the same day.
    """
    without_project = and_(
        first.project.is_(None), second.project.is_(None), first.period_earliest == second.period_earliest
    )
    measure = ("indicator", "kind", "unit")
    return and_(
        first.id < second.id,
        or_(first.project == second.project, without_project),
        *(unindexed(getattr(first, name)) == unindexed(getattr(second, name)) for name in measure),
        first.value != second.value,
        *(is_same(unindexed(getattr(first, name)), unindexed(getattr(second, name))) for name in SUBJECT),
    )


@rule(
    "Two documents state one fact differently",
    "Hai văn bản nêu cùng một sự việc khác nhau",
    "warning",
    FIGURES,
    exists().where(_same_subject(FIGURE, ANOTHER), ANOTHER.state == "published"),
    related=(related_records(FIGURES, ANOTHER.id, _same_subject(ANOTHER, FIGURE)),),
)
def sources_disagree(case: Case) -> Iterator[Finding]:
    """Two figures have one indicator, kind, unit, subject, period, area and breakdown and state different numbers, and
    no document is cited for both.

    Of figures without a period, only targets, plans, ranks and durations are compared. Periods without an end are never
    compared, because «up to now» means a different day in each document.
    """
    figure = case.record
    timeless = figure["period"] is None and figure["kind"] in ("target", "plan", "rank", "duration")
    if not timeless and not (figure["period"] or {}).get("latest"):
        return
    for other in case.related:
        same_area = set(figure["places"]) == set(other["places"])
        comparable = same_area and figure["breakdown"] == other["breakdown"]
        if comparable and _differ(figure, other) and not _sources(figure) & _sources(other):
            yield _contradiction(case, other)


def _sources(figure: JsonRecord) -> set[str]:
    """Return the documents cited for the number or, without any, the partner that submitted it."""
    return {citation["document"] for citation in citations(figure, "value")} or {f"partner {figure['managed_by']}"}
