"""Files to import: JSON Lines, CSV and XLSX as people and programs write them, templates, and what is no such file."""

import csv
import io
import time
import zipfile
from datetime import date, datetime
from typing import Any

import pytest
from openpyxl import load_workbook
from starlette.testclient import TestClient

from app.catalogue import RESOURCES as ALL
from app.core.database.engine import Database
from app.core.model.resource import RESOURCES
from app.core.values.codelists import ALL as CODE_LISTS
from app.exchange.formats.columns import Columns
from app.exchange.formats.media_types import CSV, JSON_LINES, XLSX
from app.exchange.formats.row_records import row_record
from app.exchange.formats.schema_paths import column_names, kind_of
from app.exchange.formats.source import Row
from app.exchange.formats.table_report import column_of
from tests.support.databases import url_of
from tests.support.http import client_of, get, problem
from tests.support.imports import PORTS, counts, ended, lines_of, send, workbook
from tests.support.keys import Key, key_of
from tests.support.log import count_changes

HEADER = "id;title.vi;title.en;kind;status;period;places.0;places.2;roles.0.partner;roles.0.role;sdgs.0;managed_by"
ROWS = (
    'port-a;"Cảng ""A""; phía Bắc";;project;active;2022-02;;da-nang;UNIDO;lead;9;',
    ";;;;;;;;;;;",
    'port-b;"Cảng\nB";Port B;project;active;;;;;;;unido',
)
TABLE = "\r\n".join([HEADER, *ROWS, ""])


def as_written(table: str) -> dict[str, bytes]:
    commas = io.StringIO()
    csv.writer(commas).writerows(csv.reader(io.StringIO(table), delimiter=";"))
    return {"plain": table.encode(), "excel": b"\xef\xbb\xbf" + table.encode(), "commas": commas.getvalue().encode()}


@pytest.mark.parametrize("name", ["plain", "excel", "commas"])
def test_a_table_is_read_as_it_is_written(registry: TestClient, seeded_database: Database, name: str) -> None:
    key = key_of(seeded_database, "records:write:own", partner="unido")
    content = as_written(TABLE)[name]
    found, lines = ended(registry, key, content, "?resource=projects", CSV)
    assert (found["status"], counts(found)) == ("done", (2, 0, 0, 0)), lines
    assert [line["number"] for line in lines] == [2, 4]
    shown = get(registry, "/v1/projects/port-a")
    assert shown["title"] == {"vi": 'Cảng "A"; phía Bắc'}
    assert (shown["places"], shown["roles"]) == (["da-nang"], [{"partner": "unido", "role": "lead"}])
    assert (shown["sdgs"], shown["period"]["edtf"], shown["managed_by"]) == (["9"], "2022-02", "unido")
    assert get(registry, "/v1/projects/port-b")["title"] == {"vi": "Cảng\nB", "en": "Port B"}
    again, _ = ended(registry, key, content, "?resource=projects", CSV)
    assert counts(again) == (0, 0, 2, 0)


def test_an_empty_cell_says_nothing(registry: TestClient, editor: Key) -> None:
    registry.put("/v1/projects/green-ports", json=PORTS, headers=editor)
    table = "id,title.vi,title.en,status,description.en,managed_by\ngreen-ports,Cảng biếc,,,,\n"
    _, lines = ended(registry, editor, table.encode(), "?resource=projects", CSV)
    assert lines[0]["diff"] == [{"pointer": "/title/vi", "before": "Cảng xanh", "after": "Cảng biếc"}]


def test_a_mistake_in_a_table_names_line_and_column(registry: TestClient, editor: Key) -> None:
    table = "id,title.vi,kind,status,places.1,places.3,period,managed_by\n\n"
    table += "a,A,project,nope,da-nang,atlantis,2028/2026,unido\n"
    found, lines = ended(registry, editor, table.encode(), "?resource=projects", CSV)
    assert found["status"] == "refused"
    assert {(each["column"], each["pointer"]) for each in lines[0]["errors"]} == {
        ("status", "/status"), ("period", "/period"), ("places.3", "/places/1"),
    }  # fmt: skip
    assert lines[0]["number"] == 3
    assert {each["cell"] for each in lines[0]["errors"]} == {"D3", "G3", "F3"}
    assert found["table"]["columns"][3] == {"letter": "D", "header": "status", "path": "status", "read_by": []}
    assert (found["table"]["header_row"], found["table"]["sheet"], lines[0]["warnings"]) == (1, None, [])


