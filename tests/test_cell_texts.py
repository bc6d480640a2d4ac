"""Texts of cells: numbers and dates as people write them, and texts in old encodings."""

from decimal import Decimal

import pytest

from app.core.values.garbled import garbled_as
from app.exchange.formats.cells.dates import read_date
from app.exchange.formats.cells.numbers import fits_currency, read_number

NUMBERS: dict[str, int | str] = {
    "2345": 2345,
    "02": 2,
    "-3": -3,
    "−3": -3,
    "+7": 7,
    "12.5": "12.5",
    "12,5": "12.5",
    "0.750": "0.75",
    "0,750": "0.75",
    "1.234.567": 1234567,
    "1,234,567": 1234567,
    "1.234,5": "1234.5",
    "1,234.5": "1234.5",
    "1.234,567": "1234.567",
    "1 234 567,5": "1234567.5",
    "1\u00a0234": 1234,
    "1\u202f234,25": "1234.25",
    "1'234": 1234,
    "15,9%": "15.9",
    "15,9 %": "15.9",
    "15,9 phần trăm": "15.9",
    "265,4 tỷ USD": 265_400_000_000,
    "1.234,5 tỷ đồng": 1_234_500_000_000,
    "0,750 triệu": 750_000,
    "US$2.5 million": 2_500_000,
    "2.5 triệu": 2_500_000,
    "12 nghìn tỷ": 12 * 10**12,
    "3 tỉ": 3 * 10**9,
    "₫ 5": 5,
    "500k": 500_000,
}
TWO_NUMBERS: dict[str, tuple[int | str, int | str]] = {
    "2.345": ("2.345", 2345),
    "1,000": (1000, 1),
    "-1.000": (-1, -1000),
    "500.000đ": (500, 500_000),
    "1.500 tỷ": (15 * 10**8, 15 * 10**11),
}
NO_NUMBERS = (
    "",
    "một vạn",
    "1,23,456",
    "1.2.3",
    "1..5",
    "12 doanh nghiệp",
    "gần 50",
    "10-15",
    "(5)",
    "1 2",
    "1.",
    "x" * 90,
    "²",
    "NaN",
)


def test_numbers_have_one_reading_where_it_is_certain() -> None:
    for text, value in NUMBERS.items():
        number = read_number(text)
        assert number is not None, text
        assert number.value == Decimal(value), text


def test_a_group_of_three_digits_has_two_readings() -> None:
    for text, (point, comma) in TWO_NUMBERS.items():
        number = read_number(text)
        assert number is not None, text
        assert (number.point, number.comma, number.value) == (Decimal(point), Decimal(comma), None), text


def test_what_is_no_number_stays_a_text() -> None:
    assert [text for text in NO_NUMBERS if read_number(text)] == []


DATES = {
    "24/07/2014": "2014-07-24",
    "7/24/2014": "2014-07-24",
    "28-5-2022": "2022-05-28",
    "24.07.2014": "2014-07-24",
    "05/05/2024": "2024-05-05",
    "2014/07/24": "2014-07-24",
    "2014-7-4": "2014-07-04",
    "2014-07-24 00:00:00": "2014-07-24",
    "2014-07-24 14:15": "2014-07-24T14:15",
    "tháng 8/2023": "2023-08",
    "T8/2023": "2023-08",
    "8/2023": "2023-08",
    "08-2023": "2023-08",
    "tháng 8 năm 2023": "2023-08",
    "năm 2019": "2019",
    "quý III/2024": "2024-35",
    "quý 3/2024": "2024-35",
    "Q3/2024": "2024-35",
    "Quý IV năm 2024": "2024-36",
    "ngày 5 tháng 3 năm 2024": "2024-03-05",
    "07 Nov 2023": "2023-11-07",
    "Dec 15, 2020": "2020-12-15",
    "March 2024": "2024-03",
    "1-Mar-2024": "2024-03-01",
    "2024-2028": "2024/2028",
    "2024 – 2028": "2024/2028",
    "(2022 - 2023)": "2022/2023",
    "giai đoạn 2024-2028": "2024/2028",
    "2024-28": "2024/2028",
    "từ 2020 đến 2024": "2020/2024",
    "từ 2020 tới 2024": "2020/2024",
    "from 2020 to 2024": "2020/2024",
    "từ năm 2015 đến nay": "2015/..",
    "từ năm 2015": "2015/..",
    "01/2024 - 12/2026": "2024-01/2026-12",
    "24/07/2014 - 05/08/2015": "2014-07-24/2015-08-05",
    "2019 - nay": "2019/..",
}
TWO_DATES = {
    "05/07/2014": ("2014-07-05", "2014-05-07"),
    "5.7.2014": ("2014-07-05", "2014-05-07"),
    "11-12-2020": ("2020-12-11", "2020-11-12"),
    "01/02/2023 - 05/06/2024": ("2023-02-01/2024-06-05", "2023-01-02/2024-05-06"),
}
NO_DATES = (
    "",
    "31/02/2024",
    "1/2/24",
    "13/13/2024",
    "hôm nay",
    "cuối năm 2022",
    "35/2022/NĐ-CP",
    "5 năm",
    "00/2024",
    "quý 5/2024",
    "2024-10-2028-11-12",
)


