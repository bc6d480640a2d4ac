"""Adding figures up: what must not be added to what, which of the two is left out, and why."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import reduce
from typing import Annotated

from pydantic import Field

from app.core.codelists import Code, CodeList
from app.figures.stated import Quantity, Stated, of_all

LEFT_OUT = CodeList(
    "left_out",
    "Why a figure of a group is not in its sum.",
    {
        "no_value": Code("It is words, not a number", "Không phải là số"),
        "several_places": Code("It is about several places together", "Số chung cho nhiều địa bàn"),
        "same_as": Code("It states the same as another", "Nêu cùng một sự việc với con số khác"),
        "part_of": Code("It is a part of a total that is there", "Là một phần của tổng đã có"),
        "within_project": Code("Of a part of a project that is there", "Thuộc một phần của dự án đã có"),
        "within_area": Code("About an area within, or around, one that is there", "Địa bàn nằm trong địa bàn đã có"),
        "merged_area": Code("About an area that became part of one that is there", "Địa bàn đã sáp nhập"),
        "within_breakdown": Code("Broken down, and may be in one that is there", "Phân tổ của con số đã có"),
        "earlier_total": Code("A total or level of an earlier day", "Số lũy kế, số thời điểm sớm hơn"),
        "competing": Code("Another figure of the same thing and time is there", "Đã có con số khác cùng thời kỳ"),
        "overlapping_period": Code("Its time overlaps one that is there", "Thời kỳ chồng lên con số đã có"),
    },
)
NO_SUM = CodeList(
    "no_sum",
    "Why a group has no sum; it is never 0 instead.",
    {
        "not_additive": Code("Ranks, durations, shares and rates have no sum", "Thứ hạng, tỷ lệ… không cộng được"),
        "several_indicators": Code("They measure different things", "Các chỉ tiêu khác nhau"),
        "nothing_to_add": Code("No figure with a value is left", "Không còn con số nào để cộng"),
        "too_many": Code("More figures than are decided about in one answer", "Quá nhiều con số trong một lần hỏi"),
    },
)

NOT_ADDED_KINDS = ("rank", "duration")
NOT_ADDED_UNITS = ("percent", "percentage_point", "ordinal", "year", "month")
TO_DATE = ("cumulative", "at_date")
_MAY_DIFFER = ("agreement", "partner", "milestone", "document")

Above = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class LeftOut:
    """A figure that is not in the sum of its group."""

    figure: str
    reason: Annotated[str, LEFT_OUT]
    because_of: Annotated[str | None, Field(description="The figure of the group that speaks against it.")]


@dataclass(frozen=True)
class Hierarchy:
    """What is above what, all the way up: totals of figures, wider projects, places around and after others."""

    totals: Above = field(default_factory=dict)
    projects: Above = field(default_factory=dict)
    places: Above = field(default_factory=dict)
    successors: Above = field(default_factory=dict)


def above(edges: Iterable[Sequence[str]]) -> Above:
    """For each node all that is above it, from pairs of a node and what is directly above; circles end."""
    direct: dict[str, list[str]] = {}
    for edge in edges:
        direct.setdefault(edge[0], []).append(edge[1])
    found: dict[str, frozenset[str]] = {}
    for node in direct:
        seen, left = set[str](), list(direct[node])
        while left:
            higher = left.pop()
            if higher not in seen:
                seen.add(higher)
                left += direct.get(higher, ())
        found[node] = frozenset(seen)
    return found


def separate(figures: Iterable[Stated], higher: Hierarchy) -> tuple[list[Stated], list[LeftOut]]:
    """Splits figures of one indicator, kind and unit into those that may be added and those that are left out.

    The wider one stays: the total, the project above, the larger area; then the later, then the longer period. What a
    figure does not say (an area, a period, a partner) may be anything, so it keeps no two figures apart.
    """
    given = sorted(figures, key=lambda each: each.id)
    left = [LeftOut(each.id, "no_value", None) for each in given if each.quantity is None]
    same, repeated = _once([each for each in given if each.quantity])
    wholes, parts = _without_parts(same, higher.totals)
    taken: dict[str | None, list[Stated]] = {}
    for each in sorted(wholes, key=lambda figure: _width(figure, higher)):
        related = (None, each["project"], *sorted(higher.projects.get(each["project"], ())))
        rivals = [other for project in dict.fromkeys(related) for other in taken.get(project, ())]
        clash = next(((why, other.id) for other in rivals if (why := _clash(each, other, higher))), None)
        if clash:
            left.append(LeftOut(each.id, *clash))
        else:
            taken.setdefault(each["project"], []).append(each)
    return [each for group in taken.values() for each in group], [*left, *repeated, *parts]


def total(figures: Sequence[Stated]) -> Quantity | None:
    """Their sum; None of nothing."""
    quantities = [each.quantity for each in figures if each.quantity]
    if not quantities:
        return None
    return replace(reduce(Quantity.__add__, quantities), qualifier=of_all(*(each.qualifier for each in quantities)))


def _once(figures: Sequence[Stated]) -> tuple[dict[str, list[Stated]], list[LeftOut]]:
    """Figures that state the same as one another, under the id of the first; and the others, left out."""
    first = {each.id: each.id for each in figures}

    def root(one: str) -> str:
        while first[one] != one:
            one = first[one]
        return one

    for each in figures:
        for other in each.related("same_as"):
            if other in first:
                low, high = sorted((root(each.id), root(other)))
                first[high] = low
    same: dict[str, list[Stated]] = {}
    for each in figures:
        same.setdefault(root(each.id), []).append(each)
    repeated = [LeftOut(each.id, "same_as", one) for one, group in same.items() for each in group if each.id != one]
    return same, repeated


def _without_parts(same: Mapping[str, list[Stated]], totals: Above) -> tuple[list[Stated], list[LeftOut]]:
    """The first of each group of equals, unless one of them is a part of a total that is there."""
    stands_for = {each.id: one for one, group in same.items() for each in group}
    over = {
        one: {stands_for[each] for member in group for each in totals.get(member.id, ()) if each in stands_for} - {one}
        for one, group in same.items()
    }
    wholes, parts = [], []
    for one, group in same.items():
        # Of two that are each above the other, the first stays.
        of = sorted(each for each in over[one] if not (one in over[each] and one < each))
        if of:
            parts.append(LeftOut(one, "part_of", of[0]))
        else:
            wholes.append(next(each for each in group if each.id == one))
    return wholes, parts


def _span(figure: Stated) -> tuple[date, date]:
    starts = None if figure["measured"] in TO_DATE else figure.starts
    return starts or date.min, figure.ends or date.max


def _width(figure: Stated, higher: Hierarchy) -> tuple[object, ...]:
    project, (starts, ends) = figure["project"], _span(figure)
    return (
        -1 if project is None else len(higher.projects.get(project, ())),
        min((len(higher.places.get(place, ())) for place in figure.area), default=-1),
        len(figure["breakdown"]),
        figure["period"] is None,
        -ends.toordinal(),
        starts.toordinal(),
        figure.id,
    )


def _clash(figure: Stated, taken: Stated, higher: Hierarchy) -> str | None:
    """Why a figure cannot be added to one that is taken, whose project is the same, above or not said."""
    if any(figure[one] and taken[one] and figure[one] != taken[one] for one in _MAY_DIFFER):
        return None
    shared = figure["breakdown"].keys() & taken["breakdown"].keys()
    if any(figure["breakdown"][one] != taken["breakdown"][one] for one in shared):
        return None
    one, other = _span(figure), _span(taken)
    if one[0] > other[1] or other[0] > one[1]:
        return None
    area = _shared_area(figure.area, taken.area, higher)
    if area is None:
        return None
    return _reason(figure, taken, area, one == other)


def _reason(figure: Stated, taken: Stated, area: str, same_span: bool) -> str:
    if figure["project"] != taken["project"]:
        return "within_project"
    if figure.area != taken.area:
        return area
    if figure["breakdown"] != taken["breakdown"]:
        return "within_breakdown"
    if figure["measured"] in TO_DATE and taken["measured"] in TO_DATE and not same_span:
        return "earlier_total"
    return "competing" if same_span else "overlapping_period"


def _shared_area(one: frozenset[str], other: frozenset[str], higher: Hierarchy) -> str | None:
    """How two areas share ground, or None when nothing says that they do."""
    if not one or not other or one & other:
        return "within_area"
    pairs = [(low, high) for place in one for each in other for low, high in ((place, each), (each, place))]
    related = [(low, high) for low, high in pairs if high in higher.places.get(low, ())]
    if not related:
        return None
    merged = all(high in higher.successors.get(low, ()) for low, high in related)
    return "merged_area" if merged else "within_area"
