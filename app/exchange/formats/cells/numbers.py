"""Numbers as people write them in cells: `1.234,5`, `1,234.5`, `15,9 %`, `265,4 tỷ`, `US$2.5 million`.

A text can have two readings. `2.345` is 2345 where the comma separates decimals, and 2.345 where the point does.
"""

import re
from decimal import Decimal
from typing import Literal, NamedTuple

from app.core.values.normal_forms import normalized

Decimals = Literal["point", "comma"]

MAX_LENGTH = 60  # characters of a number
SPACES = re.compile("[\\s\u00a0\u2007\u2009\u200b\u202f\ufeff]+")
MINUS = str.maketrans({"−": "-", "–": "-", "‑": "-"})

SCALES = {
    **dict.fromkeys(("nghìn", "ngàn", "thousand", "k"), 10**3),
    "vạn": 10**4,
    **dict.fromkeys(("triệu", "tr", "million", "mn"), 10**6),
    **dict.fromkeys(("tỷ", "tỉ", "billion", "bn"), 10**9),
}
CURRENCIES = {
    **dict.fromkeys(("us$", "usd"), ("USD",)),
    **dict.fromkeys(("€", "eur"), ("EUR",)),
    **dict.fromkeys(("£", "gbp"), ("GBP",)),
    **dict.fromkeys(("¥", "￥"), ("JPY", "CNY")),
    **dict.fromkeys(("₫", "đ", "đồng", "vnđ", "vnd"), ("VND",)),
    **dict.fromkeys(("円", "jpy"), ("JPY",)),
    **dict.fromkeys(("元", "cny", "rmb"), ("CNY",)),
    "₩": ("KRW",),
    "chf": ("CHF",),
}
DOLLAR = "$"  # of many countries

_MONEY = "|".join(sorted(map(re.escape, (*CURRENCIES, DOLLAR)), key=len, reverse=True))
_SCALE = "|".join(sorted(SCALES, key=len, reverse=True))
_NUMBER = re.compile(
    rf"(?P<before>{_MONEY})? ?(?P<sign>[-+]?) ?(?P<digits>\d(?:[\d.,']| (?=\d))*)"
    rf"(?: ?(?P<scale>{_SCALE})\.?(?: (?P<more>{_SCALE}))?)? ?(?P<percent>%|phần trăm|percent)? ?(?P<after>{_MONEY})?"
)


class NumberText(NamedTuple):
    """A number in a text. `point` and `comma` are its values if that sign separates the decimals, None if it cannot."""

    point: Decimal | None
    comma: Decimal | None
    is_percent: bool
    currency: str  # as written, "" without one

    @property
    def has_two_readings(self) -> bool:
        """Whether the value depends on the sign that separates the decimals."""
        return self.point is not None and self.comma is not None and self.point != self.comma

    @property
    def proves(self) -> Decimals | None:
        """Return the sign that separates the decimals, if only one is possible."""
        if self.point is None:
            return "comma"
        return "point" if self.comma is None else None

    @property
    def largest(self) -> Decimal:
        """Return the largest size that the number can have."""
        return max(abs(value) for value in (self.point, self.comma) if value is not None)

    @property
    def value(self) -> Decimal | None:
        """Return the number, if it has one reading."""
        if self.has_two_readings:
            return None
        return self.comma if self.point is None else self.point


def read_number(text: str) -> NumberText | None:
    """Return the number of a text, or None if the text is not a number."""
    if len(text) > MAX_LENGTH:
        return None
    plain = SPACES.sub(" ", normalized("NFC", text)).strip().translate(MINUS).lower()
    match = _NUMBER.fullmatch(plain)
    if match is None or (match["before"] and match["after"]):
        return None
    factor = SCALES.get(match["scale"], 1) * SCALES.get(match["more"], 1)
    factor = -factor if match["sign"] == "-" else factor
    point = _value(match["digits"], ".", factor)
    comma = _value(match["digits"], ",", factor)
    if point is None and comma is None:
        return None
    return NumberText(point, comma, bool(match["percent"]), match["before"] or match["after"] or "")


def _value(digits: str, decimals: str, factor: int) -> Decimal | None:
    """Return the number if this sign separates its decimals, or None if the digits are not grouped like that."""
    groups = "," if decimals == "." else "."
    pattern = rf"(\d+|[1-9]\d{{0,2}}([{groups} '])\d{{3}}(?:\2\d{{3}})*)(?:{re.escape(decimals)}(\d+))?"
    match = re.fullmatch(pattern, digits)
    if match is None:
        return None
    whole = re.sub(r"\D", "", match[1])
    return Decimal(f"{whole}.{match[3] or 0}") * factor


def fits_currency(symbol: str, unit: str) -> bool:
    """Return whether a unit is a currency that this symbol stands for. An unknown symbol fits every unit."""
    if symbol == DOLLAR:
        return len(unit) == 3 and unit.isupper() and unit.endswith("D") and unit != "VND"
    codes = CURRENCIES.get(symbol.lower())
    if codes is None:
        is_code = len(symbol) == 3 and symbol.isascii() and symbol.isalpha()
        return symbol.upper() == unit if is_code else True
    return unit in codes
