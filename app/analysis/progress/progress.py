"""Progress of a project: which figures count, what each actual is compared with, and what may be added to what."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Annotated, Any, cast

from pydantic import Field

from app.analysis.progress.comparison import (
    Amount,
    Comparison,
    Computation,
    FigureId,
    Targets,
    Upper,
    comparison,
    without_percentage,
)
from app.core.values.numbers import Quantity, quantity_shown
from app.core.values.text import LanguageMap
from app.figures.codelists import DIRECTION
from app.figures.models import FigureShown
from app.figures.stated import Exactness, FigureSum, StatedFigure

KINDS = ("target", "plan", "baseline", "actual")

MAX_SUMS = 100  # of one indicator

MAX_STAGES = 120  # of one result; ten years of months

Stages = dict[tuple[int, frozenset[str]], list[StatedFigure]]  # by first day (as an ordinal) and area

MAX_LEVELS = 10  # of parts of parts, and of projects that are part of projects


@dataclass(frozen=True)
class ProgressSum:
    """What a result and the plan that continues it come to, beside the target."""

    added: Annotated[list[str], Field(description="Ids of the actual, or actuals, and of the plan.")]
    value: Amount
    value_high: Upper
    qualifier: Exactness
    target: FigureId
    equal: Annotated[bool | None, Field(description="Null: no target, no exact numbers, or the plan ends earlier.")]
    computed: Computation


@dataclass(frozen=True)
class ProgressNumber:
    """A figure with its evidence, what it is compared with, and the parts that it is the total of."""

    figure: FigureShown
    progress: Annotated[
        Comparison | None, Field(description="For actuals that count; for parts, where they have a target.")
    ]
    parts: "list[ProgressNumber]"


@dataclass(frozen=True)
class IndicatorProgress:
    """Targets, plans, baselines and actuals of one indicator, unit, breakdown and area, actuals by date."""

    indicator: str
    name: LanguageMap | None
    direction: Annotated[str, DIRECTION]
    unit: str
    breakdown: dict[str, str]
    progress: Annotated[
        Comparison,
        Field(description="That of the latest result: an actual, or several whose periods follow each other."),
    ]
    targets: list[ProgressNumber]
    plans: list[ProgressNumber]
    baselines: list[ProgressNumber]
    actuals: list[ProgressNumber]
    sums: list[ProgressSum]
    claims: Annotated[
        list[ProgressNumber], Field(description="What other partners say without a document; not counted.")
    ]


def is_counted(figure: StatedFigure, manager: str | None) -> bool:
    """Whether a figure counts for a project: cited from a document, or said by the project's manager."""
    return bool(figure["citations"]) or (manager is not None and figure["managed_by"] == manager)


def progress(
    figures: Iterable[StatedFigure],
    manager: str | None,
    named: Iterable[StatedFigure],
    indicators: Mapping[str, Any],
    since: date | None = None,
) -> list[IndicatorProgress]:
    """The progress of one project by its own figures; `named` are targets of others that count for those.

    `indicators` holds the representations of the public ones by id; `since` is the project's first day, if known.
    """
    own = list(figures)
    counted = {each.id: each for each in own if is_counted(each, manager)}
    claims = {each.id for each in own} - counted.keys()
    parts = _parts(counted)
    below = {part.id for each in parts.values() for part in each}
    tops = [each for each in own if each.id not in below]
    comparable = {each.id: each for each in named} | counted
    targets = [each for each in counted.values() if each["kind"] == "target"]
    found = []
    for group in _groups(tops):
        indicator = indicators.get(group[0]["indicator"], {})
        aims = Targets(targets, comparable, indicator.get("direction", "none"), since)
        found.append(_entry(group, claims, parts, aims, indicator))
    return found


def _parts(counted: Mapping[str, StatedFigure]) -> dict[str, list[StatedFigure]]:
    """The parts of each total among these figures, each part under the first total it names."""
    whole: dict[str, str] = {}
    for each in counted.values():
        for other in each.related("part_of"):
            total = counted.get(other)
            if total and total.id != each.id and (total["kind"], total.measure[:2]) == (each["kind"], each.measure[:2]):
                whole[each.id] = other
                break
    parts: dict[str, list[StatedFigure]] = {}
    for part in [*whole]:
        above, levels = part, 0
        while above in whole and levels < MAX_LEVELS:
            above, levels = whole[above], levels + 1
        if above in whole:  # it comes round, or is too deep to show: this link is not followed
            del whole[part]
        else:
            parts.setdefault(whole[part], []).append(counted[part])
    return parts


