"""Numbers that are ranges or inexact, and arithmetic that keeps this inexactness.

There are two classes for two purposes. A `Quantity` keeps a number with the words of its source, so that a sum can be
shown as one number with a qualifier, such as «more than 50». A `Range` contains every number that the words and the
rounding allow, so that it can prove that two numbers contradict each other. It cannot be turned back into words.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal

INFINITE = Decimal("Infinity")


@dataclass(frozen=True)
class Range:
    """The smallest and the largest number that a number can be. Both can be infinite."""

    low: Decimal
    high: Decimal

    def overlaps(self, other: "Range") -> bool:
        """Return whether both can be the same number."""
        return self.low <= other.high and other.low <= self.high

    def percent_of(self, base: "Range") -> "Range":
        """Return this range as a percentage of a base, which must be above zero."""
        return Range(max(self.low, Decimal(0)) / base.high * 100, self.high / base.low * 100)

    def __sub__(self, other: "Range") -> "Range":
        return Range(self.low - other.high, self.high - other.low)


def sum_of_ranges(ranges: Iterable[Range]) -> Range:
    """Return the range of the sum of numbers; zero for no numbers."""
    low = high = Decimal(0)
    for number in ranges:
        low += number.low
        high += number.high
    return Range(low, high)


def hull(ranges: Iterable[Range]) -> Range:
    """Return the smallest range that contains all ranges, of which there must be at least one."""
    numbers = list(ranges)
    return Range(min(number.low for number in numbers), max(number.high for number in numbers))


def json_number(value: Decimal) -> int | float:
    """Return a JSON number, rounded to six decimal places; an integer where nothing follows the point."""
    return int(value) if value == value.to_integral_value() else float(round(value, 6))


# In arithmetic these two are exact numbers: «as many as 17» and «one of 13» only stress the number.
_EXACT_MEANING = {"as_many_as": "exact", "one_of": "exact"}

# Qualifiers of an upper and of a lower limit of the true number.
_UPPER = ("at_most", "less_than")
_LOWER = ("at_least", "more_than")

# The qualifier after a change of sign. No qualifier means «a little more», so `nearly` becomes `about`.
_NEGATED = {**dict(zip(_LOWER, _UPPER, strict=True)), **dict(zip(_UPPER, _LOWER, strict=True)), "nearly": "about"}

_PERCENT = Context(prec=6)


def all_qualifiers(*qualifiers: str | None) -> str | None:
    """Return the qualifier of a sum.

    It is None where the sum can be both larger and smaller by an unknown amount: one summand is a lower limit and
    another one an upper limit, or a summand has no qualifier itself.
    """
    kinds = {_EXACT_MEANING.get(kind, kind) if kind else None for kind in qualifiers} - {"exact"}
    if len(kinds) <= 1:
        return next(iter(kinds), "exact")
    for inclusive, exclusive in (_UPPER, _LOWER):
        if kinds == {inclusive, exclusive}:
            return exclusive
    uncertain = None in kinds or (kinds & set(_UPPER) and kinds & set(_LOWER))
    return None if uncertain else "about"


@dataclass(frozen=True)
class Quantity:
    """A number, or a range from `value` to `high`, with its `qualifier` (a code of that list; None: unknown)."""

    value: Decimal
    high: Decimal | None = None
    qualifier: str | None = "exact"

    @property
    def top(self) -> Decimal:
        """The upper end of the range, or the number itself."""
        return self.value if self.high is None else self.high

    @property
    def is_exact(self) -> bool:
        """Whether it can be compared for equality: it is one number, and the source states it exactly."""
        return self.high is None and self._meaning == "exact"

    @property
    def _meaning(self) -> str | None:
        return _EXACT_MEANING.get(self.qualifier or "", self.qualifier)

    def __add__(self, other: "Quantity") -> "Quantity":
        high = None if self.high is None and other.high is None else self.top + other.top
        return Quantity(self.value + other.value, high, all_qualifiers(self.qualifier, other.qualifier))

    def __neg__(self) -> "Quantity":
        qualifier = _NEGATED.get(self.qualifier, self.qualifier) if self.qualifier else None
        return Quantity(-self.top, None if self.high is None else -self.value, qualifier)

    def percent_of(self, base: "Quantity") -> "Quantity":
        """Return its percentage of a base, to six significant digits.

        The base must be above zero, and this quantity must not be negative.
        """
        low = _PERCENT.divide(100 * self.value, base.top)
        high = None if self.high is None and base.high is None else _PERCENT.divide(100 * self.top, base.value)
        return Quantity(low, high, all_qualifiers(self.qualifier, (-base).qualifier))

    def reaches(self, target: "Quantity", direction: str) -> bool | None:
        """Return whether it is at least as good as the target; None where that is uncertain.

        `direction` is the indicator's: `up` (more is better), `down` (less is better) or `none` (always None).
        """
        if direction == "down":
            return (-self).reaches(-target, "up")
        certain = {"exact", *_LOWER, *_UPPER}
        own = self._meaning
        wanted = target._meaning
        if direction != "up" or own not in certain or wanted not in certain:
            return None
        if self.value >= target.top and own not in _UPPER and wanted not in _LOWER:
            return True
        missed = self.top < target.value and own not in _LOWER and wanted not in _UPPER
        return False if missed else None

    def __str__(self) -> str:
        return f"{_exact_json(self.value)}" + ("" if self.high is None else f"..{_exact_json(self.high)}")


def quantity_shown(quantity: Quantity | None) -> tuple[int | float | None, int | float | None]:
    """Return value and upper end as JSON numbers, None where there is none; 26.0 is 26."""
    if quantity is None:
        return None, None
    return _exact_json(quantity.value), None if quantity.high is None else _exact_json(quantity.high)


def _exact_json(number: Decimal) -> int | float:
    """Return a JSON number without rounding."""
    return int(number) if number == number.to_integral_value() else float(number)
