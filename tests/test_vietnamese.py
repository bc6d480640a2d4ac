"""The reader of Vietnamese numbers and dates: every form we know with its value, and texts nobody foresaw."""

import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seed.vietnamese import (
    Instrument,
    Moment,
    Number,
    instruments,
    moments,
    numbers,
    parse_moment,
    parse_number,
)
from tests.support.selection import examples

DOCUMENTS = Path(__file__).parents[2] / "shared" / "documents"
THIRD = Decimal(1) / Decimal(3)
Spelling = Callable[[str], str]
Form = Literal["NFC", "NFD"]

# token, value (or low and high), unit
AMOUNTS = [
    ("265,4 tỷ USD", "265400000000", "USD"),
    ("265,4 tỉ đô la", "265400000000", "USD"),
    ("2.345 doanh nghiệp", "2345", None),
    ("1.234,5 tỷ đồng", "1234500000000", "VND"),
    ("0,750 triệu", "750000", None),
    ("1,234 triệu", "1234000", None),
    ("1,234,567 USD", "1234567", "USD"),
    ("US$2.5 million", "2500000", "USD"),
    ("US$2-3 million", "2000000 3000000", "USD"),
    ("$2.345 billion", "2345000000", "USD"),
    ("$1,234", "1234", "USD"),
    ("$500.000", "500000", "USD"),
    ("EUR 1.5 million", "1500000", "EUR"),
    ("CHF 5,2 triệu", "5200000", "CHF"),
    ("5 triệu franc Thụy Sĩ", "5000000", "CHF"),
    ("5 triệu franc Thụy Sỹ", "5000000", "CHF"),
    ("3 triệu đô la Úc", "3000000", "AUD"),
    ("2.5 triệu", "2500000", None),
    ("2.345 triệu", "2345000000", None),
    ("0.750 triệu", "750000", None),
    ("1.234.567,89", "1234567.89", None),
    ("1 234 567 đồng", "1234567", "VND"),
    ("15,9%", "15.9", "%"),
    ("15,9 %", "15.9", "%"),
    ("15,9 phần trăm", "15.9", "%"),
    ("1,5 điểm phần trăm", "1.5", "percentage_point"),
    ("0,5 điểm %", "0.5", "percentage_point"),
    ("0", "0", None),
    ("02 năm", "2", "year"),
    ("5 năm tới", "5", "year"),
    ("4 năm tiếp theo", "4", "year"),
    ("8 tháng", "8", "month"),
    ("2 năm rưỡi", "2.5", "year"),
    ("120 các Thông tư", "120", None),
    ("17 các hiệp định", "17", None),
    ("7 KCN", "7", None),
    ("120 đồng bộ", "120", None),
    ("5 đô thị", "5", None),
    ("12 tỷ lệ", "12", None),
    ("500.000đ", "500000", "VND"),
    ("500k", "500000", None),
    ("3 tỷ 2", "3200000000", None),
    ("3 tỷ 2 đồng", "3200000000", "VND"),
    ("3 tỷ rưỡi", "3500000000", None),
    ("5tr2", "5200000", None),
    ("1 triệu 250 nghìn đồng", "1250000", "VND"),
    ("12 nghìn tỷ", "12000000000000", None),
    ("một vạn", "10000", None),
    ("10-15%", "10 15", "%"),
    ("từ 10 đến 15%", "10 15", "%"),
    ("từ 10 đến hơn 15%", "10 15", "%"),
    ("50%-70%", "50 70", "%"),
    ("10 - 15 triệu USD", "10000000 15000000", "USD"),
    ("2,5-3 tỷ", "2500000000 3000000000", None),
    ("800 triệu - 1,2 tỷ đồng", "800000000 1200000000", "VND"),
    ("từ hai đến ba năm", "2 3", "year"),
    ("gấp đôi", "2", "times"),
    ("gấp 2 lần", "2", "times"),
    ("gấp ba", "3", "times"),
    ("2,5 lần", "2.5", "times"),
    ("3-4 lần", "3 4", "times"),
    ("gấp rưỡi", "1.5", "times"),
    ("một nửa", "50", "%"),
    ("2/5", "0.4", None),
    ("3 phần trăm", "3", "%"),
]
# words for numbers
SPELT = [
    ("hai", "2"),
    ("mười", "10"),
    ("mười lăm", "15"),
    ("hai mươi mốt", "21"),
    ("hai mươi lăm", "25"),
    ("ba mươi tư", "34"),
    ("một trăm linh năm", "105"),
    ("một trăm lẻ năm", "105"),
    ("một trăm năm mươi nghìn", "150000"),
    ("một nghìn rưỡi", "1500"),
    ("hai trăm rưỡi", "250"),
    ("hai nghìn không trăm hai mươi tư", "2024"),
    ("hai nghìn lẻ năm", "2005"),
    ("ba tỷ hai trăm triệu", "3200000000"),
    ("hai tỷ rưỡi", "2500000000"),
    ("năm mươi", "50"),
    ("năm doanh nghiệp", "5"),
    ("năm năm", "5"),
    ("trong năm năm qua", "5"),
    ("một trăm năm", "100"),
    ("hai bên", "2"),
    ("ba bên", "3"),
    ("hai Bộ", "2"),
    ("Hai Bộ", "2"),
    ("HAI BỘ", "2"),
    ("cả hai nước", "2"),
    ("ba phần tư", "0.75"),
    ("một phần trăm", "1"),
]
QUALIFIED = [
    ("gần 3 tỷ", "nearly"),
    ("hơn 50 năm", "more_than"),
    ("5 hơn triệu", "more_than"),
    ("trên 100 doanh nghiệp", "more_than"),
    ("vượt 700 tỷ", "more_than"),
    ("dưới 5%", "less_than"),
    ("khoảng 20", "about"),
    ("có khoảng 20 dự án", "about"),
    ("chừng 20", "about"),
    ("xấp xỉ 20", "about"),
    ("ước đạt 20", "about"),
    ("trên dưới 20", "about"),
    ("ít nhất 3", "at_least"),
    ("tối thiểu 3", "at_least"),
    ("30% trở lên", "at_least"),
    ("không quá 5", "at_most"),
    ("tối đa 5", "at_most"),
    ("tới 17 hiệp định", "as_many_as"),
    ("lên đến 40 triệu", "as_many_as"),
    ("lên tới 40 triệu", "as_many_as"),
    ("một trong 5 quốc gia", "one_of"),
    ("một trong những 5 quốc gia", "one_of"),
    ("đạt 20", None),
    # the same words in another sense
    ("dựa trên 5 trụ cột", None),
    ("trên 3 lĩnh vực", None),
    ("hướng tới 5 mục tiêu", None),
    ("liên quan tới 3 dự án", None),
    ("cao hơn 5%", None),
    ("5 năm tới", None),
]
DIRECTIONS = [
    ("tăng 15,9%", 1),
    ("tăng hơn 15,9%", 1),
    ("tăng trưởng 7%", 1),
    ("Tăng gấp đôi", 1),
    ("(cùng kỳ giảm 10%)", -1),
    ("giảm xuống còn 3%", -1),
    ("âm 2,5%", -1),
    ("-2,5%", -1),
    ("bằng 70% kế hoạch", 0),
    ("giảm phát thải ròng bằng 0", 0),
]
ORDINALS = [
    ("lần thứ 5", "5"),
    ("thứ nhất", "1"),
    ("Thứ hai là", "2"),
    ("lần thứ hai, ngày 5/6/2024", "2"),
    ("thứ ba", "3"),
    ("lần thứ tư", "4"),
    ("đầu tiên", "1"),
    ("đợt 1", "1"),
    ("đợt 1/2023", "1"),
    ("giai đoạn 2", "2"),
    ("phiên thứ hai", "2"),
    ("phiên làm việc thứ hai vào ngày 3/4/2021", "2"),
]
NO_NUMBERS = [
    "một số",
    "một phần",
    "một doanh nghiệp",
    "một trong những",
    "vài chục, hàng trăm",
    "vài ba",
    "năm nay",
    "trong năm doanh nghiệp đã",
    "không",
    "Ba Lan",
    "quận Ba Đình",
    "sông Ba chảy",
    "Hai Bà Trưng",
    "ông Đỗ Mười",
    "ông Tư",
    "chín muồi",
    "Thứ trưởng",
    "Covid-19",
    "Covid - 19",
    "COVID 19",
    "công nghiệp 4.0",
    "Cách mạng công nghiệp 4.0...",
    "https://a.vn/2020/12/tin-5.html",
    "www.a.vn/5",
    "tin5.com.vn",
    'color="#000000"',
    "#CCC1AA",
    "14:15",
    "lúc 14h30",
    "sáng thứ hai tuần này",
    "thứ Hai, 17/9",
    "Thứ Ba, 07/09/2021",
    "35/2022/NĐ-CP",
    "17/9",
    "năm 2019",
]
DATES = [
    ("ngày 6.9", "XXXX-09-06"),
    ("6.9", "XXXX-09-06"),
    ("17/9", "XXXX-09-17"),
    ("chiều 17/9", "XXXX-09-17"),
    ("ngày 2/3", "XXXX-03-02"),
    ("2/3", "XXXX-03-02"),
    ("ngày 17-9", "XXXX-09-17"),
    ("28/5/2022", "2022-05-28"),
    ("ngày 28/5/2022", "2022-05-28"),
    ("28-5-2022", "2022-05-28"),
    ("28.5.2022", "2022-05-28"),
    ("07/09/2021", "2021-09-07"),
    ("11/12/2020", "2020-12-11"),
    ("5/12/23", "2023-12-05"),
    ("2021-09-07", "2021-09-07"),
    ("07 Nov 2023", "2023-11-07"),
    ("November 7, 2023", "2023-11-07"),
    ("Tuesday, Dec 15, 2020", "2020-12-15"),
    ("Tuesday, Dec 15, 2020 | 14:15", "2020-12-15T14:15"),
    ("Thứ Ba, 07/09/2021, 21:02", "2021-09-07T21:02"),
    ("14h30 ngày 5/3/2024", "2024-03-05T14:30"),
    ("2 giờ chiều ngày 5/3/2024", "2024-03-05T14:00"),
    ("ngày 5 tháng 3 năm 2024", "2024-03-05"),
    ("ngày 5 tháng ba năm 2024", "2024-03-05"),
    ("mùng 5/3", "XXXX-03-05"),
    ("mồng 5 tháng 3", "XXXX-03-05"),
    ("ngày 3", "XXXX-XX-03"),
    ("tháng 8/2023", "2023-08"),
    ("Tháng 4/2025", "2025-04"),
    ("T8/2023", "2023-08"),
    ("tháng 8 năm 2023", "2023-08"),
    ("tháng Tám năm 2023", "2023-08"),
    ("cuối tháng 8/2023", "2023-08"),
    ("tháng 8", "XXXX-08"),
    ("năm 2019", "2019"),
    ("2050", "2050"),
    ("vào 2050", "2050"),
    ("đến năm 2030", "2030"),
    ("tầm nhìn 2050", "2050"),
    ("cuối năm 2022", "2022-12"),
    ("Tính đến cuối năm 2022", "2022-12"),
    ("đầu năm 2022", "2022-01/2022-03"),
    ("quý III/2024", "2024-35"),
    ("quý III năm 2024", "2024-35"),
    ("Q3/2024", "2024-35"),
    ("quý 3", "XXXX-35"),
    ("quý I và II/2024", "2024-01/2024-06"),
    ("8 tháng năm 2024", "2024-01/2024-08"),
    ("8 tháng đầu năm 2024", "2024-01/2024-08"),
    ("6 tháng cuối năm", "XXXX-07/XXXX-12"),
    ("sáu tháng đầu năm 2024", "2024-01/2024-06"),
    ("nửa đầu năm 2024", "2024-01/2024-06"),
    ("giai đoạn 2024-2028", "2024/2028"),
    ("giai đoạn 2024 - 2028", "2024/2028"),
    ("(2022 – 2023)", "2022/2023"),
    ("2031- 2035", "2031/2035"),
    ("2024-28", "2024/2028"),
    ("nhiệm kỳ 2021-2026", "2021/2026"),
    ("từ 2020 đến 2024", "2020/2024"),
    ("từ 2020 tới 2024", "2020/2024"),
    ("từ ngày 3 đến ngày 5/6/2024", "2024-06-03/2024-06-05"),
    ("3-5/6/2024", "2024-06-03/2024-06-05"),
    ("3-5/6", "XXXX-06-03/XXXX-06-05"),
    ("3 và 4/6", "XXXX-06-03/XXXX-06-04"),
    ("3 và 4/6/2024", "2024-06-03/2024-06-04"),
    ("3, 4 và 5/6/2024", "2024-06-03/2024-06-05"),
    ("3, 4, 5/6/2024", "2024-06-03/2024-06-05"),
    ("28/12 - 3/1/2025", "2024-12-28/2025-01-03"),
    ("từ tháng 12/2023 đến tháng 3", "2023-12/2024-03"),
    ("Từ năm 2015 đến nay", "2015/.."),
    ("từ năm 2015", "2015/.."),
    ("từ ngày 1/3/2025", "2025-03-01/.."),
    ("từ đầu năm 2024 đến nay", "2024-01/.."),
    ("đợt 1/2023", "2023"),
    ("VIMEXPO 2023: ra mắt", "2023"),
    ("Hội chợ công nghiệp Đà Nẵng 2023 diễn ra", "2023"),
    ("Sáng kiến ASEAN 2020 về", "2020"),
    ("Luật Đầu tư 2020", "2020"),
    ("thập niên 90", "199X"),
    ("thế kỷ 21", "20XX"),
]
NO_DATES = [
    "2/3 dân số",
    "10/12 tỉnh",
    "hỗ trợ 24/7",
    "31/2/2023",
    "8 tháng",
    "2020 doanh nghiệp",
    "mỗi năm 2000 lao động",
    "2.024 dự án",
    "265,4",
    "thứ hai",
    "35/2022/NĐ-CP",
    "quý vị",
    "hai tháng",
]
ACTS = [
    ("Nghị định số 35/2022/NĐ-CP ngày 28/5/2022", "35/2022/NĐ-CP"),
    ("111/2015/NĐ-CP", "111/2015/NĐ-CP"),
    ("68/QĐ-TTg", "68/QĐ-TTg"),
    ("68/QD-TTg", "68/QĐ-TTg"),
    ("01/2021/TT-BCT", "01/2021/TT-BCT"),
    ("29-NQ/TW", "29-NQ/TW"),
    ("Nghị quyết 29-NQ/TW", "29-NQ/TW"),
    ("Luật số 72/2020/QH14", "72/2020/QH14"),
    ("72/2020/QH14", "72/2020/QH14"),
    ("35 / 2022 / ND – CP", "35/2022/NĐ-CP"),
    ("35/2022/ÐÐ-CP", "35/2022/ĐĐ-CP"),
    ("1234/BCT-CN", "1234/BCT-CN"),
    ("Nghị định 35/2022", "35/2022"),
    ("Nghị định 35", "35"),
    ("Quyết định số 1658", "1658"),
]
TOKENS = [
    *(row[0] for row in AMOUNTS),
    *(row[0] for row in SPELT),
    *(row[0] for row in QUALIFIED),
    *(row[0] for row in ORDINALS),
    *(row[0] for row in DATES),
    *(row[0] for row in ACTS),
]


