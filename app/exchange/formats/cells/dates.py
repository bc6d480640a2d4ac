"""Dates and periods as people write them in cells: `24/07/2014`, `tháng 8/2023`, `quý III/2024`, `2024 - 2028`.

They become EDTF, as precise as they are written. `05/07/2014` has two readings: day first, or month first.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from typing import Literal, NamedTuple

from app.core.values.normal_forms import normalized
from app.exchange.formats.cells.numbers import SPACES

Order = Literal["dmy", "mdy"]

MAX_LENGTH = 80  # characters of a date
DASHES = str.maketrans(dict.fromkeys("–—‑−", "-"))
QUARTERS = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "1": 1, "2": 2, "3": 3, "4": 4}
FIRST_QUARTER = 33  # as EDTF numbers the quarters of a year
MONTH_NAMES = (
    *("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug"),
    *("september sep sept", "october oct", "november nov", "december dec"),
)
MONTHS: dict[str, int] = {}
for _number, _names in enumerate(MONTH_NAMES, 1):
    MONTHS |= dict.fromkeys(_names.split(), _number)

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_TIME = r"(?:[ t]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::\d{2}(?:\.\d+)?)?z?)?"
_TWO_ORDERS = re.compile(rf"(?:ngày )?(\d{{1,2}})([/.-])(\d{{1,2}})\2(\d{{4}}){_TIME}")
_OPEN_END = re.compile(
    r"(?:từ |from |since )?(.+?)(?: ?- ?| đến | tới | to | until )(?:nay|hiện nay|now|present|today)"
)
_FROM = re.compile(r"(?:từ|from|since) (.+)")
_UNTIL = re.compile(r"(?:đến|tới|until|by) (.+)")
_BOTH = re.compile(r"(?:từ |from )?(.+?)(?: - | ?đến | ?tới | to | until )(.+)")
_CLOSE = re.compile(r"([^-]+)-([^-]+)")  # without spaces around the dash
_SHORT_YEARS = re.compile(r"(\d{2})(\d{2}) ?- ?(\d{2})")
_WORDS = re.compile(r"^(?:giai đoạn|thời gian|thời kỳ|trong|period) ")


class DateText(NamedTuple):
    """A date in a text, as EDTF: with the day first, and with the month first. None: this order is impossible."""

    dmy: str | None
    mdy: str | None

    @property
    def has_two_readings(self) -> bool:
        """Whether the date depends on the order."""
        return self.dmy is not None and self.mdy is not None and self.dmy != self.mdy

    @property
    def proves(self) -> Order | None:
        """Return the order, if only one is possible."""
        if self.dmy is None:
            return "mdy"
        return "dmy" if self.mdy is None else None

    @property
    def value(self) -> str | None:
        """Return the date, if it has one reading."""
        return None if self.has_two_readings else self.dmy or self.mdy


def read_date(text: str) -> DateText | None:
    """Return the date or period of a text, or None if the text is none that this module knows."""
    if len(text) > MAX_LENGTH:
        return None
    plain = SPACES.sub(" ", normalized("NFC", text)).strip(" ().").translate(DASHES).lower()
    plain = _WORDS.sub("", plain)
    return _point(plain) or _period(plain)


def _period(text: str) -> DateText | None:
    if match := _SHORT_YEARS.fullmatch(text):  # 2024-28
        century, start, end = match.groups()
        return _same(f"{century}{start}/{century}{end}") if end > start else None
    for pattern, form in ((_OPEN_END, "{}/.."), (_FROM, "{}/.."), (_UNTIL, "../{}")):
        match = pattern.fullmatch(text)
        point = _point(match[1]) if match else None
        if point:
            return DateText(*(end and form.format(end) for end in point))
    match = _BOTH.fullmatch(text) or _CLOSE.fullmatch(text)
    start = _point(match[1].strip()) if match else None
    end = _point(match[2].strip()) if match else None
    if start is None or end is None:
        return None
    both = [first and last and f"{first}/{last}" for first, last in zip(start, end, strict=True)]
    return DateText(*both) if any(both) else None


def _same(edtf: str) -> DateText:
    return DateText(edtf, edtf)


def _point(text: str) -> DateText | None:
    match = _TWO_ORDERS.fullmatch(text)
    if match:
        first = int(match[1])
        second = int(match[3])
        year = int(match[4])
        orders = (_day(year, second, first, match), _day(year, first, second, match))
        return DateText(*orders) if any(orders) else None
    for pattern, make in POINTS:
        match = pattern.fullmatch(text)
        edtf = make(match) if match else None
        if edtf:
            return _same(edtf)
    return None


def _day(year: int, month: int, day: int, match: "re.Match[str]") -> str | None:
    if not (year and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]):
        return None
    date = f"{year:04}-{month:02}-{day:02}"
    hour = int(match.groupdict().get("hour") or 0)
    minute = int(match.groupdict().get("minute") or 0)
    if hour > 23 or minute > 59:
        return None
    return f"{date}T{hour:02}:{minute:02}" if hour or minute else date


def _month(year: str, month: int) -> str | None:
    return f"{year}-{month:02}" if 1 <= month <= 12 else None


def _quarter(match: "re.Match[str]") -> str | None:
    return f"{match[2]}-{FIRST_QUARTER + QUARTERS[match[1]] - 1}"


# Each form of a date, with the function that makes EDTF of it.
POINTS: tuple[tuple["re.Pattern[str]", Callable[["re.Match[str]"], str | None]], ...] = (
    (re.compile(r"(?:năm )?(\d{4})"), lambda match: match[1]),
    (re.compile(r"(?:tháng |t)?(\d{1,2}) ?(?:/|-|\.| năm ) ?(\d{4})"), lambda match: _month(match[2], int(match[1]))),
    (re.compile(r"(\d{4})[/.-](\d{1,2})"), lambda match: _month(match[1], int(match[2]))),
    (
        re.compile(rf"(\d{{4}})([/.-])(\d{{1,2}})\2(\d{{1,2}}){_TIME}"),
        lambda match: _day(int(match[1]), int(match[3]), int(match[4]), match),
    ),
    (re.compile(r"(?:quý |quý|q|quarter )(iv|i{1,3}|[1-4])(?: năm |[ /.-]{1,3})(\d{4})"), _quarter),
    (
        re.compile(r"(?:ngày )?(\d{1,2}) tháng (\d{1,2}),? năm (\d{4})"),
        lambda match: _day(int(match[3]), int(match[2]), int(match[1]), match),
    ),
    (
        re.compile(rf"(\d{{1,2}})[ -]({_MONTH})\.?,?[ -](\d{{4}})"),
        lambda match: _day(int(match[3]), MONTHS[match[2]], int(match[1]), match),
    ),
    (
        re.compile(rf"({_MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}})"),
        lambda match: _day(int(match[3]), MONTHS[match[1]], int(match[2]), match),
    ),
    (re.compile(rf"({_MONTH})\.?[ ,/-]{{1,2}}(\d{{4}})"), lambda match: _month(match[2], MONTHS[match[1]])),
)
