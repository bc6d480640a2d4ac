"""Imprecise dates: a profile of EDTF (ISO 8601-2), as precise as the source and no more.

Accepted: `2022`, `2022-02`, `2022-02-28`, `2022-02-28T14:15` (also with seconds, and with an offset such as `+07:00`;
the day is that of the place where it was written down), quarters `2024-33` … `2024-36`, each with `?` for
uncertain, `~` for approximate or `%` for both; intervals `2024/2028`, `2015/..`, `../2024-05-31`, the last also
written `[..2024-05-31]`.
"""

import calendar
import contextlib
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_POINT = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2})(?:T(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?"
    r"(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)?)?)?)?[?~%]?"
)

FIRST_QUARTER = 33  # EDTF level 2 numbers the quarters of a year 33 to 36, in the place of the month

MAX_LENGTH = 40  # characters of a date

# Column values for an open start and an open end.
OPEN_START = "0001-01-01"
OPEN_END = "9999-12-31"


def today_in_utc() -> str:
    """Return the present day in UTC (ISO 8601)."""
    return datetime.now(UTC).date().isoformat()


class Span(NamedTuple):
    """The first and the last day that a date can mean; None at an open end."""

    earliest: date | None
    latest: date | None

    def days(self) -> tuple[str, str]:
        """Return both ends as they are stored and compared."""
        first = self.earliest.isoformat() if self.earliest else OPEN_START
        last = self.latest.isoformat() if self.latest else OPEN_END
        return first, last


@lru_cache(maxsize=1 << 14)
def parse_edtf(text: str) -> Span:
    """Parse an EDTF string of the profile; ValueError with the reason, which does not repeat the input."""
    start, end = _ends(text)
    if start == end == "..":
        raise ValueError("An EDTF interval needs at least one end.")
    if start == end:
        return _point(start)
    earliest = None if start == ".." else _point(start).earliest
    latest = None if end == ".." else _point(end).latest
    if earliest and latest and latest < earliest:
        raise ValueError("The interval ends before it starts.")
    return Span(earliest, latest)


def ends(text: str) -> tuple[str | None, str | None]:
    """Return start and end of a period as EDTF dates (`2024/2028`: 2024 and 2028); None at an open end."""
    start, end = _ends(text)
    return (None if start == ".." else start), (None if end == ".." else end)


def _ends(text: str) -> tuple[str, str]:
    if text.startswith("[") and text.endswith("]"):
        interval = "../" if text.startswith("[..") else "/.."
        text = text[1:-1].replace("..", interval, 1)
    start, slash, end = text.partition("/")
    return start, end if slash else start


def _point(text: str) -> Span:
    match = _POINT.fullmatch(text)
    if match is None or not text.isascii():
        raise ValueError("This is not a date in EDTF, such as 2022, 2022-02, 2022-02-28 or 2024/2028.")
    year, month, day = (int(match[part]) if match[part] else None for part in ("year", "month", "day"))
    if year is None or year == 0:
        raise ValueError("The year must be between 0001 and 9999.")
    if month is None:
        return Span(date(year, 1, 1), date(year, 12, 31))
    if day is None and FIRST_QUARTER <= month < FIRST_QUARTER + 4:
        last = 3 * (month - FIRST_QUARTER + 1)
        return Span(date(year, last - 2, 1), date(year, last, calendar.monthrange(year, last)[1]))
    if not 1 <= month <= 12:
        raise ValueError("There is no such month.")
    days = calendar.monthrange(year, month)[1]
    if day is None:
        return Span(date(year, month, 1), date(year, month, days))
    if not 1 <= day <= days:
        raise ValueError("There is no such day in that month.")
    return Span(date(year, month, day), date(year, month, day))


class Edtf(BaseModel):
    """A date as precise as in the source, with the first and the last day that it can mean (null if open).

    A writer sends this object or only the string (`"2022-02"`). In a date field an interval limits one moment
    (`../2024-05-31` means on or before that day). In a `period` it is the whole period.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [
        {"edtf": "2022-02", "earliest": "2022-02-01", "latest": "2022-02-28"}]})  # fmt: skip

    edtf: str = Field(description="The date in the EDTF profile of ISO 8601-2.", max_length=MAX_LENGTH)
    earliest: date | None = Field(default=None, description="First day that the date can mean; null if open.")
    latest: date | None = Field(default=None, description="Last day that the date can mean; null if open.")

    @model_validator(mode="wrap")
    @classmethod
    def _often_used(cls, value: Any, validate: Callable[[Any], Any]) -> Any:
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                return _edtf(value)
        return validate(value)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        content = {"edtf": value} if isinstance(value, str) else value
        text = content.get("edtf") if isinstance(content, dict) else None
        if not isinstance(text, str) or len(text) > MAX_LENGTH:
            raise ValueError("This is neither an EDTF string nor the object {edtf, earliest, latest}.")
        span = parse_edtf(text)
        for end, day in span._asdict().items():
            if content.get(end) not in (None, day, day and day.isoformat()):
                raise ValueError(f"{end} is not the {end} day of edtf")
        return {**content, **span._asdict()}

    @property
    def span(self) -> Span:
        """The first and the last day."""
        return Span(self.earliest, self.latest)

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the object for an EDTF string."""
        return cls.model_validate(text)


@lru_cache(maxsize=1 << 12)
def _edtf(text: str) -> Edtf:
    """Return the object for an EDTF string. Many records have the same dates. Raise ValueError for any other text."""
    if len(text) > MAX_LENGTH:
        raise ValueError
    span = parse_edtf(text)
    return Edtf.model_construct(edtf=text, earliest=span.earliest, latest=span.latest)
