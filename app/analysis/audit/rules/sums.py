"""Numbers that must agree: parts and totals, results and plans and targets, percentages and their bases."""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import exists
from sqlalchemy.orm import aliased

from app.analysis.audit.rule import Case, Finding, JsonRecord, is_one_of, related_records, rule
from app.core.database.sql import unindexed
from app.core.values.numbers import Range, hull, json_number, sum_of_ranges
from app.figures.indicators import INDICATORS
from app.figures.models import FIGURES, RELATIONS
from app.figures.ranges import decimal_value, range_of
from app.figures.stated import TO_DATE, day_of
from app.figures.units import unit_of

FIGURE = FIGURES.table
INDICATOR = INDICATORS.table

# A relation leads from the figure that declares it to the one that it names, such as from a part to its total.
DECLARES = RELATIONS.c.record_id
IS_NAMED = RELATIONS.c.figure_id
RELATION = unindexed(RELATIONS.c.kind)

HAS_PARTS = exists().where(FIGURE.id == IS_NAMED, RELATION == "part_of")
PARTS = related_records(FIGURES, IS_NAMED, RELATION == "part_of", FIGURE.id == DECLARES)


class Breakdown(NamedTuple):
    """The parts of a total that are broken down by the same dimensions."""

    parts: list[JsonRecord]
    ranges: list[Range]  # one for each part; several figures of one part have one range, which contains all of theirs
    is_complete: bool  # whether each part has a number


def breakdowns(total_figure: JsonRecord, parts: Iterable[JsonRecord]) -> Iterator[Breakdown]:
    """Group the parts of a total by their dimensions."""
    groups: dict[tuple[str, ...], dict[tuple[str, ...], list[JsonRecord]]] = {}
    for part in parts:
        if (unit_of(part), part["kind"]) == (unit_of(total_figure), total_figure["kind"]):
            dimensions = tuple(sorted(part["breakdown"]))
            # Parts without a dimension can overlap, so each of them is a group of its own.
            group = dimensions or ("", part["id"])
            values = tuple(part["breakdown"][name] for name in dimensions)
            groups.setdefault(group, {}).setdefault(values, []).append(part)
    for figures_by_values in groups.values():
        ranges = [_ranges(figures) for figures in figures_by_values.values()]
        figures_of_group = list(chain.from_iterable(figures_by_values.values()))
        yield Breakdown(figures_of_group, [hull(of_part) for of_part in ranges if of_part], all(ranges))


def _ranges(figures: Iterable[JsonRecord]) -> list[Range]:
    """Return the ranges of the figures that have a number."""
    return [number for figure in figures if (number := range_of(figure))]


def _misfit(case: Case, vi: str, en: str, summands: list[JsonRecord], field: str) -> Finding:
    """Return the finding that the sum of these figures differs from the number of the examined figure."""
    values = [decimal_value(summand) for summand in summands if summand["value"] is not None]
    computed = json_number(sum(values, Decimal(0)))
    stated = case.record["value"]
    how = " + ".join(str(json_number(value)) for value in values)
    return case.finding(
        vi,
        en,
        evidence=[(case.record, ("value",)), *((summand, ("value", field)) for summand in summands)],
        computed={"how": how, "expected": stated, "found": computed},
        sum=computed,
        stated=stated,
    )


@rule("Parts exceed their total", "Các phần cộng lại vượt tổng", "error", FIGURES, HAS_PARTS, related=(PARTS,))
def parts_exceed_total(case: Case) -> Iterator[Finding]:
    """The sum of parts that are broken down by the same dimension exceeds their total, or one part alone does.

    Rounding, ranges and words such as «more than» are taken into account. Parts without a dimension can overlap.
    """
    vi = "Các phần cộng lại là {sum}, nhiều hơn tổng là {stated}."
    en = "The sum of the parts is {sum}, which is more than the total of {stated}."
    total = range_of(case.record)
    for parts, ranges, _ in breakdowns(case.record, case.related):
        if total and sum_of_ranges(ranges).low > total.high:
            yield _misfit(case, vi, en, parts, "relations")


@rule("Parts fall short of their total", "Các phần chưa đủ tổng", "warning", FIGURES, HAS_PARTS, related=(PARTS,))
def parts_short_of_total(case: Case) -> Iterator[Finding]:
    """The sum of two or more parts that are broken down by the same dimension is less than their total.

    Such a breakdown is assumed to be complete. Where a source names only some of the parts, the rest should be recorded
    as a part too («các doanh nghiệp còn lại»); if it is recorded without a number, there is no finding.
    """
    vi = "Các phần cộng lại là {sum}, ít hơn tổng là {stated}."
    en = "The sum of the parts is {sum}, which is less than the total of {stated}."
    total = range_of(case.record)
    for parts, ranges, is_complete in breakdowns(case.record, case.related):
        if total and is_complete and len(ranges) > 1 and sum_of_ranges(ranges).high < total.low:
            yield _misfit(case, vi, en, parts, "relations")


TARGET: Any = aliased(FIGURE)


