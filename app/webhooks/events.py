"""What a webhook sends: the types of events, their body and headers, and how the contract describes them.

`fan_out` calls `change_payload` once for each public Change that a subscription wants. `client` adds the headers.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Connection, select

from app.core.change_log import CHANGES, EARLIER_PUBLIC, PUBLIC_ACTION
from app.core.model.resource import RESOURCES
from app.core.values.json import to_json
from app.core.writing.representation import is_public, partners_of

VERBS = {"create": "created", "update": "updated", "delete": "deleted", "redact": "redacted"}
TEST = "webhook.test"
HEADERS = {
    "webhook-id": "Id of the message. It stays the same for each attempt, so that a receiver can ignore repetitions.",
    "webhook-timestamp": "Unix time of the attempt. Receivers should refuse a message that is some minutes old.",
    "webhook-signature": "Signatures, separated by spaces, one for each valid secret. A signature is `v1,` and the "
    "Base64 of HMAC-SHA256 over id, timestamp and body, joined by full stops.",
}


_BEFORE = select(CHANGES).where(EARLIER_PUBLIC).order_by(CHANGES.c.sequence.desc()).limit(1)


class Told(BaseModel, defer_build=True):
    """The record that an event is about."""

    resource: str = Field(description="Plural name of the resource of the record.", examples=["projects"])
    id: str = Field(description="Id of the record.")
    version: int = Field(description="Version of the record after the Change.")
    sequence: int = Field(description="Number of the Change, as in `/v1/changes`.")
    url: str = Field(description="URL of the record, or only its path if the registry's own address is not configured.")


class Tested(BaseModel, defer_build=True):
    """The subscription that a test event was sent for."""

    webhook: str = Field(description="Id of the subscription.")


class Event(BaseModel, defer_build=True):
    """The body of a webhook. It states which record changed, and where its current version can be read."""

    type: str = Field(
        description="Singular name of the resource and the action, or `webhook.test`.",
        examples=["project.updated"],
        json_schema_extra=lambda schema: schema.update(enum=[*_types()]),
    )
    timestamp: str = Field(description="Time of the Change or of the test.")
    data: Told | Tested = Field(description="The record that changed, or the subscription that was tested.")


def change_payload(change: Any, base: str) -> str:
    """Return the body for a public Change as JSON. The URL of the record starts with `base`."""
    record = Told(
        resource=change.resource,
        id=change.record_id,
        version=change.version,
        sequence=change.sequence,
        url=f"{base}/v1/{change.resource}/{change.record_id}",
    )
    return _to_json(Event(type=event_type(change.resource, change.shown), timestamp=change.at, data=record))


def ping_payload(webhook_id: str, at: str) -> str:
    """Return the body of a test as JSON."""
    return _to_json(Event(type=TEST, timestamp=at, data=Tested(webhook=webhook_id)))


def _to_json(event: Event) -> str:
    return to_json(event.model_dump()).decode()


def event_type(resource: str, action: str) -> str:
    """Return the type of an event, such as `project.updated`."""
    return f"{RESOURCES[resource].one}.{VERBS[action]}"


def partners_concerned(connection: Connection, sequence: int) -> frozenset[str] | None:
    """Return the partners that a Change concerns: its record is one of them, or links or linked to them.

    None if a representation is too old to be read. Links of drafts do not count, since they are not public.
    """
    change = connection.execute(select(CHANGES).where(CHANGES.c.sequence == sequence)).one()
    concerned = {change.record_id} if change.resource == "partners" else set()
    for body in _public_bodies(connection, change):
        partners = partners_of(change.resource, change.record_id, body)
        if partners is None:
            return None
        concerned |= partners
    return frozenset(concerned)


def _public_bodies(connection: Connection, change: Any) -> Iterator[str]:
    """Yield the representation of a Change if it is public, and the last public one before it.

    One Change is read at a time: psycopg fetches all rows of a statement, and a record can have thousands of versions.
    """
    if is_public(change):
        yield change.body
    if change.shown == "create":
        return
    before = change
    while before is not None:
        key = {"resource": before.resource, "id": before.record_id, "sequence": before.sequence}
        before = connection.execute(_BEFORE, key).first()
        if before is not None and is_public(before):
            yield before.body
            return


def _types() -> list[str]:
    """Return every type of event."""
    types: list[str] = []
    for name in sorted(RESOURCES):
        types += [event_type(name, action) for action in PUBLIC_ACTION.codes]
    return [*types, TEST]


def webhooks_document() -> dict[str, Any]:
    """Return the `webhooks` of the OpenAPI document: one operation, whose body states the type of the event."""
    return {"event": {"post": _posted()}}


def _posted() -> dict[str, Any]:
    """Return the operation that a receiver has. Its schema `Event` is in the document as part of a delivery."""
    return {
        "operationId": "receive_event",
        "tags": ["webhooks"],
        "summary": "Receive an event",
        "description": "What the registry sends to the `url` of a subscription. `type` says what happened.",
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": description}
            for name, description in HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Event"}}},
        },
        "responses": {
            "2XX": {"description": "Accepted."},
            "410": {"description": "The receiver wants no more events. The subscription is disabled."},
        },
    }