def given_text(text: str) -> str:
    return text


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def blanks_of_the_web(text: str) -> str:
    return text.replace(" ", "\u00a0 ").replace("USD", "\u200bUSD")


def soft_hyphens(text: str) -> str:
    return text.replace("ng", "n\u00adg")


# Tests run through them themselves: to pytest, four times as many tests would cost more than what they test.
SPELLINGS: tuple[Spelling, ...] = (given_text, decomposed, blanks_of_the_web, soft_hyphens)


def read_all(text: str) -> list[Number | Moment | Instrument]:
    found: list[Number | Moment | Instrument] = [*numbers(text), *moments(text), *instruments(text)]
    return sorted(found, key=lambda one: one.start)


@pytest.mark.parametrize(("token", "value", "unit"), AMOUNTS)
def test_amounts(token: str, value: str, unit: str | None) -> None:
    for spelling in SPELLINGS:
        number = parse_number(spelling(token))
        ends = [number.value] if number.high is None else [number.value, number.high]
        assert (" ".join(f"{end:f}" for end in ends), number.unit) == (value, unit), spelling


@pytest.mark.parametrize(("token", "value"), SPELT)
def test_words_for_numbers(token: str, value: str) -> None:
    for spelling in SPELLINGS:
        assert parse_number(spelling(token)).value == Decimal(value), spelling


