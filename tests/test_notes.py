"""Notes of citations: in both languages, and as plain texts, as they were before."""

import json

from sqlalchemy import text
from starlette.testclient import TestClient

from app.core.database.engine import Database
from app.core.maintenance.rerender import render_all_again
from tests.support.http import get, put
from tests.support.keys import Key

PATH = "/v1/projects/noted"
RECORD = "projects/noted"
NOTE = {"vi": "Do chúng tôi tính.", "en": "Computed by zebrafish."}


def project(note: object) -> dict[str, object]:
    citation = {"document": "unido-moit-2021", "paragraph": 1, "as_written": "x", "note": note}
    return {"title": {"en": "Ours"}, "kind": "project", "status": "active", "citations": [citation]}


def note_of(client: TestClient, query: str = "") -> object:
    return get(client, f"{PATH}{query}")["citations"][0]["note"]


def test_a_note_has_languages_or_none(registry: TestClient, editor: Key) -> None:
    put(registry, editor, RECORD, project(NOTE))
    assert note_of(registry) == NOTE
    assert note_of(registry, "?lang=vi") == {"vi": NOTE["vi"]}
    page = registry.get("/figures/smart-factory-enterprises-target-2022-2023?lang=vi").text
    assert "Hai bên của bản ghi nhớ đặt ra chỉ tiêu." in page
    assert "The two sides of the memorandum that sets the target." not in page
    assert get(registry, "/v1/search?q=zebrafish")["items"] == []
    put(registry, editor, RECORD, project("Computed by zebrafish."))
    assert note_of(registry) == {"und": "Computed by zebrafish."}
    assert get(registry, "/v1/search?q=zebrafish")["items"] == []


def test_a_stored_note_without_language_becomes_a_map(
    registry: TestClient, editor: Key, seeded_database: Database
) -> None:
    put(registry, editor, RECORD, project({"und": "As it was."}))
    with seeded_database.write() as session:
        body = get(registry, PATH)
        body["citations"][0]["note"] = "As it was."
        values = {"body": json.dumps(body, ensure_ascii=False)}
        session.connection().execute(text("UPDATE projects SET body = :body, rendering = 4 WHERE id = 'noted'"), values)
    assert render_all_again(seeded_database) == 1
    assert note_of(registry, "?fields=citations") == {"und": "As it was."}