def test_cells_of_a_workbook_come_as_what_they_are(registry: TestClient, editor: Key) -> None:
    header = ["id", "indicator", "kind", "value", "unit", "period", "as_written", "text.en", "managed_by"]
    rows = [
        ["f-1", "enterprises-supported", "actual", 12.5, "enterprise", date(2022, 2, 28), 12, None, "unido"],
        [],
        [
            "f-2",
            "enterprises-supported",
            "actual",
            -3,
            "enterprise",
            datetime(2022, 2, 28, 14, 15),  # noqa: DTZ001 - cells have no zone
            True,
            "=1+1",
            "unido",
        ],
        ["f-3", "enterprises-supported", "actual", "7", "enterprise", 2022, 12.5, " x ", "unido"],
        ["f-4", "enterprises-supported", "actual", "#REF!", "enterprise", None, None, None, "unido"],
    ]
    book = load_workbook(io.BytesIO(workbook(header, *rows)))
    for number, (value, shown_as) in enumerate(((0.1 + 0.2, "yyyy-mm"), (5, "[$-42A]mmm\\ yy;@"), (6, "yyyy")), 7):
        row = [
            f"f-{number}",
            "enterprises-supported",
            "actual",
            value,
            "enterprise",
            date(2026, 5, 1),
            None,
            None,
            "unido",
        ]
        for column, cell in enumerate(row, 1):
            book.worksheets[0].cell(number, column, cell)
        book.worksheets[0].cell(number, 6).number_format = shown_as
    file = io.BytesIO()
    book.save(file)
    content = file.getvalue()
    _found, lines = ended(registry, editor, content, "?resource=figures&mode=rows", XLSX)
    assert [(line["number"], line["verdict"]) for line in lines] == [
        (2, "created"), (4, "refused"), (5, "created"), (6, "refused"),
        (7, "created"), (8, "created"), (9, "created"),
    ], lines  # fmt: skip
    assert [(each["code"], each["cell"]) for each in lines[1]["errors"]] == [("no_value", "H4")]
    assert lines[3]["errors"][0]["column"] == "value"
    shown = [get(registry, f"/v1/figures/f-{number}") for number in (1, 3)]
    assert [each["value"] for each in shown] == [12.5, 7]
    assert [each["period"]["edtf"] for each in shown] == ["2022-02-28", "2022"]
    shown_so = [get(registry, f"/v1/figures/f-{number}") for number in (7, 8, 9)]
    assert [each["value"] for each in shown_so] == [0.3, 5, 6]
    assert [each["period"]["edtf"] for each in shown_so] == ["2026-05", "2026-05", "2026"]
    assert [each["as_written"] for each in shown] == ["12", "12.5"]
    assert [each["text"] for each in shown] == [None, {"en": "x"}]


@pytest.mark.parametrize("resource", ALL, ids=lambda resource: resource.name)
def test_every_column_of_a_template_is_a_place_in_a_record(client: TestClient, resource: Any) -> None:
    plain = client.get(f"/v1/imports/templates/{resource.name}.csv")
    assert plain.headers["content-type"] == "text/csv; charset=utf-8"
    (header,) = csv.reader(io.StringIO(plain.content.decode("utf-8-sig")))
    assert header == list(column_names(resource))
    assert len(Columns(resource, header).columns) == len(header)
    members = {entry.alias or name for name, entry in resource.fields.model_fields.items()}
    assert {name.partition(".")[0] for name in header} == members - {"breakdown", "merged_into"} | {"id"} | (
        members & {"merged_into"}
    )
    rich = client.get(f"/v1/imports/templates/{resource.name}.xlsx")
    assert rich.headers["content-type"] == XLSX
    sheet, about, codes = load_workbook(io.BytesIO(rich.content)).worksheets
    assert [cell.value for cell in sheet[1]] == header
    assert [row[0].value for row in about.iter_rows(min_row=2)] == header
    rules = {rule.promptTitle: rule for rule in sheet.data_validations.dataValidation}
    assert all(rules[name[:32]].prompt for name in header)
    for name, _, _, codelist, meaning in about.iter_rows(min_row=2, values_only=True):
        assert meaning, name
        if codelist:
            choices = rules[name[:32]].formula1.removeprefix("codes!").replace("$", "")
            offered = [row[0].value for row in codes[choices]]
            assert [text.partition(" | ")[0] for text in offered] == list(CODE_LISTS[codelist].codes)


