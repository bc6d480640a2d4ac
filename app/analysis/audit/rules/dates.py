"""Dates and periods that must agree."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import and_, exists, or_
from sqlalchemy.orm import aliased

from app.agreements.models import AGREEMENTS
from app.analysis.audit.rule import Case, Finding, JsonRecord, date_in_words, is_one_of, related_records, rule
from app.core.database.sql import unindexed
from app.core.values.dates import ends, parse_edtf
from app.core.values.numbers import Range, json_number
from app.figures.codelists import UNIT
from app.figures.models import FIGURES
from app.figures.ranges import range_of
from app.milestones.models import MILESTONES
from app.projects.models import PROJECTS

UNCERTAIN = re.compile("[?~%]")  # the marks of an uncertain or approximate date in EDTF
MONTHS = {"year": 12, "month": 1}  # by unit of a duration
DAYS_IN_A_MONTH = Decimal("30.4375")

FIGURE = FIGURES.table
MILESTONE = MILESTONES.table
PROJECT = PROJECTS.table
AGREEMENT = AGREEMENTS.table
DURATION: Any = aliased(FIGURE)


class Length(NamedTuple):
    """The length of a period in the unit of a duration: the formula, its range, and the number to show."""

    how: str
    range: Range
    number: int | float


@rule(
    "A duration disagrees with its period",
    "Thời lượng không khớp với giai đoạn",
    "warning",
    FIGURES,
    FIGURE.kind == "duration",
    related=(
        related_records(PROJECTS, DURATION.id, DURATION.project == PROJECT.id),
        related_records(AGREEMENTS, DURATION.id, DURATION.agreement == AGREEMENT.id),
    ),
)
def duration_disagrees_with_period(case: Case) -> Iterator[Finding]:
    """A duration is not the length of its period or, if it has none, of the period of its project and agreement.

    Years are counted as texts count them, including both ends: 2022 – 2023 are two years. If the period states months
    or days, it can start and end anywhere within them, and half a unit of difference is accepted. Open and uncertain
    periods are not examined, nor are durations of something narrower (a partner, an event or a breakdown).
    """
    figure = case.record
    stated = range_of(figure)
    narrower = any(figure[name] for name in ("partner", "milestone", "document", "breakdown"))
    owners = [] if narrower else case.related
    for owner in [figure] if figure["period"] else owners:
        length = _length(owner["period"], figure["unit"])
        if stated and length and not length.range.overlaps(stated):
            yield case.finding(
                "Giai đoạn {period} dài {length} {unit}, nguồn nêu {stated} {unit}.",
                "The period {period} is {length} {unit} long, and the source states {stated} {unit}.",
                evidence=[(figure, ("value",)), (owner, ("period",))],
                computed={"how": length.how, "expected": figure["value"], "found": length.number},
                period=date_in_words(owner["period"]["edtf"], is_extent=True),
                length=length.number,
                stated=figure["value"],
                unit={"vi": UNIT.codes[figure["unit"]].vi, "en": UNIT.codes[figure["unit"]].en},
            )


def _length(period: JsonRecord | None, unit: str) -> Length | None:
    """Return the length of a period; None if it is open or uncertain, or if the unit is not one of time."""
    if period is None or unit not in MONTHS or UNCERTAIN.search(period["edtf"]):
        return None
    start, end = ends(period["edtf"])
    if start is None or end is None:
        return None
    if unit == "year" and len(start) == len(end) == len("2024"):
        years = Decimal(int(end) - int(start) + 1)
        return Length(f"{end} − {start} + 1", Range(years, years), json_number(years))
    first_earliest, first_latest = parse_edtf(start)
    last_earliest, last_latest = parse_edtf(end)
    days_in_unit = DAYS_IN_A_MONTH * MONTHS[unit]
    longest = Decimal(_days(first_earliest, last_latest)) / days_in_unit
    shortest = Decimal(max(_days(first_latest, last_earliest), 1)) / days_in_unit
    half = Decimal("0.5")
    return Length(f"{end} − {start}", Range(shortest - half, longest + half), json_number(round(longest, 1)))


def _days(first: date | None, last: date | None) -> int:
    """Return the number of days, including both ends."""
    assert first  # a date that is not an interval has an earliest and a latest day
    assert last
    return (last - first).days + 1


# Kinds of milestones that are part of a project's own work, so that they cannot take place before or after it. Other
# kinds can prepare, celebrate or report on it.
NOT_BEFORE = ("start", "launch", "training", "completion", "end", "target_date")
NOT_AFTER = ("start", "launch", "training", "end", "target_date", "meeting", "visit", "signing", "approval", "event")
OUTSIDE = or_(
    and_(is_one_of(MILESTONE.kind, NOT_BEFORE), MILESTONE.date_latest < PROJECT.period_earliest),
    and_(is_one_of(MILESTONE.kind, NOT_AFTER), MILESTONE.date_earliest > PROJECT.period_latest),
)


@rule(
    "A milestone is outside its project's period",
    "Mốc thời gian nằm ngoài giai đoạn của dự án",
    "warning",
    MILESTONES,
    MILESTONE.status != "cancelled",
    exists().where(MILESTONE.project == PROJECT.id, PROJECT.state == "published", OUTSIDE),
    related=(related_records(PROJECTS, MILESTONE.id, MILESTONE.project == PROJECT.id),),
)
def milestone_outside_project(case: Case) -> Iterator[Finding]:
    """A milestone cannot be within its project's period, even if both are imprecise.

    Meetings, visits, consultations, approvals and signings can take place before the project. Closing ceremonies,
    publications and consultations can take place after it. Uncertain dates are not examined.
    """
    when = case.record["date"]["edtf"]
    for project in case.related:
        period = project["period"]["edtf"]
        if not UNCERTAIN.search(when + period):
            yield case.finding(
                "Thời điểm của mốc ({when}) nằm ngoài giai đoạn của dự án ({period}).",
                "The date of the milestone ({when}) is outside the period of its project ({period}).",
                evidence=[(case.record, ("date",)), (project, ("period",))],
                computed={"how": f"{when} ∉ {period}", "expected": period, "found": when},
                when=date_in_words(when),
                period=date_in_words(period, is_extent=True),
            )


SIGNING = and_(
    MILESTONE.agreement == AGREEMENT.id, unindexed(MILESTONE.kind) == "signing", MILESTONE.status != "cancelled"
)


@rule(
    "The dates of a signing differ",
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
    related=(related_records(MILESTONES, AGREEMENT.id, SIGNING),),
)
def signing_dates_disagree(case: Case) -> Iterator[Finding]:
    """An agreement's date of signing differs from the date of every milestone of its signing.

    If the sides signed on different days, one matching milestone is enough. Uncertain dates are not examined.
    """
    agreed = case.record["signed_on"]
    signings = [milestone for milestone in case.related if milestone["date"]]
    dates = [signing["date"] for signing in signings]
    if any(UNCERTAIN.search(stated["edtf"]) for stated in (agreed, *dates)):
        return
    if not any(_can_be_same_day(agreed, stated) for stated in dates):
        yield case.finding(
            "Ngày ký của thỏa thuận là {agreed}, còn lễ ký ghi {signed}.",
            "The date of the agreement is {agreed}, and that of its signing is {signed}.",
            evidence=[(case.record, ("signed_on",)), *((signing, ("date",)) for signing in signings)],
            computed={"how": "signed_on = date", "expected": agreed["edtf"], "found": dates[0]["edtf"]},
            agreed=date_in_words(agreed["edtf"]),
            signed=date_in_words(dates[0]["edtf"]),
        )


def _can_be_same_day(stated: JsonRecord, other: JsonRecord) -> bool:
    """Return whether two imprecise dates have a day in common."""
    first = max(stated["earliest"] or "", other["earliest"] or "")
    return first <= min(stated["latest"] or "9999", other["latest"] or "9999")
