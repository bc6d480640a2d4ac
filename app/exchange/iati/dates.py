"""Days for dates that may be less precise: the first day of a start, and the last day of an end."""

from collections.abc import Mapping
from typing import Any

from app.core.values.date_texts import date_text
from app.core.values.dates import ends

LANGUAGES = ("en", "vi")

Date = Mapping[str, Any]  # {edtf, earliest, latest}


def is_day(date: Date, end: str) -> bool:
    """Return whether an end of a date, `earliest` or `latest`, is stated as a day."""
    stated = ends(date["edtf"])[0 if end == "earliest" else 1]
    return bool(stated == date[end])


def texts_of(date: Date, *, is_extent: bool) -> dict[str, str]:
    """Return a date as readers write it, by language."""
    return {language: date_text(date["edtf"], language, is_extent=is_extent) for language in LANGUAGES}
