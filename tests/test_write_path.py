"""What a single write costs: the record is read once and serialized once."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event
from starlette.testclient import TestClient

from app.projects.models import ProjectFields
from tests.support.keys import Key

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
