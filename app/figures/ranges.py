"""The range of numbers that a figure can mean, from its rounding, its range and its qualifier («hơn», «khoảng»)."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.core.values.numbers import INFINITE, Range

NEVER_EXACT = ("percent", "percentage_point", "per_thousand", "ratio")
TOLERANCE = Decimal("0.25")  # how much a number after «khoảng» or «gần» may differ from the truth, as a share of it


def decimal_value(figure: Mapping[str, Any]) -> Decimal:
    """Return the value of a figure that has one."""
    return Decimal(str(figure["value"]))


def range_of(figure: Mapping[str, Any]) -> Range | None:
    """Return the range of numbers that a figure can mean; None if it has no number."""
    if figure["value"] is None:
        return None
    value = decimal_value(figure)
    end = value if figure["value_high"] is None else Decimal(str(figure["value_high"]))
    half = rounding(figure)
    low = value - half
    high = end + half
    tolerance = abs(value) * TOLERANCE
    return {
        "about": Range(low - tolerance, high + tolerance),
        "nearly": Range(low - tolerance, high),
        "more_than": Range(low, INFINITE),
        "at_least": Range(low, INFINITE),
        "less_than": Range(-INFINITE, high),
        "at_most": Range(-INFINITE, high),
    }.get(figure["qualifier"], Range(low, high))


def rounding(figure: Mapping[str, Any]) -> Decimal:
    """Return the largest error by rounding: half a unit of the last digit that the source writes.

    `265,4 tỷ` is rounded to 0.1 billion, so the error is up to 50 million. A count that is written in full
    (`26 doanh nghiệp`) is not rounded. A percentage always is.
    """
    value = decimal_value(figure)
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    written = _count_written_digits("".join(map(str, digits)), figure["as_written"] or "")
    last_digit = Decimal(1).scaleb(exponent + len(digits) - written if written else min(exponent, 0))
    return last_digit / 2 if last_digit != 1 or figure["unit"] in NEVER_EXACT else Decimal(0)


def _count_written_digits(digits: str, as_written: str) -> int:
    """Return how many digits of the number the source writes; 0 if it writes the number in words."""
    for number in re.findall(r"\d[\d.,]*", as_written):
        written = re.sub(r"\D", "", number).lstrip("0")
        if written and digits.startswith(written) and not digits[len(written) :].strip("0"):
            return len(written)
    return 0
