"""The kind of value that the number format of a cell shows: a date, a percentage, an amount of money, a scale."""

import re
from typing import NamedTuple

from app.exchange.formats.cells.numbers import CURRENCIES, DOLLAR, SCALES

LITERAL = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')  # in a number format: texts, colours, languages
TEXT = re.compile(r'"([^"]*)"|\\(.)')
MONEY = re.compile(r"\[\$([^\]-]+)(?:-[^\]]*)?\]")

WORD_ENDS = re.compile(r"[\s./]+")

DIGITS = re.compile(r"(0+)(?:\.(0+))?")

PERCENT = "percent"
CURRENCY = "currency:"
SCALE = "scale:"
DISPLAYED = "displayed:"


class CellFormat(NamedTuple):
    """The meaning of a format.

    `mark` is PERCENT, or CURRENCY or SCALE with the sign that the cell shows, or DISPLAYED with the number of digits
    before and after the point (`displayed:5.0`), or empty.
    """

    is_date: bool = False
    is_duration: bool = False
    shown_as: str = ""  # the format without literals
    mark: str = ""


NO_FORMAT = CellFormat()


def cell_format(number_format: str) -> CellFormat:
    """Return the meaning of a number format."""
    if not number_format:
        return NO_FORMAT
    from openpyxl.styles.numbers import is_date_format, is_timedelta_format  # noqa: PLC0415 - slow

    shown_as = LITERAL.sub("", number_format.lower())
    is_date = is_date_format(number_format)
    mark = "" if is_date else _mark(number_format.partition(";")[0])
    return CellFormat(is_date, is_timedelta_format(number_format), shown_as, mark)


def _mark(positive: str) -> str:
    """Return the mark of the part of a format that is for positive numbers."""
    digits = DIGITS.fullmatch(positive)
    if digits:
        return "" if positive == "0" else f"{DISPLAYED}{len(digits[1])}.{len(digits[2] or '')}"
    plain = LITERAL.sub("", positive)
    if "%" in plain:
        return PERCENT
    money = MONEY.search(positive)
    if money:
        return CURRENCY + money[1].strip()
    texts = "".join(text or escaped for text, escaped in TEXT.findall(positive)).strip().lower()
    for word in WORD_ENDS.split(texts):
        if word in SCALES:
            return SCALE + word
        if word in CURRENCIES or word == DOLLAR:
            return CURRENCY + word
    sign = next((sign for sign in (*CURRENCIES, DOLLAR) if len(sign) == 1 and not sign.isalpha() and sign in plain), "")
    return CURRENCY + sign if sign else ""


def displayed_text(number: int | float, mark: str) -> str | None:
    """Return a number as the cell shows it, if the mark states its digits and the cell hides none of them."""
    if not mark.startswith(DISPLAYED):
        return None
    whole, decimals = map(int, mark.removeprefix(DISPLAYED).split("."))
    text = f"{number:0{whole + decimals + bool(decimals)}.{decimals}f}"
    return text if float(text) == number else None
