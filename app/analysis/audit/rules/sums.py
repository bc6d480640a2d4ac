"""Numbers that must fit together: parts and totals, results and plans against targets, percentages and their bases."""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import exists
from sqlalchemy.orm import aliased

from app.analysis.audit.rule import Case, Finding, JsonRecord, candidates_by, is_one_of, rule
from app.core.database.sql import unindexed
from app.core.values.numbers import Range, hull, json_number, sum_of_ranges
from app.figures.indicators import INDICATORS
from app.figures.models import FIGURES, RELATIONS
from app.figures.ranges import decimal_value, range_of
from app.figures.stated import TO_DATE

FIGURE, INDICATOR = FIGURES.table, INDICATORS.table

NAMED, NAMING, RELATION = RELATIONS.c.figure_id, RELATIONS.c.record_id, unindexed(RELATIONS.c.kind)

HAS_PARTS = exists().where(FIGURE.id == NAMED, RELATION == "part_of")

PARTS = candidates_by(FIGURES, NAMED, RELATION == "part_of", FIGURE.id == NAMING)


class Breakdown(NamedTuple):
    """Parts of a total that are broken down by the same dimensions."""

    parts: list[JsonRecord]
    ranges: list[Range]  # what each part can be; two figures of one part count once, as whatever either can be
    complete: bool  # whether each part has a number


def _breakdowns(total_figure: JsonRecord, parts: Iterable[JsonRecord]) -> Iterator[Breakdown]:
    groups: dict[tuple[str, ...], dict[tuple[str, ...], list[JsonRecord]]] = {}
    for part in parts:
        if (part["unit"], part["kind"]) == (total_figure["unit"], total_figure["kind"]):
            dimensions = tuple(sorted(part["breakdown"]))
            # Without a dimension nothing says that parts do not overlap: each is a group by itself.
            group, which = dimensions or ("", part["id"]), tuple(part["breakdown"][name] for name in dimensions)
            groups.setdefault(group, {}).setdefault(which, []).append(part)
    for each in groups.values():
        known = [[found for part in same if (found := range_of(part))] for same in each.values()]
        yield Breakdown([part for same in each.values() for part in same], [hull(k) for k in known if k], all(known))


def _misfit(case: Case, vi: str, en: str, summands: list[JsonRecord], field: str) -> Finding:
    """That the summands do not make the number of the case's figure."""
    values = [decimal_value(each) for each in summands if each["value"] is not None]
    found, stated = json_number(sum(values, Decimal(0))), case.record["value"]
    how = " + ".join(str(json_number(value)) for value in values)
    return case.finding(
        vi,
        en,
        evidence=[(case.record, ("value",)), *((each, ("value", field)) for each in summands)],
        computed={"how": how, "expected": stated, "found": found},
        found=found,
        stated=stated,
    )


@rule("Parts exceed their total", "Các phần cộng lại vượt tổng", "error", FIGURES, HAS_PARTS, beside=(PARTS,))
def parts_exceed_total(case: Case) -> Iterator[Finding]:
    """Parts of a total that are broken down by the same dimension make more than the total, or one part alone does.

    Rounding, ranges and words such as «more than» are allowed for; parts without a dimension may overlap.
    """
    vi = "Các phần cộng lại là {found}, nhiều hơn tổng là {stated}."
    en = "The parts make {found}, which is more than the total of {stated}."
    whole = range_of(case.record)
    for parts, ranges, _ in _breakdowns(case.record, case.candidates):
        if whole and sum_of_ranges(ranges).low > whole.high:
            yield _misfit(case, vi, en, parts, "relations")


@rule("Parts fall short of their total", "Các phần chưa đủ tổng", "warning", FIGURES, HAS_PARTS, beside=(PARTS,))
def parts_short_of_total(case: Case) -> Iterator[Finding]:
    """Two or more parts of a total, broken down by the same dimension, make less than the total.

    Such a breakdown is taken to be complete. Where a source names only some of the parts, the rest is a part too
    («các doanh nghiệp còn lại»): with its number, or with none, and then nothing is found.
    """
    vi = "Các phần cộng lại là {found}, ít hơn tổng là {stated}."
    en = "The parts make {found}, which is less than the total of {stated}."
    whole = range_of(case.record)
    for parts, ranges, complete in _breakdowns(case.record, case.candidates):
        if whole and complete and len(ranges) > 1 and sum_of_ranges(ranges).high < whole.low:
            yield _misfit(case, vi, en, parts, "relations")


TARGET: Any = aliased(FIGURE)


