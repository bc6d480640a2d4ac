"""Dates as a reader writes them: `2022-12` is "December 2022" in English and "12/2022" in Vietnamese."""

import re
from functools import lru_cache
from typing import NamedTuple

from app.core.values.dates import FIRST_QUARTER, ends

VIETNAMESE = "vi"

_POINT = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{2}))?(?:-(?P<day>\d{2}))?(?:T(?P<time>\d{2}:\d{2})[^?~%]*)?(?P<mark>[?~%]?)"
)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


class _Words(NamedTuple):
    """The forms of a language for dates that are not exact, and for intervals. `{}` are the dates in them."""

    approximate: str
    uncertain: str
    both: str
    extent: str  # a period with both ends
    extent_from: str
    extent_to: str
    between: str  # a moment within an interval
    not_before: str
    not_after: str


_ENGLISH_WORDS = _Words(
    *("about {}", "{} (uncertain)", "about {} (uncertain)"),
    *("{} to {}", "from {}", "to {}"),
    *("between {} and {}", "not before {}", "by {}"),
)
_VIETNAMESE_WORDS = _Words(
    *("khoảng {}", "{} (chưa chắc chắn)", "khoảng {} (chưa chắc chắn)"),
    *("{} – {}", "từ {}", "đến {}"),
    *("trong khoảng {} – {}", "sớm nhất {}", "chậm nhất {}"),
)


@lru_cache(maxsize=1 << 12)
def date_text(edtf: str, language: str, *, is_extent: bool) -> str:
    """Return the text of an EDTF date. With `is_extent`, an interval is a period; otherwise it bounds a moment."""
    words = _VIETNAMESE_WORDS if language == VIETNAMESE else _ENGLISH_WORDS
    start, end = ends(edtf)
    if start == end:
        return _point(str(start), language, words)
    if start is None:
        form = words.extent_to if is_extent else words.not_after
        return form.format(_end(str(end), language, words))
    if end is None:
        return (words.extent_from if is_extent else words.not_before).format(_point(start, language, words))
    form = words.extent if is_extent else words.between
    return form.format(_point(start, language, words), _point(end, language, words))


def _end(text: str, language: str, words: _Words) -> str:
    """Return the last day of an open interval. In English, "to 2022" does not say whether 2022 is in it."""
    point = _point(text, language, words)
    is_exact = text[-1] not in "?~%"
    return f"the end of {point}" if language != VIETNAMESE and is_exact and len(text) <= len("2022-12") else point


def _point(text: str, language: str, words: _Words) -> str:
    match = _POINT.fullmatch(text)
    if match is None:  # in a version that an earlier program accepted
        return text
    parts = (match["year"], int(match["month"] or 0), int(match["day"] or 0), match["time"] or "")
    plain = _vietnamese(*parts) if language == VIETNAMESE else _english(*parts)
    form = {"~": words.approximate, "?": words.uncertain, "%": words.both}.get(match["mark"])
    return form.format(plain) if form else plain


def _english(year: str, month: int, day: int, time: str) -> str:
    if month >= FIRST_QUARTER:
        return f"quarter {month - FIRST_QUARTER + 1} of {year}"
    words = [str(day)] if day else []
    words += [_MONTHS[month - 1]] if month else []
    return " ".join([*words, year]) + (f", {time}" if time else "")


def _vietnamese(year: str, month: int, day: int, time: str) -> str:
    if month >= FIRST_QUARTER:
        return f"quý {month - FIRST_QUARTER + 1}/{year}"
    numbers = [f"{number:02}" for number in (day, month) if number]
    return (f"{time} " if time else "") + "/".join([*numbers, year])