def test_thirds_are_rounded_to_28_digits() -> None:
    assert parse_number("một phần ba").value == parse_number("1/3 số hộ").value == THIRD
    assert parse_number("hai phần ba").value == parse_number("2/3 dân số").value == Decimal(2) / Decimal(3)


@pytest.mark.parametrize(("token", "qualifier"), QUALIFIED)
def test_hedges_are_kept_apart_from_the_value(token: str, qualifier: str | None) -> None:
    for spelling in SPELLINGS:
        assert parse_number(spelling(token)).qualifier == qualifier, spelling


@pytest.mark.parametrize(("token", "direction"), DIRECTIONS)
def test_the_verb_gives_the_direction(token: str, direction: int) -> None:
    found = parse_number(token)
    assert found.direction == direction
    assert found.value >= 0


@pytest.mark.parametrize(("token", "value"), ORDINALS)
def test_ordinals(token: str, value: str) -> None:
    for spelling in SPELLINGS:
        number = parse_number(spelling(token))
        assert (number.value, number.ordinal) == (Decimal(value), True), spelling


@pytest.mark.parametrize("token", NO_NUMBERS)
def test_what_is_no_number(token: str) -> None:
    for spelling in SPELLINGS:
        assert numbers(spelling(token)) == [], spelling


@pytest.mark.parametrize(("token", "edtf"), DATES)
def test_dates(token: str, edtf: str) -> None:
    for spelling in SPELLINGS:
        assert parse_moment(spelling(token)).edtf == edtf, spelling