def _groups(figures: Sequence[StatedFigure]) -> list[list[StatedFigure]]:
    """Figures of one measure, apart where they are about different areas that nothing compares."""
    by_measure: dict[tuple[Any, ...], list[StatedFigure]] = {}
    for each in figures:
        by_measure.setdefault(each.measure, []).append(each)
    return [group for key in sorted(by_measure) for group in _by_area(by_measure[key])]


def _by_area(figures: list[StatedFigure]) -> list[list[StatedFigure]]:
    areas = {each.area: each.area for each in figures}

    def root(area: frozenset[str]) -> frozenset[str]:
        while areas[area] != area:
            area = areas[area]
        return area

    area_of = {each.id: each.area for each in figures}
    for each in figures:
        linked = [area_of[other] for other in each.related("compared_with") if other in area_of]
        for area in [*linked, *({frozenset[str]()} & areas.keys())]:
            areas[root(each.area)] = root(area)
    groups: dict[frozenset[str], list[StatedFigure]] = {}
    for each in figures:
        groups.setdefault(root(each.area), []).append(each)
    return list(groups.values())


def _entry(
    group: Sequence[StatedFigure], claims: Collection[str], parts: Mapping[str, Any], aims: Targets, indicator: Any
) -> IndicatorProgress:
    def number(figure: StatedFigure, *, is_part: bool = False) -> ProgressNumber:
        compared = (
            figure["kind"] == "actual"
            and figure.id not in claims
            and not (is_part and aims.target_of(figure)[0] is None)
        )
        below = [number(part, is_part=True) for part in parts.get(figure.id, ())]
        # The stored representation as it is: FigureShown says its shape.
        return ProgressNumber(cast(FigureShown, figure.record), aims.compare(figure) if compared else None, below)

    ordered = sorted(group, key=lambda each: (_last(each), each.starts or date.min, each.id))
    kinds = {kind: [each for each in ordered if each["kind"] == kind and each.id not in claims] for kind in KINDS}
    results = list(_results([each for each in kinds["actual"] if each.quantity], aims))
    return IndicatorProgress(
        indicator=group[0]["indicator"],
        name=indicator.get("name"),
        direction=aims.direction,
        unit=group[0]["unit"],
        breakdown=group[0]["breakdown"],
        progress=_latest(results or kinds["actual"], kinds["target"], aims),
        targets=[number(each) for each in kinds["target"]],
        plans=[number(each) for each in kinds["plan"]],
        baselines=[number(each) for each in kinds["baseline"]],
        actuals=[number(each) for each in kinds["actual"]],
        sums=list(islice(_sums(results, kinds["plan"], aims), MAX_SUMS)),
        claims=[number(each) for each in ordered if each.id in claims],
    )


def _last(figure: StatedFigure) -> date:
    """The last day it is about: far ahead for what goes on, long ago for what has no period."""
    return figure.ends or (date.max if figure["period"] else date.min)


def _results(actuals: Sequence[StatedFigure], aims: Targets) -> Iterator[StatedFigure]:
    """Each actual; and what stages that follow each other without a gap add up to, as far as targets go.

    They begin where a target does, or after the last total up to a day.
    """
    yield from actuals
    stages: Stages = {}
    for each in actuals:
        if each["measured"] == "over_period" and each.starts and each.ends:
            stages.setdefault((each.starts.toordinal(), each.area), []).append(each)
    until: dict[int, date] = {}
    for target in aims.own:
        if target.starts:
            day = target.starts.toordinal()
            until[day] = max(until.get(day, date.min), target.ends or date.max)
    totals = {each.area: each for each in actuals if each["measured"] == "cumulative" and each.ends}
    firsts = [(each, until[day]) for (day, _), begun in stages.items() if day in until for each in _one(begun)]
    for first, end in [*firsts, *((each, date.max) for each in totals.values())]:
        chain = _chain(first, stages, end)
        if len(chain) > 1:
            yield FigureSum.up(chain)


