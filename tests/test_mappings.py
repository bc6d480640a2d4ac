"""Mappings: lists with columns of their own are imported unchanged, and mappings are stored, checked and bounded."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.database.engine import Database
from app.exchange.formats.mapping import MappingFields, check_mapping
from app.exchange.formats.media_types import CSV
from app.exchange.imports.command import read_settings
from app.exchange.mappings import stored
from tests.support.http import get, problem
from tests.support.imports import ended, send
from tests.support.keys import Key, key_of
from tests.support.own_lists import LISTS
from tests.support.tables import read_table, saved, sheets

MAPPING: dict[str, Any] = {
    "resource": "projects",
    "columns": {
        "Tên": {"to": "title.vi"},
        "Đối tác": {"to": "roles.*.partner", "separator": ";", "with": {"role": "counterpart"}},
        "Tình trạng": {"to": "status", "values": {"Đang làm": "active"}},
    },
    "constants": {"kind": "project", "managed_by": "unido"},
}
TABLE = "TT,Tên,Đối tác,Tình trạng\n1,Cảng xanh,UNIDO; SECO,đang  LÀM\n"


def put(client: TestClient, key: Key, mapping: Any, name: str = "mine") -> Any:
    return client.put(f"/v1/import-mappings/{name}", json=mapping, headers=key)


def shown_values(record: dict[str, Any], names: Any) -> dict[str, Any]:
    """Some members of a record, dates as EDTF and lists in one order."""
    values = {name: record[name] for name in names}
    for name, value in values.items():
        if isinstance(value, dict) and "edtf" in value:
            values[name] = value["edtf"]
        elif isinstance(value, list):
            values[name] = sorted(value, key=str)
    return values


@pytest.mark.parametrize("name", LISTS)
def test_a_list_with_its_own_columns_is_imported_as_it_is(registry: TestClient, editor: Key, name: str) -> None:
    own = LISTS[name]
    mapping = {"resource": "projects", **own.mapping}
    assert put(registry, editor, mapping).status_code == 201
    query = f"?resource={mapping['resource']}&mapping=mine"
    found, lines = ended(registry, editor, own.make(), query, own.kind)
    assert (found["status"], found["created"]) == ("done", len(own.records)), lines
    assert [warning["code"] for warning in found["table"]["warnings"]] == own.warned
    for line, expected in zip(lines, own.records, strict=True):
        record = get(registry, f"/v1/{mapping['resource']}/{line['id']}")
        wanted = {key: sorted(value, key=str) if isinstance(value, list) else value for key, value in expected.items()}
        assert shown_values(record, expected) == wanted
    again, _ = ended(registry, editor, own.make(), query, own.kind)
    assert again["unchanged"] == len(own.records)


def test_a_mapping_is_stored_read_replaced_and_deleted(registry: TestClient, editor: Key) -> None:
    first = put(registry, editor, MAPPING)
    assert (first.status_code, first.json()["columns"]["Tên"]["to"]) == (201, "title.vi")
    assert put(registry, editor, {**MAPPING, "dates": "dmy"}).status_code == 200
    shown = registry.get("/v1/import-mappings/mine", headers=editor).json()
    assert (shown["dates"], shown["name"]) == ("dmy", "mine")
    assert shown["columns"]["Đối tác"]["with"] == {"role": "counterpart"}
    (listed,) = registry.get("/v1/import-mappings", headers=editor).json()["items"]
    assert (listed["name"], listed["resource"]) == ("mine", "projects")
    assert registry.delete("/v1/import-mappings/mine", headers=editor).status_code == 204
    for method in ("get", "delete"):
        problem(getattr(registry, method)("/v1/import-mappings/mine", headers=editor), 404, "not_found")


def test_a_mapping_belongs_to_the_partner_of_the_key(registry: TestClient, seeded_database: Database) -> None:
    unido, colleague = (key_of(seeded_database, "records:write:own", partner="unido") for _ in range(2))
    seco = key_of(seeded_database, "records:write:own", partner="seco")
    everybody = key_of(seeded_database, "records:write")
    assert put(registry, unido, MAPPING).status_code == 201
    assert registry.get("/v1/import-mappings/mine", headers=colleague).status_code == 200
    for other in (seco, everybody):
        problem(registry.get("/v1/import-mappings/mine", headers=other), 404, "not_found")
        assert registry.get("/v1/import-mappings", headers=other).json()["items"] == []
        answer = send(registry, other, TABLE.encode(), "?resource=projects&mapping=mine", CSV)
        assert problem(answer, 422, "invalid")["errors"][0]["parameter"] == "mapping"
    problem(registry.get("/v1/import-mappings"), 401, "unauthorized")


def test_mappings_are_bounded(registry: TestClient, editor: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MAX_MAPPINGS", 1)
    assert put(registry, editor, MAPPING).status_code == 201
    problem(put(registry, editor, MAPPING, "second"), 409, "conflict")
    monkeypatch.setattr(stored, "MAX_BYTES", 100)
    problem(put(registry, editor, MAPPING), 413, "too_large")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "resource": ({"resource": "nothing"}, "/resource"),
    "path": ({"columns": {"A": {"to": "titel.vi"}}}, "/columns"),
    "two lists": ({"columns": {"A": {"to": "citations.*.supports.*"}}}, "/columns"),
    "no list": ({"columns": {"A": {"to": "title.vi", "separator": ";"}}}, "/columns"),
    "members": ({"columns": {"A": {"to": "roles.*.partner", "with": {"colour": "red"}}}}, "/columns"),
    "long code": ({"columns": {"A": {"to": "roles.*.partner", "with": {"role": "x" * 201}}}}, "/columns"),
    "long value": ({"columns": {"A": {"to": "status", "values": {"a": "x" * 1_001}}}}, "/columns"),
    "long text": ({"columns": {"A": {"to": "status", "values": {"a" * 1_001: "x"}}}}, "/columns"),
    "long constant": ({"constants": {"title.vi": "x" * 1_001}}, "/constants"),
    "same name": ({"columns": {"A": {"to": "title.vi"}, "a ": {"to": "title.en"}}}, "/columns"),
    "constant": ({"constants": {"places.*": "ha-noi"}}, "/constants"),
    "required": ({"required": ["nowhere"]}, "/required"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_mapping_is_refused(registry: TestClient, editor: Key, name: str) -> None:
    part, pointer = WRONG[name]
    found = problem(put(registry, editor, {**MAPPING, **part}), 422, "invalid")
    assert all(each["pointer"].startswith(pointer) for each in found["errors"])
    assert found["errors"][0]["detail"]


def test_a_name_of_a_mapping_is_checked(registry: TestClient, editor: Key) -> None:
    for name in ("Mine", "x" * 61, "a_b", "ă"):
        assert put(registry, editor, MAPPING, name).status_code in (404, 422), name
    for query in ("?resource=projects&mapping=nothing", "?resource=figures&mapping=mine"):
        put(registry, editor, MAPPING)
        found = problem(send(registry, editor, TABLE.encode(), query, CSV), 422, "invalid")
        assert found["errors"][0]["parameter"] == "mapping"
    found = problem(send(registry, editor, b"{}\n", "?mapping=mine"), 422, "invalid")
    assert found["errors"][0]["parameter"] == "mapping"


def test_items_of_a_cell_become_items_of_a_list() -> None:
    table = read_table(TABLE, mapping=MAPPING)
    roles = [{"role": "counterpart", "partner": name} for name in ("UNIDO", "SECO")]
    assert table.records[0]["roles"] == roles
    assert (table.records[0]["status"], table.lines[0].moved) == ("active", {"/roles/0": "@C", "/roles/1": "@C"})


def test_a_text_that_the_mapping_does_not_translate_is_refused() -> None:
    assert read_table(TABLE.replace("LÀM", "nghỉ"), mapping=MAPPING).errors == [("D2", "no_translation")]


def test_a_column_of_the_mapping_must_be_there_unless_it_is_optional(registry: TestClient, editor: Key) -> None:
    put(registry, editor, MAPPING)
    table = "Tên,Đối tác\nA,UNIDO\n"
    found = problem(send(registry, editor, table.encode(), "?resource=projects&mapping=mine", CSV), 422, "invalid")
    assert "name 3 of the mapping. The first row was read as its header" in found["errors"][0]["detail"]
    columns = {**MAPPING["columns"], "Tình trạng": {"to": "status", "optional": True}}
    assert read_table(table, mapping={**MAPPING, "columns": columns}).records[0]["title"] == {"vi": "A"}


def test_constants_fill_no_item_whose_columns_are_blank() -> None:
    columns = {"Tên": {"to": "title.vi"}, "Mã": {"to": "identifiers.0.value"}}
    constants = {"identifiers.0.scheme": "own", "places.0": "ha-noi", "period.start": "2024"}
    table = read_table("Tên,Mã\nA,\nB,7\n", mapping={"columns": columns, "constants": constants})
    assert [record.get("identifiers") for record in table.records] == [None, [{"scheme": "own", "value": "7"}]]
    assert [record["places"] + [record["period"]] for record in table.records] == [["ha-noi", "2024/.."]] * 2


def test_a_garbled_header_is_refused_with_the_way_to_save_it(registry: TestClient, editor: Key) -> None:
    put(registry, editor, MAPPING)
    for header in ("Tªn,§èi t¸c,T×nh tr¹ng", "TÃªn,Äá»‘i tÃ¡c,TÃ¬nh tráº¡ng"):
        table = f"{header}\nA,UNIDO,x\n".encode()
        found = problem(send(registry, editor, table, "?resource=projects&mapping=mine", CSV), 422, "invalid")
        assert [(each["code"], "Unicode" in each["detail"]) for each in found["errors"]] == [("garbled_text", True)]


def test_the_options_of_an_import_come_before_those_of_its_mapping() -> None:
    columns = {"Tên": {"to": "title.vi"}, "Từ": {"to": "period"}}
    mapping = {"columns": columns, "dates": "dmy", "sheet": "b", "header_row": 2}
    rows = [["x"], ["Tên", "Từ"], ["A", "05/07/2014"]]
    content = saved(sheets(a=rows, b=rows))
    table = read_table(content, mapping=mapping)
    assert (table.report.sheet, table.report.header_row, table.records[0]["period"]) == ("b", 2, "2014-07-05")
    assert table.report.columns[1].read_by == ["dmy: stated"]
    other = read_table(content, mapping=mapping, dates="mdy", sheet="a")
    assert (other.report.sheet, other.records[0]["period"]) == ("a", "2014-05-07")


def test_merged_partners_keep_their_mappings(registry: TestClient, editor: Key, seeded_database: Database) -> None:
    partner = {"name": {"en": "Old agency"}, "kind": "government", "managed_by": "unido"}
    registry.put("/v1/partners/old-agency", json=partner, headers=editor)
    key = key_of(seeded_database, "records:write:own", partner="old-agency")
    assert put(registry, key, MAPPING).status_code == 201
    assert registry.post("/v1/partners/old-agency/merge", json={"into": "unido"}, headers=editor).status_code == 200
    unido = key_of(seeded_database, "records:write:own", partner="unido")
    assert registry.get("/v1/import-mappings/mine", headers=unido).status_code == 200


def test_a_mapping_is_used_from_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps(MAPPING), "utf-8")
    settings = read_settings("", {"dates": "dmy"}, path)
    assert settings.mapping is not None
    assert (settings.mapping.columns["Tên"].to, settings.options.dates) == ("title.vi", "dmy")
    path.write_text(json.dumps({**MAPPING, "resource": "nothing"}), "utf-8")
    for file in (path, tmp_path / "nothing"):
        with pytest.raises(ValueError, match="--mapping"):
            read_settings("", {}, file)


def test_the_mapping_of_the_documentation_fits_its_table() -> None:
    page = (Path(__file__).parents[1] / "docs" / "tables.md").read_text("utf-8")
    files = dict(re.findall(r"^ *\$ cat >(\S+) <<'EOF'\n(.*?)\n *EOF$", page, re.DOTALL | re.MULTILINE))
    mapping = json.loads(files["mapping.json"])
    check_mapping(MappingFields.model_validate(mapping))
    table = read_table(files["list.csv"] + "\n", mapping=mapping)
    assert (table.errors, table.warned) == ([], [])
    assert table.records[0]["period"] == "2023-01-15/2026-12-31"
    assert table.records[0]["roles"] == [{"role": "funding", "partner": "UNIDO"}]


def test_a_column_that_nobody_knows_says_how_to_leave_it_out(registry: TestClient, editor: Key) -> None:
    table = "title.en,Ghi chú riêng\nA bridge,x\n".encode()
    headers = {**editor, "Content-Type": "text/csv"}
    refused = registry.post("/v1/imports?resource=projects&dry_run=true", content=table, headers=headers)
    assert refused.status_code == 422
    detail = "Column 2 (B) is not the path of a value in a record. To leave it out, add `ignore=B`."
    assert [error["detail"] for error in refused.json()["errors"]] == [detail]
    sent = registry.post("/v1/imports?resource=projects&dry_run=true&ignore=B", content=table, headers=headers)
    assert sent.status_code == 202, sent.text
