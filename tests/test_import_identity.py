"""Lines without id: never another record than the one that they are about."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.database.engine import Database
from app.exchange.imports.planning.new_ids import NewIds
from tests.support.http import get
from tests.support.imports import COAST, PORTS, Record, ended, lines_of
from tests.support.keys import Key
from tests.support.log import count_changes

WATER: Record = {name: value for name, value in PORTS.items() if name not in ("id", "title")} | {
    "title": {"vi": "Cấp nước sạch vùng cao"}
}
FIRST = {**WATER, "managed_by": "moit", "identifiers": [{"scheme": "moit-no", "value": "M-1"}]}
OTHER_MANAGER = {**WATER, "status": "completed", "identifiers": [{"scheme": "unido-no", "value": "U-7"}]}
OTHER_CODE = {**FIRST, "status": "completed", "identifiers": [{"scheme": "moit-no", "value": "M-2"}]}
STEM = "cap-nuoc-sach-vung-cao"


def verdicts(lines: list[Any]) -> list[tuple[str, Any]]:
    return [(line["errors"][0]["code"] if line["errors"] else line["verdict"], line["id"]) for line in lines]


@pytest.mark.parametrize("mode", ["all", "rows"])
def test_another_manager_or_code_is_another_record(
    registry: TestClient, editor: Key, seeded_database: Database, mode: str
) -> None:
    assert verdicts(ended(registry, editor, lines_of(FIRST))[1]) == [("created", STEM)]
    before = get(registry, f"/v1/projects/{STEM}")
    _, lines = ended(registry, editor, lines_of(OTHER_MANAGER, OTHER_CODE), f"?mode={mode}")
    assert verdicts(lines) == [("created", f"{STEM}-2"), ("created", f"{STEM}-3")]
    assert get(registry, f"/v1/projects/{STEM}") == before
    changes = count_changes(seeded_database)
    _, lines = ended(registry, editor, lines_of(FIRST, OTHER_MANAGER, OTHER_CODE), f"?mode={mode}")
    assert [line["verdict"] for line in lines] == ["unchanged"] * 3
    assert count_changes(seeded_database) == changes


def test_the_same_holds_within_one_file(registry: TestClient, editor: Key) -> None:
    many = [{**FIRST, "identifiers": [{"scheme": "moit-no", "value": f"M-{number}"}]} for number in range(120)]
    named = {**WATER, "managed_by": "UNIDO"}
    content = lines_of(*many, named)
    for verdict in ("created", "unchanged"):
        _, lines = ended(registry, editor, content)
        assert {line["verdict"] for line in lines} == {verdict}, lines
        assert len({line["id"] for line in lines}) == 121
    _, lines = ended(registry, editor, lines_of(many[0], many[0]), "?mode=rows")
    assert [code for code, _ in verdicts(lines)] == ["unchanged", "repeated_line"]


def test_what_cannot_be_decided_lists_the_candidates(registry: TestClient, editor: Key) -> None:
    ended(registry, editor, lines_of(FIRST, OTHER_CODE))
    without_codes = {**FIRST, "identifiers": None}
    del without_codes["identifiers"]
    other_register = {**FIRST, "identifiers": [{"scheme": "iati", "value": "X-1"}]}
    no_codes = {**FIRST, "identifiers": []}
    for line in (without_codes, other_register, no_codes):
        before = get(registry, f"/v1/projects/{STEM}")
        _, lines = ended(registry, editor, lines_of(line))
        (error,) = lines[0]["errors"]
        assert error["code"] == "ambiguous"
        assert f"projects/{STEM}, projects/{STEM}-2" in error["detail"]
        assert get(registry, f"/v1/projects/{STEM}") == before
    two = [without_codes | {"title": {"vi": "Đường mới"}}, FIRST | {"title": {"vi": "Đường mới"}}]
    two[1]["identifiers"] = [{"scheme": "moit-no", "value": "M-9"}]
    _, lines = ended(registry, editor, lines_of(*two), "?mode=rows")
    assert [code for code, _ in verdicts(lines)] == ["created", "ambiguous"]
    assert "Line 1" in lines[1]["errors"][0]["detail"]


def test_a_title_alone_never_adds_a_code(registry: TestClient, editor: Key) -> None:
    ended(registry, editor, lines_of(WATER))
    _, lines = ended(registry, editor, lines_of(OTHER_MANAGER))
    assert verdicts(lines) == [("ambiguous", None)]
    assert get(registry, f"/v1/projects/{STEM}")["identifiers"] == []
    changed = {**WATER, "status": "completed"}
    assert verdicts(ended(registry, editor, lines_of(changed))[1]) == [("updated", STEM)]


def test_a_key_of_a_partner_never_meets_the_records_of_others(registry: TestClient, editor: Key, unido: Key) -> None:
    ended(registry, editor, lines_of(FIRST))
    line = {name: value for name, value in WATER.items() if name != "managed_by"}
    for verdict in ("created", "unchanged"):
        assert verdicts(ended(registry, unido, lines_of(line))[1]) == [(verdict, f"{STEM}-2")]
    assert get(registry, f"/v1/projects/{STEM}-2")["managed_by"] == "unido"


def test_a_record_with_an_id_of_its_own_is_found_by_its_title(registry: TestClient, editor: Key) -> None:
    ended(registry, editor, lines_of({**PORTS, "id": "p-2026"}))
    for title in (PORTS["title"], {"en": "green  PORTS"}, {"vi": "Cảng xanh"}):
        line = {name: value for name, value in PORTS.items() if name != "id"} | {"title": title}
        _, lines = ended(registry, editor, lines_of(line), "?dry_run=true")
        assert (lines[0]["id"], lines[0]["matched_by"]) == ("p-2026", "title")
    line["title"] = {"vi": "Cảng xanh", "en": "Green airports"}
    assert verdicts(ended(registry, editor, lines_of(line))[1]) == [("created", "green-airports")]


def test_ids_that_are_taken_get_a_number(registry: TestClient, editor: Key) -> None:
    """By a deleted record, a reserved word, another line, or a title that differs after 80 characters."""
    registry.put("/v1/projects/gone-ports", json={**PORTS, "id": "gone-ports"}, headers=editor)
    registry.delete("/v1/projects/gone-ports", headers={**editor, "If-Match": "*"})
    long = "A long title about water supply in the highlands of the north and the coasts of the south"
    titles = ["Gone ports", "Search", "Stated ports", f"{long} one", f"{long} two", "港口"]
    lines = [{**WATER, "title": {"en": title}} for title in titles]
    stated = {**PORTS, "id": "stated-ports", "title": {"en": "Something else"}}
    content = lines_of(*lines, stated)
    stem = "a-long-title-about-water-supply-in-the-highlands-of-the-north-and-the-coasts-of"
    ids = ["gone-ports-2", "search-2", "stated-ports-2", stem, f"{stem}-2", "project", "stated-ports"]
    for verdict in ("created", "unchanged"):
        _, found = ended(registry, editor, content)
        assert verdicts(found) == [(verdict, each) for each in ids]


def test_the_same_holds_for_a_post(registry: TestClient, editor: Key) -> None:
    bodies = [FIRST, OTHER_MANAGER, OTHER_CODE, {**WATER, "title": {"en": "Search"}}]
    ids = []
    for body in bodies:
        posted = registry.post("/v1/projects", json=body, headers=editor)
        assert posted.status_code == 201, posted.text
        ids.append(posted.json()["id"])
    assert ids == [STEM, f"{STEM}-2", f"{STEM}-3", "search-2"]
    again = registry.post("/v1/projects", json=FIRST, headers=editor)
    assert (again.status_code, again.json()["errors"][0]["code"]) == (422, "taken")


@pytest.mark.parametrize("resource", ["agreements", "documents", "milestones", "indicators", "places"])
def test_the_same_holds_for_every_resource(registry: TestClient, editor: Key, resource: str) -> None:
    name = "name" if resource in ("indicators", "places") else "title"
    line: Record = {"resource": resource, name: {"en": "One of a name"}, "managed_by": "unido"}
    example = get(registry, f"/v1/{resource}?limit=1")["items"][0]
    for member in ("kind", "status", "unit", "level", "language", "direction"):
        if example.get(member) is not None:
            line[member] = example[member]
    other = {**line, "managed_by": "moit"}
    for verdict in ("created", "unchanged"):
        _, lines = ended(registry, editor, lines_of(line, other))
        assert verdicts(lines) == [(verdict, "one-of-a-name"), (verdict, "one-of-a-name-2")], lines


def test_a_partner_keeps_its_manager_and_codes(registry: TestClient, editor: Key) -> None:
    codes = [{"scheme": "x-port", "value": "P-1"}]
    ended(registry, editor, lines_of({**COAST, "identifiers": codes}))
    line = {**COAST, "id": None}
    for more in ({"managed_by": "moit"}, {"identifiers": [{"scheme": "x-port", "value": "P-2"}]}):
        _, lines = ended(registry, editor, lines_of({**line, **more}))
        (error,) = lines[0]["errors"]
        assert (error["code"], "partners/coast-agency" in error["detail"]) == ("ambiguous", True)


def test_an_id_that_others_take_meanwhile_is_not_overwritten(
    registry: TestClient, editor: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NewIds, "new_id", lambda *_: "smart-factory-cooperation")
    _, lines = ended(registry, editor, lines_of(WATER))
    assert [error["code"] for error in lines[0]["errors"]] == ["conflict"]
