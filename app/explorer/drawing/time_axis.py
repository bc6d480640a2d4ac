"""Dates on an axis, drawn as precisely as their source states them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

MAX_YEARS = 18  # of an axis; later years are only named
MIN_WIDTH = 0.8  # percent
FADING = 9.0  # percent, of a date that is open at one end

Edtf = Mapping[str, Any]


class Mark(NamedTuple):
    """A date on the axis: its kind, start and width in percent."""

    kind: str  # day, month, year, period, before, after, beyond or none
    start: float = 0
    width: float = 0


class Tick(NamedTuple):
    """The start of a year."""

    at: float
    year: int
    has_label: bool


class TimeAxis:
    """An axis from the start of a year to the end of another one."""

    def __init__(self, dates: Iterable[Edtf | None]) -> None:
        years = sorted(_years(dates))
        self.is_empty = not years
        self.first = _busiest(years)
        self.last = max((year for year in years if year < self.first + MAX_YEARS), default=self.first)

    @cached_property
    def ticks(self) -> list[Tick]:
        """The years, of which every second or third is labelled if there are many."""
        count = self.last - self.first + 1
        step = 1 if count <= 5 else 2 if count <= 10 else 3
        years = range(self.first, self.last + 1)
        return [Tick(self._at(date(year, 1, 1)), year, (year - self.first) % step == 0) for year in years]

    def mark(self, edtf: Edtf | None) -> Mark:
        """Return how a date is drawn."""
        if edtf is None or self.is_empty:
            return Mark("none")
        earliest = _day(edtf["earliest"])
        latest = _day(edtf["latest"])
        bound = earliest or latest
        if bound is None:
            return Mark("none")
        if bound.year > self.last or (latest or bound).year < self.first:
            return Mark("beyond")
        if earliest is None:
            end = self._end(bound)
            return Mark("before", max(0.0, round(end - FADING, 2)), round(min(end, FADING), 2))
        if latest is None:
            start = self._at(bound)
            return Mark("after", start, round(min(FADING, 100 - start), 2))
        return self._closed(_precision(edtf["edtf"]), earliest, latest)

    def _closed(self, kind: str, earliest: date, latest: date) -> Mark:
        start = self._at(earliest)
        width = max(self._end(latest) - start, MIN_WIDTH)
        return Mark(kind, min(start, 100 - MIN_WIDTH), round(min(width, 100 - start) or MIN_WIDTH, 2))

    def _at(self, day: date) -> float:
        start = date(self.first, 1, 1).toordinal()
        days = date(self.last, 12, 31).toordinal() + 1 - start
        return round(min(max(100 * (day.toordinal() - start) / days, 0), 100), 2)

    def _end(self, day: date) -> float:
        return self._at(date.fromordinal(min(day.toordinal() + 1, date.max.toordinal())))


def _busiest(years: list[int]) -> int:
    """Return the year from which on an axis shows most of these dates."""
    reached = {start: sum(start <= year < start + MAX_YEARS for year in years) for start in dict.fromkeys(years)}
    return max(reached, key=lambda start: reached[start], default=2000)


def _years(dates: Iterable[Edtf | None]) -> Iterator[int]:
    for edtf in dates:
        for bound in ("earliest", "latest"):
            day = _day(edtf[bound]) if edtf else None
            if day is not None:
                yield day.year


def _day(text: str | None) -> date | None:
    """Return a day of the common era; None for any other."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _precision(edtf: str) -> str:
    plain = edtf.rstrip("~?%")
    if "/" in plain or len(plain) not in (4, 7, 10) or not plain.replace("-", "").isdigit():
        return "period"
    return {4: "year", 7: "month", 10: "day"}[len(plain)]