def test_a_choice_of_a_template_stands_for_its_code(registry: TestClient, editor: Key) -> None:
    rows = [
        ["id", "title.en", "kind", "status", "managed_by"],
        ["chosen", "A | B", "project | Dự án", "active | Đang thực hiện | Active", "unido"],
    ]
    table = io.StringIO()
    csv.writer(table).writerows(rows)
    result, lines = ended(registry, editor, table.getvalue().encode(), "?resource=projects", CSV)
    assert counts(result) == (1, 0, 0, 0), lines[0]["errors"]
    record = get(registry, "/v1/projects/chosen")
    assert (record["kind"], record["status"], record["title"]) == ("project", "active", {"en": "A | B"})


def test_a_template_that_is_not_there(client: TestClient) -> None:
    for name in ("projects", "projects.pdf", "nothing.csv", "%00.csv", ".csv"):
        problem(client.get(f"/v1/imports/templates/{name}"), 404, "not_found")


def test_columns_lead_back_from_pointers() -> None:
    columns = Columns(RESOURCES["projects"], ["roles.3.partner", "roles.1.partner", "title.vi", "places.10"])
    read = row_record(columns, Row(2, ["b", "a", "x", "p"]))
    given, moved = read.record, read.moved
    assert given == {"roles": [{"partner": "a"}, {"partner": "b"}], "title": {"vi": "x"}, "places": ["p"]}
    assert column_of("/roles/1/partner", moved) == "roles.3.partner"
    assert column_of("/places/0", moved) == "places.10"
    assert column_of("/title/vi", moved) == "title.vi"
    kinds = {"value": "number", "citations.0.paragraph": "integer", "period": "string", "places": None, "title": None}
    kinds |= {"breakdown.sex": "string", "title.english": None, "places.01": None, "places.1000": None, "": None}
    figures = {name: kind_of(RESOURCES["figures"], tuple(name.split("."))) for name in kinds if "title" not in name}
    assert figures == {name: kind for name, kind in kinds.items() if "title" not in name}


@pytest.mark.parametrize(
    ("header", "code", "hint"),
    [
        ("id,titel.vi", "unknown_column", "Did you mean title.vi?"),
        ("id,zq7", "unknown_column", "Column 2"),
        ("id,,kind", "unknown_column", "Column 2"),
        ("id,id", "repeated", "same name"),
        ("title", "unknown_column", "Column 1"),
        (",".join(f"places.{number}" for number in range(1001)), "unknown_column", "1 to 1000 names"),
        ("zq7," * 15_000, "unknown_column", "1 to 1000 names"),
        ('""', "unknown_column", "1 to 1000 names"),
    ],
)
def test_columns_that_are_none_are_told_at_once(
    registry: TestClient, editor: Key, header: str, code: str, hint: str
) -> None:
    for content, kind in ((header.encode(), CSV), (workbook(header.strip('"').split(",")), XLSX)):
        found = problem(send(registry, editor, content, "?resource=projects", kind), 422, "invalid")
        assert any(each["code"] == code and hint in each["detail"] for each in found["errors"]), found
        assert "zq7" not in str(found)
    assert get_all(registry, editor) == []


def get_all(client: TestClient, key: Key) -> Any:
    return client.get("/v1/imports", headers=key).json()["items"]