@pytest.mark.parametrize("token", NO_DATES)
def test_what_is_no_date(token: str) -> None:
    assert moments(token) == []


@pytest.mark.parametrize(("token", "number"), ACTS)
def test_instruments(token: str, number: str) -> None:
    for spelling in SPELLINGS:
        assert [act.number for act in instruments(spelling(token))] == [number], spelling
        assert numbers(spelling(token)) == [], spelling


def test_second_short_instrument_inherits() -> None:
    assert [act.number for act in instruments("Nghị định 35/2022 và 40/2023, 41/2023")] == [
        "35/2022",
        "40/2023",
        "41/2023",
    ]


def test_date_after_an_instrument_stays_a_moment() -> None:
    assert [one.edtf for one in moments("Nghị định số 12/2021/NĐ-CP ngày 3/4/2021")] == ["2021-04-03"]


def test_change_from_one_value_to_another_is_two_numbers_of_one_unit() -> None:
    assert [(one.value, one.high, one.unit) for one in numbers("từ 10 lên 15%")] == [
        (Decimal(10), None, "%"),
        (Decimal(15), None, "%"),
    ]
    assert [one.value for one in numbers("từ 2 xuống 1")] == [Decimal(2), Decimal(1)]


def test_days_apart_share_month_and_year_but_are_no_period() -> None:
    assert [one.edtf for one in moments("ngày 3 và ngày 10/6/2024")] == ["2024-06-03", "2024-06-10"]


