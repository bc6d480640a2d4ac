"""Times that must fit together, and what was planned for a day that has passed."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import and_, exists, or_
from sqlalchemy.orm import aliased

from app.agreements.models import AGREEMENTS
from app.analysis.audit.rule import Case, Finding, JsonRecord, candidates_by, is_one_of, rule
from app.core.database.sql import unindexed
from app.core.values.dates import ends, parse_edtf
from app.core.values.numbers import Range, json_number
from app.figures.codelists import UNIT
from app.figures.models import FIGURES
from app.figures.ranges import range_of
from app.milestones.models import MILESTONES
from app.projects.models import PROJECTS

UNCERTAIN = re.compile("[?~%]")

MONTHS = {"year": 12, "month": 1}

DAYS_IN_A_MONTH = Decimal("30.4375")

FIGURE, MILESTONE, PROJECT, AGREEMENT = FIGURES.table, MILESTONES.table, PROJECTS.table, AGREEMENTS.table

LASTING: Any = aliased(FIGURE)


class Length(NamedTuple):
    """How long a period is, in the unit of a duration."""

    how: str
    range: Range
    number: int | float


@rule(
    "A duration disagrees with its period",
    "Thời lượng không khớp với giai đoạn",
    "warning",
    FIGURES,
    FIGURE.kind == "duration",
    beside=(
        candidates_by(PROJECTS, LASTING.id, LASTING.project == PROJECT.id),
        candidates_by(AGREEMENTS, LASTING.id, LASTING.agreement == AGREEMENT.id),
    ),
)
def duration_disagrees_with_period(case: Case) -> Iterator[Finding]:
    """A duration is not the length of its own period; without one, of its project's and its agreement's period.

    Years are counted as texts count them, with both ends: 2022 – 2023 are two years. Where months or days are stated,
    the ends may fall anywhere in what is stated, and half a unit is allowed for. Open and uncertain periods, and
    durations of something narrower (a partner, an event, a breakdown), are left alone.
    """
    figure, stated = case.record, range_of(case.record)
    narrower = any(figure[name] for name in ("partner", "milestone", "document", "breakdown"))
    owners = [figure] if figure["period"] else [] if narrower else case.candidates
    for owner in owners:
        length = _length(owner["period"], figure["unit"])
        if stated and length and not length.range.overlaps(stated):
            yield case.finding(
                "Giai đoạn {period} dài {found} {unit}, nguồn nêu {stated} {unit}.",
                "The period {period} is {found} {unit} long; stated are {stated} {unit}.",
                evidence=[(figure, ("value",)), (owner, ("period",))],
                computed={"how": length.how, "expected": figure["value"], "found": length.number},
                period=owner["period"]["edtf"],
                found=length.number,
                stated=figure["value"],
                unit={"vi": UNIT.codes[figure["unit"]].vi, "en": UNIT.codes[figure["unit"]].en},
            )


def _length(period: JsonRecord | None, unit: str) -> Length | None:
    """How long the period is; None where nobody can say, or the unit is no time."""
    if period is None or unit not in MONTHS or UNCERTAIN.search(period["edtf"]):
        return None
    start, end = ends(period["edtf"])
    if start is None or end is None:
        return None
    if unit == "year" and len(start) == len(end) == len("2024"):
        years = Decimal(int(end) - int(start) + 1)
        return Length(f"{end} − {start} + 1", Range(years, years), json_number(years))
    (first, first_latest), (last_earliest, last) = parse_edtf(start), parse_edtf(end)
    in_unit = DAYS_IN_A_MONTH * MONTHS[unit]
    longest = Decimal(_days(first, last)) / in_unit
    shortest = Decimal(max(_days(first_latest, last_earliest), 1)) / in_unit
    half = Decimal("0.5")
    return Length(f"{end} − {start}", Range(shortest - half, longest + half), json_number(round(longest, 1)))


def _days(first: date | None, last: date | None) -> int:
    assert first  # a point has both ends
    assert last
    return (last - first).days + 1


# What is a project's own work starts and ends with it. It may be prepared, celebrated and reported on before and after.
NOT_BEFORE = ("start", "launch", "training", "completion", "end", "target_date")

NOT_AFTER = ("start", "launch", "training", "end", "target_date", "meeting", "visit", "signing", "approval", "event")

OUTSIDE = or_(
    and_(is_one_of(MILESTONE.kind, NOT_BEFORE), MILESTONE.date_latest < PROJECT.period_earliest),
    and_(is_one_of(MILESTONE.kind, NOT_AFTER), MILESTONE.date_earliest > PROJECT.period_latest),
)


@rule(
    "A milestone lies outside its project's period",
    "Mốc thời gian nằm ngoài giai đoạn của dự án",
    "warning",
    MILESTONES,
    MILESTONE.status != "cancelled",
    exists().where(MILESTONE.project == PROJECT.id, PROJECT.state == "published", OUTSIDE),
    beside=(candidates_by(PROJECTS, MILESTONE.id, MILESTONE.project == PROJECT.id),),
)
def milestone_outside_project(case: Case) -> Iterator[Finding]:
    """A milestone cannot fall into its project's period, however imprecise both are.

    Before a project there may be meetings, visits, consultations, approvals and signings; after it closing ceremonies,
    publications and consultations. Uncertain dates are left alone.
    """
    when = case.record["date"]["edtf"]
    for project in case.candidates:
        period = project["period"]["edtf"]
        if not UNCERTAIN.search(when + period):
            yield case.finding(
                "Mốc {when} nằm ngoài giai đoạn {period} của dự án.",
                "The date {when} lies outside the project's period {period}.",
                evidence=[(case.record, ("date",)), (project, ("period",))],
                computed={"how": f"{when} ∉ {period}", "expected": period, "found": when},
                when=when,
                period=period,
            )


SIGNING = and_(
    MILESTONE.agreement == AGREEMENT.id, unindexed(MILESTONE.kind) == "signing", MILESTONE.status != "cancelled"
)


@rule(
    "A signing is dated differently",
    "Ngày ký được nêu khác nhau",
    "error",
    AGREEMENTS,
    exists().where(
        SIGNING,
        MILESTONE.state == "published",
        or_(
            MILESTONE.date_latest < AGREEMENT.signed_on_earliest,
            MILESTONE.date_earliest > AGREEMENT.signed_on_latest,
        ),
    ),
    beside=(candidates_by(MILESTONES, AGREEMENT.id, SIGNING),),
)
def signing_dates_disagree(case: Case) -> Iterator[Finding]:
    """An agreement's date of signing and all milestones of its signing cannot be the same day.

    Where several days are recorded for the sides, one of them is enough. Uncertain dates are left alone.
    """
    agreed = case.record["signed_on"]
    signings = [each for each in case.candidates if each["date"]]
    if any(UNCERTAIN.search(each["edtf"]) for each in (agreed, *(one["date"] for one in signings))):
        return
    if not any(_can_meet(agreed, signing["date"]) for signing in signings):
        yield case.finding(
            "Thỏa thuận ghi ngày ký {agreed}, lễ ký ghi {signed}.",
            "The agreement says it was signed on {agreed}, its signing says {signed}.",
            evidence=[(case.record, ("signed_on",)), *((each, ("date",)) for each in signings)],
            computed={"how": "signed_on = date", "expected": agreed["edtf"], "found": signings[0]["date"]["edtf"]},
            agreed=agreed["edtf"],
            signed=signings[0]["date"]["edtf"],
        )


def _can_meet(one: JsonRecord, other: JsonRecord) -> bool:
    first = max(one["earliest"] or "", other["earliest"] or "")
    return first <= min(one["latest"] or "9999", other["latest"] or "9999")
