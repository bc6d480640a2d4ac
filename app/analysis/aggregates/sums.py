"""The addition of figures: which of them must not be added to another one, and which one of the two is left out.

Two figures must not be added if they can count the same thing twice. A figure that does not state its area, period or
partner could be about any of them, so it is not regarded as different.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Annotated, Any

from pydantic import Field

from app.analysis.aggregates.hierarchy import Above, Hierarchy
from app.analysis.aggregates.summands import SUBJECT_FIELDS, Summands, span
from app.core.values.codelists import Code, CodeList
from app.core.values.numbers import Quantity, all_qualifiers
from app.figures.codelists import LEVELS, RATIOS
from app.figures.stated import StatedFigure

LEFT_OUT = CodeList(
    "left_out",
    "The reason why a figure of a group is not in its sum. Most reasons refer to another figure of the group: adding "
    "both could count the same thing twice.",
    {
        "no_value": Code("It is stated in words, not as a number", "Không phải là số"),
        "several_places": Code("It is about several places together", "Số chung cho nhiều địa bàn"),
        "same_as": Code("It states the same fact as the other figure", "Nêu cùng một sự việc với con số khác"),
        "part_of": Code("It is a part of the other figure, a total", "Là một phần của tổng đã có"),
        "within_partner": Code(
            "Its partner is a part or a predecessor of the other figure's partner",
            "Của đơn vị trực thuộc, tiền thân của đối tác đã có",
        ),
        "within_project": Code(
            "Its project is, or can be, part of the other figure's project", "Thuộc một phần của dự án đã có"
        ),
        "within_area": Code("Its area overlaps, or can overlap, the other area", "Địa bàn nằm trong địa bàn đã có"),
        "merged_area": Code("Its area was merged with the other area", "Địa bàn đã sáp nhập"),
        "within_breakdown": Code("Its breakdown can be part of the other figure", "Phân tổ của con số đã có"),
        "earlier_total": Code("It is the total or level of an earlier day", "Số lũy kế, số thời điểm sớm hơn"),
        "competing": Code("It is about the same subject and time", "Đã có con số khác cùng thời kỳ"),
        "overlapping_period": Code("Its period overlaps the other period", "Thời kỳ chồng lên con số đã có"),
    },
)

NO_SUM = CodeList(
    "no_sum",
    "The reason why a group has no sum. A missing sum is null and never 0.",
    {
        "not_additive": Code("Ranks, durations, shares and rates have no sum", "Thứ hạng, tỷ lệ… không cộng được"),
        "several_indicators": Code("The figures measure different things", "Các chỉ tiêu khác nhau"),
        "nothing_to_add": Code("No figure with a number can be added", "Không còn con số nào để cộng"),
        "too_many": Code(
            "There are too many figures for one request, or too many records above them",
            "Quá nhiều con số, hoặc quá nhiều cấp trên chúng, trong một lần hỏi",
        ),
    },
)

NOT_ADDED_KINDS = ("rank", "duration")
NOT_ADDED_UNITS = (*RATIOS, *LEVELS, "year", "month")


@dataclass(frozen=True)
class LeftOut:
    """A figure that is not in the sum of its group."""

    figure: Annotated[str, Field(description="Id of the figure.")]
    reason: Annotated[str, LEFT_OUT, Field(description="Reason. `/v1/codelists/left_out` explains the codes.")]
    because_of: Annotated[
        str | None, Field(description="Id of the figure that conflicts with it. Null: there is no such figure.")
    ]


def split_summands(figures: Iterable[StatedFigure], hierarchy: Hierarchy) -> tuple[list[StatedFigure], list[LeftOut]]:
    """Return the figures that can be added, and those that are left out with the reason.

    The figures have one indicator, kind and unit. If two of them must not be added, the wider one stays in the sum: the
    total, the figure of the wider project or partner, or the figure of the larger area. If neither is wider, the later
    one stays, or else the one with the longer period. Of several breakdowns, the one with the larger sum stays.
    """
    ordered = sorted(figures, key=lambda figure: figure.id)
    left_out = [LeftOut(figure.id, "no_value", None) for figure in ordered if figure.quantity is None]
    distinct, repeated = _distinct([figure for figure in ordered if figure.quantity], hierarchy.totals)
    added, related = _by_project(distinct, hierarchy.projects)
    summands = Summands(hierarchy)
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for figure in related:
        sums[_breakdown_key(figure)] += figure.quantity.value if figure.quantity else 0

    def widest_first(figure: StatedFigure) -> tuple[object, ...]:
        return (*_width(figure, hierarchy), -sums[_breakdown_key(figure)], figure.id)

    for figure in sorted(related, key=widest_first):
        conflict = summands.conflict(figure)
        if conflict:
            left_out.append(LeftOut(figure.id, *conflict))
        else:
            summands.add(figure)
            added.append(figure)
    return added, [*left_out, *repeated]


def total(figures: Sequence[StatedFigure]) -> Quantity | None:
    """Return the sum of the figures, None for no figures.

    Its qualifier is derived from all qualifiers at once. Pair by pair it would depend on their order.
    """
    return sum_of([figure.quantity for figure in figures if figure.quantity])


def sum_of(quantities: Sequence[Quantity]) -> Quantity | None:
    """Return the sum of quantities as `total` does."""
    if not quantities:
        return None
    has_range = any(quantity.high is not None for quantity in quantities)
    high = sum((quantity.top for quantity in quantities), Decimal(0)) if has_range else None
    qualifier = all_qualifiers(*{quantity.qualifier for quantity in quantities})
    return Quantity(sum((quantity.value for quantity in quantities), Decimal(0)), high, qualifier)


def _distinct(figures: list[StatedFigure], totals: Above) -> tuple[list[StatedFigure], list[LeftOut]]:
    """Return the figures that neither repeat another one nor are part of one, and the others as left out."""
    if not totals and not any(figure["relations"] for figure in figures):
        return figures, []
    groups, repeated = _without_repetitions(figures)
    distinct, parts = _without_parts(groups, totals)
    return distinct, [*repeated, *parts]


def _without_repetitions(
    figures: Sequence[StatedFigure],
) -> tuple[dict[str, list[StatedFigure]], list[LeftOut]]:
    """Return the groups of figures that state one fact, by their smallest ids. All but one of each are left out."""
    representatives = {figure.id: figure.id for figure in figures}

    def representative(figure_id: str) -> str:
        while representatives[figure_id] != figure_id:
            figure_id = representatives[figure_id]
        return figure_id

    for figure in figures:
        for other_id in figure.related("same_as"):
            if other_id in representatives:
                low, high = sorted((representative(figure.id), representative(other_id)))
                representatives[high] = low
    groups: dict[str, list[StatedFigure]] = {}
    repeated: list[LeftOut] = []
    for figure in figures:
        first_id = representative(figure.id)
        groups.setdefault(first_id, []).append(figure)
        if figure.id != first_id:
            repeated.append(LeftOut(figure.id, "same_as", first_id))
    return groups, repeated


def _without_parts(groups: Mapping[str, list[StatedFigure]], totals: Above) -> tuple[list[StatedFigure], list[LeftOut]]:
    """Return the first figure of each group, unless a figure of the group is part of another group's figure."""
    group_of: dict[str, str] = {}
    for first_id, group in groups.items():
        group_of |= {figure.id: first_id for figure in group}
    above: dict[str, set[str]] = {}
    for first_id, group in groups.items():
        total_ids = set(chain.from_iterable(totals.get(figure.id, ()) for figure in group))
        above[first_id] = {group_of[total_id] for total_id in total_ids if total_id in group_of} - {first_id}
    distinct: list[StatedFigure] = []
    parts: list[LeftOut] = []
    for first_id, group in groups.items():
        # If two groups are parts of each other, the one with the smaller id stays.
        higher = sorted(other for other in above[first_id] if not (first_id in above[other] and first_id < other))
        if higher:
            parts.append(LeftOut(first_id, "part_of", higher[0]))
        else:
            distinct.append(next(figure for figure in group if figure.id == first_id))
    return distinct, parts


