"""Imports over HTTP: files of records, what becomes of each line, and that the same file again changes nothing."""

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from openpyxl import Workbook
from starlette.testclient import TestClient

from app.core.database import Database
from app.exchange.files import JSON_LINES
from tests.conftest import client_of, get
from tests.test_hot import url_of
from tests.test_keys import key_of
from tests.test_writes import Key, changes

Record = dict[str, Any]
PORTS: Record = {
    "resource": "projects",
    "id": "green-ports",
    "title": {"vi": "Cảng xanh", "en": "Green ports"},
    "kind": "project",
    "status": "active",
    "managed_by": "unido",
}
COAST: Record = {
    "resource": "partners",
    "id": "coast-agency",
    "name": {"vi": "Cục Duyên hải", "en": "Coast Agency"},
    "aliases": ["CDH"],
    "kind": "government",
    "managed_by": "unido",
}
FIGURE: Record = {
    "resource": "figures",
    "id": "ports-2026",
    "indicator": "enterprises-supported",
    "kind": "actual",
    "value": 3,
    "unit": "enterprise",
    "project": "green-ports",
    "managed_by": "unido",
}


@pytest.fixture
def registry(seeded_database: Database) -> Iterator[TestClient]:
    """A client of the application over a seeded database of this test's own."""
    with client_of(url_of(seeded_database)) as made:
        yield made


@pytest.fixture
def editor(seeded_database: Database) -> Key:
    """A key that writes all records."""
    return key_of(seeded_database, "records:write")


@pytest.fixture
def unido(seeded_database: Database) -> Key:
    """A key that writes what UNIDO keeps."""
    return key_of(seeded_database, "records:write:own", partner="unido")


def lines_of(*records: Any) -> bytes:
    return b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in records)


def workbook(*rows: Any) -> bytes:
    book, file = Workbook(), io.BytesIO()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


def send(client: TestClient, key: Mapping[str, str], content: bytes, query: str = "", kind: str = JSON_LINES) -> Any:
    return client.post(f"/v1/imports{query}", content=content, headers={**key, "Content-Type": kind})


def ended(client: TestClient, key: Mapping[str, str], content: bytes, query: str = "", kind: str = JSON_LINES) -> Any:
    """The import at its end, and its lines."""
    sent = send(client, key, content, query, kind)
    assert sent.status_code == 202, sent.text
    found = client.get(f"{sent.headers['location']}?wait=30", headers=key).json()
    assert found["finished_at"], found
    lines = client.get(f"{sent.headers['location']}/lines?limit=200", headers=key).json()["items"]
    return found, lines


def counts(found: Record) -> tuple[int, int, int, int]:
    return found["created"], found["updated"], found["unchanged"], found["refused"]


def test_links_lead_forward_and_the_same_file_again_changes_nothing(
    registry: TestClient, editor: Key, seeded_database: Database
) -> None:
    ports = {**PORTS, "roles": [{"partner": "coast-agency", "role": "lead"}]}
    content = lines_of(FIGURE, ports, COAST)
    found, lines = ended(registry, editor, content)
    assert (found["status"], counts(found)) == ("done", (3, 0, 0, 0)), lines
    assert [line["id"] for line in lines] == ["ports-2026", "green-ports", "coast-agency"]
    assert get(registry, "/v1/figures/ports-2026")["project"] == "green-ports"
    before = changes(seeded_database)
    found, lines = ended(registry, editor, content)
    assert (found["status"], counts(found)) == ("done", (0, 0, 3, 0))
    assert changes(seeded_database) == before
    assert {line["verdict"] for line in lines} == {"unchanged"}
