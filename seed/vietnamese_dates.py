"""Dates and periods in folded Vietnamese text (NFC, plain blanks and dashes; see seed.vietnamese).

Single dates are matched shape by shape, the most specific first, and each match is masked for the next shapes. Then
neighbours are joined: in «ngày 3 đến ngày 5/6/2024» the first date takes month and year from the second.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass

from seed.vietnamese_words import MONTHS, PARTS_OF_YEAR, QUARTERS

DATE_MARK = "\ue000"

# A shape is a regular expression with «pieces»; «day:first» is the piece day, captured under the name "first".
_PIECES = {
    "[": r"(?<![\w/])(?<!\d[.,])",
    "]": r"(?![\d/])(?![.,]\d)",
    "day": r"(?P<d>0?[1-9]|[12]\d|3[01])(?!\d)",
    "month": r"(?P<m>0?[1-9]|1[0-2])(?!\d)",
    "month or word": r"(?P<m>0?[1-9]|1[0-2]|mười(?: một| hai)?|giêng|hai|ba|tư|bốn|sáu|bảy|bẩy|tám|chín|chạp)(?!\w)",
    "Month": r"(?P<m>(?-i:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?))\.?",
    "count": r"(?P<n>\d\d?|hai|ba|bốn|sáu|bảy|tám|chín|mười một|mười)",
    "year": r"(?P<y>(?:1[5-9]|20|21)\d\d)(?![\d/])(?![.,]\d)",
    "quarter": r"(?P<q>IV|I{1,3}|[1-4]|một|hai|ba|tư)(?!\w)",
    "on": r"(?:(?<!\w)(?:ngày|mùng|mồng) )?",
    "of day": r"(?<!\w)(?:ngày|mùng|mồng|sáng|trưa|chiều|tối|đêm|khuya|hôm|dịp) (?:ngày |mùng |mồng )?",
    "weekday": r"(?<!\w)(?:thứ (?:hai|ba|tư|năm|sáu|bảy|bẩy|[2-7])|chủ nhật)(?!\w)",
    "linked": r"(?:(?<=từ )|(?<=vào )|(?<!lên )(?<=đến )|(?<!lên )(?<=tới )|(?<=\ue000-)|(?<=\ue000 - )"
    r"|(?<=\ue000, )|(?<=\ue000 và )|(?<=\ue000 đến )|(?<=\ue000 tới ))",
    "rank": r"(?<!\w)(?:đợt|giai đoạn|phiên|vòng|khóa|khoá|kỳ họp|kỳ|lần|pha|hạng|bước|số|tập|bài)",
    "unmeasured": r"(?! ?(?:%|(?:phần trăm|tỷ|tỉ|triệu|nghìn|ngàn|vạn|đồng|VNĐ|VND|USD|EUR|euro|CHF|lần|tấn|kg|ha|km"
    r"|m2|MW|kWh)(?!\w)))",
    "uncounted": r"(?! (?:các|số|doanh nghiệp|DN|KCN|người|lao động|công nhân|chuyên gia|cán bộ|học viên|dự án|hợp đồng"
    r"|hồ sơ|nước|quốc gia|tỉnh|thành phố|địa phương|xã|huyện|thành viên|nhà máy|hộ|sản phẩm|tổ chức|chỉ tiêu|tiêu chí"
    r"|nhiệm vụ|dân số|diện tích|tổng|điểm|chiếc|đơn vị|giờ)(?!\w))",
}


def pattern(template: str) -> re.Pattern[str]:
    """Compile a shape, ignoring case."""

    def piece(m: re.Match[str]) -> str:
        name, _, group = m[1].partition(":")
        return re.sub(r"\?P<\w+>", f"?P<{group}>", _PIECES[name]) if group else _PIECES[name]

    return re.compile(re.sub("«([^»]+)»", piece, template), re.IGNORECASE)


@dataclass(frozen=True)
class MomentMatch:
    """A date: the shortest text with this value. `cue` is the offset of the cue word before it («năm», «ngày»)."""

    start: int
    end: int
    edtf: str
    cue: int


def find_moments(text: str) -> list[MomentMatch]:
    """Return all dates of a folded text in order, joined with their neighbours."""
    hits: list[MomentMatch] = []
    masked = text
    for shape, read in _SHAPES:
        matches = [hit for m in shape.finditer(masked) if (hit := _hit(m, read(m)))]
        masked = mask(masked, [(hit.cue, hit.end) for hit in matches], DATE_MARK)
        hits += matches
    hits += _bare_years(masked)
    joined: list[MomentMatch] = []
    for hit in sorted(hits, key=lambda h: h.start):
        joined[-1:] = _pair(text, joined[-1], hit) if joined else [hit]
    done: list[MomentMatch] = []
    for hit, ceiling in zip(joined, [*(h.cue for h in joined[1:]), len(text)], strict=False):
        floor = done[-1].end if done else 0
        done.append(_opened(text, _clocked(text, hit, floor, ceiling), floor, ceiling))
    return done


def mask(text: str, spans: list[tuple[int, int]], mark: str) -> str:
    """Replace sorted, disjoint spans by a mark of equal length, so that offsets stay valid."""
    pieces = []
    at = 0
    for start, end in spans:
        pieces += [text[at:start], mark * (end - start)]
        at = end
    return "".join([*pieces, text[at:]])


def before(text: str, at: int, width: int = 80) -> str:
    """Return the text before an offset, at most `width` characters, so that the time of a scan stays linear."""
    return text[max(0, at - width) : at]


def _hit(m: re.Match[str], edtf: str | None) -> MomentMatch | None:
    core = "core" if "core" in m.re.groupindex else 0
    return MomentMatch(m.start(core), m.end(core), edtf, m.start()) if edtf else None


def _number(word: str, names: dict[str, int]) -> int:
    word = word.casefold()
    return int(word) if word.isdigit() else names.get(word) or names[word[:3]]


def _ymd(m: re.Match[str]) -> str | None:
    """Return EDTF from the groups y, m and d of a shape, with X for missing parts; None if there is no such day."""
    named = m.groupdict()
    year = named.get("y") or ("20" + named["yy"] if "yy" in named else "XXXX")
    month = _number(named["m"], MONTHS) if named.get("m") else 0
    day = int(named.get("d") or 0)
    if day > (monthrange(int(year) if year.isdigit() else 2000, month)[1] if month else 31):
        return None
    if not day:
        return f"{year}-{month:02}" if month else year
    return f"{year}-{month:02}-{day:02}" if month else f"{year}-XX-{day:02}"


def _lone_day(m: re.Match[str]) -> str | None:
    """Return the date of a lone 17/9; None for 2/3, which is rather a fraction, and for the idiom 24/7."""
    return _ymd(m) if int(m["d"]) >= int(m["m"]) and m[0] != "24/7" else None


def _days(m: re.Match[str]) -> str | None:
    """Return the period of 3-5/6, whose days share month and year; «3, 4 và 5/6» must be successive days."""
    first = int(m["first"])
    last = int(m["d"])
    listed = m["listed"].count(",")
    end = _ymd(m)
    link = m["link"].strip()
    if not end or first >= last or (link == "," and not listed) or (link in {",", "và"} and last - first > 1 + listed):
        return None
    return f"{end[:-2]}{first:02}/{end}"


def _cumulated(m: re.Match[str]) -> str | None:
    """Return January to August for «8 tháng (đầu) năm 2024»; None for a duration, without a year and «đầu năm»."""
    count = _number(m["n"], MONTHS)
    part = (m["part"] or "").casefold()
    if not (m["y"] or (part and m["of"])) or not 1 <= count <= 12:
        return None
    return _months(m["y"], 13 - count, 12) if part == "cuối" else _months(m["y"], 1, count)


def _edge(m: re.Match[str]) -> str:
    return _months(m["y"], *PARTS_OF_YEAR[m["edge"].casefold()])


def _months(year: str | None, first: int, last: int) -> str:
    year = year or "XXXX"
    return f"{year}-{first:02}" + ("" if first == last else f"/{year}-{last:02}")


def _quarter(m: re.Match[str]) -> str:
    return f"{m['y'] or 'XXXX'}-{32 + _number(m['q'], QUARTERS)}"


def _quarters(m: re.Match[str]) -> str | None:
    first = _number(m["first"], QUARTERS)
    last = _number(m["q"], QUARTERS)
    return _months(m["y"], 3 * first - 2, 3 * last) if first < last else None


def _span(m: re.Match[str]) -> str | None:
    """2024-2028, 2024-28: a period where the years rise, else two years, a phone or a code."""
    last = m["y"] or m["first"][:2] + m["yy"]
    return f"{m['first']}/{last}" if m["first"] < last else None


def _month_year(m: re.Match[str]) -> str | None:
    """8/2023; but in «đợt 1/2023» the 1 is a rank and only the year a date, left to _bare_years."""
    return None if _RANK.search(before(m.string, m.start())) else _ymd(m)


def _decade(m: re.Match[str]) -> str:
    return ("19" + m["decade"])[-3:] + "X"


def _century(m: re.Match[str]) -> str | None:
    return f"{int(m['n']) - 1:02}XX" if int(m["n"]) else None


_Reader = Callable[[re.Match[str]], str | None]
_SHAPES: tuple[tuple[re.Pattern[str], _Reader], ...] = tuple(
    (pattern(template), read)
    for template, read in (
        # parts of a year
        (r"(?<!ngày )«[»«count» tháng(?: (?P<part>đầu|cuối))?(?P<of> (?:của )?năm)?(?:[ /]«year»)?", _cumulated),
        (r"(?<!tháng )(?<!\w)(?P<edge>nửa (?:đầu|cuối|sau)|đầu|giữa|cuối)(?: của)?(?: năm)? «year»", _edge),
        (
            r"(?<!\w)quý «quarter:first»(?: ?- ?| và | đến |, )(?:quý )?«quarter»(?: ?[/-] ?|,? năm | )«year»",
            _quarters,
        ),
        (r"(?<!\w)(?:quý|quí|qúy|qúi) «quarter»(?:(?: ?[/-] ?|,? năm | )«year»)?«unmeasured»", _quarter),
        (r"(?<!\w)Q(?P<q>[1-4])(?: ?[/-] ?| )«year»", _quarter),
        (r"(?<!\w)(?P<q>(?-i:IV|I{1,3}))/«year»", _quarter),
        # machine and English dates: page furniture
        (r"«[»(?P<y>(?:19|20)\d\d)(?P<sep>[-/])(?P<m>0[1-9]|1[0-2])(?P=sep)(?P<d>0[1-9]|[12]\d|3[01])(?!\d)", _ymd),
        (r"(?<!\w)«Month» (?P<d>[0-3]?\d)(?:st|nd|rd|th)?,? «year»", _ymd),
        (r"«[»(?P<d>[0-3]?\d)(?:st|nd|rd|th)?[ -]«Month»,?[ -]«year»", _ymd),
        (r"(?<!\w)(?!May )«Month»,? «year»", _ymd),
        # days
        (
            r"«on»«[»(?P<core>«day:first»(?P<listed>(?:, ?[0-3]?\d){0,9})(?P<link> ?- ?| và |, ?| đến | tới )«on»"
            r"«day»(?:/| tháng )«month»(?:(?:/|,? năm )«year»|«]»))«uncounted»",
            _days,
        ),
        (r"«on»«[»(?P<core>«day» ?(?P<sep>[/.-]) ?«month» ?(?P=sep) ?«year»)", _ymd),
        (r"«on»«[»(?P<core>«day»/«month»/(?P<yy>\d\d)«]»)", _ymd),
        (r"«on»«[»(?P<core>«day»(?:/| tháng )«month or word»(?:,? năm | |, |/|-)«year»)", _ymd),
        (r"«on»«[»(?P<core>«day» tháng «month or word»)«]»«unmeasured»«uncounted»", _ymd),
        (r"«of day»(?P<core>«day»/«month»«]»)«unmeasured»", _ymd),
        (r"(?P<core>«of day»«day»[.-]«month»«]»)(?!-)«unmeasured»", _ymd),
        (r"«weekday»[ ,(]{1,3}(?P<core>«day»/«month»«]»)", _ymd),
        (r"«[»«day»/«month»«]»«unmeasured»«uncounted»", _lone_day),
        (r"«linked»(?P<core>«day»/«month»«]»)«unmeasured»«uncounted»", _ymd),
        # months, spans of years, larger periods, lone days
        (r"(?:(?<!\w)tháng )?«[»(?P<core>«month» ?/ ?«year»)", _month_year),
        (r"(?<!\w)tháng «month or word»(?: ?[.-] ?|,? năm |,? )«year»", _ymd),
        (r"(?<!\w)T«month»[/.-]«year»", _ymd),
        (
            r"(?<!mỗi )(?<!một )(?<!hàng )(?<!\d )(?<!\w)tháng «month or word»«]»(?! (?:bên|bộ|nước)\b)«unmeasured»",
            _ymd,
        ),
        (
            r"(?:(?<!\d )(?<!\w)năm )?«[»(?P<core>(?P<first>(?:19|20)\d\d)(?: ?- ?|/)(?:«year»|(?<=-)(?P<yy>\d\d)«]»)"
            r"(?![-\w]))«unmeasured»«uncounted»",
            _span,
        ),
        (r"(?<!\w)(?:thập niên|thập kỷ|những năm) (?P<decade>(?:1[5-9]|20)\d|[1-9])0«]»«unmeasured»", _decade),
        (r"(?<!\w)thế kỷ (?:thứ )?(?P<n>\d\d?)«]»", _century),
        (r"(?<!mỗi )(?<!một )(?<!hàng )(?<!\d )(?<!\w)ngày «day»«]»(?!\w)«unmeasured»«uncounted»", _ymd),
    )
)

_YEAR = pattern(r"(?:(?<!\w)(?P<named>năm) )?(?<!\w)(?<!\d[.,])(?P<core>«year»)(?!\w)«unmeasured»")
_UNCOUNTED = pattern("«uncounted»")
_RANK = pattern("«rank» $")
_YEARLY = re.compile(r"(?:mỗi|một|hàng|hằng|\d) $", re.IGNORECASE)
_YEAR_CUE = pattern(
    r"(?<!\w)(?:(?:vào|đến|tới|từ|trước|sau|hồi|hết|mốc|trong|cuối|đầu|giữa|tầm nhìn|mục tiêu|giai đoạn|nhiệm kỳ"
    r"|niên độ|niên khóa|niên khoá|năm học|mùa|vụ|in|since|©) |«rank» \d{1,3}/)$"
)
_NAME_CUE = re.compile(
    r"(?<!\w)(?:luật|hiến pháp|hội chợ|hội nghị|diễn đàn|chương trình|kế hoạch|chiến lược|triển lãm|sáng kiến|tuần lễ"
    r"|lễ hội|tết|giải|báo cáo|sách trắng|niên giám|dự toán|expo|forum|festival)[^.,;:!?\d\n]{0,60} $",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?:^|(?P<inside>[^.!?:\n] )|\W)(?P<word>\w+)[”\"’']? $")


def _bare_years(text: str) -> list[MomentMatch]:
    """Return years alone: after «năm» or another cue, in a proper name (VIMEXPO 2023), or next in a list of years."""
    hits: list[MomentMatch] = []
    for m in _YEAR.finditer(text):
        chained = bool(hits) and text[hits[-1].end : m.start()] in {", ", " và ", ", và ", " hoặc ", "; ", " - ", "-"}
        if chained or _is_year(m):
            hits.append(MomentMatch(m.start("core"), m.end(), m["y"], m.start()))
    return hits


def _is_year(m: re.Match[str]) -> bool:
    window = before(m.string, m.start())
    uncounted = bool(_UNCOUNTED.match(m.string, m.end()))
    if m["named"] or not uncounted:
        return bool(m["named"]) and (uncounted or not _YEARLY.search(window))
    bracketed = window.endswith("(") and m.string.startswith(")", m.end())
    return bracketed or bool(_YEAR_CUE.search(window) or _NAME_CUE.search(window)) or _is_name(window)


def _is_name(window: str) -> bool:
    """Return whether the last word is a name: its capitals are not those of the first word of a sentence."""
    m = _NAME.search(window)
    return bool(m and m["word"][0].isupper() and (m["inside"] or (m["word"].isupper() and len(m["word"]) > 2)))


_TO = pattern(r",? ?(?:-|(?:cho )?(?:đến|tới)(?: hết| khoảng)?)(?: «weekday»,?)? ?")
_AND = re.compile(r",(?: và)? | và ", re.IGNORECASE)
_FROM = re.compile(r"(?<!\w)từ (?:sau |khoảng )?$", re.IGNORECASE)
_UNTIL_NOW = re.compile(r",? (?:cho )?(?:(?:đến|tới) nay|trở đi|trở lại đây)(?!\w)", re.IGNORECASE)
_CLOCK_AFTER = re.compile(
    r",? ?(?:\||-|T|(?:vào )?lúc)? ?(?P<h>[01]?\d|2[0-3])(?::|h)(?P<min>[0-5]\d)(?::[0-5]\d)?(?!\w)"
    r"(?: ?(?P<half>AM|PM|SA|CH)(?!\w))?(?: ?\(?(?:GMT|UTC) ?[+-] ?\d{1,2}(?::\d\d)?\)?|[+-]\d\d:\d\d)?",
    re.IGNORECASE,
)
_CLOCK_BEFORE = pattern(
    r"(?<![\w:.,])(?P<h>[01]?\d|2[0-3])(?::|h| giờ ?)(?P<min>[0-5]\d)?(?: ?phút)?"
    r"(?: (?P<half>sáng|trưa|chiều|tối|đêm))?,?(?: «weekday»,?)? $"
)


def _pair(text: str, first: MomentMatch, second: MomentMatch) -> list[MomentMatch]:
    """Join two dates with «đến» or a dash between them. Across «và» or a comma, only share month and year."""
    gap = text[first.end : second.cue] if second.cue - first.end < 40 else ""
    a, b = _lend(_bounds(first.edtf)[0], _bounds(second.edtf)[1])
    rising = a[:4] == b[:4] == "XXXX" or a[: len(b)] < b[: len(a)]
    if _TO.fullmatch(gap) and rising and "-XX" not in a + b:
        return [MomentMatch(first.start, second.end, f"{a}/{b}", first.cue)]
    if _AND.fullmatch(gap) and "X" in first.edtf and len(first.edtf) == len(second.edtf) > 4:
        lent = _lend(first.edtf, second.edtf)[0]
        if first.edtf[5:7] == "XX" and lent[:8] == b[:8] and int(lent[8:]) + 1 == int(b[8:]):
            return [MomentMatch(first.start, second.end, f"{lent}/{b}", first.cue)]
        return [MomentMatch(first.start, first.end, lent, first.cue), second]
    return [first, second]


def _bounds(edtf: str) -> tuple[str, str]:
    """Return the first and last date of a period, with quarters as months."""
    first, _, last = edtf.partition("/")
    if first[5:] not in {"33", "34", "35", "36"}:
        return first, last or first
    end = 3 * (int(first[5:7]) - 32)
    return f"{first[:5]}{end - 2:02}", f"{first[:5]}{end:02}"


def _lend(a: str, b: str) -> tuple[str, str]:
    """Complete one end of a period from the other; «28/12 - 3/1/2025» starts in the year before."""
    a = a[:5] + b[5:7] + a[7:] if a[5:7] == "XX" and len(b) == 10 else a
    if a[:4] == "XXXX" and b[:4].isdigit():
        return f"{int(b[:4]) - (a[4:] > b[4:])}{a[4:]}", b
    if b[:4] == "XXXX" and a[:4].isdigit():
        return a, f"{int(a[:4]) + (a[4:] > b[4:])}{b[4:]}"
    return a, b


def _clocked(text: str, hit: MomentMatch, floor: int, ceiling: int) -> MomentMatch:
    """Add the clock time next to a single day: «07/09/2021, 21:02», «14h30 ngày 5/3/2024»."""
    if len(hit.edtf) != 10:
        return hit
    after = _CLOCK_AFTER.match(text, hit.end, ceiling)
    clock = after or _CLOCK_BEFORE.search(text, max(floor, hit.cue - 40), hit.cue)
    if not clock:
        return hit
    hour = int(clock["h"])
    half = (clock["half"] or "").casefold()
    hour = hour + 12 if half in {"pm", "ch", "chiều", "tối"} and hour < 12 else hour
    edtf = f"{hit.edtf}T{hour:02}:{clock['min'] or '00'}"
    if after:
        return MomentMatch(hit.start, after.end(), edtf, hit.cue)
    return MomentMatch(clock.start(), hit.end, edtf, clock.start())


def _opened(text: str, hit: MomentMatch, floor: int, ceiling: int) -> MomentMatch:
    """Return a period without end for «từ năm 2015 (đến nay)»: 2015/.. ."""
    since = _FROM.search(text, max(floor, hit.cue - 20), hit.cue)
    now = _UNTIL_NOW.match(text, hit.end, ceiling)
    if not now and (not since or "/" in hit.edtf):
        return hit
    start = since.start() if since else hit.start
    return MomentMatch(start, now.end() if now else hit.end, f"{_bounds(hit.edtf)[0]}/..", min(start, hit.cue))
