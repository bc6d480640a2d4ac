"""The results of an indicator: actuals, the sums of consecutive ones, the latest of them, and sums with a plan."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, cast

from pydantic import Field

from app.analysis.progress.comparison import (
    Amount,
    Comparison,
    Computation,
    Targets,
    Upper,
    comparison,
    without_percentage,
)
from app.core.values.numbers import Quantity, quantity_shown
from app.figures.stated import Exactness, FigureSum, StatedFigure

MAX_STAGES = 120  # of one result: ten years of months

Stages = dict[tuple[int, frozenset[str]], list[StatedFigure]]  # by first day (as an ordinal) and area


@dataclass(frozen=True)
class ProgressSum:
    """The sum of a result and of the plan that continues it, compared with the target."""

    added: Annotated[list[str], Field(description="Ids of the actual or actuals, and of the plan.")]
    value: Annotated[Amount, Field(description="The numbers of the result and the plan, added up.")]
    value_high: Upper
    qualifier: Exactness
    target: Annotated[str | None, Field(description="Id of the target. Null: there is none to compare the sum with.")]
    equal: Annotated[
        bool | None,
        Field(
            description="Whether the sum equals the target. Null: there is no target, a number is not exact, or the "
            "plan and the target end on different days."
        ),
    ]
    computed: Computation


def last_day(figure: StatedFigure) -> date:
    """Return the last day of its period: the maximum date if it is open, the minimum date if there is no period."""
    return figure.ends or (date.max if figure["period"] else date.min)


def all_results(actuals: Sequence[StatedFigure], targets: Targets) -> Iterator[StatedFigure]:
    """Yield each actual, and each sum of actuals whose periods follow each other without a gap (stages).

    A sum starts where the period of a target starts, and ends with it at the latest. A sum can also start with the
    last cumulative number of an area.
    """
    yield from actuals
    stages: Stages = {}
    for actual in actuals:
        if actual["measured"] == "over_period" and actual.starts and actual.ends:
            stages.setdefault((actual.starts.toordinal(), actual.area), []).append(actual)
    starts: list[tuple[StatedFigure, date]] = []
    ends = _last_days_of_targets(targets)
    for (day, _), begun in stages.items():
        if day in ends:
            starts += [(stage, ends[day]) for stage in _continuation(begun)]
    totals = {actual.area: actual for actual in actuals if actual["measured"] == "cumulative" and actual.ends}
    starts += [(total, date.max) for total in totals.values()]
    for first, end in starts:
        consecutive = _consecutive(first, stages, end)
        if len(consecutive) > 1:
            yield FigureSum.up(consecutive)


def _last_days_of_targets(targets: Targets) -> dict[int, date]:
    """Return the latest end of the targets that start on a day, by this day (as an ordinal)."""
    ends: dict[int, date] = {}
    for target in targets.own:
        if target.starts:
            day = target.starts.toordinal()
            ends[day] = max(ends.get(day, date.min), target.ends or date.max)
    return ends


def _consecutive(first: StatedFigure, stages: Stages, end: date) -> list[StatedFigure]:
    """Return the first stage and those that follow it one after another and end in time."""
    consecutive = [first]
    while len(consecutive) < MAX_STAGES:
        next_day = cast(date, consecutive[-1].ends).toordinal() + 1
        following = _continuation(stages.get((next_day, first.area), ()))
        if not following or cast(date, following[0].ends) > end:
            break
        consecutive += following
    return consecutive


def _continuation(stages: Sequence[StatedFigure]) -> list[StatedFigure]:
    """Return the longest of stages that start on one day; nothing if its number is stated differently elsewhere."""
    end = max((cast(date, stage.ends) for stage in stages), default=None)
    longest = [stage for stage in stages if stage.ends == end]
    return longest[:1] if len({stage.quantity for stage in longest}) == 1 else []


def latest_result(results: Sequence[StatedFigure], own: Sequence[StatedFigure], targets: Targets) -> Comparison:
    """Compare the latest result that covers its target's period from the start. `own` are the indicator's targets.

    Results with a target are preferred to others, and results about the area of the target to those about a part.
    """
    if not results:
        return comparison(None, own[0] if len(own) == 1 else None, None, targets.direction)
    with_target = [result for result in results if targets.target_of(result)[0]] or results
    to_date = [result for result in with_target if _is_to_date(result, targets.target_of(result)[0])]
    same_area = [result for result in to_date if _has_area_of(targets.target_of(result)[0], result)]

    def rank(result: StatedFigure) -> tuple[Any, ...]:
        return last_day(result), result["measured"] != "over_period", -len(result.stages)

    latest = max(same_area or to_date or with_target, key=rank)
    compared = targets.compare(latest)
    rivals = [result for result in same_area or to_date if rank(result) == rank(latest)]
    if not compared.target:
        return compared
    if len({rival.quantity for rival in rivals}) > 1:
        return without_percentage(compared, "competing")
    return compared if to_date else without_percentage(compared, "part_of_period")


def _has_area_of(target: StatedFigure | None, result: StatedFigure) -> bool:
    return target is not None and result.area == target.area


def _is_to_date(actual: StatedFigure, target: StatedFigure | None) -> bool:
    """Return whether an actual counts from the start of the target's period, or from an earlier day."""
    if actual["measured"] != "over_period" or target is None or actual.starts is None or target.starts is None:
        return True
    return actual.starts <= target.starts


def sums_with_plans(
    results: Iterable[StatedFigure], plans: Collection[StatedFigure], targets: Targets
) -> Iterator[ProgressSum]:
    """Yield the sum of each result that counts from the start and each plan that begins on the day after it."""
    for result in results:
        for plan in plans:
            if _continues(result, plan, targets) and result.quantity and plan.quantity:
                of_plan = targets.target_of(plan)[0]
                of_result = targets.target_of(result)[0]
                same_target = of_plan is not None and of_plan is of_result
                if result.same_area(plan) or same_target:
                    yield _sum(result, plan, of_plan or of_result)


def _continues(actual: StatedFigure, plan: StatedFigure, targets: Targets) -> bool:
    """Return whether a plan begins on the day after an actual that counts from the start."""
    target = targets.target_of(actual)[0]
    with_target = target is not None and actual.starts is not None and actual.starts == target.starts
    from_the_start = actual["measured"] == "cumulative" or (with_target and actual["measured"] != "at_date")
    if plan["measured"] != "over_period" or not from_the_start:
        return False
    if actual["breakdown"] or plan["breakdown"] or actual.ends is None or plan.starts is None:
        return False
    return actual.ends.toordinal() + 1 == plan.starts.toordinal()


def _sum(actual: StatedFigure, plan: StatedFigure, target: StatedFigure | None) -> ProgressSum:
    total = cast(Quantity, actual.quantity) + cast(Quantity, plan.quantity)
    wanted = target.quantity if target else None
    comparable = target and wanted and total.is_exact and wanted.is_exact and plan.ends == target.ends
    value, value_high = quantity_shown(total)
    return ProgressSum(
        added=[*(stage.id for stage in actual.stages), plan.id],
        value=value,
        value_high=value_high,
        qualifier=total.qualifier,
        target=target.id if target else None,
        equal=total.value == wanted.value if comparable and wanted else None,
        computed=f"{' + '.join(str(stage.quantity) for stage in (*actual.stages, plan))} = {total}",
    )
