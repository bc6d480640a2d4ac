"""Adding figures up: what must not be added to what, which of the two is left out, and why."""

from bisect import bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from app.core.values.codelists import Code, CodeList
from app.core.values.numbers import Quantity, all_qualifiers
from app.figures.stated import TO_DATE, StatedFigure

LEFT_OUT = CodeList(
    "left_out",
    "Why a figure of a group is not in its sum.",
    {
        "no_value": Code("It is words, not a number", "Không phải là số"),
        "several_places": Code("It is about several places together", "Số chung cho nhiều địa bàn"),
        "same_as": Code("It states the same as another", "Nêu cùng một sự việc với con số khác"),
        "part_of": Code("It is a part of a total that is there", "Là một phần của tổng đã có"),
        "within_partner": Code(
            "Of a part, or a predecessor, of a partner that is there",
            "Của đơn vị trực thuộc, tiền thân của đối tác đã có",
        ),
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

_MAY_DIFFER = ("agreement", "milestone", "document")

Above = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class LeftOut:
    """A figure that is not in the sum of its group."""

    figure: str
    reason: Annotated[str, LEFT_OUT]
    because_of: Annotated[str | None, Field(description="The figure of the group that speaks against it.")]


@dataclass(frozen=True)
class Hierarchy:
    """What is above what, all the way up: totals of figures, wider projects, places and partners around and after."""

    totals: Above = field(default_factory=dict)
    projects: Above = field(default_factory=dict)
    places: Above = field(default_factory=dict)
    successors: Above = field(default_factory=dict)
    partners: Above = field(default_factory=dict)


def transitive_parents(edges: Iterable[Sequence[str]]) -> Above:
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


def split_summands(figures: Iterable[StatedFigure], higher: Hierarchy) -> tuple[list[StatedFigure], list[LeftOut]]:
    """Splits figures of one indicator, kind and unit into those that may be added and those that are left out.

    The wider one stays: the total, the project or partner above, the larger area; then the later, then the longer
    period; of several breakdowns that with the larger sum. What a figure does not say (an area, a period, a partner)
    may be anything, so it keeps no two figures apart.
    """
    given = sorted(figures, key=lambda each: each.id)
    left = [LeftOut(each.id, "no_value", None) for each in given if each.quantity is None]
    wholes, repeated = _wholes([each for each in given if each.quantity], higher.totals)
    kept, near = _by_themselves(wholes, higher.projects)
    taken = _Summands(higher)
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for each in near:
        sums[_broken_down(each)] += each.quantity.value if each.quantity else 0
    for each in sorted(near, key=lambda figure: (*_width(figure, higher), -sums[_broken_down(figure)], figure.id)):
        clash = taken.clash(each)
        if clash:
            left.append(LeftOut(each.id, *clash))
        else:
            taken.add(each)
            kept.append(each)
    return kept, [*left, *repeated]


def total(figures: Sequence[StatedFigure]) -> Quantity | None:
    """Their sum; None of nothing."""
    quantities = [each.quantity for each in figures if each.quantity]
    if not quantities:
        return None
    ranged = any(each.high is not None for each in quantities)
    high = sum((each.top for each in quantities), Decimal(0)) if ranged else None
    qualifier = all_qualifiers(*{each.qualifier for each in quantities})
    return Quantity(sum((each.value for each in quantities), Decimal(0)), high, qualifier)


def _wholes(figures: list[StatedFigure], totals: Above) -> tuple[list[StatedFigure], list[LeftOut]]:
    """Figures that neither repeat nor are a part of another one; and the others, left out."""
    if not totals and not any(each["relations"] for each in figures):
        return figures, []
    same, repeated = _once(figures)
    wholes, parts = _without_parts(same, totals)
    return wholes, [*repeated, *parts]


def _once(figures: Sequence[StatedFigure]) -> tuple[dict[str, list[StatedFigure]], list[LeftOut]]:
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
    same: dict[str, list[StatedFigure]] = {}
    for each in figures:
        same.setdefault(root(each.id), []).append(each)
    repeated = [LeftOut(each.id, "same_as", one) for one, group in same.items() for each in group if each.id != one]
    return same, repeated


def _without_parts(same: Mapping[str, list[StatedFigure]], totals: Above) -> tuple[list[StatedFigure], list[LeftOut]]:
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


def _by_themselves(figures: Sequence[StatedFigure], wider: Above) -> tuple[list[StatedFigure], list[StatedFigure]]:
    """Those that share their project with no other, and no other's is above or below it; and those that may clash."""
    count = Counter(each["project"] for each in figures)
    if None in count:
        return [], list(figures)
    shared = {project for project, figures_of_it in count.items() if figures_of_it > 1}
    for project in count.keys() & wider.keys():
        if over := wider[project] & count.keys():
            shared |= {project, *over}
    alone: list[StatedFigure] = []
    near: list[StatedFigure] = []
    for each in figures:
        (near if each["project"] in shared else alone).append(each)
    return alone, near


def _span(figure: StatedFigure) -> tuple[date, date]:
    starts = None if figure["measured"] in TO_DATE else figure.starts
    return starts or date.min, figure.ends or date.max


def _width(figure: StatedFigure, higher: Hierarchy) -> tuple[object, ...]:
    project, partner, (starts, ends) = figure["project"], figure["partner"], _span(figure)
    return (
        -1 if project is None else len(higher.projects.get(project, ())),
        len(higher.partners.get(partner, ())),
        min((len(higher.places.get(place, ())) for place in figure.area), default=-1),
        len(figure["breakdown"]),
        figure["period"] is None,
        -ends.toordinal(),
        starts.toordinal(),
    )


def _broken_down(figure: StatedFigure) -> tuple[object, ...]:
    """What the figures of one breakdown have in common, whatever their values of its dimensions."""
    about = (figure[name] for name in ("project", "partner", *_MAY_DIFFER))
    return (*about, _span(figure), figure.area, *sorted(figure["breakdown"]))


@dataclass(frozen=True)
class _Subject:
    """What a figure is about, beside its project, its partner and its time."""

    named: tuple[str | None, ...]
    breakdown: frozenset[tuple[str, str]]
    area: frozenset[str]

    def may_share(self, other: "_Subject", higher: Hierarchy) -> bool:
        """Whether nothing that both say keeps them apart."""
        if any(one and two and one != two for one, two in zip(self.named, other.named, strict=True)):
            return False
        if self.breakdown != other.breakdown:
            mine, theirs = dict(self.breakdown), dict(other.breakdown)
            if any(mine[one] != theirs[one] for one in mine.keys() & theirs.keys()):
                return False
        return self.area == other.area or _shared_area(self.area, other.area, higher) is not None


class _Summands:
    """Figures that are added, by project, partner and subject; those of one such never overlap in time."""

    def __init__(self, higher: Hierarchy) -> None:
        self._higher = higher
        self._figures: dict[str, StatedFigure] = {}
        self._spans: dict[str | None, dict[str | None, dict[_Subject, list[tuple[date, date, str]]]]] = {}

    def add(self, figure: StatedFigure) -> None:
        """Take it: nothing clashes."""
        self._figures[figure.id] = figure
        subjects = self._spans.setdefault(figure["project"], {}).setdefault(figure["partner"], {})
        insort(subjects.setdefault(_subject(figure), []), (*_span(figure), figure.id))

    def clash(self, figure: StatedFigure) -> tuple[str, str] | None:
        """Why it cannot be added, and because of which: of its project, one above, or one that names no project."""
        subject, (starts, ends) = _subject(figure), _span(figure)
        for other, spans in self._near(figure):
            before = bisect_right(spans, (ends, date.max, "~"))
            if before and spans[before - 1][1] >= starts and subject.may_share(other, self._higher):
                taken = self._figures[spans[before - 1][2]]
                return _reason(figure, taken, self._higher), taken.id
        return None

    def _near(self, figure: StatedFigure) -> Iterator[tuple[_Subject, list[tuple[date, date, str]]]]:
        """What is taken of projects and partners that may be this figure's."""
        projects = (None, figure["project"], *sorted(self._higher.projects.get(figure["project"], ())))
        for project in dict.fromkeys(projects):
            partners = self._spans.get(project, {})
            above = sorted(self._higher.partners.get(figure["partner"], ()))
            for partner in (None, figure["partner"], *above) if figure["partner"] else partners:
                yield from partners.get(partner, {}).items()


def _subject(figure: StatedFigure) -> _Subject:
    return _Subject(tuple(figure[one] for one in _MAY_DIFFER), frozenset(figure["breakdown"].items()), figure.area)


def _reason(figure: StatedFigure, taken: StatedFigure, higher: Hierarchy) -> str:
    same_span = _span(figure) == _span(taken)
    if figure["project"] != taken["project"]:
        return "within_project"
    if figure["partner"] and taken["partner"] and figure["partner"] != taken["partner"]:
        return "within_partner"
    if figure.area != taken.area:
        return _shared_area(figure.area, taken.area, higher) or "within_area"
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
