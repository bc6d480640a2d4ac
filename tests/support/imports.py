"""Files of records for imports, and imports that are followed to their end."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from sqlalchemy import select, update
from starlette.testclient import TestClient

from app.core.access.caller import Caller
from app.core.database.engine import Database
from app.exchange.formats.media_types import JSON_LINES, parse_file
from app.exchange.imports.database_tables import IMPORTS
from app.exchange.imports.models import ImportOptions
from app.exchange.imports.storage.claims import import_transaction
from app.exchange.imports.storage.store import store_import

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
ALL = Caller("", frozenset(["records:write"]))  # who may write all records


def ports(number: int) -> list[dict[str, Any]]:
    """So many projects that differ in id and title."""
    return [{**PORTS, "id": f"port-{each}", "title": {"en": f"Port {each}"}} for each in range(number)]


def received(database: Database, path: Path, content: bytes, claim: str, **sending: Any) -> str:
    """The id of a new import of this content, which waits for its run."""
    path.write_bytes(content)
    with path.open("rb") as file:
        return store_import(database, ALL, ImportOptions(**sending), parse_file(file, JSON_LINES, None), claim)


def state(database: Database, import_id: str) -> dict[str, Any]:
    """The row of an import."""
    with database.snapshot() as connection:  # which waits for no writer
        return dict(connection.execute(select(IMPORTS).where(IMPORTS.c.id == import_id)).mappings().one())


def expire(database: Database) -> None:
    """Let every claim on an import end now."""
    with import_transaction(database) as session:
        session.execute(update(IMPORTS).values(claimed_until=""))


def lines_of(*records: Any) -> bytes:
    """A file of JSON lines."""
    return b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in records)


def workbook(*rows: Any) -> bytes:
    """An Excel file with these rows."""
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
    """How many lines of an import were created, updated, unchanged and refused."""
    return found["created"], found["updated"], found["unchanged"], found["refused"]
