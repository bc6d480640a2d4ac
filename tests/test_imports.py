"""Imports over HTTP: files of records, what becomes of each line, and that the same file again changes nothing."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.core.database.engine import Database
from app.core.model.resource import RESOURCES
from app.exchange.imports import chunk_reader
from app.exchange.imports.line import ImportLine
from app.exchange.imports.write_lines import LineWriter
from seed.files import Dataset
from tests.support.databases import url_of
from tests.support.http import client_of, get, problem, walk
from tests.support.imports import COAST, FIGURE, PORTS, Record, counts, ended, lines_of
from tests.support.keys import Key, key_of
from tests.support.log import count_changes
from tests.support.servers import run


def test_links_lead_forward_and_the_same_file_again_changes_nothing(
    registry: TestClient, editor: Key, seeded_database: Database
) -> None:
    ports = {**PORTS, "roles": [{"partner": "coast-agency", "role": "lead"}]}
    content = lines_of(FIGURE, ports, COAST)
    found, lines = ended(registry, editor, content)
    assert (found["status"], counts(found)) == ("done", (3, 0, 0, 0)), lines
    assert [line["id"] for line in lines] == ["ports-2026", "green-ports", "coast-agency"]
    assert get(registry, "/v1/figures/ports-2026")["project"] == "green-ports"
    before = count_changes(seeded_database)
    found, lines = ended(registry, editor, content)
    assert (found["status"], counts(found)) == ("done", (0, 0, 3, 0))
    assert count_changes(seeded_database) == before
    assert {line["verdict"] for line in lines} == {"unchanged"}


def test_what_is_read_can_be_imported_into_an_empty_registry(
    client: TestClient, database: Database, dataset: Dataset
) -> None:
    names = sorted(RESOURCES, key=lambda name: -RESOURCES[name].number)  # most before those that they refer to
    records = [record for name in names for record in walk(client, f"/v1/{name}?limit=200")]
    assert len(records) == len(dataset.records)
    key = key_of(database, "records:write")
    with client_of(url_of(database)) as empty:
        found, _ = ended(empty, key, lines_of(*records))
        assert (found["status"], counts(found)) == ("done", (len(records), 0, 0, 0))
        for record in records[::7]:
            again = get(empty, f"/v1/{record['resource']}/{record['id']}")
            own = ("version", "created_at", "updated_at")
            assert {**again, **dict.fromkeys(own)} == {**record, **dict.fromkeys(own)}


def test_one_wrong_line_keeps_all_out(registry: TestClient, editor: Key, seeded_database: Database) -> None:
    before = count_changes(seeded_database)
    wrong = {**PORTS, "id": "bad-ports", "status": "nope", "places": ["atlantis"], "period": "2028/2026"}
    named = {**FIGURE, "project": "bad-ports"}
    found, lines = ended(registry, editor, lines_of(PORTS, wrong, named, COAST))
    assert (found["status"], counts(found)) == ("refused", (2, 0, 0, 2))
    assert count_changes(seeded_database) == before
    told = registry.put("/v1/projects/bad-ports", json=wrong, headers=editor).json()["errors"]
    assert lines[1]["errors"] == told
    assert {each["pointer"] for each in told} == {"/status", "/period", "/places/0"}
    assert [(each["pointer"], each["code"]) for each in lines[2]["errors"]] == [("/project", "line_refused")]


def test_row_by_row_the_others_are_written(registry: TestClient, editor: Key, seeded_database: Database) -> None:
    before = count_changes(seeded_database)
    many = [{**PORTS, "id": f"port-{number}", "title": {"en": f"Port {number}"}} for number in range(300)]
    many[20]["kind"] = "nope"
    many[40]["places"] = ["atlantis"]
    many[60]["part_of"] = ["port-40"]
    many[80]["part_of"] = ["port-81"]
    many[81]["part_of"] = ["port-80"]
    many[90]["part_of"] = ["port-20"]
    found, lines = ended(registry, editor, lines_of(*many), "?mode=rows")
    refused = {line["number"] - 1: line["errors"][0]["code"] for line in lines if line["verdict"] == "refused"}
    assert refused == {
        20: "invalid_value", 40: "unknown_record", 60: "line_refused", 80: "cycle", 81: "cycle", 90: "line_refused",
    }  # fmt: skip
    assert (found["status"], counts(found)) == ("done", (294, 0, 0, 6))
    assert count_changes(seeded_database) == before + 294
    again, _ = ended(registry, editor, lines_of(*many), "?mode=rows")
    assert counts(again) == (0, 0, 294, 6)


@pytest.mark.parametrize(
    "wrong", [{"places": ["atlantis"]}, {"identifiers": [{"scheme": "x-port", "value": "P-1"}]}], ids=["link", "code"]
)
def test_lines_that_are_refused_are_not_tried_over_and_over(
    registry: TestClient, editor: Key, monkeypatch: pytest.MonkeyPatch, wrong: Record
) -> None:
    tried: list[int] = []
    put = LineWriter._put

    def counted(self: LineWriter, lines: list[ImportLine]) -> None:
        tried.append(len(lines))
        put(self, lines)

    monkeypatch.setattr(LineWriter, "_put", counted)
    monkeypatch.setattr(chunk_reader, "MAX_CHUNK_SECONDS", 60)  # one chunk, however slow this is
    records = [{**PORTS, "id": f"port-{number}", **(wrong if number % 4 else {})} for number in range(80)]
    found, _ = ended(registry, editor, lines_of(*records), "?mode=rows")
    assert counts(found) == (20 if "places" in wrong else 21, 0, 0, 60 if "places" in wrong else 59)
    assert sum(tried) <= 100 if "places" in wrong else sum(tried) <= 640


def test_only_the_line_that_disagrees_is_refused(registry: TestClient, editor: Key) -> None:
    """A rule about two records is told to the one that comes second, as with single writes."""
    indicator = {"resource": "indicators", "id": "berths", "name": {"en": "Berths"}, "unit": "enterprise"}
    figures = [{**FIGURE, "id": f"berths-{number}", "indicator": "berths", "project": None} for number in range(20)]
    figures[7]["unit"] = "person"
    found, lines = ended(registry, editor, lines_of(*figures, indicator), "?mode=rows")
    assert [line["id"] for line in lines if line["verdict"] == "refused"] == ["berths-7"]
    assert counts(found) == (20, 0, 0, 1)


def test_lines_that_name_each_other_are_written_together(registry: TestClient, editor: Key) -> None:
    place = {"resource": "places", "id": "new-island", "name": {"en": "New Island"}, "level": "country"}
    place |= {"managed_by": "coast-agency"}
    agency = {**COAST, "country": "new-island", "managed_by": None, "citations": []}
    agency["managed_by"] = "coast-agency"
    padding = [{**PORTS, "id": f"port-{number}"} for number in range(260)]
    for query in ("?mode=rows", ""):
        found, lines = ended(registry, editor, lines_of(place, *padding, agency), query)
        assert counts(found)[3] == 0, [line for line in lines if line["errors"]]
    broken = {**agency, "id": "coast-two", "country": "new-land", "kind": "nope", "managed_by": "coast-two"}
    lost = {**place, "id": "new-land", "name": {"en": "New Land"}, "managed_by": "coast-two"}
    found, lines = ended(registry, editor, lines_of(lost, broken), "?mode=rows")
    assert [line["verdict"] for line in lines] == ["refused", "refused"]
    assert lines[0]["errors"][0]["code"] == "line_refused"


def test_a_dry_run_says_what_would_change_and_changes_nothing(
    registry: TestClient, editor: Key, seeded_database: Database
) -> None:
    registry.put("/v1/projects/green-ports", json=PORTS, headers=editor)
    before = count_changes(seeded_database)
    changed = {"resource": "projects", "id": "green-ports", "title": {"vi": "Cảng xanh"}, "places": ["da-nang"]}
    for query in ("?dry_run=true", "?dry_run=true&mode=rows"):
        found, lines = ended(registry, editor, lines_of(changed, COAST, {**FIGURE, "unit": "nope"}), query)
        assert found["status"] == ("done" if "rows" in query else "refused")
        assert counts(found) == (1, 1, 0, 1)
        assert lines[0]["diff"] == [
            {"pointer": "/title/en", "before": "Green ports"},
            {"pointer": "/places", "before": [], "after": ["da-nang"]},
        ]
        assert [line["verdict"] for line in lines] == ["updated", "created", "refused"]
    assert count_changes(seeded_database) == before
    problem(registry.get("/v1/partners/coast-agency"), 404, "not_found")
    found, _ = ended(registry, editor, lines_of(changed))
    assert (found["status"], counts(found)) == ("done", (0, 1, 0, 0))
    shown = get(registry, "/v1/projects/green-ports")
    assert (shown["title"], shown["status"], shown["version"]) == ({"vi": "Cảng xanh"}, "active", 2)


def test_a_version_is_a_condition(registry: TestClient, editor: Key) -> None:
    registry.put("/v1/projects/green-ports", json=PORTS, headers=editor)
    content = lines_of({**PORTS, "version": 1, "status": "completed"})
    assert counts(ended(registry, editor, content)[0]) == (0, 1, 0, 0)
    assert counts(ended(registry, editor, content)[0]) == (0, 0, 1, 0)
    _, lines = ended(registry, editor, lines_of({**PORTS, "version": 1, "status": "past"}))
    assert [(each["pointer"], each["code"]) for each in lines[0]["errors"]] == [("/version", "stale")]


def test_partners_are_known_by_identifier_name_or_alias(registry: TestClient, editor: Key) -> None:
    codes = [{"scheme": "x-port", "value": "P-1"}]
    registry.put("/v1/partners/coast-agency", json={**COAST, "identifiers": codes}, headers=editor)
    said = {"resource": "partners", "kind": "government", "managed_by": "unido"}
    by_code = {**said, "name": {"vi": "Cục Cảng"}, "identifiers": codes}
    named = {**PORTS, "roles": [{"partner": "Coast  agency", "role": "lead"}, {"partner": "cdh", "role": "host"}]}
    _, lines = ended(registry, editor, lines_of(by_code), "?dry_run=true")
    assert (lines[0]["id"], lines[0]["matched_by"], lines[0]["verdict"]) == ("coast-agency", "identifier", "updated")
    for name in ({"en": "COAST AGENCY"}, {"vi": "CDH"}):
        _, lines = ended(registry, editor, lines_of({**said, "name": name, "aliases": ["CDH"]}), "?dry_run=true")
        assert (lines[0]["id"], lines[0]["matched_by"], lines[0]["verdict"]) == ("coast-agency", "name", "unchanged")
    _, lines = ended(registry, editor, lines_of({**said, "name": {"vi": "CDH", "fr": "Agence"}}), "?dry_run=true")
    assert [each["pointer"] for each in lines[0]["diff"]] == ["/name/fr"]
    namesake = {**said, "name": {"en": "Coast Agency"}}
    for speaks_against in ({"name": {"en": "Coast Agency", "vi": "Cục Bờ biển"}}, {"country": "switzerland"}):
        registry.patch(
            "/v1/partners/coast-agency",
            content=b'{"country": "viet-nam"}',
            headers={**editor, "If-Match": "*", "Content-Type": "application/merge-patch+json"},
        )
        _, lines = ended(registry, editor, lines_of({**namesake, **speaks_against}), "?dry_run=true")
        assert (lines[0]["matched_by"], lines[0]["errors"] or lines[0]["verdict"]) != ("name", "updated"), lines
    other_code = {"identifiers": [{"scheme": "x-port", "value": "P-2"}]}
    _, lines = ended(registry, editor, lines_of({**namesake, **other_code}), "?dry_run=true")
    assert [each["code"] for each in lines[0]["errors"]] == ["ambiguous"]
    _, lines = ended(registry, editor, lines_of({**said, "name": {"vi": "Cuc Duyen hai"}}))
    assert (lines[0]["id"], lines[0]["matched_by"], lines[0]["verdict"]) == ("cuc-duyen-hai", None, "created")
    _found, lines = ended(registry, editor, lines_of({**named, "roles": named["roles"][:1]}))
    assert get(registry, "/v1/projects/green-ports")["roles"] == [{"partner": "coast-agency", "role": "lead"}]
    _, lines = ended(registry, editor, lines_of({**PORTS, "roles": [{"partner": "Nobody Here", "role": "lead"}]}))
    assert [(each["pointer"], each["code"]) for each in lines[0]["errors"]] == [("/roles/0/partner", "unknown_record")]
    registry.put("/v1/partners/other-coast", json={**COAST, "id": "other-coast"}, headers=editor)
    _, lines = ended(registry, editor, lines_of({**said, "name": {"en": "Coast Agency"}}, named))
    assert [line["errors"][0]["code"] for line in lines] == ["ambiguous", "ambiguous"]


def test_a_name_means_the_curated_partner_or_else_ones_own(registry: TestClient, seeded_database: Database) -> None:
    """Whatever names others give to their own records."""
    squatter = key_of(seeded_database, "records:write:own", partner="seco")
    for record_id, aliases in (("squat", ["UNIDO"]), ("harbour", ["Harbour Board"])):
        body = {"name": {"en": record_id}, "aliases": aliases, "kind": "other", "managed_by": "seco"}
        assert registry.put(f"/v1/partners/{record_id}", json=body, headers=squatter).status_code == 201
    own = key_of(seeded_database, "records:write:own", partner="moit")
    ports = {**PORTS, "managed_by": "moit"}

    def partner_of(name: str, *more: Record) -> tuple[str, list[str]]:
        line = {**ports, "roles": [{"partner": name, "role": "lead"}]}
        _, lines = ended(registry, own, lines_of(line, *more), "?dry_run=true")
        roles = [each["after"][0]["partner"] for each in lines[0]["diff"] or [] if each["pointer"] == "/roles"]
        return "".join(roles), [error["code"] for error in lines[0]["errors"]]

    assert registry.put("/v1/projects/green-ports", json=ports, headers=own).status_code == 201
    assert partner_of("UNIDO") == ("unido", [])
    assert partner_of("Harbour Board") == ("harbour", [])
    mine = {**COAST, "id": "my-board", "name": {"en": "Harbour board"}, "aliases": [], "managed_by": "moit"}
    assert partner_of("Harbour Board", mine) == ("my-board", [])
    assert registry.put("/v1/partners/my-board", json=mine, headers=own).status_code == 201
    assert partner_of("Harbour Board") == ("my-board", [])
    assert registry.put("/v1/partners/my-second", json={**mine, "id": "my-second"}, headers=own).status_code == 201
    assert partner_of("Harbour Board") == ("", ["ambiguous"])


def test_a_line_without_id_is_known_again(registry: TestClient, editor: Key, seeded_database: Database) -> None:
    without = {name: value for name, value in PORTS.items() if name != "id"}
    agency = {**COAST, "id": None, "name": {"en": "Sea Bureau"}, "aliases": []}
    figure = {**FIGURE, "project": "green-ports", "partner": "Sea Bureau"}
    content = lines_of(figure, without, agency)
    found, lines = ended(registry, editor, content)
    assert [line["id"] for line in lines] == ["ports-2026", "green-ports", "sea-bureau"], lines
    assert get(registry, "/v1/figures/ports-2026")["partner"] == "sea-bureau"
    before = count_changes(seeded_database)
    found, lines = ended(registry, editor, content)
    assert counts(found) == (0, 0, 3, 0)
    assert [line["matched_by"] for line in lines] == [None, "title", "name"]
    assert count_changes(seeded_database) == before
    nameless = {name: value for name, value in FIGURE.items() if name != "id"}
    other = {**without, "title": {"en": "Smart factory cooperation"}}
    found, lines = ended(registry, editor, lines_of(nameless, without, without, other), "?mode=rows")
    assert [line["errors"][0]["code"] if line["errors"] else line["verdict"] for line in lines] == [
        "no_id", "unchanged", "repeated_line", "created",
    ]  # fmt: skip
    assert lines[3]["id"] == "smart-factory-cooperation-2"


def test_a_heading_of_another_resource_is_no_heading(registry: TestClient, editor: Key) -> None:
    """Nor is one that the record found by it does not have."""
    lines = [
        {"resource": "partners", "title": {"en": "UNIDO"}},
        {"resource": "projects", "summary": {"en": "Smart factory cooperation"}},
        {"resource": "projects", "title": None, "name": {"en": "Smart factory cooperation"}},
    ]
    found, _ = ended(registry, editor, lines_of(*lines), "?mode=rows")
    assert (found["status"], found["refused"]) == ("done", 3), found


def test_a_key_of_a_partner_writes_its_own_records_only(
    registry: TestClient, unido: Key, editor: Key, seeded_database: Database
) -> None:
    draft = {**PORTS, "id": "hidden-ports", "managed_by": "moit", "state": "draft"}
    registry.put("/v1/projects/hidden-ports", json=draft, headers=editor)
    registry.put("/v1/projects/gone-ports", json=PORTS | {"id": "gone-ports"}, headers=editor)
    registry.delete("/v1/projects/gone-ports", headers={**editor, "If-Match": "*"})
    mine = {name: value for name, value in PORTS.items() if name != "managed_by"}
    others = {"resource": "partners", "id": "moit", "abbreviation": "X"}
    registry.put("/v1/projects/their-ports", json={**PORTS, "id": "their-ports", "managed_by": "moit"}, headers=editor)
    registry.delete("/v1/projects/their-ports", headers={**editor, "If-Match": "*"})
    lines = [mine, others, {**mine, "id": "hidden-ports"}, {**mine, "id": "their-ports"}, {**mine, "id": "gone-ports"}]
    lines += [{**mine, "id": "given-away", "managed_by": "moit"}]
    _found, seen = ended(registry, unido, lines_of(*lines), "?mode=rows")
    assert [line["errors"][0]["code"] if line["errors"] else line["verdict"] for line in seen] == [
        "created", "forbidden", "id_taken", "id_taken", "created", "forbidden",
    ]  # fmt: skip
    assert get(registry, "/v1/projects/green-ports")["managed_by"] == "unido"


def test_a_line_restores_the_deleted_record_with_its_id(
    registry: TestClient, editor: Key, seeded_database: Database, tmp_path: Path
) -> None:
    path = "/v1/projects/green-ports"
    created = registry.put(path, json=PORTS, headers=editor).json()["created_at"]
    registry.delete(path, headers={**editor, "If-Match": "*"})
    for query, status in (("?dry_run=true", 410), ("?mode=rows", 200)):
        _, lines = ended(registry, editor, lines_of(PORTS), query)
        assert (lines[0]["verdict"], lines[0]["matched_by"], lines[0]["id"]) == ("created", "deleted", "green-ports")
        get(registry, path, status)
    shown = get(registry, path)
    assert (shown["version"], shown["created_at"]) == (3, created)
    actions = [entry["action"] for entry in get(registry, f"{path}/history")["items"]]
    assert actions == ["create", "delete", "create"]

    registry.delete(path, headers={**editor, "If-Match": "*"})
    (tmp_path / "ports.jsonl").write_bytes(lines_of(PORTS))
    found = run("import", str(tmp_path / "ports.jsonl"), "--dry-run", HOPTAC_DATABASE_URL=url_of(seeded_database))
    assert "restored, because it was deleted: projects/green-ports" in found.stdout, found


def test_what_others_refer_to_is_not_withdrawn(registry: TestClient, editor: Key) -> None:
    for record in (PORTS, {**PORTS, "id": "pier", "part_of": ["green-ports"]}):
        registry.put(f"/v1/projects/{record['id']}", json=record, headers=editor)
    hidden = {"resource": "projects", "id": "green-ports", "state": "draft"}
    _, lines = ended(registry, editor, lines_of(hidden))
    assert [(each["code"], each["detail"]) for each in lines[0]["errors"]] == [
        ("referrer", "projects/pier refers to it.")
    ]
    both = lines_of(hidden, {"resource": "projects", "id": "pier", "state": "draft"})
    assert counts(ended(registry, editor, both)[0]) == (0, 2, 0, 0)


def test_a_tree_is_withdrawn_at_once_however_large(
    registry: TestClient, editor: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk_reader, "CHUNK", 3)
    tree = [PORTS, *({**PORTS, "id": f"pier-{number}", "part_of": ["green-ports"]} for number in range(8))]
    assert counts(ended(registry, editor, lines_of(*tree))[0]) == (9, 0, 0, 0)
    hidden = [{**each, "state": "draft"} for each in tree]
    found, lines = ended(registry, editor, lines_of(*hidden[:-1]))
    assert (found["status"], counts(found)[3]) == ("refused", 1)
    (refused,) = (line for line in lines if line["verdict"] == "refused")
    assert (refused["id"], refused["diff"]) == ("green-ports", [])
    assert [(each["code"], each["detail"]) for each in refused["errors"]] == [
        ("referrer", "projects/pier-7 refers to it.")
    ]
    assert registry.get("/v1/projects/pier-0").status_code == 200
    assert counts(ended(registry, editor, lines_of(*hidden))[0]) == (0, 9, 0, 0)
    assert registry.get("/v1/projects/green-ports").status_code == 404


def test_a_code_that_another_record_has_is_told(registry: TestClient, editor: Key) -> None:
    codes = [{"scheme": "x-port", "value": "P-1"}]
    registry.put("/v1/projects/pier", json={**PORTS, "id": "pier", "identifiers": codes}, headers=editor)
    lines = [{**PORTS, "id": f"port-{number}"} for number in range(9)]
    lines[4]["identifiers"] = codes
    lines[6]["identifiers"] = [*codes, *codes]
    for mode in ("all", "rows"):
        _found, seen = ended(registry, editor, lines_of(*lines), f"?mode={mode}&dry_run=true")
        assert {n: line["errors"][0] for n, line in enumerate(seen) if line["errors"]} == {
            4: {"pointer": "/identifiers/0", "code": "taken", "detail": "projects/pier has this code."},
            6: {"pointer": "/identifiers/0", "code": "taken", "detail": "projects/pier has this code."},
        }
    passed_on = [{"resource": "projects", "id": "pier", "identifiers": []}, {**PORTS, "identifiers": codes}]
    assert counts(ended(registry, editor, lines_of(*passed_on))[0]) == (1, 1, 0, 0)
