"""Ten lists of projects and results with columns of their own, and a mapping for each. All of them are made up."""

import unicodedata
from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from app.exchange.formats.media_types import CSV, XLSX
from tests.support.tables import saved, sheets

ACTIVE = "Đang thực hiện"
STATES = {ACTIVE: "active", "Hoàn thành": "completed", "Chuẩn bị": "proposed", "Tạm dừng": "suspended"}
COUNTERPART = {"role": "counterpart"}
FUNDING = {"role": "funding"}
PROVINCES = {"Hà Nội": "ha-noi", "Bắc Ninh": "bac-ninh", "Đà Nẵng": "da-nang", "Hưng Yên": "hung-yen"}


TONES = "\u0300\u0301\u0303\u0309\u0323"


class OwnList(NamedTuple):
    """A list, its mapping, the records that it has, and the codes of the warnings about it."""

    make: Callable[[], bytes]
    mapping: dict[str, Any]
    records: list[dict[str, Any]]
    warned: list[str] = []
    kind: str = CSV


def ministry() -> bytes:
    """A workbook with a title above the table, two rows of merged names, column numbers, headings and totals."""
    rows: list[list[Any]] = [
        ["BỘ CÔNG THƯƠNG"],
        ["DANH MỤC DỰ ÁN HỢP TÁC QUỐC TẾ NĂM 2024"],
        [],
        ["STT", "Tên dự án", "Mã số", "Nhà tài trợ", "Thời gian thực hiện", None, "Tình trạng", "Ghi chú"],
        [None, None, None, None, "Bắt đầu", "Kết thúc", None, None],
        ["(1)", "(2)", "(3)", "(4)", "(5)", "(6)", "(7)", "(8)"],
        ["I", "Dự án ODA không hoàn lại"],
        [1, "Nâng cao năng lực kiểm định", "CT-01", "UNIDO", date(2023, 1, 15), date(2026, 12, 31), ACTIVE, "QĐ 12"],
        [2, "Hỗ trợ sản xuất sạch hơn", "CT-02", "SECO", date(2022, 3, 1), date(2025, 3, 1), "Hoàn thành", None],
        ["II", "Dự án vay"],
        [3, "Lưới điện nông thôn", "CT-03", "SECO", date(2024, 5, 7), None, "Chuẩn bị", None],
        [None, "Tổng cộng", "3"],
    ]
    book = sheets(**{"Bìa": [["Phụ lục I"]], "Danh mục": rows})
    for cells in ("A2:H2", "A4:A5", "B4:B5", "C4:C5", "D4:D5", "E4:F4", "G4:G5", "H4:H5", "B7:H7"):
        book["Danh mục"].merge_cells(cells)
    return saved(book)


MINISTRY = {
    "columns": {
        "Tên dự án": {"to": "title.vi"},
        "Mã số": {"to": "identifiers.0.value"},
        "Nhà tài trợ": {"to": "roles.*.partner", "with": FUNDING},
        "Thời gian thực hiện / Bắt đầu": {"to": "period.start"},
        "Thời gian thực hiện / Kết thúc": {"to": "period.end"},
        "Tình trạng": {"to": "status", "values": STATES},
    },
    "ignore": ["Ghi chú"],
    "constants": {"kind": "project", "managed_by": "moit", "identifiers.0.scheme": "list-ct"},
    "required": ["Mã số"],
}


def province() -> bytes:
    """A semicolon file with a title, dates with the day first, and several places in a cell."""
    return """\
SỞ CÔNG THƯƠNG, DANH MỤC DỰ ÁN
;;;;
TT;Tên chương trình, dự án;Đối tác;Địa bàn;Ngày bắt đầu
1;Chợ đầu mối;UNIDO;Hà Nội, Bắc Ninh;05/07/2021
2;Khuyến công;SECO;Đà Nẵng;24/07/2022
""".encode("utf-8-sig")


PROVINCE = {
    "columns": {
        "Tên chương trình, dự án": {"to": "title.vi"},
        "Đối tác": {"to": "roles.*.partner", "with": COUNTERPART},
        "Địa bàn": {"to": "places.*", "separator": ",", "values": PROVINCES},
        "Ngày bắt đầu": {"to": "period.start"},
    },
    "constants": {"kind": "project", "status": "active", "managed_by": "unido"},
}


def donor() -> bytes:
    """An English list with the month first and partners in one cell."""
    return b"""\
Project ID,Project Title,Implementing Partners,Start Date,End Date,Status,Disbursed (USD)
D-1,Clean production,UNIDO | Ministry of Industry and Trade,07/01/2020,12/31/2023,Closed,"1,250,000"
D-2,Green ports,UNIDO,01/02/2021,06/30/2025,Implementation,"985,000.50"
"""


