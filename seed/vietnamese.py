"""Numbers, dates and legal instrument numbers as Vietnamese news texts write them.

The check of the dataset uses them to prove that a stored value equals a quoted token («265,4 tỷ USD» is
265400000000 USD), and to list the numbers and dates of a text that no record stores. So a value is exact or absent,
and the only digits that are ignored are those that `_NO_FIGURE` and `_NO_FIGURE_BY_DATES` match.

A text is folded (NFC, plain blanks and dashes) with a map to the original offsets. Then instruments (35/2022/NĐ-CP is
not a date), dates and numbers are matched in this order, and each match is masked for the next. A span is the shortest
text with this value, without hedges (gần), verbs (tăng) and cue words (năm, vào).
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

from seed.vietnamese_dates import DATE_MARK, find_moments, mask, pattern
from seed.vietnamese_numbers import Number, find_numbers

__all__ = ["Instrument", "Moment", "Number", "instruments", "moments", "numbers", "parse_moment", "parse_number"]


@dataclass(frozen=True)
class Moment:
    """A date or period as EDTF; parts that the text does not state are X."""

    start: int
    end: int
    text: str
    edtf: str


@dataclass(frozen=True)
class Instrument:
    """The number of a legal instrument in its official spelling; a short form («Nghị định 35») stays short."""

    start: int
    end: int
    text: str
    number: str


_Token = TypeVar("_Token", Number, Moment, Instrument)


def numbers(text: str) -> list[Number]:
    """Return every number outside dates and instruments, in order."""
    return list(_scan(text)[0])


def moments(text: str) -> list[Moment]:
    """Return every date and period, in order."""
    return list(_scan(text)[1])


def instruments(text: str) -> list[Instrument]:
    """Return every number of a legal instrument, in order."""
    return list(_scan(text)[2])


def parse_number(token: str) -> Number:
    """Return the number in a short token. Raise ValueError unless there is exactly one."""
    parsed = numbers(token)
    if len(parsed) != 1:
        raise ValueError(f"{len(parsed)} numbers in {token!r}")
    return parsed[0]


def parse_moment(token: str) -> Moment:
    """Return the date in a short token, which may lack its cue word, as «2050» and «2/3».

    Raise ValueError unless there is exactly one.
    """
    for cue in ("", "ngày ", "năm "):
        parsed = moments(cue + token)
        if parsed:
            break
    if len(parsed) != 1:
        raise ValueError(f"{len(parsed)} dates in {token!r}")
    start = max(0, parsed[0].start - len(cue))
    end = parsed[0].end - len(cue)
    return Moment(start, end, token[start:end], parsed[0].edtf)


@lru_cache(maxsize=1024)  # more than the source texts have paragraphs: a check reads each several times
def _scan(text: str) -> tuple[tuple[Number, ...], tuple[Moment, ...], tuple[Instrument, ...]]:
    folded, starts, ends = _fold(text)

    def place(token: _Token) -> _Token:
        start = starts[token.start]
        end = ends[token.end - 1]
        return replace(token, start=start, end=end, text=text[start:end])

    masked = mask(folded, [m.span() for m in _NO_FIGURE.finditer(folded)], _OTHER_MARK)
    acts = _find_instruments(masked)
    masked = mask(masked, [(act.start, act.end) for act in acts], _OTHER_MARK)
    hits = find_moments(masked)
    masked = mask(masked, [(hit.cue, hit.end) for hit in hits], DATE_MARK)
    masked = mask(masked, [m.span() for m in _NO_FIGURE_BY_DATES.finditer(masked)], _OTHER_MARK)
    return (
        tuple(place(number) for number in find_numbers(masked)),
        tuple(place(Moment(hit.start, hit.end, "", hit.edtf)) for hit in hits),
        tuple(place(act) for act in acts),
    )


# Folding

_OTHER_MARK = "\ue001"
_SAME = str.maketrans({"Ð": "Đ", "ð": "đ", "İ": "I", "ı": "i", "ſ": "s", "％": "%", "⁄": "/"})
_SAME |= str.maketrans(dict.fromkeys("‐‑‒–—―−", "-") | dict.fromkeys(DATE_MARK + _OTHER_MARK, "?"))
_PIECE = re.compile(
    r"(?P<ascii>[!-~]+(?![\u0300-\u036f]))"
    r"|(?P<inside>(?<=\d)(?<!\d\d\d\d)[\u00a0\u2009\u202f](?=\d\d\d(?!\d))|(?<=[\d.,])\u200b+(?=[\d.,]))"
    r"|(?P<unseen>[\u00ad\u200c-\u200f\u2060\ufeff]+)"
    r"|(?P<blank>[\t \u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]+)"
    r"|(?P<line>[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+)"
    r"|(?s:.)[\u0300-\u036f]{0,8}"
)
_PLAIN = {"inside": "", "unseen": "", "blank": " ", "line": "\n"}


def _fold(text: str) -> tuple[str, list[int], list[int]]:
    """Return the text as NFC with single blanks, plain dashes and ASCII digits, and the original offsets."""
    folded: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for m in _PIECE.finditer(text):
        if m.lastgroup == "ascii":
            folded.append(m[0])
            starts += range(m.start(), m.end())
            ends += range(m.start() + 1, m.end() + 1)
            continue
        piece = _PLAIN[m.lastgroup] if m.lastgroup else unicodedata.normalize("NFC", m[0]).translate(_SAME)
        if len(piece) == 1 and piece.isdecimal():
            piece = str(unicodedata.decimal(piece))
        folded.append(piece)
        starts += [m.start()] * len(piece)
        ends += [m.end()] * len(piece)
    return "".join(folded), starts, ends


# Text that is not a figure; instruments

_NO_FIGURE = re.compile(
    r"(?:https?://|www\.)[^\s\"'<>]+|(?<![\w.+-])[\w.+-]+@[\w.-]+"
    r"|(?<![\w.-])(?:[a-z0-9-]+\.)+(?![a-z0-9-]+\.)(?:vn|com|org|net|int|gov|edu|info|eu|ch)(?!\w)(?:/[^\s\"'<>]*)?"
    r"|\#(?:[0-9a-f]{8}|[0-9a-f]{6}|(?=\d{0,2}[a-f])[0-9a-f]{3}|\d{3}(?=[\"';]))(?!\w)"
    r"|covid ?-? ?19(?!\d)|(?<!\w)(?:công nghiệp|cách mạng|CMCN|industry) 4[.,]0(?!\d)"
    r"|(?<!\w)(?:[kcdm]?m[23]|CO2)(?!\w)",
    re.IGNORECASE,
)
_NO_FIGURE_BY_DATES = pattern(
    r"(?<![\w:.,/])(?<!tỷ lệ )(?:[01]?\d|2[0-4])(?:[:h][0-5]\d(?::[0-5]\d)?| giờ [0-5]\d(?: phút)?)(?![\w:])"
    r"|(?<!\w)(?:lúc|hồi) (?:[01]?\d|2[0-4])(?:h| giờ)(?!\w)|(?:GMT|UTC) ?[+-] ?\d{1,2}(?!\d)"
    r"|(?<!lần )(?<!phiên )(?<!kỳ )(?<!vòng )(?<!đợt )(?<!khóa )(?<!nghị )(?<!đàn )(?<!việc )(?<!họp )"
    r"«weekday»(?:(?=[ ,(-]{1,3}\ue000)|(?= (?:tuần|hàng tuần|hằng tuần|này)(?!\w)))"
    r"|(?<!\w)(?:sáng|trưa|chiều|tối|đêm|hôm|vào|ngày) «weekday»|(?-i:Thứ (?:Hai|Ba|Tư|Năm|Sáu|Bảy)(?!\w))"
)
_ISSUED = r"[A-ZĐ]{1,8}[a-z]?(?: ?- ?[A-ZĐ]{2,8}g?(?!\w))?(?:-[A-ZĐ][A-Za-zĐđ]{1,9})*"
_INSTRUMENTS = tuple(
    re.compile(shape)
    for shape in (
        rf"(?<![\w/])\d{{1,5}} ?/ ?(?:19|20)\d\d ?/ ?(?:QH\d\d?|{_ISSUED})(?!\w)",
        rf"(?<![\w/])\d{{1,5}} ?/ ?(?=[A-ZĐ]{{1,8}}[a-z]?(?: ?- ?[A-ZĐ]{{2}}|-[A-ZĐ])){_ISSUED}(?!\w)",
        r"(?<![\w/])\d{1,4} ?- ?[A-ZĐ]{2,4} ?/ ?[A-ZĐ]{2,6}(?!\w)",
        r"(?<=số )\d{1,5}/[A-ZĐ]{2,8}(?!\w)",
        r"(?i:(?:nghị định|thông tư|nghị quyết|chỉ thị|công văn|pháp lệnh)(?: liên tịch)?(?: số)?) "
        r"(?P<core>(?!(?:19|20)\d\d(?![\d/]))\d{1,5}(?:/(?:19|20)\d\d)?)(?![\w/])(?![.,]\d)",
        r"(?i:quyết định|thông báo|kết luận|luật|công điện)(?: số (?=\d)| (?=\d+/))(?P<core>\d{1,5}(?:/(?:19|20)\d\d)?)"
        r"(?![\w/])(?![.,]\d)",
        r"\ue001(?:, (?:và )?| và )(?P<core>\d{1,5}/(?:19|20)\d\d)(?![\w/])",
        r"\ue001(?:, (?:và )?| và )(?P<core>\d{1,5}/(?:19|20)\d\d)(?![\w/])",
        r"(?<![\w/])(?<!\d[.,-])(?:[2-9]\d|1[3-9]|\d{3,4})/(?:19|20)\d\d(?![\w/])",
    )
)


def _find_instruments(text: str) -> list[Instrument]:
    """Return the instruments: full numbers, and short ones after a cue word («Nghị định 35/2022 và 40/2023»)."""
    matched: list[Instrument] = []
    for shape in _INSTRUMENTS:
        core = "core" if "core" in shape.groupindex else 0
        acts = [Instrument(*m.span(core), "", _official(m[core])) for m in shape.finditer(text)]
        text = mask(text, [(act.start, act.end) for act in acts], _OTHER_MARK)
        matched += acts
    return sorted(matched, key=lambda act: act.start)


def _official(number: str) -> str:
    return re.sub(r"(?<![A-ZĐ])(N|Q)D(?=-)", r"\1Đ", re.sub(r" ?([/-]) ?", r"\1", number))
