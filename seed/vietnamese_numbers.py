"""Numbers in folded Vietnamese text in which dates and instruments are masked.

Digits, words and scales give the value; the neighbouring words give hedge, direction and the meaning of «trên».
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal

from seed.vietnamese_dates import before
from seed.vietnamese_words import DIGITS, ENGLISH_SCALES, SCALES, UNIT_OF


@dataclass(frozen=True)
class Number:
    """A number with its scale applied and without sign; `high` is the upper end of a range."""

    start: int
    end: int
    text: str
    value: Decimal
    high: Decimal | None = None
    unit: str | None = None
    qualifier: str | None = None
    ordinal: bool = False
    direction: int = 0


_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
_ROUND = Context(prec=28, traps=[])


def _any(words: Iterable[str]) -> str:
    ended = (re.escape(word) + (r"(?![^\W\d])" if word[-1].isalpha() else "") for word in words)
    return "|".join(sorted(ended, key=len, reverse=True))


_DIGIT = "một|hai|ba|bốn|năm|sáu|bảy|bẩy|tám|chín"
_TENS = rf"(?:(?:{_DIGIT}) mươi|mười)(?: (?:mốt|một|hai|ba|bốn|tư|lăm|nhăm|sáu|bảy|bẩy|tám|chín)(?!\w))?"
_WORDS = rf"(?<!\w)(?:(?:{_DIGIT}|không) trăm(?: (?:(?:linh|lẻ) (?:{_DIGIT})|{_TENS}))?|{_TENS}|{_DIGIT})(?!\w)(?!-\w)"
_SCALED = rf" ?(?:{_any(SCALES)})(?! (?:lệ|giá|trọng|suất|phú)(?!\w))"
_GROUP = re.compile(
    r"(?:(?P<code>(?<!\d)(?:0\d{2,3}(?: \d{3,4}){2}(?!\d)|\d+(?:[-/]\d+){2,}))"
    r"|(?P<literal>(?<!\d)(?:\d{1,3}(?: \d{3}){2,}(?! \d{3}|\d)|\d+(?:[.,]\d+)*))"
    rf"|(?P<words>{_WORDS}|(?:linh|lẻ) (?:{_DIGIT})(?!\w)))"
    rf"(?:(?P<hedge> hơn| gần)?(?P<scales>(?:{_SCALED}){{1,3}}))?(?P<half> rưỡi(?!\w))?",
    re.IGNORECASE,
)
_SCALE = re.compile(_any(SCALES), re.IGNORECASE)
_UNIT = re.compile(
    r"(?! (?:đồng (?:bộ|thời|nghĩa|hành|ý|chí|bào|chủ|đều|thuận|tổ|minh|hồ|nghiệp|đội|sáng|tài|loạt)|đô (?:thị|vật|hộ)"
    r"|lần thứ)(?!\w))"
    rf" ?(?P<unit>{_any(UNIT_OF)})(?P<half> rưỡi(?!\w))?",
    re.IGNORECASE,
)
_PREFIX = re.compile(r"(?<!\w)(?P<unit>US\$|USD|EUR|CHF|VND|GBP|JPY|[$€£¥]) ?(?=\d)", re.IGNORECASE)
_START = re.compile(
    r"(?P<rank>(?<!\w)(?:thứ (?:(?P<nth>\d{1,3})(?!\d)|(?P<word>nhất|nhì|tư(?!\w)|" + _WORDS + r"))|(?<!\d )"
    r"(?:đợt|giai đoạn|phiên|vòng|khóa|khoá|kỳ họp|lần|pha|hạng|bước) (?:(?P<no>\d{1,3})(?!\d)"
    r"|(?P<name>một|hai|ba|bốn)(?=[,.;:)]| của|\n|$)))(?![.,/-]\d)(?!\w)"
    r"(?! ?(?:%|(?:phần|tỷ|tỉ|triệu|nghìn|ngàn|đồng|USD|năm|tháng|tuần|ngày|giờ|phút|lần)(?!\w))))"
    r"|(?P<first>(?<!\w)đầu tiên(?!\w))|(?P<double>(?<!\w)gấp (?:đôi|rưỡi)(?!\w))|(?P<even>(?<!\w)một nửa(?!\w))"
    rf"|(?P<part>(?<!\w)(?P<top>{_DIGIT}) phần (?P<bottom>tư|mười|{_DIGIT})(?!\w))"
    r"|(?P<fraction>(?<![\d/])(?P<over>\d{1,9})/(?P<under>\d{1,9})(?![\d/])(?![.,]\d))"
    rf"|(?P<amount>{_PREFIX.pattern.replace('?P<unit>', '?:')}|(?<!\d)\d|{_WORDS})",
    re.IGNORECASE,
)
_AMOUNT_END = re.compile(r" ?(?:đồng|đ|VND|VNĐ|USD|EUR|euro|CHF)(?!\w)|[.,;:!?)”\"\n]|\s*$", re.IGNORECASE)
_LINK = re.compile(r" ?- ?| (?:đến|tới) (?:hơn |gần |khoảng )?", re.IGNORECASE)
_SHIFT = re.compile(r" (?:lên|xuống|còn)(?: (?:còn|đến|tới|mức|hơn|gần|khoảng)){0,2} ", re.IGNORECASE)
_FROM = re.compile(r"(?<!\w)từ (?:hơn |gần |khoảng |mức )?$", re.IGNORECASE)


def find_numbers(text: str) -> Iterator[Number]:
    """Yield the numbers of a folded, masked text in order, with folded offsets."""
    at = 0
    while m := _START.search(text, at):
        number = _ordinal(m) or _portion(m) or _quantity(text, m.start())
        at = number.end if number else m.end()
        if number:
            yield number if number.ordinal else _in_context(text, number)


def _ordinal(m: re.Match[str]) -> Number | None:
    if not m["first"] and not m["rank"]:
        return None
    rank = 1 if m["first"] else m["nth"] or m["no"] or _spelt(m["word"] or m["name"])
    return Number(*m.span(), "", Decimal(rank), ordinal=True)


def _portion(m: re.Match[str]) -> Number | None:
    """Return the value of «gấp rưỡi», «một nửa», «một phần ba» or 2/3."""
    if m["double"]:
        return Number(*m.span(), "", Decimal("1.5" if m["double"].casefold() == "gấp rưỡi" else 2), unit="times")
    if m["even"]:
        return Number(*m.span(), "", Decimal(50), unit="%")
    if m["part"]:
        return Number(*m.span(), "", _ROUND.divide(Decimal(_spelt(m["top"])), Decimal(_spelt(m["bottom"]))))
    if m["fraction"]:
        over = Decimal(m["over"])
        under = Decimal(m["under"])
        return Number(*m.span(), "", _plain(_ROUND.divide(over, under)) if under else Decimal(m["over"] + m["under"]))
    return None


def _spelt(words: str) -> int:
    """Return the value of words from 0 to 999: «một trăm linh năm», «hai mươi mốt»."""
    total = digit = 0
    for word in words.casefold().split():
        if word in {"trăm", "mươi"}:
            total += digit * (100 if word == "trăm" else 10)
            digit = 0
        elif word == "mười":
            total += 10
        else:
            digit = DIGITS.get(word, 0)
    return total + digit


def _literal(digits: str, english: bool, symbol: bool) -> Decimal:
    """Return the value of digits. Dots separate groups and a comma decimals, unless shape or scale are English.

    Digits that fit neither rule (0912.345.678, 1.2.3) are a code, read as one row of digits.
    """
    *whole, last = re.split("[.,]", digits)
    signs = re.sub(r"\d", "", digits)
    grouped = whole and len(whole[0]) < 4 and whole[0][0] != "0" and all(len(group) == 3 for group in whole[1:])
    grouping = "," if english or (symbol and signs == ",") else "."
    if len(signs) == 1:
        decimal = not (grouped and len(last) == 3 and signs == grouping)
    else:
        decimal = bool(grouped) and signs[-1] not in signs[:-1] and len(set(signs)) == 2
    return Decimal("".join(whole) + "." + last if decimal else "".join([*whole, last]))


@dataclass(frozen=True)
class _Amount:
    """A number without its unit; `scale` is the scale of its first group, which both ends of a range may share."""

    end: int
    value: Decimal
    scale: Decimal
    hedge: str


def _amount(text: str, at: int, symbol: bool = False) -> _Amount | None:
    """Return the sum of groups with falling scales: «1 triệu 250 nghìn», «3 tỷ 2», «một nghìn rưỡi»."""
    m = _GROUP.match(text, at)
    if not m or (m["words"] and not _is_numeral(m)):
        return None
    value, scale = _group(m, symbol)
    step = scale
    end = m.end()
    while step > 1 and not m["half"] and (more := _GROUP.match(text, end + text.startswith(" ", end))):
        part, small = _group(more, symbol)
        if small == 1:
            part = _tail(more, step)
        if small >= step or not part:
            break
        value = _EXACT.add(value, part)
        step = small
        end = more.end()
        m = more
    return _Amount(end, _plain(value), scale, (m["hedge"] or "").strip().casefold())


def _group(m: re.Match[str], symbol: bool) -> tuple[Decimal, Decimal]:
    """Return value and scale of a number with its scale words; «rưỡi» adds half of the last scale."""
    names = [name.casefold() for name in _SCALE.findall(m["scales"] or "")]
    scale = Decimal(10 ** sum(SCALES[name] for name in names))
    if m["words"]:
        base = Decimal(_spelt(m["words"]))
    else:
        base = _literal(re.sub("[-/ ]", "", m["code"] or m["literal"]), bool(ENGLISH_SCALES.keys() & names), symbol)
    value = _EXACT.multiply(base, scale)
    if m["half"]:
        hundred = scale == 1 and (m["words"] or "").casefold().endswith("trăm")
        value = _EXACT.add(value, (100 if hundred else scale) * Decimal("0.5"))
    return value, scale


def _tail(m: re.Match[str], step: Decimal) -> Decimal:
    """Return the value of a number without scale after a scale: 5 in «hai nghìn lẻ năm», 0.2 tỷ in «3 tỷ 2»."""
    words = m["words"] or ""
    digits = m["literal"] or ""
    if " " in words:
        return Decimal(_spelt(words))
    digits = str(_spelt(words)) if words else digits
    ends = digits.isdigit() and len(digits) < 4 and _AMOUNT_END.match(m.string, m.end())
    return _EXACT.multiply(Decimal("0." + digits), step) if ends else Decimal(0)


def _plain(value: Decimal) -> Decimal:
    integral = value.to_integral_value()
    return integral.quantize(Decimal(1), context=_EXACT) if value == integral else value


_FIVE = re.compile(
    r" (?:năm|lần|phần trăm|bên|nước|quốc gia|tỉnh|thành phố|trụ cột|nhóm|thành viên|giải pháp|nhiệm vụ|lĩnh vực"
    r"|doanh nghiệp|dự án|chương trình)(?!\w)",
    re.IGNORECASE,
)
_YEAR_BEFORE = re.compile(
    r"(?:trong|mỗi|hàng|hằng|cả|đầu|cuối|giữa|nửa|qua|các|những|từng|nhiều|đến|hết|hoạch|cùng kỳ|một|vào|sau|trước) $",
    re.IGNORECASE,
)
_VAGUE = re.compile(r"(?<!\w)(?:vài|mấy|dăm|đôi|bà|quả|trái|lúa) $", re.IGNORECASE)
_OTHER_WORD = re.compile(
    r"(?:ba (?:lan|đình|vì|bể|na|tơ|tri|lô|đồn|chẽ|tư|mê|gai)|chín (?:muồi|chắn|rộ)|hai bà trưng)(?!\w)", re.IGNORECASE
)
_SENTENCE_START = re.compile(r"(?:^|[.!?:;…\n|•*(“”\"‘'-]) ?$")
_ORGAN = re.compile(r" (?:Bộ|Bên|Sở|Cục|Vụ|Chính|Nước|Tỉnh|Cơ)(?!\w)")


def _is_numeral(m: re.Match[str]) -> bool:
    """Return whether words are a number: «một» alone is an article, «năm» mostly a year, «Ba» may be part of a name."""
    words = m["words"].casefold()
    window = before(m.string, m.start(), 24)
    if _VAGUE.search(window) or _OTHER_WORD.match(m.string, m.start()) or words.startswith(("linh", "lẻ")):
        return False
    if " " in words or m["scales"]:
        return True
    if words == "một":
        return bool(m["half"]) or m.string.startswith(" phần trăm", m.end())
    if words == "năm":
        five = _FIVE.match(m.string, m.end())
        return five is not None and (five[0].casefold() == " năm" or not _YEAR_BEFORE.search(window))
    if not m["words"][0].isupper() or m["words"].isupper():
        return True
    follows = m.string[m.end() + 1 : m.end() + 2]
    return bool(_SENTENCE_START.search(window)) and (not follows.isupper() or bool(_ORGAN.match(m.string, m.end())))


def _quantity(text: str, at: int) -> Number | None:
    """Return an amount with its unit; «10-15%» is one range, «từ 10 lên 15%» two numbers with one unit."""
    prefix = _PREFIX.match(text, at)
    low = _amount(text, prefix.end() if prefix else at, bool(prefix and prefix["unit"][-1] in "$€£"))
    if not low:
        return None
    value, unit, end = _united(text, low)
    unit = unit or (UNIT_OF[prefix["unit"].casefold()] if prefix else None)
    number = Number(at, end, "", value, unit=unit, qualifier=_HEDGES.get(low.hedge))
    link = _LINK.match(text, end)
    if link and (ranged := _ranged(number, text, link.end(), low.scale == 1, bool(prefix))):
        return ranged
    shift = _SHIFT.match(text, end) if not unit and _FROM.search(before(text, at, 24)) else None
    high = _amount(text, shift.end()) if shift else None
    if high:
        value = _EXACT.multiply(value, high.scale) if low.scale == 1 else value
        return replace(number, value=_plain(value), unit=_united(text, high)[1])
    return number


def _ranged(low: Number, text: str, at: int, unscaled: bool, prefixed: bool) -> Number | None:
    """Return a range, whose unit and scale hold for both ends: «10 - 15 triệu USD», «2,5-3 tỷ», «US$2-3 million»."""
    top = _amount(text, at)
    if not top:
        return None
    high, unit, end = _united(text, top)
    value = _plain(_EXACT.multiply(low.value, top.scale)) if unscaled else low.value
    if value >= high or (low.unit and low.unit != unit and (unit or not prefixed)):
        return None
    return replace(low, end=end, value=value, high=high, unit=unit or low.unit)


def _united(text: str, amount: _Amount) -> tuple[Decimal, str | None, int]:
    """Return value, unit and end of an amount; «2 năm rưỡi» is 2.5 years."""
    m = _UNIT.match(text, amount.end)
    if not m:
        return amount.value, None, amount.end
    half = Decimal("0.5") if m["half"] else Decimal(0)
    return _EXACT.add(amount.value, half), UNIT_OF[m["unit"].casefold()], m.end()


_COMPARING = "cao|thấp|nhiều|ít|lớn|nhỏ|sớm|muộn|nhanh|chậm|đắt|rẻ|dài|ngắn"
_PLACING = "dựa|diễn ra|triển khai|trải rộng|trải dài|phân bố|hoạt động|áp dụng|thực hiện"
_MOVING = "hướng|đi|đưa|dẫn|tiến|nhắm|quan|hưởng|chuyển|gửi|lan|cập|tâm|rộng"
_HEDGES: dict[str, str | None] = {
    **dict.fromkeys(("gần", "ngót"), "nearly"),
    **dict.fromkeys(("hơn", "trên", "vượt", "quá"), "more_than"),
    **dict.fromkeys(("dưới",), "less_than"),
    **dict.fromkeys(("khoảng", "chừng", "xấp xỉ", "ước", "ước tính", "trên dưới", "cỡ", "tầm"), "about"),
    **dict.fromkeys(("ít nhất", "tối thiểu", "không dưới", "không ít hơn"), "at_least"),
    **dict.fromkeys(("không quá", "không vượt quá", "không hơn", "tối đa", "nhiều nhất"), "at_most"),
    **dict.fromkeys(("tới", "lên tới", "lên đến", "có tới", "có đến", "đạt đến"), "as_many_as"),
    **dict.fromkeys(("một trong", "một trong số", "một trong các", "một trong những", "một trong số các"), "one_of"),
    # «cao hơn» compares, «dựa trên» is "on", «hướng tới» is "towards": no hedges
    **dict.fromkeys([f"{word} hơn" for word in _COMPARING.split("|")], None),
    **dict.fromkeys([f"{word} trên" for word in _PLACING.split("|")], None),
    **dict.fromkeys([f"{word} tới" for word in _MOVING.split("|")], None),
}
_AFTER_HEDGE = {"đạt", "là", "tính", "mức", "mốc", "khoảng"}
_ON = re.compile(
    r" (?:trụ cột|lĩnh vực|phương diện|mặt|khía cạnh|nền tảng|kênh|địa bàn|tỉnh|sàn|tuyến|nguyên tắc|cấp độ|tiêu chí"
    r"|hình thức|góc độ|dạng)(?!\w)",
    re.IGNORECASE,
)
_TIMES = re.compile(r"(?<!\w)gấp (?:hơn |gần |khoảng |tới |đến )?$", re.IGNORECASE)
_CHANGES = {"tăng": 1, "giảm": -1, "âm": -1}
_AFTER_CHANGE = re.compile(
    "trưởng|thêm|đi|lên|xuống|còn|gấp|mạnh|nhẹ|bình|quân|trung|khoảng|hơn|gần|trên|dưới|tới|đến|đạt|chừng|xấp|xỉ|ước|ít"
    "|nhất|tối|thiểu|đa|không|quá"
)


def _in_context(text: str, number: Number) -> Number:
    """Add the qualifier, unit and direction that the neighbouring words give."""
    window = before(text, number.start, 60).rpartition("\n")[2].casefold()
    words = window.replace("(", " ").split() if window.endswith(" ") else []
    qualifier = number.qualifier or _hedge(words)
    if qualifier in {"more_than", "less_than"} and _ON.match(text, number.end):
        qualifier = None
    for phrase, name in ((" trở lên", "at_least"), (" trở xuống", "at_most")):
        qualifier = name if text.startswith(phrase, number.end) else qualifier
    unit = number.unit or ("times" if _TIMES.search(window) else None)
    direction = -1 if re.search(r"(?:^|[ (])-$", window) else _direction(words)
    return replace(number, unit=unit, qualifier=qualifier, direction=direction)


def _hedge(words: list[str]) -> str | None:
    """Return the qualifier of the longest hedge at the end of the words, «không quá» rather than «quá».

    Words such as «đạt» and «là» may be between the hedge and the number.
    """
    for end in range(len(words), max(0, len(words) - 3), -1):
        for phrase in (" ".join(words[max(0, end - size) : end]) for size in (4, 3, 2, 1)):
            if phrase in _HEDGES:
                return _HEDGES[phrase]
        if words[end - 1] not in _AFTER_HEDGE:
            break
    return None


def _direction(words: list[str]) -> int:
    """Return 1 for «tăng», -1 for «giảm», with up to four small words between them and the number; else 0."""
    verb = len(words) - 1
    while verb > max(0, len(words) - 5) and _AFTER_CHANGE.fullmatch(words[verb]):
        verb -= 1
    return _CHANGES.get(words[verb], 0) if words else 0