def test_dates_have_one_reading_where_it_is_certain() -> None:
    found = {text: read_date(text) for text in DATES}
    assert {text: date and date.value for text, date in found.items()} == DATES


def test_a_date_of_two_short_numbers_has_two_readings() -> None:
    for text, orders in TWO_DATES.items():
        date = read_date(text)
        assert date is not None, text
        assert (date.dmy, date.mdy, date.value) == (*orders, None), text


def test_what_is_no_date_stays_a_text() -> None:
    assert [text for text in NO_DATES if read_date(text)] == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("mojibake", "Bá»™ CÃ´ng ThÆ°Æ¡ng"),
        ("mojibake", "Dá»± Ã¡n cáº¥p nÆ°á»›c"),
        ("mojibake", "CafÃ© franÃ§ais"),
        ("TCVN3", "Bé C«ng Th\u00ad¬ng"),
        ("TCVN3", "Tæng côc Tiªu chuÈn §o l\u00adêng"),
        ("TCVN3", "Dù ¸n cÊp n\u00adíc s¹ch"),
        ("VNI", "Boä Coâng Thöông"),
        ("VNI", "Ñaïi hoïc Baùch khoa"),
        ("VNI", "Döï aùn caáp nöôùc"),
    ],
)
def test_garbled_texts_are_recognised(kind: str, text: str) -> None:
    assert garbled_as(text) == kind


CORRECT = (
    "Bộ Công Thương",
    "«Hà Nội» năm 2024 – ô tô",
    "«xã» hàng hoá, «tô»",
    "Samsung® và ©2024 Apple™",
    "Müller & Söhne, Köln",
    "São João, Brasília",
    "España, señor, año",
    "être à côté du théâtre",
    "Größe öffnen für 5 µm",
    "1 m², 20 °C ± 5 µm",
    "TỔNG CỤC ĐÔ THỊ «XÔ»",
    "Âu Cơ",
    "naïve façade",
    "Åse Ærø",
    "§ 5 ¶ 2",
    "cơ sở – «đường» “VÔ”",
    "Ô tô",
    "hoà bình thuỷ lợi",
    "Đắk Lắk",
    "£5 ¥10 €7",
    "Zürich",
    "日本",
    "Łódź",
)


def test_correct_texts_are_not_garbled() -> None:
    assert [(text, garbled_as(text)) for text in CORRECT if garbled_as(text)] == []


def test_signs_of_currencies_stand_for_units() -> None:
    fitting = [
        ("¥", "JPY"),
        ("¥", "CNY"),
        ("$", "USD"),
        ("$", "AUD"),
        ("€", "EUR"),
        ("₫", "VND"),
        ("USD", "USD"),
        ("kr", "SEK"),
    ]
    wrong = [
        ("¥", "USD"),
        ("$", "VND"),
        ("$", "enterprise"),
        ("€", "USD"),
        ("đ", "USD"),
        ("USD", "EUR"),
        ("CHF", "USD"),
    ]
    assert [pair for pair in fitting if not fits_currency(*pair)] == []
    assert [pair for pair in wrong if fits_currency(*pair)] == []
