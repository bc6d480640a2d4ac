"""Lists as files: CSV, JSON Lines and workbooks, and their way back through an import."""

import csv
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import httpx
import openpyxl
import pytest
from fastapi.testclient import TestClient

from app.catalogue import RESOURCES
from app.core.asgi.rate_limits import RequestMeter
from app.core.database.engine import Database
from app.core.errors import QueryTooSlow, TooMany
from app.exchange.exports import parquet, reading, sending, sheet_rows, tables, temporary_folder, workbook
from app.exchange.exports.reading import read_chunk
from app.exchange.exports.table_columns import Batch, object_decoder, record_columns, record_decoder
from app.exchange.exports.tables import CsvText
from app.exchange.exports.temporary_folder import TemporaryFolder, remove_abandoned_folders
from app.exchange.formats.csv import escaped, unescaped
from app.exchange.formats.media_types import CSV, JSON_LINES, XLSX
from app.figures.models import FIGURES
from tests.support.http import client_of, problem, walk
from tests.support.imports import counts, ended
from tests.support.keys import Key
from tests.support.records import PARTNER, PROJECT
from tests.support.servers import ROOT, server
from tests.support.waiting import eventually

TYPE_OF_CSV = {"Content-Type": CSV}
NAMES = [resource.name for resource in RESOURCES]
PARQUET = "application/vnd.apache.parquet"
FORMATS = {"csv": CSV, "jsonl": JSON_LINES, "xlsx": XLSX}
STYLES = {"csv": "labels=vi", "xlsx": "labels=en&lang=vi", "jsonl": ""}  # an import leaves labels out
FORMULAS = ["=1+1", "+84 24", "-5%", "@home", "'=x", "'", "a=b"]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_fields_that_are_repeated_in_each_row_take_no_memory(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record of 40 kB with 300 roles is a text of 12 MB, and 100 of them are more than a gigabyte."""
    path = "/v1/projects.{}?rows=roles&fields=description,citations"
    expected = client.get(path.format("csv")).text
    sheet = [row for row in cells_of(client.get(path.format("xlsx")).content) if row]
    pieces = small_pieces(monkeypatch)
    assert client.get(path.format("csv") + "&sort=id").text == expected  # not cached
    assert cells_of(client.get(path.format("xlsx") + "&sort=id").content) == sheet
    assert len(pieces) > 10
    assert max(pieces) < 40_000  # one row is not divided
    monkeypatch.setattr(workbook, "MAX_BYTES", 100_000)
    assert client.get(path.format("xlsx") + "&sort=-id").status_code == 413
    for kept in (record_columns, record_decoder, object_decoder):
        assert kept.cache_info().maxsize, "clients choose `fields`, of which there are thousands"


@pytest.mark.parametrize("decoder", [record_decoder, lambda columns: object_decoder(columns, "id")])
def test_cells_are_the_same_from_structures_and_objects(decoder: Any) -> None:
    """Members can be absent or null, in a part of the rows or in all of them."""
    columns = record_columns(FIGURES)
    bodies = (b'{"id":"a","text":{"vi":"x"},"said_by":{"office":{"en":"y"}},"period":null}', b'{"id":"b","text":null}')
    parse = decoder(columns)
    rows = Batch(parse(body) for body in bodies)
    cells = {column.name: list(column.cells(rows)) for column in columns}
    stated = {name: values for name, values in cells.items() if any(values)}
    assert stated == {"id": ["a", "b"], "text.vi": ["x", None], "said_by.office.en": ["y", None]}
    assert set(map(len, cells.values())) == {2}


def small_pieces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let texts be made in small pieces, later ones twice, as if their first reads broke off. Return their sizes."""
    sizes: list[int] = []
    broken_off: set[int] = set()
    make = CsvText._piece

    def piece(text: CsvText, groups: Any, number: int) -> Any:
        made = make(text, groups, number)
        if number and number not in broken_off:
            broken_off.add(number)
            raise QueryTooSlow
        sizes.append(len(made.text))
        return made

    monkeypatch.setattr(CsvText, "_piece", piece)
    monkeypatch.setattr(tables, "MAX_PIECE", 5_000)
    monkeypatch.setattr(sending, "PAUSE", 0)
    return sizes


def cells_of(content: bytes) -> list[Any]:
    return list(openpyxl.load_workbook(io.BytesIO(content))["projects-roles"].iter_rows(values_only=True))


def test_a_download_waits_while_its_client_has_used_up_its_rate_limit(
    seeded: str, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals: list[TooMany] = []
    counted: list[RequestMeter] = []
    expected = {path: client.get(path).text for path in ("/v1/partners.csv", "/v1/iati/loss-report.jsonl")}

    def count(meter: RequestMeter) -> None:
        counted.append(meter)
        if refusals:
            raise refusals.pop()

    monkeypatch.setattr(RequestMeter, "count_again", count)
    monkeypatch.setattr(reading, "MAX_CHUNK", 20)
    monkeypatch.setattr(sending, "PAUSE", 0)
    with client_of(seeded, rate_limit_address=1_000_000) as limited:
        for path, text in expected.items():
            refusals += [TooMany("No units are left.")] * 3
            counted.clear()
            assert limited.get(path).text == text
            assert refusals == []
            assert len(counted) > 4
        monkeypatch.setattr(reading, "MAX_CHUNK", 1_000)
        monkeypatch.setattr(tables, "MAX_PIECE", 5_000)
        counted.clear()
        assert limited.get("/v1/projects.xlsx?rows=roles&fields=description").status_code == 200
        assert len(counted) > 10, "the rows of one chunk are many groups, and each is charged"


@pytest.mark.parametrize("form", FORMATS)
def test_an_exported_table_changes_nothing_when_it_is_imported(
    registry: TestClient, editor: Key, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_CHUNK", 7)
    for name in NAMES:
        exported = registry.get(f"/v1/{name}.{form}?{STYLES[form]}")
        assert exported.status_code == 200
        assert exported.headers["content-type"].startswith(FORMATS[form])
        assert exported.headers["content-disposition"] == f'attachment; filename="{name}.{form}"'
        table = "" if form == "jsonl" else f"?resource={name}"
        result, lines = ended(registry, editor, exported.content, table, FORMATS[form])
        total = registry.get(f"/v1/{name}?limit=1&total=true").json()["total"]
        assert counts(result) == (0, 0, total, 0), (
            name,
            [line for line in lines if line["verdict"] != "unchanged"][:3],
        )


def test_json_lines_are_the_records_of_the_list(client: TestClient) -> None:
    query = "sort=-updated_at&status=active"
    lines = client.get(f"/v1/projects.jsonl?{query}").text.splitlines()
    assert [json.loads(line) for line in lines] == walk(client, f"/v1/projects?{query}")
    chosen = client.get("/v1/projects.jsonl?fields=title&limit=1").json()
    assert set(chosen) == {"id", "title"}


def test_csv_has_a_row_for_each_record_and_a_header_for_none(client: TestClient) -> None:
    items = walk(client, "/v1/figures?kind=actual")
    rows = rows_of(client.get("/v1/figures.csv?kind=actual").text)
    assert [row["id"] for row in rows] == [item["id"] for item in items]
    for row, item in zip(rows, items, strict=True):
        period = item["period"] or {}
        assert row["period"] == period.get("edtf", "")
        assert row["period.earliest"] == (period.get("earliest") or "")
        assert row["value"] == ("" if item["value"] is None else str(item["value"]))
        assert json.loads(row["citations"]) == item["citations"]
        assert [part for part in row["places"].split("; ") if part] == item["places"]
    nothing = client.get("/v1/projects.csv?q=zzzzqqqq&fields=title,period")
    assert nothing.text == "id,title.vi,title.en,period,period.earliest,period.latest\r\n"
    assert client.get("/v1/projects.csv?bom=true&limit=1").content.startswith(b"\xef\xbb\xbfid,")


def test_labels_stand_beside_codes_and_dates(client: TestClient) -> None:
    (item,) = client.get("/v1/projects?labels=vi&limit=1").json()["items"]
    (row,) = rows_of(client.get("/v1/projects.csv?labels=vi&lang=en&limit=1&fields=title,status,period,sdgs").text)
    sdgs = [item["labels"][f"/sdgs/{number}"] for number in range(len(item["sdgs"]))]
    assert row == {
        "id": item["id"],
        "title.en": item["title"]["en"],
        "status": item["status"],
        "status_label": item["labels"]["/status"],
        "period": (item["period"] or {}).get("edtf", ""),
        "period.earliest": (item["period"] or {}).get("earliest") or "",
        "period.latest": (item["period"] or {}).get("latest") or "",
        "period_label": item["labels"].get("/period", ""),
        "sdgs": "; ".join(item["sdgs"]),
        "sdgs_label": "; ".join(sdgs),
    }
    line = client.get("/v1/projects.jsonl?labels=vi&lang=en&limit=1").json()
    assert (line["labels"], set(line["title"])) == (item["labels"], {"en"})


def test_a_table_can_have_a_row_for_each_item_of_a_list(registry: TestClient, editor: Key) -> None:
    items = walk(registry, "/v1/projects")
    expected = [
        (item["id"], item["title"]["en"], str(position), role["partner"], role["role"])
        for item in items
        for position, role in enumerate(item["roles"])
    ]
    path = "/v1/projects.{}?rows=roles&fields=title&labels=en&lang=en"
    exported = registry.get(path.format("csv"))
    assert exported.headers["content-disposition"] == 'attachment; filename="projects-roles.csv"'
    names = ("id", "title.en", "roles.position", "roles.partner", "roles.role")
    rows = rows_of(exported.text)
    assert [tuple(row[name] for name in names) for row in rows] == expected
    assert all(row["roles.role_label"] for row in rows)
    sheet = openpyxl.load_workbook(io.BytesIO(registry.get(path.format("xlsx")).content))["projects-roles"]
    assert sheet.max_row == len(expected) + 1
    places = rows_of(registry.get("/v1/projects.csv?rows=places").text)
    assert [row["places"] for row in places] == list(chain.from_iterable(item["places"] for item in items))
    page = registry.get("/v1/projects.csv?rows=roles&limit=2")
    assert "rows=roles" in page.links["next"]["url"]
    sent = registry.post("/v1/imports?resource=projects", content=exported.content, headers={**editor, **TYPE_OF_CSV})
    assert (sent.status_code, sent.json()["errors"][0]["code"]) == (422, "unknown_column")


def test_a_limited_export_leads_to_the_rest(client: TestClient) -> None:
    ids: list[str] = []
    following = "/v1/places.csv?limit=90&fields=level"
    while following:
        page = client.get(following)
        assert page.status_code == 200, page.text
        ids += [row["id"] for row in rows_of(page.text)]
        following = page.links.get("next", {}).get("url", "")
    assert ids == [item["id"] for item in walk(client, "/v1/places?limit=200")]
    assert client.get("/v1/places.csv?cursor=abc").status_code == 400


def test_an_export_of_a_search_has_its_hits_in_their_order(client: TestClient) -> None:
    hits = walk(client, "/v1/projects?q=smart&limit=3")
    assert len(hits) > 3
    rows = rows_of(client.get("/v1/projects.csv?q=smart&limit=3").text)
    assert [row["id"] for row in rows] == [hit["id"] for hit in hits[:3]]
    assert {row["id"] for row in rows_of(client.get("/v1/projects.csv?q=smart").text)} == {hit["id"] for hit in hits}


def test_texts_that_would_run_as_formulas_come_back(registry: TestClient, editor: Key) -> None:
    for number, text in enumerate(FORMULAS):
        record = {**PROJECT, "title": {"vi": text, "en": f"Formula {number}"}}
        assert registry.put(f"/v1/projects/formula-{number}", json=record, headers=editor).status_code == 201
    exported = registry.get("/v1/projects.csv?fields=title")
    cells = {row["id"]: row["title.vi"] for row in rows_of(exported.text)}
    assert [cells[f"formula-{number}"] for number in range(7)] == [
        "'=1+1",
        "'+84 24",
        "'-5%",
        "'@home",
        "''=x",
        "'",
        "a=b",
    ]
    assert [unescaped(escaped(text)) for text in FORMULAS] == FORMULAS
    result, _ = ended(registry, editor, exported.content, "?resource=projects", CSV)
    assert counts(result)[2] == len(cells)
    book = openpyxl.load_workbook(io.BytesIO(registry.get("/v1/projects.xlsx?fields=title").content))
    cell = next(row[1] for row in book["projects"].iter_rows() if row[0].value == "formula-0")
    assert (cell.value, cell.data_type) == ("=1+1", "s")


def test_a_workbook_has_numbers_dates_and_explanations(client: TestClient) -> None:
    book = openpyxl.load_workbook(io.BytesIO(client.get("/v1/figures.xlsx").content))
    header, *rows = book["figures"].iter_rows()
    names = [cell.value for cell in header]
    items = {item["id"]: item for item in walk(client, "/v1/figures")}
    assert len(rows) == len(items)
    for row in rows:
        cells = dict(zip(names, row, strict=True))
        item = items[cells["id"].value]
        assert cells["value"].value == item["value"]
        earliest = (item["period"] or {}).get("earliest")
        assert (cells["period.earliest"].value and f"{cells['period.earliest'].value:%Y-%m-%d}") == earliest
    explained = {row[0].value: row[1].value for row in book["columns"].iter_rows(min_row=2)}
    assert list(explained) == names
    assert all(explained.values())
    assert book.sheetnames == ["figures", "columns"]


def test_a_value_that_no_cell_can_contain_is_noted(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_rows, "MAX_CELL", 200)
    monkeypatch.setattr(workbook, "MAX_CELL", 200)
    book = openpyxl.load_workbook(io.BytesIO(client.get("/v1/agreements.xlsx?fields=citations&limit=1").content))
    assert book["agreements"]["B2"].value is None
    assert book["notes"]["A2"].value == book["agreements"]["A2"].value
    assert book["notes"]["B2"].value == "citations"
    lengths = [sheet_rows.cell_length(text) for text in ("a" * 201, "ă" * 201, "\U0001f600" * 101, "\U0001f600" * 100)]
    assert lengths == [201, 201, 202, 100]  # in units of UTF-16, where they can matter


def test_a_workbook_has_a_limit_of_rows(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MAX_ROWS", 5)
    refused = client.get("/v1/places.xlsx")
    assert (refused.status_code, refused.json()["code"]) == (413, "too_large")
    assert client.get("/v1/places.xlsx?limit=5").status_code == 200


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_that_is_current_is_not_sent_again(client: TestClient, form: str) -> None:
    path = f"/v1/partners.{form}?limit=2"
    tag = client.get(path).headers["etag"]
    assert tag.startswith("W/")
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert client.get(f"/v1/partners.{form}?limit=3", headers={"If-None-Match": tag}).status_code == 200
    head = client.head(path)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)


@pytest.mark.parametrize("form", FORMATS)
def test_a_chunk_that_is_read_again_is_there_once(
    registry: TestClient, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read can break off after its last statement, when its time is over."""
    reads: list[int] = []

    def breaks_off(*arguments: Any) -> Any:
        chunk = yield from read_chunk(*arguments)
        reads.append(1)
        if len(reads) % 2 == 0:
            raise QueryTooSlow
        return chunk

    monkeypatch.setattr(reading, "read_chunk", breaks_off)
    monkeypatch.setattr(sending, "PAUSE", 0)
    monkeypatch.setattr(reading, "MAX_CHUNK", 10)
    content = registry.get(f"/v1/projects.{form}").content
    if form == "xlsx":
        ids = [row[0].value for row in openpyxl.load_workbook(io.BytesIO(content))["projects"].iter_rows(min_row=2)]
    elif form == "csv":
        ids = [row["id"] for row in rows_of(content.decode())]
    else:
        ids = [json.loads(line)["id"] for line in content.splitlines()]
    assert ids == [item["id"] for item in walk(registry, "/v1/projects")]
    assert len(reads) > 6


def test_a_workbook_gives_its_place_back(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):  # a client has one place: the next request would wait for it
        assert client.get("/v1/indicators.xlsx").status_code == 200
        assert client.head("/v1/indicators.xlsx").status_code == 200
        assert client.get("/v1/indicators.xlsx?cursor=abc").status_code == 400
    monkeypatch.setattr(workbook, "MAX_BYTES", 1_000)
    assert client.get("/v1/indicators.xlsx").status_code == 413


def test_folders_of_a_killed_process_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(temporary_folder, "NEW", -1.0)
    making = "import os, signal; from app.exchange.exports.temporary_folder import TemporaryFolder as F; x = F()"
    killed = subprocess.run(
        [sys.executable, "-c", f"{making}; os.kill(os.getpid(), signal.SIGKILL)"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        cwd=ROOT,
        check=False,
    )
    assert (killed.returncode, len(list(tmp_path.iterdir()))) == (-9, 1)
    other = tmp_path / "hoptac-usage-1"
    other.touch()
    with closing(TemporaryFolder()) as used, closing(Database(f"sqlite:///{tmp_path}/none.db")) as database:
        assert remove_abandoned_folders(database) is False
        assert set(tmp_path.iterdir()) == {other, used.path}
    assert list(tmp_path.iterdir()) == [other]


def test_a_full_disk_is_unavailable_and_leaves_no_file(
    seeded: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The files of the server may have 10 kB each, as if that was all the space."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    lines: list[str] = []
    paths = ["/v1/figures.xlsx", "/v1/figures.parquet"]
    with server(seeded, lines=lines) as (base, running), httpx.Client(base_url=base, trust_env=False) as client:
        resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
        for path in paths * 2:
            answer = client.get(path)
            assert (answer.status_code, answer.headers.get("retry-after")) == (503, "2")
            assert answer.json()["detail"].startswith("The server has no disk space")
            eventually(lambda: not any(path.name.startswith("hoptac-") for path in tmp_path.iterdir()))
        resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert [client.get(path).status_code for path in paths] == [200, 200]
    assert sum("no space left" in line for line in lines) == 4
    assert not any("Traceback" in line for line in lines), lines[-30:]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/projects.pdf", 404, "not_found"),
        ("/v1/projects.csv?limit=0", 422, "invalid"),
        ("/v1/projects.csv?limit=1001", 422, "invalid"),
        ("/v1/projects.csv?fields=nothing", 422, "invalid"),
        ("/v1/projects.jsonl?fields=nothing", 422, "invalid"),
        ("/v1/projects.csv?include=figures", 422, "invalid"),
        ("/v1/projects.csv?rows=title", 422, "invalid"),
        ("/v1/projects.jsonl?rows=roles", 422, "invalid"),
        ("/v1/projects.csv?state=draft", 401, "unauthorized"),
    ],
)
def test_wrong_requests_are_refused(client: TestClient, path: str, status: int, code: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_drafts_are_exported_to_who_may_write_them(registry: TestClient, editor: Key) -> None:
    registry.put("/v1/projects/a-draft", json={**PROJECT, "state": "draft"}, headers=editor)
    assert "a-draft" not in registry.get("/v1/projects.csv").text
    drafts = registry.get("/v1/projects.csv?state=draft", headers=editor)
    assert [row["id"] for row in rows_of(drafts.text)] == ["a-draft"]
    assert drafts.headers["cache-control"].startswith("private")


def test_a_list_in_one_cell_replaces_the_list(registry: TestClient, editor: Key) -> None:
    for name in ("one", "two"):
        registry.put(f"/v1/partners/{name}", json=PARTNER, headers=editor)
    roles = [{"partner": "one", "role": "funding"}, {"partner": "two", "role": "lead"}]
    registry.put("/v1/projects/listed", json={**PROJECT, "roles": roles, "sdgs": ["9", "17"]}, headers=editor)

    def imported(header: str, cell: str) -> Any:
        table = io.StringIO()
        csv.writer(table).writerows([["id", header], ["listed", cell]])
        return ended(registry, editor, table.getvalue().encode(), "?resource=projects", CSV)[0]

    assert counts(imported("roles", json.dumps(roles[1:]))) == (0, 1, 0, 0)
    assert registry.get("/v1/projects/listed").json()["roles"] == roles[1:]
    assert counts(imported("sdgs", "9;8 ; ")) == (0, 1, 0, 0)
    assert registry.get("/v1/projects/listed").json()["sdgs"] == ["9", "8"]
    assert counts(imported("sdgs", "[clear]")) == (0, 1, 0, 0)
    assert registry.get("/v1/projects/listed").json()["sdgs"] == []
    for cell in ("one", "[1", '"text"', "[NaN]"):
        assert counts(imported("roles", cell)) == (0, 0, 0, 1), cell
    assert counts(imported("roles", '[{"partner":"nobody","role":"lead"}]')) == (0, 0, 0, 1)


PARQUET_TYPES: dict[str, Callable[[str], Any]] = {
    "DOUBLE": float,
    "DATE": str,
    "BOOLEAN": lambda text: text == "true",
    "VARCHAR": unescaped,
}


def parquet_of(folder: Path, response: Any) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The types of the columns of a Parquet file and its rows, as DuckDB reads them."""
    assert (response.status_code, response.headers["content-type"]) == (200, PARQUET)
    file = folder / "table.parquet"
    file.write_bytes(response.content)
    read = duckdb.read_parquet(str(file))
    types = dict(zip(read.columns, map(str, read.types), strict=True))
    return types, [dict(zip(read.columns, row, strict=True)) for row in read.fetchall()]


@pytest.mark.parametrize(
    "path",
    [
        *(f"/v1/{name}.{{}}" for name in NAMES),
        *("/v1/projects.{}?rows=roles&fields=title", "/v1/projects.{}?labels=vi&lang=vi&limit=3&fields=status,period"),
        *("/v1/projects/smart-factory-cooperation/figures.{}", "/v1/search.{}?q=energy", "/v1/projects.{}?q=xyzzy"),
        *("/v1/figures/aggregate.{}?group_by=indicator,period", "/v1/projects/facets.{}?facet=status"),
    ],
)
def test_a_parquet_file_is_the_table_with_types(client: TestClient, tmp_path: Path, path: str) -> None:
    table = client.get(path.format("csv"))
    response = client.get(path.format("parquet"))
    types, rows = parquet_of(tmp_path, response)
    expected = rows_of(table.text)
    assert [*types] == next(csv.reader(io.StringIO(table.text)))
    assert len(rows) == len(expected)
    for row, texts in zip(rows, expected, strict=True):
        for name, text in texts.items():
            cell = row[name].isoformat() if isinstance(row[name], date) else row[name]
            assert cell == (PARQUET_TYPES[types[name]](text) if text else cell and text), name
    assert ("link" in response.headers) == ("link" in table.headers)
    assert client.get(path.format("parquet"), headers={"If-None-Match": response.headers["etag"]}).status_code == 304


def test_parquet_is_an_extra(client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    types, _ = parquet_of(tmp_path, client.get("/v1/figures", headers={"Accept": PARQUET}))
    assert {types[name] for name in ("value", "period.earliest", "id")} == {"DOUBLE", "DATE", "VARCHAR"}
    for bound, sort in (("MAX_BYTES", "id"), ("MAX_TEXT", "-id")):
        with monkeypatch.context() as patched:
            patched.setattr(parquet, bound, 1_000)
            problem(client.get(f"/v1/figures.parquet?sort={sort}"), 413, "too_large")
    monkeypatch.setattr(parquet, "find_spec", lambda _: None)
    refused = problem(client.get("/v1/figures.parquet?sort=-id"), 404, "not_found")
    assert "extra `parquet`" in refused["detail"]
    assert client.get("/v1/figures", headers={"Accept": "*/*"}).headers["content-type"] == "application/json"
    assert not [*Path(tempfile.gettempdir()).glob("hoptac-*/rows")], "temporary files remain"