def test_years_in_a_list() -> None:
    assert [one.edtf for one in moments("các năm 2021, 2022 và 2023")] == ["2021", "2022", "2023"]


@pytest.mark.parametrize(
    ("token", "text"), [("giá 500.000đ một chiếc", "500.000đ"), ("gọi 0912.345.678 nhé", "0912.345.678")]
)
def test_a_run_of_groups_is_one_number(token: str, text: str) -> None:
    assert [one.text for one in numbers(token)] == [text]


@pytest.mark.parametrize("token", ["", "không có gì", "5 và 6", "từ 10 lên 15%", "17/9"])
def test_parse_number_wants_exactly_one(token: str) -> None:
    with pytest.raises(ValueError, match="numbers in"):
        parse_number(token)


@pytest.mark.parametrize("token", ["", "5 dự án", "năm 2020 và năm 2022"])
def test_parse_moment_wants_exactly_one(token: str) -> None:
    with pytest.raises(ValueError, match="dates in"):
        parse_moment(token)


PARAGRAPH = (
    "Chiều 3/10, tại Hội chợ Hạ Long 2022, hai bên đã ký thỏa thuận trị giá gần 1.234,5 tỷ đồng (tăng 12,5% so với "
    "năm 2021) theo Nghị định số 12/2021/NĐ-CP ngày 3/4/2021; giai đoạn 2 kéo dài 03 năm (2023 – 2025), từ 10 - 15 nhà "
    "máy, một trong 7 tỉnh, sau Covid-19 và công nghiệp 4.0, lần thứ hai, đợt 1/2023, xem https://a.vn/2022/10."
)
EXPECTED = [
    "3/10",
    "2022",
    "hai",
    "1.234,5 tỷ đồng",
    "12,5%",
    "2021",
    "12/2021/NĐ-CP",
    "3/4/2021",
    "giai đoạn 2",
    "03 năm",
    "2023 – 2025",
    "10 - 15",
    "7",
    "thứ hai",
    "đợt 1",
    "2023",
]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_scanning_neither_misses_nor_splits(form: Form) -> None:
    text = unicodedata.normalize(form, PARAGRAPH)
    assert [unicodedata.normalize("NFC", one.text) for one in read_all(text)] == EXPECTED


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_offsets_point_into_the_text_as_given(form: Form) -> None:
    for token in TOKENS:
        text = unicodedata.normalize(form, f"Đoạn\u200b văn:\u00a0 {token}.")
        for one in read_all(text):
            assert text[one.start : one.end] == one.text, token


