"""A stated figure as decisions see it, and the arithmetic of numbers that are ranges or only about right."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal
from functools import cached_property, reduce
from typing import Any

from app.core.text import from_json

# Which way the true number may lie; as_many_as and one_of only stress an exact number.
_PLAIN = {"as_many_as": "exact", "one_of": "exact"}
_BELOW, _ABOVE = ("at_most", "less_than"), ("at_least", "more_than")
_INVERSE = {**dict(zip(_ABOVE, _BELOW, strict=True)), **dict(zip(_BELOW, _ABOVE, strict=True)), "nearly": "about"}
_PERCENT = Context(prec=6)

TO_DATE = ("cumulative", "at_date")  # measured from the beginning, whatever their period says


def of_all(*qualifiers: str | None) -> str | None:
    """The qualifier of a sum; None when parts of it may be more and others less than they say."""
    kinds = {_PLAIN.get(each, each) if each else None for each in qualifiers} - {"exact"}
    if len(kinds) <= 1:
        return next(iter(kinds), "exact")
    for sided in (_BELOW, _ABOVE):
        if kinds == set(sided):
            return sided[1]
    uncertain = None in kinds or (kinds & set(_BELOW) and kinds & set(_ABOVE))
    return None if uncertain else "about"


@dataclass(frozen=True)
class Quantity:
    """A number, or a range from `value` to `high`, and how exactly it is meant (a code of `qualifier`, or unknown)."""

    value: Decimal
    high: Decimal | None = None
    qualifier: str | None = "exact"

    @property
    def top(self) -> Decimal:
        """The upper end."""
        return self.value if self.high is None else self.high

    @property
    def is_exact(self) -> bool:
        """Whether it can be compared for equality."""
        return self.high is None and _PLAIN.get(self.qualifier or "", self.qualifier) == "exact"

    def __add__(self, other: "Quantity") -> "Quantity":
        high = None if self.high is None and other.high is None else self.top + other.top
        return Quantity(self.value + other.value, high, of_all(self.qualifier, other.qualifier))

    def __neg__(self) -> "Quantity":
        qualifier = _INVERSE.get(self.qualifier, self.qualifier) if self.qualifier else None
        return Quantity(-self.top, None if self.high is None else -self.value, qualifier)

    def percent_of(self, base: "Quantity") -> "Quantity":
        """Its percentage of a base above zero, to six significant digits; neither may be negative."""
        low = _PERCENT.divide(100 * self.value, base.top)
        high = None if self.high is None and base.high is None else _PERCENT.divide(100 * self.top, base.value)
        return Quantity(low, high, of_all(self.qualifier, (-base).qualifier))

    def reaches(self, target: "Quantity", direction: str) -> bool | None:
        """Whether it is as good as the target; None where neither is certain, or more is neither better nor worse."""
        if direction == "down":
            return (-self).reaches(-target, "up")
        known = {"exact", *_ABOVE, *_BELOW}
        qualifiers = [_PLAIN.get(each.qualifier or "", each.qualifier) for each in (self, target)]
        if direction != "up" or not known.issuperset(qualifiers):
            return None
        if self.value >= target.top and qualifiers[0] not in _BELOW and qualifiers[1] not in _ABOVE:
            return True
        missed = self.top < target.value and qualifiers[0] not in _ABOVE and qualifiers[1] not in _BELOW
        return False if missed else None

    def __str__(self) -> str:
        return f"{_plain(self.value)}" + ("" if self.high is None else f"..{_plain(self.high)}")


def shown(quantity: Quantity | None) -> tuple[int | float | None, int | float | None]:
    """Value and upper end as JSON numbers, null where there is none; 26.0 is 26."""
    if quantity is None:
        return None, None
    return _plain(quantity.value), None if quantity.high is None else _plain(quantity.high)


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


@dataclass(frozen=True)
class Stated:
    """One published figure, read from its representation; days are ISO text, None where unknown or open."""

    record: Mapping[str, Any]

    @classmethod
    def of(cls, body: bytes) -> "Stated":
        """From its stored bytes."""
        return cls(from_json(body))

    def __getitem__(self, field: str) -> Any:
        return self.record[field]

    @property
    def id(self) -> str:
        """The figure's id."""
        found: str = self.record["id"]
        return found

    @cached_property
    def quantity(self) -> Quantity | None:
        """What it says as a number; None when it says it in words only."""
        value, high = self.record["value"], self.record["value_high"]
        if value is None:
            return None
        return Quantity(Decimal(repr(value)), None if high is None else Decimal(repr(high)), self.record["qualifier"])

    @cached_property
    def starts(self) -> date | None:
        """First day of its period."""
        return day_of(self.record["period"], "earliest")

    @cached_property
    def ends(self) -> date | None:
        """Last day of its period."""
        return day_of(self.record["period"], "latest")

    @cached_property
    def area(self) -> frozenset[str]:
        """The places it is about."""
        return frozenset(self.record["places"])

    @cached_property
    def measure(self) -> tuple[Any, ...]:
        """What it measures; only figures with the same measure are compared by period."""
        return self.record["indicator"], self.record["unit"], tuple(sorted(self.record["breakdown"].items()))

    @property
    def stages(self) -> "tuple[Stated, ...]":
        """The figures that it was added up from, in the order of time: itself alone, unless it is `Added`."""
        return (self,)

    def related(self, kind: str) -> Iterable[str]:
        """Ids of the figures it has this relation to, in order."""
        return [each["figure"] for each in self.record["relations"] if each["kind"] == kind]

    def same_area(self, other: "Stated") -> bool:
        """Whether nothing says that they are about different areas."""
        return not self.area or not other.area or self.area == other.area


class Added(Stated):
    """Figures whose periods follow each other without a gap, as one that goes from the first to the last."""

    @classmethod
    def up(cls, figures: Sequence[Stated]) -> "Added":
        """Each with a number; under the id of the last."""
        first, last = figures[0], figures[-1]
        period = {**(first["period"] or {}), "latest": last["period"]["latest"]}
        relations = [relation for each in figures for relation in each["relations"]]
        own = {"measured": first["measured"], "period": period, "relations": relations, "stages": tuple(figures)}
        return cls({**last.record, **own})

    @property
    def stages(self) -> tuple[Stated, ...]:
        """What was added."""
        found: tuple[Stated, ...] = self.record["stages"]
        return found

    @cached_property
    def quantity(self) -> Quantity | None:
        """Their sum."""
        return reduce(Quantity.__add__, (each.quantity for each in self.stages if each.quantity))


def day_of(period: Mapping[str, Any] | None, end: str) -> date | None:
    """The `earliest` or `latest` day of a period as representations show it; None where unknown or open."""
    return date.fromisoformat(period[end]) if period and period[end] else None
