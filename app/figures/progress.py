"""Progress of a project: which figures count, what each actual is compared with, and what may be added to what."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Annotated, Any, cast

from pydantic import Field

from app.core.text import LanguageMap
from app.figures.comparing import (
    Amount,
    Comparison,
    Computation,
    Exactness,
    FigureId,
    Targets,
    Upper,
    comparison,
    without,
)
from app.figures.indicators import DIRECTION
from app.figures.models import FigureShown
from app.figures.stated import Quantity, Stated, shown

KINDS = ("target", "plan", "baseline", "actual")
MOST_SUMS = 100  # of one indicator
MOST_LEVELS = 10  # of parts of parts, and of projects that are part of projects


@dataclass(frozen=True)
class ProgressSum:
    """What an actual and the plan that continues it come to, beside the target."""

    added: Annotated[list[str], Field(description="Ids of the actual and the plan.")]
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
    progress: Annotated[Comparison, Field(description="That of the latest actual that counts.")]
    targets: list[ProgressNumber]
    plans: list[ProgressNumber]
    baselines: list[ProgressNumber]
    actuals: list[ProgressNumber]
    sums: list[ProgressSum]
    claims: Annotated[
        list[ProgressNumber], Field(description="What other partners say without a document; not counted.")
    ]


def counts(figure: Stated, manager: str | None) -> bool:
    """Whether a figure counts for a project: cited from a document, or said by the project's manager."""
    return bool(figure["citations"]) or (manager is not None and figure["managed_by"] == manager)


def progress(
    figures: Iterable[Stated], manager: str | None, named: Iterable[Stated], indicators: Mapping[str, Any]
) -> list[IndicatorProgress]:
    """The progress of one project by its own figures; `named` are figures of others that these are compared with.

    `indicators` holds the representations of the public ones by id.
    """
    own = list(figures)
    counted = {each.id: each for each in own if counts(each, manager)}
    claims = {each.id for each in own} - counted.keys()
    parts = _parts(counted)
    below = {part.id for each in parts.values() for part in each}
    tops = [each for each in own if each.id not in below]
    comparable = {each.id: each for each in [*named, *counted.values()] if counts(each, manager)}
    targets = [each for each in counted.values() if each["kind"] == "target"]
    found = []
    for group in _groups(tops):
        indicator = indicators.get(group[0]["indicator"], {})
        aims = Targets(targets, comparable, indicator.get("direction", "none"))
        found.append(_entry(group, claims, parts, aims, indicator))
    return found


def _parts(counted: Mapping[str, Stated]) -> dict[str, list[Stated]]:
    """The parts of each total among these figures, each part under the first total it names."""
    whole: dict[str, str] = {}
    for each in counted.values():
        for other in each.related("part_of"):
            total = counted.get(other)
            if total and total.id != each.id and (total["kind"], total.measure[:2]) == (each["kind"], each.measure[:2]):
                whole[each.id] = other
                break
    parts: dict[str, list[Stated]] = {}
    for part in [*whole]:
        above, levels = part, 0
        while above in whole and levels < MOST_LEVELS:
            above, levels = whole[above], levels + 1
        if above in whole:  # it comes round, or is too deep to show: this link is not followed
            del whole[part]
        else:
            parts.setdefault(whole[part], []).append(counted[part])
    return parts


def _groups(figures: Sequence[Stated]) -> list[list[Stated]]:
    """Figures of one measure, apart where they are about different areas that nothing compares."""
    by_measure: dict[tuple[Any, ...], list[Stated]] = {}
    for each in figures:
        by_measure.setdefault(each.measure, []).append(each)
    return [group for key in sorted(by_measure) for group in _by_area(by_measure[key])]


def _by_area(figures: list[Stated]) -> list[list[Stated]]:
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
    groups: dict[frozenset[str], list[Stated]] = {}
    for each in figures:
        groups.setdefault(root(each.area), []).append(each)
    return list(groups.values())