@pytest.mark.parametrize(
    ("token", "text"), [("ngày 28/5/2022", "28/5/2022"), ("gần 3 tỷ USD", "3 tỷ USD"), ("Năm 2019", "2019")]
)
def test_a_span_holds_no_more_than_it_needs(token: str, text: str) -> None:
    assert [one.text for one in read_all(token)] == [text]


def test_the_text_of_a_number_reads_as_the_same_number() -> None:
    for token in [*(row[0] for row in AMOUNTS), *(row[0] for row in SPELT)]:
        number = parse_number(token)
        if not token.startswith(("gấp ba", "trong năm")) and number.text != "năm":
            again = parse_number(number.text)
            assert (again.value, again.high, again.unit) == (number.value, number.high, number.unit), token


CLOCKS = {"14:15", "21:02", "14h30", "giờ"}  # a clock time without a date is read by nobody
WORDS = [
    *{word for token in TOKENS for word in token.split(" ")} - CLOCKS,
    "\n",
    "-",
    "–",
    "/",
    "$",
    "07",
    "000",
    "2/3",
]
WORDS.sort()


def digit_runs(text: str) -> Iterator[tuple[int, int]]:
    start = None
    for at, character in enumerate(text + " "):
        if character.isdecimal() and start is None:
            start = at
        elif not character.isdecimal() and start is not None:
            yield start, at
            start = None


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from([" ", " ", ""])), max_size=12))
def test_each_run_of_digits_is_read_exactly_once(pieces: list[tuple[str, str]]) -> None:
    text = "".join(word + gap for word, gap in pieces)
    found = read_all(text)
    assert all(first.end <= second.start for first, second in pairwise(found))
    weekdays = ("thứ", "Thứ")
    for start, end in digit_runs(text):
        if not text[:start].rstrip("\u00a0 ").endswith(weekdays):
            assert sum(one.start <= start and end <= one.end for one in found) == 1


