"""The progress of one project: for each indicator its targets, plans, baselines and actuals, compared and added."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, islice
from typing import Annotated, Any, cast

from pydantic import Field

from app.analysis.progress.comparison import Comparison, Targets
from app.analysis.progress.grouping import groups_of_figures, parts_of_totals
from app.analysis.progress.results import ProgressSum, all_results, last_day, latest_result, sums_with_plans
from app.core.values.text import LanguageMap
from app.figures.codelists import DIRECTION
from app.figures.models import FigureShown
from app.figures.stated import StatedFigure

KINDS = ("target", "plan", "baseline", "actual")

MAX_SUMS = 100  # of one indicator


@dataclass(frozen=True)
class ProgressNumber:
    """A figure with its evidence, its comparison with a target, and its parts."""

    figure: Annotated[FigureShown, Field(description="The figure, with its citations.")]
    progress: Annotated[
        Comparison | None,
        Field(
            description="Comparison with the target. Null: the figure is not an actual, it is a claim, or it is a part "
            "without a target of its own."
        ),
    ]
    parts: Annotated["list[ProgressNumber]", Field(description="Figures that are part of this one.")]


@dataclass(frozen=True)
class IndicatorProgress:
    """The figures of one indicator, unit, breakdown and area, in the order of time."""

    indicator: Annotated[str, Field(description="Id of the indicator.")]
    name: Annotated[LanguageMap | None, Field(description="Name of the indicator. Null: it is not public.")]
    direction: Annotated[str, DIRECTION, Field(description="Whether more (`up`) or less (`down`) is better.")]
    unit: Annotated[str, Field(description="Unit of all numbers.")]
    unit_text: Annotated[LanguageMap | None, Field(description="The thing that is counted, if the unit is `other`.")]
    breakdown: Annotated[dict[str, str], Field(description="Part of a total that the numbers cover.")]
    progress: Annotated[
        Comparison,
        Field(
            description="Comparison of the latest result with its target. The result is an actual, or the sum of "
            "actuals with consecutive periods."
        ),
    ]
    targets: Annotated[list[ProgressNumber], Field(description="Numbers to be reached.")]
    plans: Annotated[list[ProgressNumber], Field(description="Numbers intended for a period.")]
    baselines: Annotated[list[ProgressNumber], Field(description="Numbers from before the project.")]
    actuals: Annotated[list[ProgressNumber], Field(description="What was reached, according to the sources.")]
    sums: Annotated[list[ProgressSum], Field(description="Sums of a result and the plan that continues it.")]
    claims: Annotated[
        list[ProgressNumber],
        Field(description="Figures that other partners state without a document. They are never counted."),
    ]


def is_counted(figure: StatedFigure, manager: str | None) -> bool:
    """Return whether a figure counts for a project: it cites a document, or the project's manager maintains it."""
    return bool(figure["citations"]) or (manager is not None and figure["managed_by"] == manager)


def progress(
    figures: Iterable[StatedFigure],
    manager: str | None,
    named: Iterable[StatedFigure],
    indicators: Mapping[str, Any],
    since: date | None = None,
) -> list[IndicatorProgress]:
    """Return the progress of one project from its own figures.

    `named` are counted figures with which these can be compared, `indicators` the public representations by id, and
    `since` the first day of the project, if known.
    """
    own = list(figures)
    counted = {figure.id: figure for figure in own if is_counted(figure, manager)}
    claims = {figure.id for figure in own} - counted.keys()
    parts = parts_of_totals(counted)
    part_ids = {part.id for part in chain.from_iterable(parts.values())}
    comparable = {figure.id: figure for figure in named} | counted
    own_targets = [figure for figure in counted.values() if figure["kind"] == "target"]
    entries = []
    for group in groups_of_figures([figure for figure in own if figure.id not in part_ids]):
        indicator = indicators.get(group[0]["indicator"], {})
        targets = Targets(own_targets, comparable, indicator.get("direction", "none"), since)
        entries.append(_entry(group, claims, parts, targets, indicator))
    return entries


def _entry(
    group: Sequence[StatedFigure],
    claims: Collection[str],
    parts: Mapping[str, Sequence[StatedFigure]],
    targets: Targets,
    indicator: Mapping[str, Any],
) -> IndicatorProgress:
    """Return the progress of one group of figures. `claims` are the ids of figures that are not counted."""

    def number(figure: StatedFigure, *, is_part: bool = False) -> ProgressNumber:
        is_compared = (
            figure["kind"] == "actual"
            and figure.id not in claims
            and not (is_part and targets.target_of(figure)[0] is None)
        )
        own_parts = [number(part, is_part=True) for part in parts.get(figure.id, ())]
        # FigureShown describes the stored representation, which is passed on as it is.
        shown_figure = cast(FigureShown, figure.record)
        return ProgressNumber(shown_figure, targets.compare(figure) if is_compared else None, own_parts)

    ordered = sorted(group, key=lambda figure: (last_day(figure), figure.starts or date.min, figure.id))
    counted = [figure for figure in ordered if figure.id not in claims]
    kinds = {kind: [figure for figure in counted if figure["kind"] == kind] for kind in KINDS}
    results = list(all_results([actual for actual in kinds["actual"] if actual.quantity], targets))
    return IndicatorProgress(
        indicator=group[0]["indicator"],
        name=indicator.get("name"),
        direction=targets.direction,
        unit=group[0]["unit"],
        unit_text=group[0]["unit_text"],
        breakdown=group[0]["breakdown"],
        progress=latest_result(results or kinds["actual"], kinds["target"], targets),
        targets=[number(target) for target in kinds["target"]],
        plans=[number(plan) for plan in kinds["plan"]],
        baselines=[number(baseline) for baseline in kinds["baseline"]],
        actuals=[number(actual) for actual in kinds["actual"]],
        sums=list(islice(sums_with_plans(results, kinds["plan"], targets), MAX_SUMS)),
        claims=[number(claim) for claim in ordered if claim.id in claims],
    )
