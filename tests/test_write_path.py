"""What a single write costs: the record is read once and serialized once."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event
from starlette.testclient import TestClient

from app.projects.models import ProjectFields
from tests.support.keys import Key
from tests.support.records import PROJECT

PATH = "/v1/projects/smart-factory-cooperation"


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """The statements that go through SQLAlchemy engines while the test runs."""
    run: list[str] = []

    def note(*arguments: object) -> None:
        run.append(" ".join(str(arguments[2]).split()))

    event.listen(Engine, "before_cursor_execute", note)
    yield run
    event.remove(Engine, "before_cursor_execute", note)


def test_an_update_reads_and_serializes_its_record_once(
    registry: TestClient, editor: Key, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = registry.get(PATH).headers["etag"]
    dumped: list[str] = []
    dump = ProjectFields.model_dump_json

    def counted(fields: ProjectFields, **options: bool) -> str:
        dumped.append("once more")
        return dump(fields, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ProjectFields, "model_dump_json", counted)
    statements.clear()
    response = registry.patch(PATH, json={"description": {"en": "Another"}}, headers={**editor, "If-Match": tag})
    assert response.status_code == 200
    assert len(dumped) == 1
    reads = [statement for statement in statements if re.match("SELECT projects.id, projects.version", statement)]
    assert len(reads) == 1
    after = registry.get(PATH)
    assert after.headers["etag"] == response.headers["etag"]
    assert after.content == response.content


def test_links_that_a_record_had_are_not_followed_again(
    registry: TestClient, editor: Key, statements: list[str]
) -> None:
    for name, whole in (("whole", []), ("part", ["whole"])):
        body = {**PROJECT, "part_of": whole}
        assert registry.put(f"/v1/projects/{name}", json=body, headers=editor).status_code == 201
    headers = {**editor, "If-Match": "*"}
    statements.clear()
    assert registry.patch("/v1/projects/part", json={"status": "completed"}, headers=headers).status_code == 200
    assert not [statement for statement in statements if "RECURSIVE" in statement]
    refused = registry.patch("/v1/projects/whole", json={"part_of": ["part"]}, headers=headers)
    assert refused.json()["errors"][0]["code"] == "cycle"
    assert [statement for statement in statements if "RECURSIVE" in statement]