DONOR = {
    "columns": {
        "Project ID": {"to": "identifiers.0.value"},
        "Project Title": {"to": "title.en"},
        "Implementing Partners": {"to": "roles.*.partner", "separator": "|", "with": COUNTERPART},
        "Start Date": {"to": "period.start"},
        "End Date": {"to": "period.end"},
        "Status": {"to": "status", "values": {"Closed": "completed", "Implementation": "active"}},
    },
    "constants": {"kind": "project", "managed_by": "unido", "identifiers.0.scheme": "list-donor"},
    "dates": "mdy",
}


def merged() -> bytes:
    """A workbook in which the donor and the year are merged over the rows of its projects."""
    rows: list[list[Any]] = [
        ["No.", "Donor", "Year", "Project"],
        [1, "UNIDO", 2021, "Steel recycling"],
        [2, None, None, "Textile effluents"],
        [3, "SECO", 2022, "Coffee exports"],
        ["Total", None, None, 3],
    ]
    book = sheets(Projects=rows)
    for cells in ("B2:B3", "C2:C3"):
        book["Projects"].merge_cells(cells)
    return saved(book)


MERGED = {
    "columns": {
        "Donor": {"to": "roles.*.partner", "with": FUNDING},
        "Year": {"to": "period"},
        "Project": {"to": "title.en"},
    },
    "constants": {"kind": "project", "status": "active", "managed_by": "unido"},
}


def quarters() -> bytes:
    """A file of UTF-16, as Excel saves Unicode text, with tabs and Vietnamese dates."""
    text = "Số TT\tTên nhiệm vụ\tThời gian\tTrạng thái\n"
    text += "1\tTập huấn thương mại điện tử\tquý III/2024\tđang thực hiện\n"
    text += "2\tKhảo sát logistics\ttháng 8/2023\tHoàn thành\n"
    return text.encode("utf-16")


QUARTERS = {
    "columns": {
        "Tên nhiệm vụ": {"to": "title.vi"},
        "Thời gian": {"to": "period"},
        "Trạng thái": {"to": "status", "values": STATES},
    },
    "constants": {"kind": "initiative", "managed_by": "moit"},
}


def results() -> bytes:
    """Results with a point between thousands, which the last of them proves."""
    return """\
Mã;Chỉ tiêu;Năm;Giá trị;Ghi chú
kq-2021;Doanh nghiệp được hỗ trợ;2021;1.250;
kq-2022;Doanh nghiệp được hỗ trợ;2022;2.345;
kq-2023;Doanh nghiệp được hỗ trợ;2023;1.234.567;
""".encode()


RESULTS = {
    "resource": "figures",
    "columns": {
        "Mã": {"to": "id"},
        "Chỉ tiêu": {"to": "indicator", "values": {"Doanh nghiệp được hỗ trợ": "enterprises-supported"}},
        "Năm": {"to": "period"},
        "Giá trị": {"to": "value"},
    },
    "constants": {"kind": "actual", "unit": "enterprise", "managed_by": "moit", "project": "smart-factory-cooperation"},
}


def growth() -> bytes:
    """A workbook with cells that are formatted as percentages."""
    rows = [["Mã", "Năm", "Tăng trưởng"], ["tt-2022", "2022", 0.105], ["tt-2023", "2023", 0.159]]
    book = sheets(tang_truong=rows)
    for row in (2, 3):
        book["tang_truong"].cell(row, 3).number_format = "0.0%"
    return saved(book)


GROWTH = {
    "resource": "figures",
    "columns": {"Mã": {"to": "id"}, "Năm": {"to": "period"}, "Tăng trưởng": {"to": "value"}},
    "constants": {
        "indicator": "export-growth",
        "kind": "actual",
        "unit": "percent",
        "managed_by": "moit",
        "project": "smart-factory-cooperation",
    },
}


def exports() -> bytes:
    """Amounts in billions of dollars, with a line for the separator."""
    return """\
sep=;
Mã;Năm;Kim ngạch (tỷ USD)
xk-2022;2022;371,3
xk-2023;2023;354,7
Tổng cộng;;726
""".encode()


EXPORTS = {
    "resource": "figures",
    "columns": {
        "Mã": {"to": "id"},
        "Năm": {"to": "period"},
        "Kim ngạch (tỷ USD)": {"to": "value", "multiply": 1_000_000_000},
    },
    "constants": {
        "indicator": "export-value",
        "kind": "actual",
        "unit": "USD",
        "managed_by": "moit",
        "project": "smart-factory-cooperation",
    },
}


def humanitarian() -> bytes:
    """A list with tags of HXL below the header, and periods in one column."""
    return """\
Activity,Organisation,When,Sectors
#activity+name,#org,#date,#sector
Emergency water,UNIDO,2021-2023,12;9
Shelter,SECO,2022 – 2024,9
""".encode()


