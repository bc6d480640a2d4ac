"""Numbers that are ranges or inexact, and the arithmetic that respects it."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal

INFINITE = Decimal("Infinity")


@dataclass(frozen=True)
class Range:
    """From the least to the most that a number can be; either may be infinite."""

    low: Decimal
    high: Decimal

    def meets(self, other: "Range") -> bool:
        """Whether both can be the same number."""
        return self.low <= other.high and other.low <= self.high

    def over(self, base: "Range") -> "Range":
        """This as a percentage of a base that is more than 0."""
        return Range(max(self.low, Decimal(0)) / base.high * 100, self.high / base.low * 100)

    def less(self, other: "Range") -> "Range":
        """The difference."""
        return Range(self.low - other.high, self.high - other.low)


def sum_of_ranges(ranges: Iterable[Range]) -> Range:
    """The sum."""
    each = list(ranges)
    return Range(sum((one.low for one in each), Decimal(0)), sum((one.high for one in each), Decimal(0)))


def hull(ranges: Iterable[Range]) -> Range:
    """The least range that holds all."""
    each = list(ranges)
    return Range(min(one.low for one in each), max(one.high for one in each))


def json_number(value: Decimal) -> int | float:
    """As a JSON number."""
    return int(value) if value == value.to_integral_value() else float(round(value, 6))


# Which way the true number may lie; as_many_as and one_of only stress an exact number.
_PLAIN = {"as_many_as": "exact", "one_of": "exact"}

_BELOW, _ABOVE = ("at_most", "less_than"), ("at_least", "more_than")

_INVERSE = {**dict(zip(_ABOVE, _BELOW, strict=True)), **dict(zip(_BELOW, _ABOVE, strict=True)), "nearly": "about"}

_PERCENT = Context(prec=6)


def all_qualifiers(*qualifiers: str | None) -> str | None:
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
        return Quantity(self.value + other.value, high, all_qualifiers(self.qualifier, other.qualifier))

    def __neg__(self) -> "Quantity":
        qualifier = _INVERSE.get(self.qualifier, self.qualifier) if self.qualifier else None
        return Quantity(-self.top, None if self.high is None else -self.value, qualifier)

    def percent_of(self, base: "Quantity") -> "Quantity":
        """Its percentage of a base above zero, to six significant digits; neither may be negative."""
        low = _PERCENT.divide(100 * self.value, base.top)
        high = None if self.high is None and base.high is None else _PERCENT.divide(100 * self.top, base.value)
        return Quantity(low, high, all_qualifiers(self.qualifier, (-base).qualifier))

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


def quantity_shown(quantity: Quantity | None) -> tuple[int | float | None, int | float | None]:
    """Value and upper end as JSON numbers, null where there is none; 26.0 is 26."""
    if quantity is None:
        return None, None
    return _plain(quantity.value), None if quantity.high is None else _plain(quantity.high)


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)