LONE = b'{"resource":"projects","id":"x","title":{"vi":"\\ud800"}}'
BAD_LINES: dict[bytes, str] = {
    b"{": "bad_line",
    b"[]": "bad_line",
    b'"x"': "bad_line",
    b"null": "bad_line",
    b"\xff\xfe": "bad_line",
    b"{}": "unknown_resource",
    b'{"resource":"nothing"}': "unknown_resource",
    b'{"resource":["projects"]}': "unknown_resource",
    b'{"resource":"projects","id":7}': "invalid_value",
    b'{"resource":"projects","id":"Not an id"}': "invalid_value",
    b'{"resource":"projects","id":"imports"}': "invalid_value",
    b'{"resource":"projects","id":"x","version":"1"}': "invalid_value",
    b'{"resource":"projects","id":"x","version":NaN}': "bad_line",
    b'{"resource":"projects","id":"x","version":9223372036854775808}': "bad_line",
    b'{"resource":"projects","id":"x","id":"x"}': "bad_line",
    b'{"resource":"projects","id":"x","title":{"vi":"\\u0000"}}': "invalid_value",
    LONE: "invalid_value",
    b'{"resource":"projects","id":"x","zq 7":1}': "unknown_member",
    b'{"resource":"projects","id":"y","roles":[7,{"partner":9}],"places":7,"managed_by":{}}': "invalid_value",
    b'{"resource":"projects","identifiers":[7,{"scheme":1}],"title":[]}': "invalid_value",
    b'{"resource":"partners","name":{"vi":7},"aliases":[7]}': "invalid_value",
    b'{"resource":"projects","id":"x","places":' + b"[" * 200 + b"]" * 200 + b"}": "bad_line",
    b'{"resource":"projects","id":"x","places":' + b"[" * 100_000: "bad_line",
    b'{"resource":"projects","id":"x","description":"' + b"x" * 1_000_001 + b'"}': "bad_line",
}


def test_each_bad_line_is_refused_for_itself(registry: TestClient, editor: Key, seeded_database: Database) -> None:
    before = count_changes(seeded_database)
    content = b"\xef\xbb\xbf\r\n" + b"\n\r\n".join([*BAD_LINES, lines_of({**PORTS, "id": "good"})])
    _found, lines = ended(registry, editor, content, "?mode=rows")
    told = [{each["code"] for each in line["errors"]} for line in lines[:-1]]
    wanted = list(BAD_LINES.values())
    assert [(n, codes) for n, codes in enumerate(told) if wanted[n] not in codes] == []
    assert lines[-1]["verdict"] == "created"
    assert "zq 7" not in str(lines)
    assert [line["number"] for line in lines][:3] == [2, 4, 6]
    assert count_changes(seeded_database) == before + 1


