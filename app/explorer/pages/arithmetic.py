"""Sums of figures that a page may show: of parts that are recorded as such, and only if they add up exactly."""

from collections.abc import Mapping, Sequence
from math import fsum
from typing import Any

from app.explorer.view import EXACT

Figure = Mapping[str, Any]


def adds_up(parts: Sequence[Figure], whole: Figure) -> bool:
    """Return whether exact numbers in one unit have exactly this sum."""
    numbers = [*parts, whole]
    if any(number["value"] is None or number["value_high"] is not None for number in numbers):
        return False
    if any(number["qualifier"] != EXACT or number["unit"] != whole["unit"] for number in numbers):
        return False
    return bool(fsum(part["value"] for part in parts) == whole["value"])
