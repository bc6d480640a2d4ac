"""The target that an actual is compared with, the percentage and gap, or the reason why there is no percentage."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Annotated, Any

from pydantic import Field

from app.core.values.codelists import Code, CodeList
from app.core.values.numbers import quantity_shown
from app.figures.stated import TO_DATE, Exactness, StatedFigure
from app.figures.units import unit_of

NO_PERCENTAGE = CodeList(
    "no_percentage",
    "The reason why an actual has no percentage of a target. A missing percentage is null and never 0.",
    {
        "no_target": Code("No target covers the time of the actual", "Không có mục tiêu cùng kỳ để so sánh"),
        "no_actual": Code("There is no actual yet", "Chưa có số thực hiện"),
        "no_value": Code("The actual or the target is stated in words only", "Một trong hai không phải là số"),
        "zero_target": Code("The target is zero", "Mục tiêu bằng 0"),
        "negative": Code("The actual or the target is below zero", "Một trong hai là số âm"),
        "uncertain": Code("Both are lower limits, or both are upper limits", "Cả hai đều là số chặn cùng phía"),
        "part_of_period": Code(
            "The actual covers only a part of the target's period", "Chỉ một phần thời kỳ của mục tiêu"
        ),
        "competing": Code("Several actuals of one date differ", "Nhiều số thực hiện cùng thời điểm khác nhau"),
    },
)

COMPARED_BY = CodeList(
    "compared_by",
    "How the target of an actual was chosen.",
    {
        "relation": Code("The actual names it (compared_with)", "Con số nêu rõ mục tiêu (compared_with)"),
        "period": Code(
            "Same indicator, unit, breakdown and area, and the time of the actual is within its period",
            "Cùng chỉ tiêu, đơn vị, phân tổ, địa bàn; thời gian của số thực hiện nằm trong kỳ của mục tiêu",
        ),
    },
)


Amount = Annotated[int | float | None, Field(description="Computed number. Null: it cannot be computed.")]
Upper = Annotated[
    int | float | None, Field(description="Upper end of the computed number, if a number in it is a range.")
]
Computation = Annotated[
    str | None,
    Field(description="Formula of the computation.", examples=["26 / 50", "(30 + 40) / 100", "26 + 24 = 50"]),
]


@dataclass(frozen=True)
class Comparison:
    """An actual compared with its target. The direction of the indicator states whether more is better."""

    actual: Annotated[str | None, Field(description="Id of the actual. Null: there is none yet.")]
    added: Annotated[
        list[str],
        Field(
            description="Ids of actuals with consecutive periods that were added up; the last one is `actual`. Empty: "
            "the actual is a single figure."
        ),
    ]
    date: Annotated[
        str | None, Field(description="Last day of the actual's period. Null: unknown.", examples=["2022-12-31"])
    ]
    target: Annotated[str | None, Field(description="Id of the target. Null: no target can be compared with it.")]
    compared_by: Annotated[
        Annotated[str, COMPARED_BY] | None,
        Field(
            description="How the target was chosen: the actual names it (`relation`), or its indicator, area and "
            "period match (`period`)."
        ),
    ]
    percentage: Annotated[Amount, Field(description="Actual in per cent of the target. Null: see `why_not`.")]
    percentage_high: Upper
    gap: Annotated[Amount, Field(description="Target minus actual, in the unit of the indicator.")]
    gap_high: Upper
    qualifier: Exactness
    reached: Annotated[
        bool | None,
        Field(
            description="Whether the actual is at least as good as the target. Null: uncertain, or the indicator has "
            "no direction."
        ),
    ]
    computed: Computation
    why_not: Annotated[
        Annotated[str, NO_PERCENTAGE] | None,
        Field(description="Why there is no percentage. Null: there is one. `/v1/codelists/no_percentage` explains it."),
    ]


@dataclass(frozen=True)
class Targets:
    """The targets with which the figures of one project can be compared.

    `own` are the targets of the project, `named` the figures to which others can relate, by id. `direction` is the
    indicator's, and `since` the first day of the project, if known.
    """

    own: Collection[StatedFigure]
    named: Mapping[str, StatedFigure]
    direction: str
    since: date | None = None
    _choices: dict[tuple[str, ...], tuple[StatedFigure | None, str | None]] = field(default_factory=dict)

    def target_of(self, figure: StatedFigure) -> tuple[StatedFigure | None, str | None]:
        """Return the target of a figure and the code of COMPARED_BY, or None twice.

        It is a target that the figure names. Otherwise its measure, area and period decide.
        """
        key = figure.stages[0].id, figure.id
        if key not in self._choices:
            self._choices[key] = self._choose(figure)
        return self._choices[key]

    def _choose(self, figure: StatedFigure) -> tuple[StatedFigure | None, str | None]:
        for figure_id in figure.related("compared_with"):
            named = self.named.get(figure_id)
            if named and named["kind"] == "target" and unit_of(named) == unit_of(figure):
                return named, "relation"
        covering = [target for target in self.own if _covers(target, figure, self.since)]
        if not covering:
            return None, None
        return min(covering, key=lambda target: (target.quantity is None, target.ends or date.max, target.id)), "period"

    def compare(self, actual: StatedFigure) -> Comparison:
        """Compare an actual with its target."""
        return comparison(actual, *self.target_of(actual), self.direction)


def _covers(target: StatedFigure, figure: StatedFigure, since: date | None) -> bool:
    """Return whether the time for which a figure counts is within the period of a target of the same measure and area.

    A target «by» a date covers all days before it. Cumulative numbers and levels count from the project's first day
    (`since`), so without it they are not within a period that has a start.
    """
    if target.measure != figure.measure or not target.same_area(figure):
        return False
    if target["period"] is None:
        return True
    if figure["period"] is None or (figure.ends is None and target.ends is not None):
        return False
    last = figure.ends or date.max
    if target.starts is None or target["measured"] in TO_DATE:
        return last <= (target.ends or date.max)
    first = since if figure["measured"] in TO_DATE else figure.starts
    return last <= (target.ends or date.max) and first is not None and first >= target.starts


def comparison(actual: StatedFigure | None, target: StatedFigure | None, by: str | None, direction: str) -> Comparison:
    """Compare an actual with a target. `by` is the code of COMPARED_BY, `direction` the indicator's."""
    result = actual and actual.quantity
    wanted = target and target.quantity
    why = _why_not(actual, target)
    share = result.percent_of(wanted) if result and wanted and why is None else None
    if share and share.qualifier is None:
        share = None
        why = "uncertain"
    percentage, percentage_high = quantity_shown(share)
    gap, gap_high = quantity_shown(wanted + -result if result and wanted else None)
    return Comparison(
        actual=actual.id if actual else None,
        added=[stage.id for stage in actual.stages] if actual and len(actual.stages) > 1 else [],
        date=actual.ends.isoformat() if actual and actual.ends else None,
        target=target.id if target else None,
        compared_by=by,
        percentage=percentage,
        percentage_high=percentage_high,
        gap=gap,
        gap_high=gap_high,
        qualifier=share.qualifier if share else None,
        reached=result.reaches(wanted, direction) if result and wanted else None,
        computed=f"{_formula(actual)} / {wanted}" if actual and share else None,
        why_not=why,
    )


def _formula(actual: StatedFigure) -> str:
    """Return the number of an actual, or the sum of its stages in brackets."""
    parts = [str(stage.quantity) for stage in actual.stages]
    return parts[0] if len(parts) == 1 else f"({' + '.join(parts)})"


def without_percentage(compared: Comparison, why: str) -> Comparison:
    """Return the comparison without its results, for a reason that is a code of NO_PERCENTAGE."""
    nothing: dict[str, Any] = dict.fromkeys(
        ("percentage", "percentage_high", "gap", "gap_high", "qualifier", "reached", "computed")
    )
    return replace(compared, **nothing, why_not=why)


def _why_not(actual: StatedFigure | None, target: StatedFigure | None) -> str | None:
    """Return why no percentage can be computed, or None if it can."""
    if actual is None or target is None:
        return "no_actual" if actual is None else "no_target"
    if actual.quantity is None or target.quantity is None:
        return "no_value"
    if actual.quantity.value < 0 or target.quantity.value < 0:
        return "negative"
    return "zero_target" if target.quantity.value == 0 else None
