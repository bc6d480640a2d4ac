"""What an actual is compared with, what comes of it, and why there may be no percentage."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Annotated, Any

from pydantic import Field

from app.core.values.codelists import Code, CodeList
from app.core.values.numbers import quantity_shown
from app.figures.stated import TO_DATE, Exactness, StatedFigure

NO_PERCENTAGE = CodeList(
    "no_percentage",
    "Why an actual has no percentage of a target; it is never 0 instead.",
    {
        "no_target": Code("No target of the same time to compare it with", "Không có mục tiêu cùng kỳ để so sánh"),
        "no_actual": Code("There is no actual yet", "Chưa có số thực hiện"),
        "no_value": Code("One of the two is words, not a number", "Một trong hai không phải là số"),
        "zero_target": Code("The target is zero", "Mục tiêu bằng 0"),
        "negative": Code("One of the two is below zero", "Một trong hai là số âm"),
        "uncertain": Code("Each may be more, or each less, than it says", "Cả hai đều là số chặn cùng phía"),
        "part_of_period": Code("It covers only a part of the target's period", "Chỉ một phần thời kỳ của mục tiêu"),
        "competing": Code("Several actuals of one date differ", "Nhiều số thực hiện cùng thời điểm khác nhau"),
    },
)

COMPARED_BY = CodeList(
    "compared_by",
    "How the target of an actual was found.",
    {
        "relation": Code("The figure names it (compared_with)", "Con số nêu rõ mục tiêu (compared_with)"),
        "period": Code(
            "Same indicator, unit, breakdown and area, and the time of the actual lies in its period",
            "Cùng chỉ tiêu, đơn vị, phân tổ, địa bàn; thời gian của số thực hiện nằm trong kỳ của mục tiêu",
        ),
    },
)

FigureId = Annotated[str | None, Field(description="Id of a figure.")]

Amount = Annotated[int | float | None, Field(description="Null where there is nothing to compute it from.")]

Upper = Annotated[int | float | None, Field(description="Upper end, where one of the numbers is a range.")]

Computation = Annotated[
    str | None, Field(description="How it was computed.", examples=["26 / 50", "(30 + 40) / 100", "26 + 24 = 50"])
]


@dataclass(frozen=True)
class Comparison:
    """An actual beside its target. Whether more is better says the indicator's direction."""

    actual: FigureId
    added: Annotated[
        list[str], Field(description="Actuals that follow each other in time and were added up, the last is `actual`.")
    ]
    date: Annotated[str | None, Field(description="Last day of the actual's period.", examples=["2022-12-31"])]
    target: FigureId
    compared_by: Annotated[str, COMPARED_BY] | None
    percentage: Amount
    percentage_high: Upper
    gap: Annotated[Amount, Field(description="Target minus actual, in the unit of the indicator.")]
    gap_high: Upper
    qualifier: Exactness
    reached: Annotated[bool | None, Field(description="Null: uncertain, or the indicator has no direction.")]
    computed: Computation
    why_not: Annotated[str, NO_PERCENTAGE] | None


@dataclass(frozen=True)
class Targets:
    """The targets that figures of one project can be compared with; `since`: the project's first day, if known."""

    own: Collection[StatedFigure]
    named: Mapping[str, StatedFigure]
    direction: str
    since: date | None = None
    _found: dict[tuple[str, ...], tuple[StatedFigure | None, str | None]] = field(default_factory=dict)

    def target_of(self, figure: StatedFigure) -> tuple[StatedFigure | None, str | None]:
        """The target of a figure and how it was found: one that it names, else by measure, area and period."""
        key = figure.stages[0].id, figure.id
        if key not in self._found:
            self._found[key] = self._find(figure)
        return self._found[key]

    def _find(self, figure: StatedFigure) -> tuple[StatedFigure | None, str | None]:
        for other in figure.related("compared_with"):
            found = self.named.get(other)
            if found and found["kind"] == "target" and found["unit"] == figure["unit"]:
                return found, "relation"
        fitting = [each for each in self.own if _fits(figure, each, self.since)]
        if not fitting:
            return None, None
        return min(fitting, key=lambda each: (each.quantity is None, each.ends or date.max, each.id)), "period"

    def compare(self, actual: StatedFigure) -> Comparison:
        """An actual beside its target."""
        return comparison(actual, *self.target_of(actual), self.direction)


def _fits(figure: StatedFigure, target: StatedFigure, since: date | None) -> bool:
    """Whether what the figure counts lies within the target's period; targets «by» a date hold all before it.

    Totals and levels count from the project's first day: where that is not known, they fit no target of some years.
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
    """Percentage and gap of an actual against a target, or why there is none."""
    done, aim = actual and actual.quantity, target and target.quantity
    why = _why_not(actual, target)
    share = done.percent_of(aim) if done and aim and why is None else None
    if share and share.qualifier is None:
        share, why = None, "uncertain"
    gap = aim + -done if done and aim else None
    (percentage, percentage_high), (missing, missing_high) = quantity_shown(share), quantity_shown(gap)
    return Comparison(
        actual=actual.id if actual else None,
        added=[each.id for each in actual.stages] if actual and len(actual.stages) > 1 else [],
        date=actual.ends.isoformat() if actual and actual.ends else None,
        target=target.id if target else None,
        compared_by=by,
        percentage=percentage,
        percentage_high=percentage_high,
        gap=missing,
        gap_high=missing_high,
        qualifier=share.qualifier if share else None,
        reached=done.reaches(aim, direction) if done and aim else None,
        computed=f"{_spelled(actual)} / {aim}" if actual and share else None,
        why_not=why,
    )


def _spelled(actual: StatedFigure) -> str:
    parts = [str(each.quantity) for each in actual.stages]
    return parts[0] if len(parts) == 1 else f"({' + '.join(parts)})"


def without_percentage(found: Comparison, why: str) -> Comparison:
    """The same comparison without its results, where they would say too much."""
    nothing: dict[str, Any] = dict.fromkeys(
        ("percentage", "percentage_high", "gap", "gap_high", "qualifier", "reached", "computed")
    )
    return replace(found, **nothing, why_not=why)


def _why_not(actual: StatedFigure | None, target: StatedFigure | None) -> str | None:
    if actual is None or target is None:
        return "no_actual" if actual is None else "no_target"
    if actual.quantity is None or target.quantity is None:
        return "no_value"
    if actual.quantity.value < 0 or target.quantity.value < 0:
        return "negative"
    return "zero_target" if target.quantity.value == 0 else None
