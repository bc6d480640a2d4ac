"""What a figure can be, given how its source puts it: rounding, ranges and words such as «hơn» or «khoảng»."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.core.values.numbers import INFINITE, Range

NEVER_EXACT = ("percent", "percentage_point")

ROUGHLY = Decimal("0.25")  # how far from the truth «khoảng» and «gần» may be


def decimal_value(figure: Mapping[str, Any]) -> Decimal:
    """Its value as a decimal."""
    return Decimal(str(figure["value"]))


def range_of(figure: Mapping[str, Any]) -> Range | None:
    """What the figure can be; None when it has no number."""
    if figure["value"] is None:
        return None
    value, half = decimal_value(figure), rounding(figure)
    high = Decimal(str(figure["value_high"])) if figure["value_high"] is not None else value
    low, high = value - half, high + half
    slack = abs(value) * ROUGHLY
    return {
        "about": Range(low - slack, high + slack),
        "nearly": Range(low - slack, high),
        "more_than": Range(low, INFINITE),
        "at_least": Range(low, INFINITE),
        "less_than": Range(-INFINITE, high),
        "at_most": Range(-INFINITE, high),
    }.get(figure["qualifier"], Range(low, high))


def rounding(figure: Mapping[str, Any]) -> Decimal:
    """How far the number may be from the truth because it is rounded: half a unit of the last digit written.

    `265,4 tỷ` is rounded to 0.1 billion and may be 50 million off. A count written in full (`26 doanh nghiệp`) is
    not rounded; a percentage always is.
    """
    value = decimal_value(figure)
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    written = _digits_written("".join(map(str, digits)), figure["as_written"] or "")
    last = Decimal(1).scaleb(exponent + len(digits) - written if written else min(exponent, 0))
    return last / 2 if last != 1 or figure["unit"] in NEVER_EXACT else Decimal(0)


def _digits_written(digits: str, as_written: str) -> int:
    """How many digits of the number the source writes out; 0 when it writes it in words."""
    for run in re.findall(r"\d[\d.,]*", as_written):
        found = re.sub(r"\D", "", run).lstrip("0")
        if found and digits.startswith(found) and not digits[len(found) :].strip("0"):
            return len(found)
    return 0