def _by_project(figures: Sequence[StatedFigure], wider: Above) -> tuple[list[StatedFigure], list[StatedFigure]]:
    """Separate the figures of projects that have no other figure, also not in a wider or smaller project."""
    count = Counter(figure["project"] for figure in figures)
    if None in count:
        return [], list(figures)
    shared = shared_projects(count, wider)
    unrelated = [figure for figure in figures if figure["project"] not in shared]
    return unrelated, [figure for figure in figures if figure["project"] in shared]


def shared_projects(count: Mapping[Any, int], wider: Above) -> set[Any]:
    """Return the projects with several figures, and those of which a wider or smaller one has figures too."""
    shared = {project for project, occurrences in count.items() if occurrences > 1}
    for project in count.keys() & wider.keys():
        above = wider[project] & count.keys()
        if above:
            shared |= {project, *above}
    return shared


def _width(figure: StatedFigure, hierarchy: Hierarchy) -> tuple[object, ...]:
    """Return a sort key, smaller for a figure with a wider project, partner, area, breakdown and period."""
    project = figure["project"]
    starts, ends = span(figure)
    return (
        -1 if project is None else len(hierarchy.projects.get(project, ())),
        len(hierarchy.partners.get(figure["partner"], ())),
        min((len(hierarchy.places.get(place, ())) for place in figure.area), default=-1),
        len(figure["breakdown"]),
        figure["period"] is None,
        -ends.toordinal(),
        starts.toordinal(),
    )


def _breakdown_key(figure: StatedFigure) -> tuple[object, ...]:
    """Return the properties that the figures of one breakdown share; only their values of the dimensions differ."""
    subject = (figure[name] for name in ("project", "partner", *SUBJECT_FIELDS))
    return (*subject, span(figure), figure.area, *sorted(figure["breakdown"]))
