"""The report of a table: the letters of its columns, and the column of each value."""

import pytest

from app.exchange.formats.table_report import TableColumn, column_letters, find_column

COLUMNS = [
    TableColumn(letter="A", header="Tên", path="title.vi"),
    TableColumn(letter="B", header="Đối tác", path="roles.3.partner"),
    TableColumn(letter="C", header="Địa điểm", path="places.*"),
    TableColumn(letter="D", header="Bắt đầu", path="period"),
    TableColumn(letter="E", header="Ghi chú", path=None),
]
MOVED = {"/roles/0": "roles.3", "/places/0": "@C", "/places/1": "@C"}


@pytest.mark.parametrize(
    ("pointer", "letter"),
    [
        ("/title/vi", "A"), ("/title", "A"), ("/roles/0/partner", "B"), ("/places/1", "C"), ("/period", "D"),
        ("/period/edtf", "D"), ("/status", None), ("/roles/1/partner", None), ("", None),
    ],
)  # fmt: skip
def test_the_column_of_a_value_is_found(pointer: str, letter: str | None) -> None:
    column = find_column(pointer, MOVED, COLUMNS)
    assert (column and column.letter) == letter


def test_columns_have_the_letters_of_a_spreadsheet() -> None:
    assert [column_letters(number) for number in (1, 26, 27, 52, 703, 16_384)] == ["A", "Z", "AA", "AZ", "AAA", "XFD"]
