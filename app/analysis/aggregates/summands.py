"""The figures of a sum, and the conflicts with other figures that could count the same thing twice."""

from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain, product

from app.analysis.aggregates.hierarchy import Hierarchy
from app.figures.stated import TO_DATE, StatedFigure

SUBJECT_FIELDS = ("agreement", "milestone", "document")


def span(figure: StatedFigure) -> tuple[date, date]:
    """Return the first and last day for which a figure counts, with the extreme dates where it is open or unknown."""
    starts = None if figure["measured"] in TO_DATE else figure.starts
    return starts or date.min, figure.ends or date.max


@dataclass(frozen=True)
class Subject:
    """The subject of a figure, apart from its project, partner and period."""

    ids: tuple[str | None, ...]
    breakdown: frozenset[tuple[str, str]]
    area: frozenset[str]

    def can_overlap(self, other: "Subject", hierarchy: Hierarchy) -> bool:
        """Return whether both can count the same thing, because no statement of both excludes it."""
        if any(own and theirs and own != theirs for own, theirs in zip(self.ids, other.ids, strict=True)):
            return False
        if self.breakdown != other.breakdown:
            own_values = dict(self.breakdown)
            other_values = dict(other.breakdown)
            common = own_values.keys() & other_values.keys()
            if any(own_values[dimension] != other_values[dimension] for dimension in common):
                return False
        return self.area == other.area or _shared_area(self.area, other.area, hierarchy) is not None


Span = tuple[date, date, str]  # first day, last day and id of a figure


class Summands:
    """The figures of a sum by project, partner and subject. Those with all three in common never overlap in time."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        self._hierarchy = hierarchy
        self._figures: dict[str, StatedFigure] = {}
        self._spans: dict[str | None, dict[str | None, dict[Subject, list[Span]]]] = {}

    def add(self, figure: StatedFigure) -> None:
        """Add a figure that has no conflict."""
        self._figures[figure.id] = figure
        subjects = self._spans.setdefault(figure["project"], {}).setdefault(figure["partner"], {})
        insort(subjects.setdefault(_subject(figure), []), (*span(figure), figure.id))

    def conflict(self, figure: StatedFigure) -> tuple[str, str] | None:
        """Return why a figure must not be added, as a code of left_out and the id of the other figure, or None."""
        subject = _subject(figure)
        starts, ends = span(figure)
        for other_subject, spans in self._related_spans(figure):
            before = bisect_right(spans, (ends, date.max, "~"))
            if before and spans[before - 1][1] >= starts and subject.can_overlap(other_subject, self._hierarchy):
                other = self._figures[spans[before - 1][2]]
                return _reason(figure, other, self._hierarchy), other.id
        return None

    def _related_spans(self, figure: StatedFigure) -> Iterator[tuple[Subject, list[Span]]]:
        """Yield the spans of the figures whose project and partner are this figure's, above them, or not stated."""
        projects = (None, figure["project"], *sorted(self._hierarchy.projects.get(figure["project"], ())))
        for project in dict.fromkeys(projects):
            partners = self._spans.get(project, {})
            above = sorted(self._hierarchy.partners.get(figure["partner"], ()))
            for partner in (None, figure["partner"], *above) if figure["partner"] else partners:
                yield from partners.get(partner, {}).items()


def _subject(figure: StatedFigure) -> Subject:
    ids = tuple(figure[name] for name in SUBJECT_FIELDS)
    return Subject(ids, frozenset(figure["breakdown"].items()), figure.area)


def _reason(figure: StatedFigure, other: StatedFigure, hierarchy: Hierarchy) -> str:
    """Return the code of left_out for a figure that must not be added to another one."""
    same_span = span(figure) == span(other)
    if figure["project"] != other["project"]:
        return "within_project"
    if figure["partner"] and other["partner"] and figure["partner"] != other["partner"]:
        return "within_partner"
    if figure.area != other.area:
        return _shared_area(figure.area, other.area, hierarchy) or "within_area"
    if figure["breakdown"] != other["breakdown"]:
        return "within_breakdown"
    if figure["measured"] in TO_DATE and other["measured"] in TO_DATE and not same_span:
        return "earlier_total"
    return "competing" if same_span else "overlapping_period"


def _shared_area(area: frozenset[str], other: frozenset[str], hierarchy: Hierarchy) -> str | None:
    """Return the code of left_out for two areas that overlap or can overlap, or None if they do not."""
    if not area or not other or area & other:
        return "within_area"
    pairs = chain(product(area, other), product(other, area))
    related = [(low, high) for low, high in pairs if high in hierarchy.places.get(low, ())]
    if not related:
        return None
    is_merged = all(high in hierarchy.successors.get(low, ()) for low, high in related)
    return "merged_area" if is_merged else "within_area"