@rule(
    "Results and plans miss the target",
    "Kết quả cộng kế hoạch không khớp mục tiêu",
    "warning",
    FIGURES,
    FIGURE.kind == "target",
    exists().where(FIGURE.id == IS_NAMED, RELATION == "compared_with"),
    related=(
        related_records(FIGURES, IS_NAMED, RELATION == "compared_with", FIGURE.id == DECLARES),
        related_records(INDICATORS, TARGET.id, TARGET.indicator == INDICATOR.id),
    ),
)
def plan_misses_target(case: Case) -> Iterator[Finding]:
    """The latest result and the plans for the rest of a target's period do not reach the target together.

    The rule adds the latest result since the start of the target and the plans that follow it up to the target's end,
    without gap or overlap, for the same indicator, unit, project and breakdown. If less is better, or the target is an
    upper limit, their sum must not exceed the target.
    """
    target = case.record
    wanted = range_of(target)
    steps = steps_to_target(target, [other for other in case.related if other["resource"] == "figures"])
    ranges = _ranges(steps)
    if wanted is None or not steps or len(ranges) < len(steps):
        return
    indicators = [other for other in case.related if other["resource"] == "indicators"]
    less_is_better = any(indicator["direction"] == "down" for indicator in indicators)
    is_limit = less_is_better or target["qualifier"] in ("at_most", "less_than")
    total = sum_of_ranges(ranges)
    if total.low > wanted.high if is_limit else total.high < wanted.low:
        vi = "Kết quả và kế hoạch cộng lại là {sum}, mục tiêu là {stated}."
        en = "The sum of results and plans is {sum}, and the target is {stated}."
        yield _misfit(case, vi, en, steps, "period")


def steps_to_target(target: JsonRecord, figures: list[JsonRecord]) -> list[JsonRecord]:
    """Return the latest result since the start of a target and the plans that continue it.

    Return nothing unless there is a plan and the last one ends with the target.
    """
    start, end = _days(target)
    measure = ("indicator", "unit", "unit_text", "project", "breakdown")
    similar = [other for other in figures if other["period"] and all(other[name] == target[name] for name in measure)]
    actuals = [other for other in similar if other["kind"] == "actual"]
    results = [actual for actual in actuals if actual["measured"] in TO_DATE or _days(actual)[0] in (start, date.min)]
    if not results:
        return []
    steps = [max(results, key=lambda result: _days(result)[1])]
    for plan in sorted((other for other in similar if other["kind"] == "plan"), key=_days):
        if plan["measured"] != "cumulative" and (_days(plan)[0] - _days(steps[-1])[1]).days == 1:
            steps.append(plan)
    return steps if len(steps) > 1 and _days(steps[-1])[1] == end else []


def _days(figure: JsonRecord) -> tuple[date, date]:
    """Return the first and last day of its period; the minimum or maximum date where a day is not stated."""
    first = day_of(figure["period"], "earliest")
    last = day_of(figure["period"], "latest")
    return first or date.min, last or date.max


@rule(
    "A percentage disagrees with its base",
    "Tỷ lệ không khớp với số gốc",
    "error",
    FIGURES,
    exists().where(FIGURE.id == DECLARES, is_one_of(RELATION, ("share_of", "change_of"))),
    related=(related_records(FIGURES, DECLARES, FIGURE.id == IS_NAMED),),
)
def percentage_disagrees_with_base(case: Case) -> Iterator[Finding]:
    """A share or change differs, by more than rounding explains, from the result of the numbers that it relates to.

    A share is its `compared_with` figure divided by its `share_of` figure. A change leads from its `compared_with`
    figure to its `change_of` figure. If the source states only one of the two, there is nothing to compute.
    """
    figures = {other["id"]: other for other in case.related}
    relations = [relation for relation in case.record["relations"] if relation["figure"] in figures]
    related = [(relation["kind"], figures[relation["figure"]]) for relation in relations]
    stated = range_of(case.record)
    for kind, base in related:
        seconds = [other for how, other in related if how == "compared_with" and unit_of(other) == unit_of(base)]
        results = [(second, recompute(case.record, kind, base, second)) for second in seconds]
        computed = [(second, result) for second, result in results if result]
        if stated is None or not computed or any(result.range.overlaps(stated) for _, result in computed):
            continue
        second, result = computed[0]
        yield case.finding(
            "Tính lại từ các số liên quan được {computed_number}, nguồn nêu {stated}.",
            "The numbers that it relates to result in {computed_number}, and the source states {stated}.",
            evidence=[(case.record, ("value", "relations")), (base, ("value",)), (second, ("value",))],
            computed={"how": result.how, "expected": case.record["value"], "found": result.number},
            computed_number=result.number,
            stated=case.record["value"],
        )


class Recomputed(NamedTuple):
    """A share or change, computed from other numbers: the formula, its range, and the number to show."""

    how: str
    range: Range
    number: int | float


def recompute(figure: JsonRecord, kind: str, base: JsonRecord, second: JsonRecord) -> Recomputed | None:
    """Compute a share or change from the figure of that relation and the figure it is compared with, if possible."""
    base_range = range_of(base)
    second_range = range_of(second)
    if base_range is None or second_range is None:
        return None
    base_number = decimal_value(base)
    second_number = decimal_value(second)
    base_text = json_number(base_number)
    second_text = json_number(second_number)
    if kind == "share_of" and figure["unit"] == "percent" and base_range.low > 0:
        share = json_number(round(second_number / base_number * 100, 2))
        return Recomputed(f"{second_text} / {base_text} × 100", second_range.percent_of(base_range), share)
    if kind == "change_of" and figure["unit"] in (base["unit"], "percentage_point"):
        change = json_number(base_number - second_number)
        return Recomputed(f"{base_text} − {second_text}", base_range - second_range, change)
    if kind == "change_of" and figure["unit"] == "percent" and second_range.low > 0:
        grown = base_range.percent_of(second_range)
        growth = json_number(round((base_number - second_number) / second_number * 100, 2))
        how = f"({base_text} − {second_text}) / {second_text} × 100"
        return Recomputed(how, Range(grown.low - 100, grown.high - 100), growth)
    return None
