"""Records with defaults, and writes of them that go past HTTP."""

import json
from typing import Any

from app.core.database.engine import Database
from app.core.model.resource import RESOURCES, Resource
from app.core.writing.batch import Batch
from app.core.writing.representation import accepted_fields
from app.figures.models import FIGURES
from app.figures.stated import StatedFigure

PARTNER: dict[str, Any] = {"name": {"en": "Nobody"}, "kind": "other", "managed_by": "unido"}
FIGURE: dict[str, Any] = {
    "indicator": "enterprises-supported",
    "kind": "actual",
    "value": 3,
    "unit": "enterprise",
    "managed_by": "unido",
}
PROJECT: dict[str, Any] = {"title": {"en": "A"}, "kind": "project", "status": "active", "managed_by": "unido"}
AGREEMENT: dict[str, Any] = {
    "title": {"en": "A"},
    "kind": "treaty",
    "status": "signed",
    "managed_by": "unido",
}
CITED = [{"document": "samsung-smart-factory-2023", "paragraph": 1, "as_written": "x"}]


def write_many(database: Database, name: str, count: int) -> None:
    """Transactions of one to five Changes each, some of drafts."""
    for number in range(count):
        with database.write() as session:
            batch = Batch(session, name)
            for part in range(number % 5 + 1):
                state = "draft" if (number + part) % 4 == 3 else "published"
                body = {**FIGURE, "value": number, "state": state}
                batch.put(
                    RESOURCES["figures"],
                    f"{name}-{number}-{part}",
                    accepted_fields(RESOURCES["figures"], json.dumps(body)),
                    None,
                )
            batch.flush()


def rename(database: Database, name: str, record_id: str = "unido") -> None:
    partners = RESOURCES["partners"]
    with database.write() as session:
        batch = Batch(session, "test")
        present = batch.stored(partners, [record_id])[record_id]
        fields: Any = accepted_fields(partners, present.body)
        batch.put(partners, record_id, fields.model_copy(update={"name": {"en": name}}), present)
        batch.flush()


def figure(figure_id: str, kind: str, value: Any, period: str | None = "2023", **more: Any) -> dict[str, Any]:
    return {
        "id": figure_id, "indicator": "enterprises-supported", "kind": kind, "value": value, "unit": "enterprise",
        "measured": "cumulative", "period": period, "project": "smart-factory-cooperation", "citations": CITED, **more,
    }  # fmt: skip


def stated(given: dict[str, Any]) -> StatedFigure:
    fields = FIGURES.fields.model_validate({name: value for name, value in given.items() if name != "id"})
    return StatedFigure({**fields.model_dump(mode="json"), "id": given["id"]})


def store(database: Database, resource: Resource, *records: dict[str, Any]) -> None:
    """Write records, each with its id, past HTTP."""
    with database.write() as session:
        batch = Batch(session, "test")
        for record in records:
            given = {name: value for name, value in record.items() if name != "id"}
            present = batch.stored(resource, [record["id"]]).get(record["id"])
            batch.put(resource, record["id"], resource.fields.model_validate(given), present)
        batch.flush()


def project(project_id: str, *part_of: str, **more: Any) -> dict[str, Any]:
    title = {"en": project_id}
    return {"id": project_id, "title": title, "kind": "project", "status": "active", "part_of": part_of, **more}


def change(database: Database, resource: str, record_id: str, actor: str, **values: Any) -> None:
    """Somebody writes a record."""
    with database.write() as session:
        batch = Batch(session, actor)
        present = batch.stored(RESOURCES[resource], [record_id])[record_id]
        fields = accepted_fields(RESOURCES[resource], present.body).model_copy(update=values)
        assert batch.put(RESOURCES[resource], record_id, fields, present) == "updated"
        batch.flush()


def delete(database: Database, resource: str, record_id: str, actor: str) -> None:
    with database.write() as session:
        batch = Batch(session, actor)
        batch.delete(RESOURCES[resource], record_id, batch.stored(RESOURCES[resource], [record_id])[record_id])
        batch.flush()