HUMANITARIAN = {
    "columns": {
        "Activity": {"to": "title.en"},
        "Organisation": {"to": "roles.*.partner", "with": COUNTERPART},
        "When": {"to": "period"},
        "Sectors": {"to": "sdgs.*", "separator": ";"},
    },
    "constants": {"kind": "project", "status": "active", "managed_by": "unido"},
}


def old_encoding() -> bytes:
    """A file of Windows-1258, in which many letters are written with separate tones."""
    return in_windows_1258("Tên dự án;Từ năm;Đến năm\nXúc tiến thương mại;2019;2021\nKiểm định thép;2020;\n")


def in_windows_1258(text: str) -> bytes:
    encoded = b""
    for letter in text:
        marks = unicodedata.normalize("NFD", letter)
        tone = next((mark for mark in marks if mark in TONES), "")
        base = unicodedata.normalize("NFC", marks.replace(tone, "") if tone else marks)
        encoded += base.encode("cp1258") + tone.encode("cp1258")
    return encoded


OLD_ENCODING = {
    "columns": {
        "Tên dự án": {"to": "title.vi"},
        "Từ năm": {"to": "period.start"},
        "Đến năm": {"to": "period.end"},
    },
    "constants": {"kind": "project", "status": "active", "managed_by": "moit"},
}


def role(partner: str, name: str) -> dict[str, str]:
    return {"partner": partner, "role": name}


LISTS = {
    "a ministry's workbook": OwnList(
        ministry,
        MINISTRY,
        [
            {
                "title": {"vi": "Nâng cao năng lực kiểm định"},
                "identifiers": [{"scheme": "list-ct", "value": "CT-01"}],
                "roles": [role("unido", "funding")],
                "period": "2023-01-15/2026-12-31",
                "status": "active",
            },
            {"title": {"vi": "Hỗ trợ sản xuất sạch hơn"}, "period": "2022-03-01/2025-03-01", "status": "completed"},
            {"title": {"vi": "Lưới điện nông thôn"}, "period": "2024-05-07/..", "status": "proposed"},
        ],
        ["column_numbers", "headings", "totals"],
        XLSX,
    ),
    "a province's list": OwnList(
        province,
        PROVINCE,
        [
            {"title": {"vi": "Chợ đầu mối"}, "places": ["bac-ninh", "ha-noi"], "period": "2021-07-05/.."},
            {"title": {"vi": "Khuyến công"}, "roles": [role("seco", "counterpart")], "period": "2022-07-24/.."},
        ],
    ),
    "a donor's list": OwnList(
        donor,
        DONOR,
        [
            {
                "roles": [role("moit", "counterpart"), role("unido", "counterpart")],
                "period": "2020-07-01/2023-12-31",
                "status": "completed",
            },
            {"title": {"en": "Green ports"}, "period": "2021-01-02/2025-06-30"},
        ],
        ["left_out"],
    ),
    "a workbook with merged donors": OwnList(
        merged,
        MERGED,
        [
            {"title": {"en": "Steel recycling"}, "roles": [role("unido", "funding")], "period": "2021"},
            {"title": {"en": "Textile effluents"}, "roles": [role("unido", "funding")], "period": "2021"},
            {"title": {"en": "Coffee exports"}, "roles": [role("seco", "funding")], "period": "2022"},
        ],
        ["totals", "merged_filled"],
        XLSX,
    ),
    "a list of tasks": OwnList(
        quarters,
        QUARTERS,
        [{"period": "2024-35", "status": "active"}, {"period": "2023-08", "status": "completed"}],
    ),
    "results": OwnList(
        results, RESULTS, [{"value": 1250, "period": "2021"}, {"value": 2345}, {"value": 1234567}], ["left_out"]
    ),
    "percentages": OwnList(growth, GROWTH, [{"value": 10.5, "unit": "percent"}, {"value": 15.9}], [], XLSX),
    "amounts in billions": OwnList(
        exports, EXPORTS, [{"value": 371_300_000_000}, {"value": 354_700_000_000}], ["totals"]
    ),
    "a list with HXL": OwnList(
        humanitarian,
        HUMANITARIAN,
        [{"period": "2021/2023", "sdgs": ["9", "12"]}, {"period": "2022/2024", "sdgs": ["9"]}],
        ["hxl_row"],
    ),
    "a file of Windows-1258": OwnList(
        old_encoding,
        OLD_ENCODING,
        [{"title": {"vi": "Xúc tiến thương mại"}, "period": "2019/2021"}, {"period": "2020/.."}],
        [],
        f"{CSV}; charset=windows-1258",
    ),
}
