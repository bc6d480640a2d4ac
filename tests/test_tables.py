"""Tables as people keep them: numbers and dates, merged and hidden cells, sheets, headers and encodings."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import BadFile, Invalid, UnsupportedType
from app.exchange.formats.cells.conventions import MAX_COLUMNS, Evidence
from tests.support.tables import read_table, saved, sheets

FIGURE = "id;unit;value\n"
PROJECT = "id,title.vi,period\n"


def values(content: bytes | str, **options: Any) -> list[Any]:
    return [record.get("value") for record in read_table(content, "figures", **options).records]


def periods(content: bytes | str, **options: Any) -> list[Any]:
    return [record.get("period") for record in read_table(content, **options).records]


def test_a_number_with_two_readings_is_refused_with_both() -> None:
    table = read_table(FIGURE + "a;enterprise;2.345\nb;enterprise;1,000\n", "figures")
    assert table.errors == [("C2", "two_readings"), ("C3", "two_readings")]
    assert "2345 or 2.345" in table.lines[0].errors[0].detail
    assert table.records == [{"id": "a", "unit": "enterprise"}, {"id": "b", "unit": "enterprise"}]


def test_the_convention_of_numbers_is_stated_or_proved_by_the_column() -> None:
    rows = FIGURE + "a;enterprise;2.345\nb;enterprise;1.000\n"
    assert values(rows, decimal="comma") == [2345, 1000]
    assert values(rows, decimal="point") == [2.345, 1]
    proved = read_table(rows + "c;enterprise;1.234.567\n", "figures")
    assert [record["value"] for record in proved.records] == [2345, 1000, 1234567]
    assert proved.report.columns[2].read_by == ["comma: proved by other cells"]
    assert values(rows + "c;enterprise;12.5\n") == [2.345, 1, 12.5]
    assert values(rows + "c;enterprise;12.5\nd;enterprise;12,5\n") == [None, None, 12.5, 12.5]
    other_column = "id;unit;value;value_high\na;enterprise;2.345;12,5\n"
    assert read_table(other_column, "figures").errors == [("C2", "two_readings")]


def test_a_number_that_does_not_fit_the_stated_convention_is_refused() -> None:
    table = read_table(FIGURE + "a;enterprise;12.5\n", "figures", decimal="comma")
    assert table.errors == [("C2", "two_readings")]
    assert "decimal=comma" in table.lines[0].errors[0].detail


def test_a_number_that_is_too_large_stays_a_text() -> None:
    assert values(FIGURE + f"a;enterprise;{'9' * 50}\nb;USD;12 nghìn tỷ\n") == ["9" * 50, 12 * 10**12]
    assert values(FIGURE + "a;USD;9.000.000 tỷ\n") == ["9.000.000 tỷ"]


def test_the_proofs_of_a_wide_table_are_bounded() -> None:
    evidence = Evidence()
    for column in range(5_000):
        evidence.add(column, "12,5")
    assert len(evidence.proofs) == MAX_COLUMNS


def test_a_percentage_needs_the_unit_percent() -> None:
    assert values(FIGURE + "a;percent;15,9%\n") == [15.9]
    assert read_table(FIGURE + "a;enterprise;15,9%\nb;;15,9%\n", "figures").errors == [
        ("C2", "other_unit"),
        ("C3", "other_unit"),
    ]


@pytest.mark.parametrize(
    ("column", "value", "number_format", "expected"),
    [
        ("sdgs.0", 17.1, "General", ("two_readings", "17.1 / 17.10")),
        ("sdgs.0", 8.1, "0.000", ("two_readings", "8.1 / 8.10")),
        ("sdgs.0", 17.1, "0.00", "17.10"),
        ("sdgs.0", 17.1, "0.0", "17.1"),
        ("sdgs.0", 17.15, "0.0", "17.15"),
        ("sdgs.0", 9.3, "General", "9.3"),
        ("sdgs", 17.1, "General", ("two_readings", "17.1 / 17.10")),
        ("sdgs.0", 9, "0.0", "9"),
        ("sectors.0", 32120, "General", "32120"),
        ("sectors.0", 32120, "0.00", "32120"),
        ("identifiers.0.value", 12.1, "General", ("two_readings", "zeros at the end")),
        ("identifiers.0.value", 12.1, "0.00", "12.10"),
        ("identifiers.0.value", 12, "0", "12"),
        ("identifiers.0.value", 12, "00000", "00012"),
        ("identifiers.0.value", 1234567890123456, "0", ("two_readings", "15 digits")),
        ("title.vi", 12.1, "General", "12.1"),
    ],
)
def test_a_number_is_a_code_only_if_no_digit_can_be_lost(
    column: str, value: Any, number_format: str, expected: Any
) -> None:
    book = sheets(data=[["id", column], ["a", value]])
    book["data"]["B2"].number_format = number_format
    table = read_table(saved(book))
    if isinstance(expected, tuple):
        assert table.errors == [("B2", expected[0])]
        assert expected[1] in table.lines[0].errors[0].detail
        return
    found: Any = table.records[0]
    for step in column.split("."):
        found = found[int(step) if step.isdecimal() else step]
    assert (table.errors, found) == ([], expected)


def formatted(value: Any, number_format: str, unit: str | None) -> bytes:
    book = sheets(data=[["id", "unit", "value"], ["a", unit, value]])
    book["data"]["C2"].number_format = number_format
    return saved(book)


@pytest.mark.parametrize(
    ("value", "number_format", "unit", "expected"),
    [
        (0.159, "0.0%", "percent", 15.9),
        (0.07, "0%", "percent", 7),
        (15.9, '0.0"%"', "percent", 15.9),
        (15.9, "0.0\\%", "percent", 15.9),
        (5, "[$¥-411]#,##0", "JPY", 5),
        (5, '"$"#,##0', "USD", 5),
        (5, "#,##0\\ [$₫-42A]", "VND", 5),
        (5, "[$-409]#,##0", "enterprise", 5),
        (5, '_-* #,##0\\ "₫"_-', "VND", 5),
        (5, '0 "doanh nghiệp"', "enterprise", 5),
        (1000, "#,##0", "enterprise", 1000),
    ],
)
def test_formats_of_cells_fit_their_units(value: Any, number_format: str, unit: str, expected: Any) -> None:
    assert values(formatted(value, number_format, unit)) == [expected]


@pytest.mark.parametrize(
    ("value", "number_format", "unit", "code"),
    [
        (0.159, "0.0%", "enterprise", "other_unit"),
        (0.159, "0.0%", None, "other_unit"),
        (5, "[$¥-411]#,##0", "USD", "other_unit"),
        (5, "€#,##0", "USD", "other_unit"),
        (5, "[$USD] #,##0", "VND", "other_unit"),
        (265, '0 "tỷ"', "USD", "shown_otherwise"),
        (265, '#,##0\\ "tr.đ"', "VND", "shown_otherwise"),
    ],
)
def test_formats_of_cells_that_do_not_fit_are_refused(value: Any, number_format: str, unit: str, code: str) -> None:
    assert read_table(formatted(value, number_format, unit), "figures").errors == [("C2", code)]


def test_a_currency_without_a_unit_is_a_warning() -> None:
    (line,) = read_table(formatted(5, "[$¥-411]#,##0", None), "figures").lines
    assert ([each.code for each in line.warnings], line.errors) == (["other_unit"], ())


def test_a_date_with_two_readings_is_refused_with_both() -> None:
    table = read_table(PROJECT + "a,A,05/07/2014\n")
    assert table.errors == [("C2", "two_readings")]
    assert "2014-07-05 (day first) or 2014-05-07" in table.lines[0].errors[0].detail


def test_the_order_of_dates_is_stated_or_proved_by_the_column() -> None:
    rows = PROJECT + "a,A,05/07/2014\n"
    assert periods(rows, dates="dmy") == ["2014-07-05"]
    assert periods(rows, dates="mdy") == ["2014-05-07"]
    assert periods(rows + "b,B,24/07/2014\n") == ["2014-07-05", "2014-07-24"]
    assert periods(rows + "b,B,07/24/2014\n") == ["2014-05-07", "2014-07-24"]
    assert periods(rows + "b,B,07/24/2014\nc,C,24/07/2014\n") == [None, "2014-07-24", "2014-07-24"]
    assert read_table(PROJECT + "a,A,24/07/2014\n", dates="mdy").errors == [("C2", "two_readings")]


def test_dates_of_cells_and_vietnamese_forms_are_read() -> None:
    book = sheets(data=[["id", "period"], ["a", date(2014, 7, 5)], ["b", "quý III/2024"], ["c", 2024], ["d", 45_292]])
    table = read_table(saved(book))
    assert [record.get("period") for record in table.records] == ["2014-07-05", "2024-35", "2024", None]
    assert table.errors == [("B5", "invalid_value")]


def test_start_and_end_can_be_two_columns() -> None:
    header = "id,title.vi,period.earliest,period.latest\n"
    rows = "a,A,24/07/2014,2026-12-31\nb,B,2024,\nc,C,,2025\nd,D,2024,2024\n"
    assert periods(header + rows) == ["2014-07-24/2026-12-31", "2024/..", "../2025", "2024"]


def test_cells_that_are_merged_over_rows_are_filled() -> None:
    rows = [["id", "period", "title.vi"], ["a", 2024, "A"], ["b", None, "B"], [], ["c", None, "C"], ["d", None, "D"]]
    book = sheets(data=rows)
    book["data"].merge_cells("B2:B5")
    table = read_table(saved(book))
    assert [record.get("period") for record in table.records] == ["2024", "2024", "2024", None]
    assert table.warned == ["merged_filled"]


def test_a_number_that_is_merged_over_rows_is_refused() -> None:
    book = sheets(data=[["id", "value", "unit"], ["a", 900, "USD"], ["b", None, "USD"], ["c", 5, "USD"]])
    book["data"].merge_cells("B2:B3")
    table = read_table(saved(book), "figures")
    assert table.errors == [("B2", "merged_cells"), ("B3", "merged_cells")]


def test_cells_that_are_merged_over_columns_are_headings_or_refused() -> None:
    book = sheets(
        data=[["id", "title.vi", "status"], ["I. Dự án ODA", None, None], ["a", "A", "active"], ["b", "B", None]]
    )
    book["data"].merge_cells("A2:C2")
    book["data"].merge_cells("B4:C4")
    table = read_table(saved(book))
    assert (table.warned, table.errors) == (["headings"], [("B4", "merged_cells")])
    assert [line.number for line in table.lines] == [3, 4]


def test_what_a_workbook_hides_is_reported() -> None:
    book = sheets(data=[["id", "title.vi", "status"], ["a", "A", "active"], ["b", "B", "active"]])
    book["data"].row_dimensions[3].hidden = True
    book["data"].column_dimensions["C"].hidden = True
    table = read_table(saved(book))
    assert table.warned == ["hidden_rows", "hidden_columns"]
    assert [each.detail.rpartition(": ")[2] for each in table.report.warnings] == ["3.", "C."]


def test_cells_beyond_the_header_are_reported() -> None:
    book = sheets(data=[["id", "title.vi"], ["a", "A", None, None, "a note"], ["b", "B"]])
    first, second = read_table(saved(book)).lines
    assert (first.errors, second.warnings) == ((), ())
    assert [(each.code, "column E" in each.detail) for each in first.warnings] == [("unknown_column", True)]
    (line,) = read_table("id,title.vi\na,Cảng, xanh\n").lines  # the comma of the text has moved the cells
    assert [each.code for each in line.errors] == ["unknown_column"]


def test_formulas_without_values_and_errors_are_refused() -> None:
    book = sheets(data=[["id", "period", "title.vi"], ["a", "=2020+4", "A"], ["b", "#N/A", "B"], ["c", "=A1", None]])
    assert read_table(saved(book)).errors == [("B2", "no_value"), ("B3", "invalid_value"), ("B4", "no_value")]


def test_the_sheet_and_the_header_are_recognised() -> None:
    table = [["DANH MỤC DỰ ÁN"], ["(Kèm theo Quyết định)"], [], ["STT", "id", "title.vi"], [1, "a", "A"]]
    book = sheets(bìa=[["Báo cáo năm 2024"]], dữ_liệu=table, mã=[["id"], ["active"]])
    book["mã"].sheet_state = "hidden"
    read = read_table(saved(book))
    assert (read.report.sheet, read.report.header_row, read.warned) == ("dữ_liệu", 4, [])
    assert [(line.number, record) for line, record in zip(read.lines, read.records, strict=True)] == [
        (5, {"id": "a", "title": {"vi": "A"}})
    ]
    assert [(each.letter, each.header, each.path) for each in read.report.columns] == [
        ("A", "STT", None), ("B", "id", "id"), ("C", "title.vi", "title.vi"),
    ]  # fmt: skip


def test_the_sheet_and_the_header_can_be_stated() -> None:
    rows = [["id", "title.vi"], ["a", "A"], ["id", "title.en"], ["b", "B"]]
    content = saved(sheets(one=rows, two=[["id", "title.vi"], ["c", "C"]]))
    first = read_table(content)
    assert (first.report.sheet, first.warned) == ("one", ["other_sheets"])
    assert read_table(content, sheet="TWO").records == [{"id": "c", "title": {"vi": "C"}}]
    assert read_table(content, sheet="2").report.sheet == "two"
    assert read_table(content, header_row=3).records == [{"id": "b", "title": {"en": "B"}}]
    with pytest.raises(Invalid) as refused:
        read_table(content, sheet="three")
    assert "«one», «two»" in refused.value.errors[0].detail
    with pytest.raises(Invalid, match="one error"):
        read_table("id\na\n", sheet="1")
    with pytest.raises(Invalid) as refused:
        read_table(content, sheet="two", header_row=2)
    assert "Row 2 of the sheet «two»" in refused.value.errors[-1].detail


@pytest.mark.parametrize(
    ("content", "header_row"),
    [
        ("sep=;\nid;title.vi\na;A\n", 2),
        ('"sep=;"\r\nid;title.vi\r\na;A\r\n', 2),
        ("Danh mục, năm 2024, có phẩy\n\nid;title.vi\na;A\n", 3),
        ("id|title.vi\na|A\n", 1),
        ("id\ttitle.vi\na\tA\n", 1),
        ("id,title.vi\n#meta+id,#activity+name+vi\na,A\n", 1),
        ("STT,id,title.vi\n(1),(2),(3)\n1,a,A\n,Tổng cộng,1\n", 1),
    ],
)
def test_what_people_add_to_a_table_is_no_record(content: str, header_row: int) -> None:
    table = read_table(content)
    assert table.report.header_row == header_row
    assert [record["title"] for record in table.records if record.get("id") == "a"] == [{"vi": "A"}]


def test_rows_that_are_left_out_are_reported() -> None:
    table = read_table("id,title.vi,status\n#meta+id,#x,#y\na,A,active\n,Tổng cộng,2\n")
    assert (table.warned, len(table.lines)) == (["hxl_row", "totals"], 1)
    assert "4." in table.report.warnings[1].detail


def test_columns_can_be_left_out() -> None:
    header = "STT,id,title.vi,Ghi chú,kept\n1,a,A,x,y\n"
    with pytest.raises(Invalid):
        read_table(header)
    for ignore in ("ghi  CHÚ,kept", "D,E", "Ghi chú, e"):
        assert read_table(header, ignore=ignore).records == [{"id": "a", "title": {"vi": "A"}}]


@pytest.mark.parametrize(
    ("encoding", "charset"),
    [("utf-8-sig", ""), ("utf-16", ""), ("utf-16-le", "utf-16le"), ("cp1252", "windows-1252"), ("utf-16", "utf-8")],
)
def test_encodings_are_marked_or_stated(encoding: str, charset: str) -> None:
    content = "id;title.en\na;Café\n"
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b""
    assert read_table(mark + content.encode(encoding), charset=charset).records[0]["title"] == {"en": "Café"}


def test_letters_of_windows_1258_are_composed() -> None:
    content = "id,title.vi\na,Bô\u0323 Công Thương\n".encode("cp1258")
    assert read_table(content, charset="windows-1258").records[0]["title"] == {"vi": "Bộ Công Thương"}


def test_other_encodings_are_refused() -> None:
    with pytest.raises(UnsupportedType, match="windows-1258"):
        read_table("id\n", charset="utf-7")
    with pytest.raises(BadFile, match="charset"):
        read_table("id,title.vi\na,Café\n".encode("cp1252"))


def test_garbled_texts_are_refused_with_the_way_to_save_them() -> None:
    table = read_table("id,title.vi,title.en\na,Bé C«ng Th­¬ng,x\nb,Bá»™ CÃ´ng ThÆ°Æ¡ng,x\n")
    assert table.errors == [("B2", "garbled_text"), ("B3", "garbled_text")]
    assert "UniKey" in table.lines[0].errors[0].detail
    assert "UTF-8" in table.lines[1].errors[0].detail


INPUTS = Path(__file__).parents[2] / "shared" / "public-inputs"
EXPECTED: dict[str, tuple[dict[str, str], list[tuple[str, str]], dict[str, Any] | None]] = {
    "02-thousands-semicolon.csv": ({}, [("H2", "two_readings"), ("H3", "two_readings")], None),
    "03-percent-cell.xlsx": ({}, [], {"value": 15.9, "unit": "percent"}),
    "04-formula-without-value.xlsx": ({}, [("F2", "no_value")], None),
    "05-merged-partner.xlsx": ({}, [], {"id": "in05-a"}),
    "09a-cover-sheet-first.xlsx": ({}, [], {"id": "in09-a"}),
    "09c-title-rows-above-header.xlsx": ({}, [], {"id": "in09-c"}),
    "10-day-first-dates.csv": ({}, [], {"period": "2014-07-24"}),
    "10-two-date-columns.csv": ({}, [], {"period": "2024-01-01/2026-12-31"}),
    "16-sep-line.csv": ({}, [], {"id": "in16-a"}),
    "20-own-columns.csv": ({"ignore": "Ghi chú"}, [], {"id": "in20-a"}),
}


@pytest.mark.skipif(not INPUTS.is_dir(), reason="the folder of small inputs is not beside the repository")
@pytest.mark.parametrize("name", EXPECTED)
def test_small_inputs_are_read_or_refused(name: str) -> None:
    options, errors, members = EXPECTED[name]
    resource = "figures" if name.startswith(("02", "03")) else "projects"
    table = read_table((INPUTS / name).read_bytes(), resource, **options)
    assert table.errors == errors
    for record in table.records if members else ():
        assert "roles" in record or not name.startswith("05")
    if members:
        assert {key: table.records[0][key] for key in members} == members
