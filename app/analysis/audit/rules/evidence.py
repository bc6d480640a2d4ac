"""Where evidence is missing, or two sources state one fact differently."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from app.agreements.models import AGREEMENTS, PARTIES
from app.analysis.audit.rule import Case, Finding, JsonRecord, candidates_by, citations, is_same, rule
from app.core.database.sql import unindexed
from app.figures.models import FIGURES, RELATIONS
from app.figures.ranges import range_of

FIGURE, AGREEMENT = FIGURES.table, AGREEMENTS.table

CITATIONS: Any = FIGURES.citations

SIDES = select(func.count()).where(PARTIES.c.record_id == AGREEMENT.id).scalar_subquery()


@rule("An agreement without parties", "Thỏa thuận không nêu bên ký", "warning", AGREEMENTS, SIDES == 0)
def agreement_without_parties(case: Case) -> Iterator[Finding]:
    """An agreement names no party."""
    vi, en = "Chưa nêu bên nào của thỏa thuận.", "No party to the agreement is named."
    yield case.finding(vi, en, evidence=[(case.record, ("title", "status"))])


@rule("An agreement with one party", "Thỏa thuận chỉ nêu một bên", "note", AGREEMENTS, SIDES == 1)
def agreement_with_one_party(case: Case) -> Iterator[Finding]:
    """An agreement names one party only: with whom it is made is not said."""
    vi, en = "Chỉ nêu một bên của thỏa thuận.", "Only one party to the agreement is named."
    yield case.finding(vi, en, evidence=[(case.record, ("parties",))])


@rule(
    "A figure without a document",
    "Số liệu không có văn bản làm căn cứ",
    "warning",
    FIGURES,
    ~exists().where(CITATIONS.c.record_id == FIGURE.id),
)
def figure_without_document(case: Case) -> Iterator[Finding]:
    """The only evidence of a figure is the partner that submitted it: it cites no document."""
    vi, en = "Không dẫn văn bản nào, chỉ có bên cung cấp.", "It cites no document; there is only who submitted it."
    yield case.finding(vi, en, evidence=[])


def _contradiction(case: Case, other: JsonRecord) -> Finding:
    """That two figures state one fact differently."""
    one = case.record
    return case.finding(
        "Cùng một sự việc: nơi này nêu {one}, nơi kia nêu {other}.",
        "The same fact: one states {one}, the other {other}.",
        evidence=[(one, ("value", "relations")), (other, ("value",))],
        computed={"how": f"{one['value']} ≠ {other['value']}", "expected": one["value"], "found": other["value"]},
        one=one["value"],
        other=other["value"],
    )


def _differ(one: JsonRecord, other: JsonRecord) -> bool:
    here, there = range_of(one), range_of(other)
    return here is not None and there is not None and (one["unit"] != other["unit"] or not here.overlaps(there))


@rule(
    "Figures that are said to be the same differ",
    "Các số được coi là một lại khác nhau",
    "error",
    FIGURES,
    exists().where(RELATIONS.c.record_id == FIGURE.id, unindexed(RELATIONS.c.kind) == "same_as"),
    beside=(
        candidates_by(
            FIGURES, RELATIONS.c.record_id, unindexed(RELATIONS.c.kind) == "same_as", RELATIONS.c.figure_id == FIGURE.id
        ),
    ),
)
def same_as_differs(case: Case) -> Iterator[Finding]:
    """A figure is related as `same_as` to another one that states another number or unit, beyond rounding."""
    yield from (_contradiction(case, other) for other in case.candidates if _differ(case.record, other))


ANOTHER: Any = aliased(FIGURE)

ABOUT = ("agreement", "partner", "milestone", "document", "measured", "period_earliest", "period_latest")


def _like(one: Any, other: Any) -> Any:
    """Two figures with different numbers about the same: of one project, or of none and one period."""
    no_project = and_(one.project.is_(None), other.project.is_(None), one.period_earliest == other.period_earliest)
    return and_(
        one.id < other.id,
        or_(one.project == other.project, no_project),
        *(unindexed(getattr(one, name)) == unindexed(getattr(other, name)) for name in ("indicator", "kind", "unit")),
        one.value != other.value,
        *(is_same(unindexed(getattr(one, name)), unindexed(getattr(other, name))) for name in ABOUT),
    )


@rule(
    "Two documents state one fact differently",
    "Hai văn bản nêu cùng một sự việc khác nhau",
    "warning",
    FIGURES,
    exists().where(_like(FIGURE, ANOTHER), ANOTHER.state == "published"),
    beside=(candidates_by(FIGURES, ANOTHER.id, _like(ANOTHER, FIGURE)),),
)
def sources_disagree(case: Case) -> Iterator[Finding]:
    """Two figures of one indicator, kind, unit, subject, period, place and breakdown state different numbers, and no
    document is cited for both.

    Without a period only targets, plans, ranks and durations can be compared, and a period without an end never: «up
    to now» means another day in each document.
    """
    one = case.record
    timeless = one["period"] is None and one["kind"] in ("target", "plan", "rank", "duration")
    if not timeless and not (one["period"] or {}).get("latest"):
        return
    for other in case.candidates:
        same = set(one["places"]) == set(other["places"]) and one["breakdown"] == other["breakdown"]
        if same and _differ(one, other) and not _sources(one) & _sources(other):
            yield _contradiction(case, other)


def _sources(figure: JsonRecord) -> set[str]:
    """What its number rests on: documents, or else the partner that submitted it."""
    return {each["document"] for each in citations(figure, "value")} or {f"partner {figure['managed_by']}"}
