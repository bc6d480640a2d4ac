"""The order in which figures are shown: parts under their totals, and figures of one measure and area together."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.figures.stated import StatedFigure

MAX_LEVELS = 10  # of parts within parts; of figures here, and of projects


def parts_of_totals(counted: Mapping[str, StatedFigure]) -> dict[str, list[StatedFigure]]:
    """Return the parts of each total among these figures, by the id of the total.

    A part is shown under the first total that it names. A part in a cycle, or too deep to be shown, is not included.
    """
    total_of: dict[str, str] = {}
    for figure in counted.values():
        for total_id in figure.related("part_of"):
            if _is_total_of(counted.get(total_id), figure):
                total_of[figure.id] = total_id
                break
    parts: dict[str, list[StatedFigure]] = {}
    for part_id in [*total_of]:
        above = part_id
        levels = 0
        while above in total_of and levels < MAX_LEVELS:
            above = total_of[above]
            levels += 1
        if above in total_of:  # a cycle, or too deep: this relation is not followed
            del total_of[part_id]
        else:
            parts.setdefault(total_of[part_id], []).append(counted[part_id])
    return parts


def _is_total_of(total: StatedFigure | None, part: StatedFigure) -> bool:
    """Return whether both have one kind, indicator and unit, and are not the same figure."""
    if total is None or total.id == part.id:
        return False
    return (total["kind"], total.measure[:2]) == (part["kind"], part.measure[:2])


def groups_of_figures(figures: Sequence[StatedFigure]) -> list[list[StatedFigure]]:
    """Return the figures of each measure in a group of its own, and those of different areas apart.

    Figures of different areas stay together where one is compared with the other, or where one has no area.
    """
    by_measure: dict[tuple[Any, ...], list[StatedFigure]] = {}
    for figure in figures:
        by_measure.setdefault(figure.measure, []).append(figure)
    groups: list[list[StatedFigure]] = []
    for measure in sorted(by_measure):
        groups += _groups_by_area(by_measure[measure])
    return groups


def _groups_by_area(figures: list[StatedFigure]) -> list[list[StatedFigure]]:
    representatives = {figure.area: figure.area for figure in figures}

    def representative(area: frozenset[str]) -> frozenset[str]:
        while representatives[area] != area:
            area = representatives[area]
        return area

    area_of = {figure.id: figure.area for figure in figures}
    unlimited = {frozenset[str]()} & representatives.keys()
    for figure in figures:
        compared = [area_of[figure_id] for figure_id in figure.related("compared_with") if figure_id in area_of]
        for area in [*compared, *unlimited]:
            representatives[representative(figure.area)] = representative(area)
    groups: dict[frozenset[str], list[StatedFigure]] = {}
    for figure in figures:
        groups.setdefault(representative(figure.area), []).append(figure)
    return list(groups.values())
