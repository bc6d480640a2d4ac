"""The public JSON of a record, and back to what a writer said."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from app.core.model.fields import Record, RecordFields
from app.core.model.resource import RESOURCES, Resource
from app.core.values.links import links_in


@dataclass(frozen=True)
class StoredRecord:
    """What the database holds of a record now."""

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
        """The ETag of the record by itself, as reads have it."""
        return f"{self.change}-{self.rendering}"


@dataclass(frozen=True)
class Content:
    """The fields of a record, serialized once however many representations are made of them."""

    resource: Resource
    record_id: str
    fields: RecordFields

    @cached_property
    def _json(self) -> str:
        return self.fields.model_dump_json(by_alias=True)

    @cached_property
    def _inferred(self) -> list[str]:
        return self.fields.inferred_fields()

    def representation(self, version: int, created: str, updated: str) -> bytes:
        """The public JSON of this version of the record; it depends on nothing but the record itself."""
        head = {
            "resource": self.resource.name,
            "id": self.record_id,
            "version": version,
            "created_at": created,
            "updated_at": updated,
            "inferred": self._inferred,
        }
        return f"{json.dumps(head, separators=(',', ':'))[:-1]},{self._json[1:]}".encode()

    def is_stored(self, present: StoredRecord) -> bool:
        """Whether the stored record has exactly these fields."""
        same = self.representation(present.version, present.created_at, present.updated_at)
        return same == present.body.encode()


def render(resource: Resource, record_id: str, fields: RecordFields, version: int, created: str, updated: str) -> bytes:
    """The public JSON of a record with these fields."""
    return Content(resource, record_id, fields).representation(version, created, updated)


def accepted_fields(resource: Resource, body: str | bytes) -> RecordFields:
    """The fields in a representation: what is read can be written back."""
    return resource.fields.model_validate(writable_members(json.loads(body)))


def writable_members(shown: Mapping[str, Any]) -> dict[str, Any]:
    """What a writer says of a record, without what only the registry says."""
    return {name: value for name, value in shown.items() if name not in Record.model_fields}


def linked_records(fields: RecordFields) -> Iterator[tuple[str, str]]:
    """Records, as (resource, id), that a record names; each must exist when it is committed."""
    yield from ((target, record_id) for _, target, record_id in links_in(fields))


def is_public(change: Any) -> bool:
    """Return whether the representation of a Change in the feed was public.

    That of a withdrawal is the draft. That of a redaction may be one.
    """
    if change.body is None:
        return False
    if change.shown == "redact":
        return bool(json.loads(change.body)["state"] == "published")
    return bool(change.shown != "delete" or change.action == "delete")


def partners_of(resource: str, record_id: str, body: str | bytes) -> frozenset[str] | None:
    """Partners that a record is or names; None for a representation of old that nobody can read any more."""
    try:
        found = {
            target for kind, target in linked_records(accepted_fields(RESOURCES[resource], body)) if kind == "partners"
        }
    except ValidationError:
        return None
    return frozenset(found | ({record_id} if resource == "partners" else set()))
