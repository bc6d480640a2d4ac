"""Ids in filters: those of merged records lead on, and unknown ones are reported in hints."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.http import get
from tests.support.keys import Key
from tests.support.records import PARTNER, PROJECT


def put(client: TestClient, editor: Key, path: str, fields: dict[str, Any]) -> None:
    written = client.put(f"/v1/{path}", json=fields, headers={**editor, "If-None-Match": "*"})
    assert written.status_code == 201, written.text


@pytest.fixture
def merged(registry: TestClient, editor: Key) -> TestClient:
    """A registry in which the partner `old-name` was merged into `new-name`, which leads one project."""
    put(registry, editor, "partners/old-name", {**PARTNER, "name": {"en": "Old name"}})
    put(registry, editor, "partners/new-name", {**PARTNER, "name": {"en": "New name"}})
    roles = [{"partner": "old-name", "role": "lead"}]
    put(registry, editor, "projects/theirs", {**PROJECT, "roles": roles})
    answered = registry.post(
        "/v1/partners/old-name/merge", json={"into": "new-name"}, headers={**editor, "If-Match": "*"}
    )
    assert answered.status_code == 200, answered.text
    return registry


def ids(page: Any) -> list[str]:
    return [item["id"] for item in page["items"]]


def test_a_merged_id_finds_what_the_remaining_one_finds(merged: TestClient) -> None:
    page = get(merged, "/v1/projects?partner=old-name")
    assert ids(page) == ["theirs"]
    assert page["hints"] == [
        {
            "parameter": "partner",
            "position": 1,
            "code": "merged_record",
            "message": {
                "vi": "Bản ghi đã được sáp nhập vào `new-name`; bộ lọc dùng bản ghi đó.",
                "en": "The partner was merged into `new-name`, which the filter takes.",
            },
            "into": "new-name",
        }
    ]
    assert ids(get(merged, "/v1/projects?partner=old-name&partner=new-name")) == ["theirs"]
    assert "theirs" not in ids(get(merged, "/v1/projects?partner_not=old-name&limit=200"))
    assert get(merged, "/v1/partners/new-name/projects")["items"][0]["id"] == "theirs"
    facets = get(merged, "/v1/projects/facets?facet=role&partner=old-name")
    assert facets["facets"]["role"]["values"][0]["count"] == 1
    assert facets["hints"][0]["code"] == "merged_record"
    assert ids(get(merged, "/v1/partners?id=old-name")) == ["old-name"]


@pytest.mark.parametrize(
    ("path", "parameter", "position"),
    [
        ("/v1/projects?partner=moit&partner=atlantis", "partner", 2),
        ("/v1/projects?place=atlantis", "place", 1),
        ("/v1/projects?place_not=atlantis", "place_not", 1),
        ("/v1/partners?project=atlantis", "project", 1),
        ("/v1/projects/facets?facet=status&place=atlantis", "place", 1),
        ("/v1/figures/aggregate?project=atlantis", "project", 1),
        ("/v1/partners/unido/projects?place=atlantis", "place", 1),
        ("/v1/projects?q=samsung&place=atlantis", "place", 1),
    ],
)
def test_an_unknown_id_is_reported(client: TestClient, path: str, parameter: str, position: int) -> None:
    (hint,) = get(client, path)["hints"]
    assert (hint["parameter"], hint["position"], hint["code"]) == (parameter, position, "unknown_record")
    assert hint["message"].keys() == {"vi", "en"}
    assert "atlantis" not in str(hint["message"])


@pytest.mark.parametrize("path", ["/v1/projects?partner=moit", "/v1/projects?status=active", "/v1/projects"])
def test_known_ids_get_no_hints(client: TestClient, path: str) -> None:
    assert "hints" not in get(client, path)


def test_a_draft_is_no_known_record(registry: TestClient, editor: Key) -> None:
    put(registry, editor, "partners/hidden", {**PARTNER, "state": "draft"})
    (hint,) = get(registry, "/v1/projects?partner=hidden")["hints"]
    assert hint["code"] == "unknown_record"


def test_the_hints_are_bounded(client: TestClient) -> None:
    query = "&".join(f"partner=nobody-{number}" for number in range(150))
    assert len(get(client, f"/v1/projects?{query}")["hints"]) == 20
