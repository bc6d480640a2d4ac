"""What subscribers are told: the kinds of events, a payload, whom a change concerns, and the contract of all that."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Connection, select

from app.core.log import CHANGES, EARLIER_PUBLIC, PUBLIC_ACTION
from app.core.model.resource import RESOURCES
from app.core.values.json import to_json
from app.core.writing.representation import is_public, partners_of

VERBS = {"create": "created", "update": "updated", "delete": "deleted", "redact": "redacted"}
TEST = "webhook.test"
HEADERS = {
    "webhook-id": "Id of the message, the same on each attempt: what came before need not be done again.",
    "webhook-timestamp": "Unix time of the attempt: refuse what is older than some minutes.",
    "webhook-signature": "For each live secret `v1,` and the base64 of HMAC-SHA256 over id, timestamp and body, "
    "joined by full stops; several are separated by blanks.",
}


def kind_of(resource: str, shown: str) -> str:
    """The type of an event, such as `project.updated`."""
    return f"{RESOURCES[resource].one}.{VERBS[shown]}"


def payload(change: Any, base: str) -> str:
    """The event of a change that everyone sees, as it is posted; `base` goes in front of the record's path."""
    path = f"{base}/v1/{change.resource}/{change.record_id}"
    about = {
        "resource": change.resource,
        "id": change.record_id,
        "version": change.version,
        "sequence": change.sequence,
        "url": path,
    }
    kind = kind_of(change.resource, change.shown)
    return to_json({"type": kind, "timestamp": change.at, "data": about}).decode()


def ping_payload(webhook: str, at: str) -> str:
    """The event of a test."""
    return to_json({"type": TEST, "timestamp": at, "data": {"webhook": webhook}}).decode()


def partners_concerned(connection: Connection, sequence: int) -> frozenset[str] | None:
    """Partners that the record of a Change names or is, or named before it; None when that cannot be told.

    Of drafts nothing is looked at: what they name is nobody's business.
    """
    change = connection.execute(select(CHANGES).where(CHANGES.c.sequence == sequence)).one()
    found = {change.record_id} if change.resource == "partners" else set()
    for body in _public_bodies(connection, change):
        partners = partners_of(change.resource, change.record_id, body)
        if partners is None:
            return None
        found |= partners
    return frozenset(found)


def _public_bodies(connection: Connection, change: Any) -> Iterator[str]:
    """The representation of a Change and the last one before it, as far as everyone saw them."""
    if is_public(change):
        yield change.body
    if change.shown == "create":
        return
    key = {"resource": change.resource, "id": change.record_id, "sequence": change.sequence}
    before = select(CHANGES).where(EARLIER_PUBLIC).order_by(CHANGES.c.sequence.desc())
    yield from (row.body for row in islice(filter(is_public, connection.execute(before, key)), 1))


def webhooks_document() -> dict[str, Any]:
    """The `webhooks` of the OpenAPI document; `Event` is among its schemas, being part of a delivery."""
    headers = [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": about}
        for name, about in HEADERS.items()
    ]
    body = {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Event"}}}}

    def posted(kind: str, about: str) -> dict[str, Any]:
        said = {"operationId": kind.replace(".", "_"), "tags": ["webhooks"], "summary": about, "security": []}
        answers = {"2XX": {"description": "Accepted."}, "410": {"description": "No more, please."}}
        return {"post": {**said, "parameters": [*headers], "requestBody": body, "responses": answers}}

    kinds = {
        kind_of(name, shown): f"{resource.one.capitalize()}: {code.en.lower()}"
        for name, resource in sorted(RESOURCES.items())
        for shown, code in PUBLIC_ACTION.codes.items()
    }
    return {kind: posted(kind, about) for kind, about in (kinds | {TEST: "A test that a subscriber asks for"}).items()}