@rule(
    "Results and plans miss the target",
    "Kết quả cộng kế hoạch không khớp mục tiêu",
    "warning",
    FIGURES,
    FIGURE.kind == "target",
    exists().where(FIGURE.id == NAMED, RELATION == "compared_with"),
    beside=(
        candidates_by(FIGURES, NAMED, RELATION == "compared_with", FIGURE.id == NAMING),
        candidates_by(INDICATORS, TARGET.id, TARGET.indicator == INDICATOR.id),
    ),
)
def plan_misses_target(case: Case) -> Iterator[Finding]:
    """What is achieved so far and what is planned for the rest of a target's time do not reach the target together.

    Counted are the latest result since the target's start and the plans after it up to the target's end, without gap
    or overlap, for the target's indicator, unit, project and breakdown. Where less is better, or the target is a
    limit, they must not exceed it.
    """
    target, goal = case.record, range_of(case.record)
    steps = _towards(target, [each for each in case.candidates if each["resource"] == "figures"])
    counted = [found for each in steps if (found := range_of(each))]
    if goal is None or not steps or len(counted) < len(steps):
        return
    less_is_better = any(each["direction"] == "down" for each in case.candidates if each["resource"] == "indicators")
    limit = less_is_better or target["qualifier"] in ("at_most", "less_than")
    if sum_of_ranges(counted).low > goal.high if limit else sum_of_ranges(counted).high < goal.low:
        vi = "Kết quả và kế hoạch cộng lại là {found}, mục tiêu là {stated}."
        en = "Results and plans make {found} together; the target is {stated}."
        yield _misfit(case, vi, en, steps, "period")


def _towards(target: JsonRecord, figures: list[JsonRecord]) -> list[JsonRecord]:
    """The latest result since the target's start and the plans that follow it up to its end; nothing if they do not."""
    start, end = _days(target)
    same = ("indicator", "unit", "project", "breakdown")
    like = [each for each in figures if each["period"] and all(each[name] == target[name] for name in same)]
    actuals = [each for each in like if each["kind"] == "actual"]
    results = [each for each in actuals if each["measured"] in TO_DATE or _days(each)[0] in (start, date.min)]
    if not results:
        return []
    steps = [max(results, key=lambda each: _days(each)[1])]
    for plan in sorted((each for each in like if each["kind"] == "plan"), key=_days):
        if plan["measured"] != "cumulative" and (_days(plan)[0] - _days(steps[-1])[1]).days == 1:
            steps.append(plan)
    return steps if len(steps) > 1 and _days(steps[-1])[1] == end else []


def _days(figure: JsonRecord) -> tuple[date, date]:
    """First and last day of its period, as far as they are stated."""
    period = figure["period"] or {}
    first, last = period.get("earliest"), period.get("latest")
    return date.fromisoformat(first) if first else date.min, date.fromisoformat(last) if last else date.max


@rule(
    "A percentage disagrees with its base",
    "Tỷ lệ không khớp với số gốc",
    "error",
    FIGURES,
    exists().where(FIGURE.id == NAMING, is_one_of(RELATION, ("share_of", "change_of"))),
    beside=(candidates_by(FIGURES, NAMING, FIGURE.id == NAMED),),
)
def percentage_disagrees_with_base(case: Case) -> Iterator[Finding]:
    """A share or change, computed again from the numbers it relates to, is another, beyond rounding.

    A share is its `compared_with` figure over its `share_of` figure; a change is from its `compared_with` figure to
    its `change_of` figure. Where the source gives only one of the two, there is nothing to compute.
    """
    others = {each["id"]: each for each in case.candidates}
    related = [(each["kind"], others[each["figure"]]) for each in case.record["relations"] if each["figure"] in others]
    stated = range_of(case.record)
    for kind, base in related:
        seconds = [each for how, each in related if how == "compared_with" and each["unit"] == base["unit"]]
        tried = [(each, again) for each in seconds if (again := _recomputed(case.record, kind, base, each))]
        if stated is None or not tried or any(again.range.overlaps(stated) for _, again in tried):
            continue
        second, again = tried[0]
        yield case.finding(
            "Tính lại từ các số liên quan được {found}, nguồn nêu {stated}.",
            "Computed again from the numbers it relates to it is {found}; stated is {stated}.",
            evidence=[(case.record, ("value", "relations")), (base, ("value",)), (second, ("value",))],
            computed={"how": again.how, "expected": case.record["value"], "found": again.number},
            found=again.number,
            stated=case.record["value"],
        )


class Recomputed(NamedTuple):
    """A share or change as it follows from other numbers."""

    how: str
    range: Range
    number: int | float


def _recomputed(figure: JsonRecord, kind: str, base: JsonRecord, second: JsonRecord) -> Recomputed | None:
    whole, other = range_of(base), range_of(second)
    if whole is None or other is None:
        return None
    of, by = decimal_value(base), decimal_value(second)
    if kind == "share_of" and figure["unit"] == "percent" and whole.low > 0:
        how, share = f"{json_number(by)} / {json_number(of)} × 100", by / of * 100
        return Recomputed(how, other.percent_of(whole), json_number(round(share, 2)))
    if kind == "change_of" and figure["unit"] in (base["unit"], "percentage_point"):
        return Recomputed(f"{json_number(of)} − {json_number(by)}", whole - other, json_number(of - by))
    if kind == "change_of" and figure["unit"] == "percent" and other.low > 0:
        how, grown = f"({json_number(of)} − {json_number(by)}) / {json_number(by)} × 100", whole.percent_of(other)
        return Recomputed(how, Range(grown.low - 100, grown.high - 100), json_number(round((of - by) / by * 100, 2)))
    return None
