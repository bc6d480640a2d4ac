"""What a row changes, what a dry run reports of it, and files that contain all records of a partner."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.access.caller import Caller
from app.core.database.engine import Database
from app.exchange.formats.lines import ParsedLine
from app.exchange.imports import absent
from app.exchange.imports.models import ImportOptions
from app.exchange.imports.pace import Interrupted, Pace
from app.exchange.imports.run import run
from app.exchange.imports.storage import store
from app.exchange.imports.table_rows import merged_row
from app.projects.models import ProjectFields
from tests.support.databases import url_of
from tests.support.http import get, patch, problem
from tests.support.imports import PORTS, Record, counts, ended, lines_of, send, state
from tests.support.keys import Key, key_of
from tests.support.log import count_changes
from tests.support.servers import run as run_command

CSV = "text/csv"
HEADER = "id,title.en,period,places.0,places.1,roles.0.partner,roles.0.role,roles.1.partner,roles.1.role\n"
FULL: Record = {
    **PORTS,
    "period": "2024",
    "places": ["da-nang", "ha-noi"],
    "roles": [{"partner": "unido", "role": "lead"}, {"partner": "moit", "role": "counterpart"}],
}


def table(client: TestClient, key: Key, rows: str, query: str = "") -> Any:
    found, lines = ended(client, key, (HEADER + rows).encode(), f"?resource=projects{query}", CSV)
    return found, lines


def shown(client: TestClient) -> Record:
    record: Record = get(client, "/v1/projects/green-ports")
    return record


@pytest.mark.parametrize(
    ("resource", "content", "codes"),
    [
        (
            "figures",
            "id;managed_by;indicator;kind;unit;value\nx;unido;enterprises-supported;actual;enterprise;2.345\n",
            ["two_readings"],
        ),
        (
            "projects",
            "managed_by;title.vi;kind;status\nunido;Bá»™ CÃ´ng;project;activ\n",
            ["garbled_text", "invalid_value"],
        ),
        ("projects", "managed_by;kind;status\nunido;project;active\n", ["no_id"]),
    ],
)
def test_what_follows_from_a_cell_that_was_not_read_is_no_error(
    registry: TestClient, editor: Key, resource: str, content: str, codes: list[str]
) -> None:
    _found, lines = ended(registry, editor, content.encode(), f"?resource={resource}&dry_run=true", CSV)
    assert [error["code"] for error in lines[0]["errors"]] == codes


def test_blank_cells_change_nothing_and_the_mark_clears(
    registry: TestClient, editor: Key, seeded_database: Database
) -> None:
    registry.put("/v1/projects/green-ports", json=FULL, headers=editor)
    before = shown(registry)
    for row in ("green-ports,,,,,,,,", "green-ports,,,da-nang,,,,moit,", "green-ports,,,,Hà Nội,,,,counterpart"):
        assert [line["verdict"] for line in table(registry, editor, row)[1]] == ["unchanged"], row
    assert shown(registry) == before
    steps = [
        ("green-ports,,[clear],,,,,,", "period", None),
        ("green-ports,[clear],,,,,,,", "title", {"vi": "Cảng xanh"}),
        ("green-ports,,,[clear],Hà Nội,,,,", "places", ["ha-noi"]),
        ("green-ports,,,,,,,[clear],", "roles", []),
    ]
    for row, member, value in steps:
        if member == "roles":
            row = "green-ports,,,,,UNIDO,lead,[clear],"
            value = FULL["roles"][:1]
        assert [line["verdict"] for line in table(registry, editor, row)[1]] == ["updated"], row
        assert shown(registry)[member] == value
        changes = count_changes(seeded_database)
        assert [line["verdict"] for line in table(registry, editor, row)[1]] == ["unchanged"], row
        assert count_changes(seeded_database) == changes
    assert table(registry, editor, "green-ports,,,,,[clear],,,")[1][0]["verdict"] == "updated"
    assert shown(registry)["roles"] == []


STEPS = (
    ("[clear],2026", "../2026"),
    ("2024,", "2024/2026"),
    (",2027", "2024/2027"),
    ("2025,2026", "2025/2026"),
    ("[clear],[clear]", None),
    (",2027", "../2027"),
)


def test_the_mark_clears_the_ends_of_a_period(registry: TestClient, editor: Key) -> None:
    registry.put("/v1/projects/green-ports", json=FULL, headers=editor)
    header = "id,period.earliest,period.latest\n"
    for cells, period in STEPS:
        content = f"{header}green-ports,{cells}\n".encode()
        for verdict in ("updated", "unchanged"):
            assert ended(registry, editor, content, "?resource=projects", CSV)[1][0]["verdict"] == verdict
        assert (shown(registry)["period"] or {"edtf": None})["edtf"] == period


def test_null_clears_a_member_of_a_json_line(registry: TestClient, editor: Key) -> None:
    registry.put("/v1/projects/green-ports", json=FULL, headers=editor)
    line = {"resource": "projects", "id": "green-ports", "period": None, "places": None}
    for verdict in ("updated", "unchanged"):
        assert ended(registry, editor, lines_of(line))[1][0]["verdict"] == verdict
    assert (shown(registry)["period"], shown(registry)["places"]) == (None, [])


@pytest.mark.parametrize(
    ("before", "row", "moved", "after"),
    [
        ([], ["a", "b"], {}, ["a", "b"]),
        ([], ["a", "b"], {"/places/0": "places.1", "/places/1": "places.4"}, ["a", "b"]),
        (["a", "b"], ["a", "b"], {"/places/0": "places.1", "/places/1": "places.4"}, ["a", "b"]),
        (["a", "b", "c"], ["a", "x"], {}, ["a", "x", "c"]),
        (["a", "b", "c"], ["x"], {"/places/0": "places.1"}, ["a", "x", "c"]),
        (["a", "b"], ["b", "a"], {}, ["b", "a"]),
        (["a", "b"], ["c"], {"/places/0": "places.5"}, ["a", "b", "c"]),
        (["a", "b", "c"], ["c"], {"/places/0": "@F"}, ["c"]),
        (["a", "b", "c"], [None], {"/places/0": "places.7"}, []),
        (["a", "b", "c"], ["a", None], {}, ["a"]),
    ],
)
def test_a_row_changes_a_list_once(before: list[str], row: list[Any], moved: dict[str, str], after: list[str]) -> None:
    merged = merged_row(ProjectFields, {"places": before}, {"places": row}, moved)
    assert merged["places"] == after
    assert merged_row(ProjectFields, merged, {"places": row}, moved) == merged


def test_a_dry_run_shows_records_and_names(registry: TestClient, editor: Key) -> None:
    row = "green-ports,Green ports,2024,Đà Nẵng,VN-HN,Ministry of Industry and Trade,lead,unido,host"
    content = HEADER.replace("id,", "managed_by,kind,status,id,") + f"unido,project,active,{row}"
    _, lines = ended(registry, editor, content.encode(), "?resource=projects&dry_run=true", CSV)
    (line,) = lines
    assert line["verdict"] == "created", line
    assert (line["record"]["id"], line["record"]["places"]) == ("green-ports", ["da-nang", "ha-noi"])
    assert line["record"]["roles"][0] == {"partner": "moit", "role": "lead"}
    resolved = {item["cell"]: item for item in line["resolved"]}
    assert {cell: (item["id"], item["how"]) for cell, item in resolved.items()} == {
        "A2": ("unido", "id"), "G2": ("da-nang", "name"), "H2": ("ha-noi", "code"),
        "I2": ("moit", "name"), "K2": ("unido", "id"),
    }  # fmt: skip
    partner = resolved["I2"]
    assert (partner["country"], partner["column"]) == ("viet-nam", "roles.0.partner")
    assert partner["text"] == "Ministry of Industry and Trade"
    problem(registry.get("/v1/projects/green-ports"), 404, "not_found")
    _, lines = ended(registry, editor, content.encode(), "?resource=projects", CSV)
    assert lines[0]["record"] is None
    assert {item["cell"] for item in lines[0]["resolved"]} == {"G2", "H2", "I2"}


def test_what_a_dry_run_stores_is_bounded(registry: TestClient, editor: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_DIFF_BYTES", 2_000)
    large = {**PORTS, "id": "large", "description": {"en": "x" * 3_000}}
    _, lines = ended(registry, editor, lines_of(PORTS, large), "?dry_run=true")
    assert [line["record"] is None for line in lines] == [False, True]


OWN = "/v1/projects?managed_by=seco"


@pytest.fixture(name="seco")
def _seco(registry: TestClient, seeded_database: Database) -> Key:
    """The key of a partner that manages three projects, of which the last is a draft."""
    key = key_of(seeded_database, "records:write:own", partner="seco")
    for number in range(4):
        body = {**PORTS, "id": f"own-{number}", "title": {"en": f"Own {number}"}, "managed_by": "seco"}
        body["state"] = "draft" if number == 3 else "published"
        del body["resource"]
        assert registry.put(f"/v1/projects/own-{number}", json=body, headers=key).status_code == 201
    return key


@pytest.mark.parametrize("mode", ["all", "rows"])
def test_a_complete_file_lists_or_withdraws_the_others(registry: TestClient, seco: Key, mode: str) -> None:
    content = b"id,title.en,status\nown-0,Own 0,completed\n"
    query = f"?resource=projects&complete=true&mode={mode}"
    for more in ("&dry_run=true", ""):
        found, lines = ended(registry, seco, content, query + more, CSV)
        assert (found["lines"], found["absent"], found["complete"]) == (1, 2, True)
        assert [(line["id"], line["verdict"]) for line in lines[1:]] == [("own-1", "absent"), ("own-2", "absent")]
    assert len(get(registry, OWN)["items"]) == 3
    query += "&missing=withdraw"
    found, lines = ended(registry, seco, content, f"{query}&dry_run=true", CSV)
    assert [(line["id"], line["verdict"], line["matched_by"]) for line in lines[1:]] == [
        ("own-1", "updated", "absent"),
        ("own-2", "updated", "absent"),
    ]
    assert lines[1]["diff"] == [{"pointer": "/state", "before": "published", "after": "draft"}]
    assert len(get(registry, OWN)["items"]) == 3
    found, lines = ended(registry, seco, content, query, CSV)
    assert counts(found) == (0, 2, 1, 0)
    assert [item["id"] for item in get(registry, OWN)["items"]] == ["own-0"]
    found, _ = ended(registry, seco, content, query, CSV)
    assert (counts(found), found["absent"]) == ((0, 0, 1, 0), 0)


def test_nothing_is_withdrawn_beside_a_line_without_record(registry: TestClient, seco: Key) -> None:
    twin = {**PORTS, "id": "own-4", "title": {"en": "Own 1"}, "managed_by": "seco"}
    ended(registry, seco, lines_of(twin))
    content = b"title.en,status\nOwn 1,completed\n"
    query = "?resource=projects&complete=true&missing=withdraw&mode=rows"
    found, lines = ended(registry, seco, content, query, CSV)
    assert (counts(found), found["absent"]) == ((0, 0, 0, 1), 4)
    assert all("Nothing is withdrawn" in line["warnings"][0]["detail"] for line in lines[1:])
    assert len(get(registry, OWN)["items"]) == 4


@pytest.mark.parametrize("cell", ["Not an id", "#REF!"])
def test_nothing_is_withdrawn_beside_a_wrong_id(registry: TestClient, seco: Key, cell: str) -> None:
    content = f"id,title.en,status\nown-0,Own 0,completed\n{cell},Own one,activ\n"
    query = "?resource=projects&complete=true&missing=withdraw&mode=rows"
    found, lines = ended(registry, seco, content.encode(), query, CSV)
    assert (counts(found), found["absent"]) == ((0, 1, 0, 1), 2)
    assert {error["cell"] for error in lines[1]["errors"]} >= {"A3", "C3"}
    assert len(get(registry, OWN)["items"]) == 3


@pytest.mark.parametrize("steps", range(3, 16, 3))
@pytest.mark.usefixtures("seco")
def test_an_interrupted_run_withdraws_each_record_once(
    registry: TestClient, seeded_database: Database, tmp_path: Path, steps: int
) -> None:
    caller = Caller("", frozenset(["records:write:own"]), "seco")
    options = ImportOptions(mode="rows", complete=True, missing="withdraw")
    line = ParsedLine(1, b'{"id": "own-0", "status": "completed"}', "projects")
    import_id = store.store_import(seeded_database, caller, options, iter([line]), "one")
    asked = iter([False] * steps + [True])
    with contextlib.suppress(Interrupted):
        run(seeded_database, import_id, "one", Pace(lambda: next(asked, False)))
    run(seeded_database, import_id, "two", Pace())
    assert counts(state(seeded_database, import_id)) == (0, 3, 0, 0)
    assert [item["id"] for item in get(registry, OWN)["items"]] == ["own-0"]


@pytest.mark.usefixtures("seco")
def test_absent_records_that_link_to_each_other_are_withdrawn_in_chunks(
    registry: TestClient, seeded_database: Database, editor: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.exchange.imports.chunk_reader.CHUNK", 2)
    url = url_of(seeded_database)
    for number in range(4, 9):  # of a chain whose records sort after those to which they link
        body = {**PORTS, "id": f"own-{number}", "title": {"en": f"Own {number}"}, "managed_by": "seco"}
        body["part_of"] = [f"own-{number - 1}"] if number > 4 else []
        assert registry.put(f"/v1/projects/own-{number}", json=body, headers=editor).status_code == 201
    patch(registry, editor, "projects/own-1", follows=["own-2"])
    own = [f"own-{number}" for number in (1, 2, 4, 5, 6, 7, 8)]
    file = tmp_path / "own.jsonl"
    file.write_bytes(lines_of({"resource": "projects", "id": "own-0", "status": "completed"}))
    for wrong in (["--complete"], ["--as", "seco", "--missing", "withdraw"]):
        assert run_command("import", str(file), *wrong, HOPTAC_DATABASE_URL=url).returncode == 2
    options = ["import", str(file), "--row-by-row", "--as", "seco", "--complete"]
    listed = run_command(*options, HOPTAC_DATABASE_URL=url)
    assert listed.stdout.splitlines()[:-1] == [f"not in the file: projects/{record_id}" for record_id in own]
    options += ["--missing", "withdraw"]
    tried = run_command(*options, "--dry-run", HOPTAC_DATABASE_URL=url)
    assert len(get(registry, OWN)["items"]) == 8
    done = run_command(*options, HOPTAC_DATABASE_URL=url)
    for found in (tried, done):
        lines = [f"not in the file: projects/{record_id}, withdrawn" for record_id in own]
        assert (found.returncode, found.stdout.splitlines()[:-1]) == (0, lines), found
    assert [item["id"] for item in get(registry, OWN)["items"]] == ["own-0"]


def test_an_incomplete_file_withdraws_nothing_by_mistake(
    registry: TestClient, seco: Key, editor: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    for query in ("complete=true", "missing=withdraw"):
        refused = send(registry, editor, b"id\nx\n", f"?resource=projects&{query}", CSV)
        assert problem(refused, 422, "invalid")["errors"][0]["parameter"] == query.partition("=")[0]
    query = "?resource=projects&complete=true&missing=withdraw"
    found, _ = ended(registry, seco, b"id,status\n", query, CSV)
    assert (found["absent"], len(get(registry, OWN)["items"])) == (0, 3)
    other = json.loads(lines_of({**PORTS, "id": "from-outside", "part_of": ["own-1"]}))
    ended(registry, editor, lines_of(other))
    found, lines = ended(registry, seco, b"id,status\nown-0,active\n", query, CSV)
    assert (found["status"], lines[1]["errors"][0]["code"]) == ("refused", "referrer")
    monkeypatch.setattr(absent, "MAX_ABSENT", 1)
    found, _ = ended(registry, seco, b"id,status\nown-0,active\n", query, CSV)
    assert (found["status"], "More than 1 records" in found["reason"]) == ("failed", True)
    assert len(get(registry, OWN)["items"]) == 3