def _entry(
    group: Sequence[Stated], claims: Collection[str], parts: Mapping[str, Any], aims: Targets, indicator: Any
) -> IndicatorProgress:
    def number(figure: Stated, *, is_part: bool = False) -> ProgressNumber:
        compared = (
            figure["kind"] == "actual" and figure.id not in claims and not (is_part and aims.of(figure)[0] is None)
        )
        below = [number(part, is_part=True) for part in parts.get(figure.id, ())]
        # The stored representation as it is: FigureShown says its shape.
        return ProgressNumber(cast(FigureShown, figure.record), aims.compare(figure) if compared else None, below)

    ordered = sorted(group, key=lambda each: (_last(each), each.starts or date.min, each.id))
    kinds = {kind: [each for each in ordered if each["kind"] == kind and each.id not in claims] for kind in KINDS}
    return IndicatorProgress(
        indicator=group[0]["indicator"],
        name=indicator.get("name"),
        direction=aims.direction,
        unit=group[0]["unit"],
        breakdown=group[0]["breakdown"],
        progress=_latest(kinds["actual"], kinds["target"], aims),
        targets=[number(each) for each in kinds["target"]],
        plans=[number(each) for each in kinds["plan"]],
        baselines=[number(each) for each in kinds["baseline"]],
        actuals=[number(each) for each in kinds["actual"]],
        sums=list(islice(_sums(kinds["actual"], kinds["plan"], aims), MOST_SUMS)),
        claims=[number(each) for each in ordered if each.id in claims],
    )


def _last(figure: Stated) -> date:
    """The last day it is about: far ahead for what goes on, long ago for what has no period."""
    return figure.ends or (date.max if figure["period"] else date.min)


def _latest(actuals: Sequence[Stated], targets: Sequence[Stated], aims: Targets) -> Comparison:
    """Where the indicator stands: the latest actual that covers its target's period from the start."""
    if not actuals:
        return comparison(None, targets[0] if len(targets) == 1 else None, None, aims.direction)
    said = [each for each in actuals if each.quantity] or actuals
    to_date = [each for each in said if _is_to_date(each, aims.of(each)[0])]
    latest = max(to_date or said, key=lambda each: (_last(each), each["measured"] != "over_period"))
    found = aims.compare(latest)
    rivals = [each for each in to_date if (_last(each), each["measured"]) == (_last(latest), latest["measured"])]
    why = "competing" if len({each.quantity for each in rivals}) > 1 else None if to_date else "part_of_period"
    return without(found, why) if why and found.target else found


def _is_to_date(actual: Stated, target: Stated | None) -> bool:
    if actual["measured"] != "over_period" or target is None or actual.starts is None or target.starts is None:
        return True
    return actual.starts <= target.starts


def _sums(actuals: Iterable[Stated], plans: Collection[Stated], aims: Targets) -> Iterator[ProgressSum]:
    """Each total up to a day plus the plan that starts the day after; nothing else may be added."""
    for actual in actuals:
        for plan in plans:
            if _continues(actual, plan) and actual.quantity and plan.quantity:
                named = [aims.of(each)[0] for each in (plan, actual)]
                same = actual.same_area(plan) or (named[0] is not None and named[0] is named[1])
                if same:
                    yield _sum(actual, plan, named[0] or named[1])


def _continues(actual: Stated, plan: Stated) -> bool:
    if actual["measured"] != "cumulative" or plan["measured"] != "over_period":
        return False
    if actual["breakdown"] or plan["breakdown"] or actual.ends is None or plan.starts is None:
        return False
    return actual.ends.toordinal() + 1 == plan.starts.toordinal()


def _sum(actual: Stated, plan: Stated, target: Stated | None) -> ProgressSum:
    first, second = cast(Quantity, actual.quantity), cast(Quantity, plan.quantity)
    total, aim = first + second, target.quantity if target else None
    known = target and aim and total.is_exact and aim.is_exact and plan.ends == target.ends
    value, value_high = shown(total)
    return ProgressSum(
        added=[actual.id, plan.id],
        value=value,
        value_high=value_high,
        qualifier=total.qualifier,
        target=target.id if target else None,
        equal=total.value == aim.value if known and aim else None,
        computed=f"{first} + {second} = {total}",
    )
