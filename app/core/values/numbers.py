"""Arithmetic with ranges and with inexact numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal

INFINITE = Decimal("Infinity")


@dataclass(frozen=True)
class Range:
    """The least and the greatest value that a number can have; both may be infinite."""

    low: Decimal
    high: Decimal

    def meets(self, other: "Range") -> bool:
        """Return whether both can be the same number."""
        return self.low <= other.high and other.low <= self.high

    def over(self, base: "Range") -> "Range":
        """Return this range as a percentage of a base that is greater than 0."""
        return Range(max(self.low, Decimal(0)) / base.high * 100, self.high / base.low * 100)

    def less(self, other: "Range") -> "Range":
        """Return the difference."""
        return Range(self.low - other.high, self.high - other.low)


def sum_of_ranges(ranges: Iterable[Range]) -> Range:
    """Return the sum of ranges."""
    parts = list(ranges)
    return Range(sum((part.low for part in parts), Decimal(0)), sum((part.high for part in parts), Decimal(0)))


def hull(ranges: Iterable[Range]) -> Range:
    """Return the smallest range that contains all these ranges."""
    parts = list(ranges)
    return Range(min(part.low for part in parts), max(part.high for part in parts))


def json_number(value: Decimal) -> int | float:
    """Return a JSON number, rounded to six decimal places."""
    return int(value) if value == value.to_integral_value() else float(round(value, 6))


# Qualifiers that emphasise a number and do not make it less exact.
_PLAIN = {"as_many_as": "exact", "one_of": "exact"}

# Qualifiers of numbers whose true value may be lower, and of those whose true value may be higher.
_BELOW = ("at_most", "less_than")
_ABOVE = ("at_least", "more_than")

_INVERSE = {**dict(zip(_ABOVE, _BELOW, strict=True)), **dict(zip(_BELOW, _ABOVE, strict=True)), "nearly": "about"}

_PERCENT = Context(prec=6)


def all_qualifiers(*qualifiers: str | None) -> str | None:
    """Return the qualifier of a sum; None if some of its parts may be higher than stated and others lower."""
    kinds = {_PLAIN.get(qualifier, qualifier) if qualifier else None for qualifier in qualifiers} - {"exact"}
    if len(kinds) <= 1:
        return next(iter(kinds), "exact")
    for sided in (_BELOW, _ABOVE):
        if kinds == set(sided):
            return sided[1]
    uncertain = None in kinds or (kinds & set(_BELOW) and kinds & set(_ABOVE))
    return None if uncertain else "about"


@dataclass(frozen=True)
class Quantity:
    """A number, or a range from `value` to `high`, with a code of the list `qualifier` (None: unknown)."""

    value: Decimal
    high: Decimal | None = None
    qualifier: str | None = "exact"

    @property
    def top(self) -> Decimal:
        """The upper end of the range."""
        return self.value if self.high is None else self.high

    @property
    def is_exact(self) -> bool:
        """Whether the number is neither a range nor inexact."""
        return self.high is None and _PLAIN.get(self.qualifier or "", self.qualifier) == "exact"

    def __add__(self, other: "Quantity") -> "Quantity":
        high = None if self.high is None and other.high is None else self.top + other.top
        return Quantity(self.value + other.value, high, all_qualifiers(self.qualifier, other.qualifier))

    def __neg__(self) -> "Quantity":
        qualifier = _INVERSE.get(self.qualifier, self.qualifier) if self.qualifier else None
        return Quantity(-self.top, None if self.high is None else -self.value, qualifier)

    def percent_of(self, base: "Quantity") -> "Quantity":
        """Return the percentage of a base greater than 0, to six significant digits; neither may be negative."""
        low = _PERCENT.divide(100 * self.value, base.top)
        high = None if self.high is None and base.high is None else _PERCENT.divide(100 * self.top, base.value)
        return Quantity(low, high, all_qualifiers(self.qualifier, (-base).qualifier))

    def reaches(self, target: "Quantity", direction: str) -> bool | None:
        """Return whether the number reaches a target; None if that is uncertain or the indicator has no direction."""
        if direction == "down":
            return (-self).reaches(-target, "up")
        own = _PLAIN.get(self.qualifier or "", self.qualifier)
        targeted = _PLAIN.get(target.qualifier or "", target.qualifier)
        if direction != "up" or not {own, targeted} <= {"exact", *_ABOVE, *_BELOW}:
            return None
        if self.value >= target.top and own not in _BELOW and targeted not in _ABOVE:
            return True
        missed = self.top < target.value and own not in _ABOVE and targeted not in _BELOW
        return False if missed else None

    def __str__(self) -> str:
        return str(_plain(self.value)) if self.high is None else f"{_plain(self.value)}..{_plain(self.high)}"


def quantity_shown(quantity: Quantity | None) -> tuple[int | float | None, int | float | None]:
    """Return value and upper end as JSON numbers, without decimal places where possible; None if absent."""
    if quantity is None:
        return None, None
    return _plain(quantity.value), None if quantity.high is None else _plain(quantity.high)


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)