def packed(**parts: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return file.getvalue()


def replaced(book: bytes, name: str, old: bytes, new: bytes) -> bytes:
    """A workbook with something else in one of its parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as archive, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as other:
        for part in archive.namelist():
            content = archive.read(part)
            other.writestr(part, content.replace(old, new) if part == name else content)
    return file.getvalue()


BOOK = workbook(["id", "title.en"], ["x", "y"])
SHEET = "xl/worksheets/sheet1.xml"
BAD_FILES: dict[str, tuple[bytes, str, int]] = {
    "nothing": (b"", CSV, 400),
    "UTF-16 without a mark": ("id,kind\nx,y\n".encode("utf-16-be"), CSV, 422),
    "Latin-1": (b"id,kind\nx,\xe9\n", CSV, 400),
    "an open quote": (b'id,kind\n"x,y\n', CSV, 400),
    "letters behind a quote": (b'id,kind\n"x"y,z\n', CSV, 400),
    "a long row": (b"id,kind\n" + b"," * 2_000_000, CSV, 400),
    "a row of many lines": (b"id,kind\n" + b',"\n"' * 500_000, CSV, 400),
    "a large cell": (b"id,kind\nx," + b"y" * 200_000, CSV, 400),
    "UTF-16 lines": ("{}\n".encode("utf-16"), JSON_LINES, 400),
    "no workbook": (b"PK\x03\x04", XLSX, 400),
    "an empty archive": (packed(), XLSX, 400),
    "another archive": (packed(x_xml=b"<x/>"), XLSX, 400),
    "half a workbook": (BOOK[: len(BOOK) // 2], XLSX, 400),
    "a broken sheet": (replaced(BOOK, SHEET, b"</sheetData>", b"<row"), XLSX, 400),
    "entities": (replaced(BOOK, SHEET, b"<worksheet", b'<!DOCTYPE x [<!ENTITY y "z">]><worksheet'), XLSX, 400),
    "a row of cells without end": (replaced(BOOK, SHEET, b"</row>", b"<c/>" * 200_000 + b"</row>"), XLSX, 413),
    "marks outside of rows": (replaced(BOOK, SHEET, b"<sheetData>", b"<a/>" * 3_100_000 + b"<sheetData>"), XLSX, 413),
    "styles without end": (replaced(BOOK, "xl/styles.xml", b"<fonts", b"<a/>" * 1_600_000 + b"<fonts"), XLSX, 413),
    "rows of a part that is read whole": (
        replaced(BOOK, "xl/workbook.xml", b"<sheets>", b"<sheetData><row/></sheetData>" * 800_000 + b"<sheets>"),
        XLSX,
        413,
    ),
    "a long mark": (replaced(BOOK, SHEET, b"<sheetData>", b'<a b="%s"/><sheetData>' % (b"x" * 3_000_000)), XLSX, 413),
    "entities in what is read whole": (
        replaced(BOOK, "xl/styles.xml", b"<styleSheet", b'<!DOCTYPE x [<!ENTITY y "z">]><styleSheet'),
        XLSX,
        400,
    ),
    "too many parts": (packed(**{f"x{number}": b"" for number in range(1001)}), XLSX, 413),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_none_is_refused_whole(registry: TestClient, editor: Key, name: str) -> None:
    content, kind, status = BAD_FILES[name]
    query = "" if kind == JSON_LINES else "?resource=projects"
    csv.field_size_limit(1_000_000_000)  # as libraries do when they are imported
    found = send(registry, editor, content, query, kind)
    assert found.status_code == status, found.text
    assert found.headers["content-type"] == "application/problem+json"
    assert get_all(registry, editor) == []


def test_a_date_without_a_format_of_dates_is_whole(registry: TestClient, editor: Key) -> None:
    header = ["id", "title.en", "kind", "status", "period", "managed_by"]
    book = workbook(header, ["dated", "Dated", "project", "active", 7, "unido"])
    dated = b'<c r="E2" t="d"><v>2026-05-17T00:00:00</v></c>'
    content = replaced(book, SHEET, b'<c r="E2" t="n"><v>7</v></c>', dated)
    _, lines = ended(registry, editor, content, "?resource=projects", XLSX)
    assert lines[0]["verdict"] == "created"
    assert get(registry, "/v1/projects/dated")["period"]["edtf"] == "2026-05-17"


@pytest.mark.slow
def test_a_workbook_may_name_far_rows_and_columns(registry: TestClient, editor: Key) -> None:
    far = replaced(BOOK, SHEET, b'r="2"', b'r="1048570"')
    beyond = replaced(BOOK, SHEET, b'r="2"', b'r="999999999999"')
    began = time.process_time()
    for content in (far, beyond):
        answered = send(registry, editor, content, "?resource=projects&dry_run=true", XLSX)
        assert answered.status_code in (202, 400), answered.text
    assert time.process_time() - began < 20


def test_sizes_and_types_are_bounded(seeded_database: Database, editor: Key) -> None:
    with client_of(url_of(seeded_database), max_import=5_000) as client:
        content = lines_of(*[{**PORTS, "id": f"x-{number}"} for number in range(50)])
        problem(send(client, editor, content), 413, "too_large")
        problem(
            client.post(
                "/v1/imports",
                content=iter([content[:3000], content[3000:]]),
                headers={**editor, "Content-Type": JSON_LINES},
            ),
            413,
            "too_large",
        )
        problem(send(client, editor, BOOK + b" " * 5_000, "?resource=projects", XLSX), 413, "too_large")
        for kind in ("application/json", "text/plain", "", "text/csv2"):
            problem(send(client, editor, b"{}", "", kind), 415, "unsupported_type")
        coded = {**editor, "Content-Type": CSV, "Content-Encoding": "gzip"}
        problem(client.post("/v1/imports?resource=projects", content=b"x", headers=coded), 415, "unsupported_type")
        for query, kind in (("", CSV), ("?resource=nothing", CSV), ("?resource=projects", JSON_LINES)):
            found = problem(send(client, editor, b"id\n", query, kind), 422, "invalid")
            assert found["errors"][0]["parameter"] == "resource"
        for query in ("?mode=some", "?dry_run=perhaps", "?zq7=1", "?resource=projects&resource=places"):
            problem(send(client, editor, b"id\n", query, CSV), 422, "invalid")