anything = st.text(alphabet=st.characters(exclude_categories=()), max_size=60)
mixed = st.lists(
    anything | st.sampled_from([*WORDS, "ı", "ſ", "İ", "\ue000", "\u0301", "\u200b", "٣", "x̂"]), max_size=12
)


@settings(max_examples=examples(200), deadline=None)
@given(mixed.map("".join))
def test_no_text_breaks_the_reader(text: str) -> None:
    found = read_all(text)
    assert all(text[one.start : one.end] == one.text != "" for one in found)
    assert found == read_all(text)


def calls(text: str) -> int:
    """How many Python and C calls one reading takes: the same on every machine."""
    count = 0

    def count_one(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(count_one)
    try:
        numbers(text)
    finally:
        sys.setprofile(None)
    return count


UNITS = [
    "1 ",
    "1,",
    "1-",
    "2020, ",
    "ngày 3, ",
    "ngày 3 đến ",
    "1 tỷ ",
    "một trăm ",
    "35/2022/N",
    "a\u0301\u0323",
    "Nẵng 2023 ",
    "com.vnx.",
    "a@a.",
    " 345",
    "1/2-",
]


@pytest.mark.parametrize("unit", UNITS)
def test_steps_grow_with_the_length_of_the_text(unit: str) -> None:
    numbers("1")  # whatever is set up once
    assert calls(unit * 800) < 5 * calls(unit * 200)


# What a pattern without possessive repeats may try in more than one way: chains of labels, groups and codes.
BACKTRACKING = ("com.vnx.", "a-b.", "a+", "a@a.", "1.234", " 345", "1/2-")


@pytest.mark.slow
def test_a_megabyte_of_spite_is_read() -> None:
    text = "".join(
        unit * (80_000 // len(unit))
        for unit in ("1", "1,", "1-", "a", "a.", "a-", "@", "tỷ ", "\u0301", " ", "từ ", "0/", "9", *BACKTRACKING)
    )
    began = time.thread_time()
    assert len(text) > 1_000_000
    read_all(text)
    assert time.thread_time() - began < 120  # a quadratic step would take hours


def paragraph(document: str, number: int) -> str:
    file = next(DOCUMENTS.glob(f"{document}_*.txt"), None)
    if file is None:
        pytest.skip(f"the seed documents are not at {DOCUMENTS}")
    return [line for line in file.read_text("utf-8").split("\n") if line.strip()][number - 1]


NUMBERS_IN_DOCUMENTS = [
    ("000", 3, "thứ 5", "5", None),
    ("000", 11, "đầu tiên", "1", None),
    ("001", 5, "50 năm", "50", "year"),
    ("001", 5, "0", "0", None),
    ("001", 7, "7", "7", None),
    ("001", 8, "giai đoạn 2", "2", None),
    ("001", 8, "4 năm", "4", "year"),
    ("001", 8, "5", "5", None),
    ("002", 4, "hai", "2", None),
    ("002", 5, "265,4 tỷ USD", "265400000000", "USD"),
    ("002", 5, "70%", "70", "%"),
    ("002", 5, "15,9%", "15.9", "%"),
    ("002", 5, "10%", "10", "%"),
    ("002", 6, "120", "120", None),
    ("002", 11, "Thứ hai", "2", None),
    ("002", 13, "17", "17", None),
    ("003", 2, "1495", "1495", None),
    ("003", 4, "5 năm", "5", "year"),
    ("003", 7, "thứ hai", "2", None),
    ("003", 7, "13", "13", None),
    ("004", 3, "ba", "3", None),
    ("004", 8, "đợt 1", "1", None),
    ("004", 8, "12", "12", None),
    ("004", 11, "100", "100", None),
    ("004", 11, "02 năm", "2", "year"),
    ("004", 12, "51", "51", None),
    ("004", 12, "26", "26", None),
    ("004", 14, "24", "24", None),
]
MOMENTS_IN_DOCUMENTS = [
    ("000", 2, "07/09/2021, 21:02", "2021-09-07T21:02"),
    ("000", 3, "ngày 6.9", "XXXX-09-06"),
    ("000", 11, "2019", "2019"),
    ("001", 1, "07 Nov 2023", "2023-11-07"),
    ("001", 5, "2050", "2050"),
    ("001", 7, "Từ năm 2015 đến nay", "2015/.."),
    ("001", 9, "2024-2028", "2024/2028"),
    ("001", 10, "2024 - 2028", "2024/2028"),
    ("001", 10, "28/5/2022", "2022-05-28"),
    ("002", 2, "17/9", "XXXX-09-17"),
    ("002", 5, "8 tháng năm 2024", "2024-01/2024-08"),
    ("002", 15, "4/2025", "2025-04"),
    ("003", 2, "Dec 15, 2020 | 14:15", "2020-12-15T14:15"),
    ("003", 7, "11/12/2020", "2020-12-11"),
    ("003", 7, "2020", "2020"),
    ("004", 8, "8/2023", "2023-08"),
    ("004", 8, "2023", "2023"),
    ("004", 9, "2023", "2023"),
    ("004", 11, "2/2022", "2022-02"),
    ("004", 11, "2022 – 2023", "2022/2023"),
    ("004", 12, "cuối năm 2022", "2022-12"),
    ("004", 31, "2023", "2023"),
    ("004", 45, "5/12", "XXXX-12-05"),
    ("004", 49, "5/12/2023", "2023-12-05"),
]


@pytest.mark.parametrize(("document", "at", "token", "value", "unit"), NUMBERS_IN_DOCUMENTS)
def test_numbers_of_the_seed_documents(document: str, at: int, token: str, value: str, unit: str | None) -> None:
    found = {(one.text, one.value, one.unit) for one in numbers(paragraph(document, at))}
    assert (token, Decimal(value), unit) in found


@pytest.mark.parametrize(("document", "at", "token", "edtf"), MOMENTS_IN_DOCUMENTS)
def test_dates_of_the_seed_documents(document: str, at: int, token: str, edtf: str) -> None:
    assert (token, edtf) in {(one.text, one.edtf) for one in moments(paragraph(document, at))}


def test_hedges_and_directions_of_the_seed_documents() -> None:
    marks = {one.text: (one.qualifier, one.direction) for at in (5, 13) for one in numbers(paragraph("002", at))}
    assert (marks["15,9%"], marks["10%"], marks["17"]) == ((None, 1), (None, -1), ("as_many_as", 0))
    assert {one.qualifier for one in numbers(paragraph("001", 8))} == {None, "one_of"}
    assert [one.number for one in instruments(paragraph("001", 10))] == ["35/2022/NĐ-CP"]


# digits of the five documents that are no figures: pandemic, Industry 4.0, address, colour
UNREAD = {("000", 7): 3, ("000", 8): 2, ("000", 9): 2, ("003", 11): 3}


def test_each_digit_of_the_seed_documents_is_read_once_or_known() -> None:
    paragraph("000", 1)
    unread = {}
    for file in sorted(DOCUMENTS.glob("*.txt")):
        for at, line in enumerate((line for line in file.read_text("utf-8").split("\n") if line.strip()), 1):
            found = read_all(line)
            covers = [sum(one.start <= run[0] and run[1] <= one.end for one in found) for run in digit_runs(line)]
            assert max(covers, default=0) <= 1
            if covers.count(0):
                unread[file.name[:3], at] = covers.count(0)
    assert unread == UNREAD