def _chain(first: StatedFigure, stages: Stages, end: date) -> list[StatedFigure]:
    """What follows one another from the first on, as long as there is one to go on with that ends in time."""
    chain = [first]
    while len(chain) < MAX_STAGES:
        following = _one(stages.get((cast(date, chain[-1].ends).toordinal() + 1, first.area), ()))
        if not following or cast(date, following[0].ends) > end:
            break
        chain += following
    return chain


def _one(stages: Sequence[StatedFigure]) -> list[StatedFigure]:
    """The one to go on with of stages that begin on one day: the longest, unless that is stated differently."""
    end = max((cast(date, each.ends) for each in stages), default=None)
    longest = [each for each in stages if each.ends == end]
    return longest[:1] if len({each.quantity for each in longest}) == 1 else []


def _latest(results: Sequence[StatedFigure], targets: Sequence[StatedFigure], aims: Targets) -> Comparison:
    """Where the indicator stands: the latest result that covers its target's period from the start.

    Those with a target come before others, and those about just its area before those about a part of it.
    """
    if not results:
        return comparison(None, targets[0] if len(targets) == 1 else None, None, aims.direction)
    aimed = [each for each in results if aims.target_of(each)[0]] or results
    to_date = [each for each in aimed if _is_to_date(each, aims.target_of(each)[0])]
    whole = [each for each in to_date if (target := aims.target_of(each)[0]) and each.area == target.area]

    def place(result: StatedFigure) -> tuple[Any, ...]:
        return _last(result), result["measured"] != "over_period", -len(result.stages)

    latest = max(whole or to_date or aimed, key=place)
    found = aims.compare(latest)
    rivals = [each for each in whole or to_date if place(each) == place(latest)]
    why = "competing" if len({each.quantity for each in rivals}) > 1 else None if to_date else "part_of_period"
    return without_percentage(found, why) if why and found.target else found


def _is_to_date(actual: StatedFigure, target: StatedFigure | None) -> bool:
    if actual["measured"] != "over_period" or target is None or actual.starts is None or target.starts is None:
        return True
    return actual.starts <= target.starts


def _sums(results: Iterable[StatedFigure], plans: Collection[StatedFigure], aims: Targets) -> Iterator[ProgressSum]:
    """Each result from the start to a day plus the plan that begins the day after; nothing else may be added."""
    for actual in results:
        for plan in plans:
            if _continues(actual, plan, aims) and actual.quantity and plan.quantity:
                named = [aims.target_of(each)[0] for each in (plan, actual)]
                same = actual.same_area(plan) or (named[0] is not None and named[0] is named[1])
                if same:
                    yield _sum(actual, plan, named[0] or named[1])


def _continues(actual: StatedFigure, plan: StatedFigure, aims: Targets) -> bool:
    target = aims.target_of(actual)[0]
    with_target = target is not None and actual.starts is not None and actual.starts == target.starts
    from_the_start = actual["measured"] == "cumulative" or (with_target and actual["measured"] != "at_date")
    if plan["measured"] != "over_period" or not from_the_start:
        return False
    if actual["breakdown"] or plan["breakdown"] or actual.ends is None or plan.starts is None:
        return False
    return actual.ends.toordinal() + 1 == plan.starts.toordinal()


def _sum(actual: StatedFigure, plan: StatedFigure, target: StatedFigure | None) -> ProgressSum:
    first, second = cast(Quantity, actual.quantity), cast(Quantity, plan.quantity)
    total, aim = first + second, target.quantity if target else None
    known = target and aim and total.is_exact and aim.is_exact and plan.ends == target.ends
    value, value_high = quantity_shown(total)
    return ProgressSum(
        added=[*(each.id for each in actual.stages), plan.id],
        value=value,
        value_high=value_high,
        qualifier=total.qualifier,
        target=target.id if target else None,
        equal=total.value == aim.value if known and aim else None,
        computed=f"{' + '.join(str(each.quantity) for each in (*actual.stages, plan))} = {total}",
    )
