"""What is inferred: parts of a record by JSON Pointer, as writers state them and readers see them."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.database.engine import Database
from app.core.model.resource import RESOURCES
from app.core.model.support import inferred_parts, supported_field
from app.core.values.evidence import Citation
from app.core.writing.representation import accepted_fields, render
from tests.support.http import get, patch, problem, put
from tests.support.keys import Key

ROLES = [{"partner": "a", "role": "funding"}, {"partner": "b", "role": "lead"}, {"partner": "c", "role": "lead"}]
RECORD: dict[str, Any] = {
    "title": {"vi": "Dự án", "en": "A project"},
    "roles": ROLES,
    "period": {"edtf": "2022", "earliest": "2022-01-01", "latest": "2022-12-31"},
    "breakdown": {"a/b": "x", "c": "y"},
    "places": [],
    "follows": None,
}
Support = tuple[str, list[str]]  # basis, supports


@pytest.mark.parametrize(
    ("cited", "inferred"),
    [
        ([("stated", ["roles"]), ("inferred", ["/roles/2"])], ["/roles/2"]),
        ([("inferred", ["roles"]), ("stated", ["/roles/1"])], ["/roles/0", "/roles/2"]),
        ([("inferred", ["roles"])], ["/roles"]),
        ([("inferred", ["/roles"]), ("inferred", ["/roles/1"])], ["/roles/0", "/roles/1", "/roles/2"]),
        ([("inferred", ["roles"]), ("stated", ["roles"])], []),
        ([("inferred", ["/roles/0/role"])], ["/roles/0/role"]),
        ([("inferred", ["roles.role"])], ["/roles/0/role", "/roles/1/role", "/roles/2/role"]),
        ([("inferred", ["period"]), ("stated", ["title"])], ["/period"]),
        ([("inferred", ["/breakdown/a~1b"])], ["/breakdown/a~1b"]),
        ([("external", ["period"])], []),
        ([("inferred", []), ("stated", ["/title/vi", "roles"])], ["/title/en", "/period", "/breakdown"]),
        ([("inferred", []), ("stated", [])], []),
        ([("stated", []), ("inferred", ["period"])], ["/period"]),
        ([("inferred", ["places", "follows", "nothing", "/roles/3", "/roles/x", "/roles/-1"])], []),
    ],
)
def test_a_part_is_inferred_if_nothing_states_it(cited: list[Support], inferred: list[str]) -> None:
    citations = [Citation(document="d", basis=basis, supports=names) for basis, names in cited]
    assert inferred_parts(citations, RECORD) == inferred


def test_a_part_belongs_to_its_field() -> None:
    parts = ["roles", "roles.partner", "/roles", "/roles/2/partner"]
    assert {supported_field(name) for name in parts} == {"roles"}


def cited(basis: str, *supports: str) -> dict[str, Any]:
    return {"document": "unido-moit-2021", "paragraph": 3, "as_written": "WCSP5", "basis": basis, "supports": supports}


def project(*citations: dict[str, Any]) -> dict[str, Any]:
    roles = [{"partner": each, "role": "counterpart"} for each in ("moit", "unido", "mofa")]
    members = {"title": {"vi": "Hợp tác", "en": "Work"}, "kind": "framework", "status": "active", "roles": roles}
    return {**members, "period": "2021/2022", "citations": list(citations)}


def test_one_inferred_item_of_a_list_is_shown(registry: TestClient, editor: Key) -> None:
    body = project(cited("stated", "title", "roles"), cited("inferred", "/roles/1", "period"))
    written = put(registry, editor, "projects/some-work", body).json()
    assert written["inferred"] == ["/period", "/roles/1"]
    assert written["citations"][1]["supports"] == ["/roles/1", "period"]
    entries = get(registry, "/v1/timeline?project=some-work")["items"]
    assert [(entry["field"], entry["inferred"]) for entry in entries] == [("period", written["inferred"])] * 2


def test_a_pointer_must_lead_to_a_part(registry: TestClient, editor: Key) -> None:
    wrong = ("/roles/3", "/state", "/citations/0", "/title/fr", "/")
    body = project(cited("stated", "title"), cited("inferred", "/roles/1", *wrong))
    found = problem(registry.put("/v1/projects/some-work", json=body, headers=editor), 422, "invalid")["errors"]
    assert [(each["pointer"], each["code"]) for each in found] == [
        (f"/citations/1/supports/{number}", "invalid_value") for number in range(1, 6)
    ]


def test_an_item_cannot_be_removed_from_under_its_citation(registry: TestClient, editor: Key) -> None:
    put(registry, editor, "projects/some-work", project(cited("stated", "roles"), cited("inferred", "/roles/2")))
    shorter = {"roles": project()["roles"][:2]}
    headers = {**editor, "If-Match": "*", "Content-Type": "application/merge-patch+json"}
    refused = problem(registry.patch("/v1/projects/some-work", json=shorter, headers=headers), 422, "invalid")
    assert [each["pointer"] for each in refused["errors"]] == ["/citations/1/supports/0"]
    patch(registry, editor, "projects/some-work", **shorter, citations=[cited("stated", "roles")])
    assert get(registry, "/v1/projects/some-work")["inferred"] == []


def test_a_merge_of_partners_moves_what_is_said_of_items(registry: TestClient, editor: Key) -> None:
    for name in ("twin", "other"):
        partner = {"name": {"en": name.title()}, "kind": "company", "managed_by": "moit"}
        put(registry, editor, f"partners/{name}", partner)
    body = project(cited("stated", "roles"), cited("inferred", "/roles/3/partner", "/roles/2"))
    body["roles"] = [{"partner": each, "role": "lead"} for each in ("other", "moit", "twin", "unido")]
    put(registry, editor, "projects/some-work", body)
    merged = registry.post("/v1/partners/twin/merge", json={"into": "other"}, headers={**editor, "If-Match": "*"})
    assert merged.status_code == 200, merged.text
    project_after = get(registry, "/v1/projects/some-work")
    assert [role["partner"] for role in project_after["roles"]] == ["other", "moit", "unido"]
    assert project_after["citations"][1]["supports"] == ["/roles/2/partner", "/roles/0"]
    assert project_after["inferred"] == ["/roles/0", "/roles/2/partner"]


def test_a_name_that_is_no_field_stays_readable(seeded_database: Database) -> None:
    """Earlier versions accepted it, and a record that has it is rendered again."""
    projects = RESOURCES["projects"]
    body = project(cited("inferred", "nothing", "period", "/roles/7"))
    stored = render(projects, "x", projects.fields.model_validate(body), 1, "", "")
    assert accepted_fields(projects, stored).inferred_parts() == ["/period"]
