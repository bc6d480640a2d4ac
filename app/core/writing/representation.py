"""Representations: from the fields of a record to its stored JSON, and back."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from json.encoder import encode_basestring_ascii
from typing import Any

import pydantic_core
from pydantic import ValidationError

from app.core.model.fields import Record, RecordFields
from app.core.model.labels import LABELS
from app.core.model.resource import RESOURCES, Resource
from app.core.values.links import links_in
from app.core.values.urls import STORED


@dataclass(frozen=True)
class StoredRecord:
    """A record as the database has it, with its representation (`body`).

    `change` is the sequence number of its last Change with the start of the chain value, as in ETags.
    """

    version: int
    created_at: str
    updated_at: str
    rendering: int
    state: str
    managed_by: str | None
    change: str
    body: str

    @property
    def tag(self) -> str:
        """The ETag of the response with this record."""
        return f"{self.change}-{self.rendering}"


@dataclass(frozen=True)
class DeletedRecord:
    """A deleted record whose id is used again: its last version, and when it was created."""

    version: int
    created_at: str


@dataclass(frozen=True)
class Content:
    """The fields of a record. They are serialized only once, even if several representations are made."""

    resource: Resource
    record_id: str
    fields: RecordFields

    @cached_property
    def _json(self) -> str:
        return self.fields.model_dump_json(by_alias=True)

    @cached_property
    def _inferred(self) -> list[str]:
        return self.fields.inferred_parts()

    def representation(self, version: int, created: str, updated: str) -> bytes:
        """Return the JSON of a version. It depends on nothing else, so it can be verified later."""
        texts = map(encode_basestring_ascii, (self.resource.name, self.record_id, created, updated))
        name, record_id, created, updated = texts
        inferred = json.dumps(self._inferred, separators=(",", ":")) if self._inferred else "[]"
        return (
            f'{{"resource":{name},"id":{record_id},"version":{version},"created_at":{created},"updated_at":{updated},'
            f'"inferred":{inferred},{self._json[1:]}'
        ).encode()

    def is_stored(self, present: StoredRecord) -> bool:
        """Return whether the stored record has exactly these fields."""
        body = self.representation(present.version, present.created_at, present.updated_at)
        return body == present.body.encode()


def render(resource: Resource, record_id: str, fields: RecordFields, version: int, created: str, updated: str) -> bytes:
    """Return the representation of a record with these fields."""
    return Content(resource, record_id, fields).representation(version, created, updated)


def accepted_fields(resource: Resource, body: str | bytes) -> RecordFields:
    """Return the fields in a representation. Raise ValidationError if the current model does not accept them."""
    return resource.fields.model_validate(writable_members(json.loads(body)), context=STORED)


def writable_members(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that a writer may set, without the version and others that only the registry sets."""
    return {name: value for name, value in record.items() if name not in Record.model_fields and name != LABELS}


def is_representation(resource: str, record_id: str, body: str | bytes) -> bool:
    """Return whether a text is a representation of a record, of this or an earlier version of the program.

    The current model need not accept its members. Those that readers of earlier versions use must have the right types.
    """
    try:
        record = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError:
        return False
    return (
        isinstance(record, dict)
        and record.get("resource") == resource
        and record.get("id") == record_id
        and record.get("state") in ("published", "draft")
        and isinstance(record.get("managed_by"), str | None)
        and isinstance(record.get("merged_into"), str | None)
    )


def linked_records(fields: RecordFields) -> Iterator[tuple[str, str]]:
    """Yield the records that a record links to, as (resource, id). Each must exist at the commit."""
    yield from ((target, record_id) for _, target, record_id in links_in(fields))


def is_public(change: Any) -> bool:
    """Return whether the representation of a Change in the feed was public.

    The representation of a withdrawal is the draft. That of a redaction can be a draft too.
    """
    if change.body is None:
        return False
    if change.shown == "redact":
        return bool(json.loads(change.body)["state"] == "published")
    return bool(change.shown != "delete" or change.action == "delete")


def partners_of(resource: str, record_id: str, body: str | bytes) -> frozenset[str] | None:
    """Return the ids of the partners that a record links to, and its own id if it is a partner.

    Return None for an old representation that the current model does not accept.
    """
    try:
        fields = accepted_fields(RESOURCES[resource], body)
    except (ValidationError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    partners = {linked_id for target, linked_id in linked_records(fields) if target == "partners"}
    if resource == "partners":
        partners.add(record_id)
    return frozenset(partners)
