"""The public JSON of a record, and back to what a writer said."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from app.core.model.fields import Record, RecordFields
from app.core.model.resource import RESOURCES, Resource
from app.core.values.links import links_in


@dataclass(frozen=True)
class Stored:
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


def render(resource: Resource, record_id: str, fields: RecordFields, version: int, created: str, updated: str) -> bytes:
    """The public JSON of a record, which depends on nothing but the record itself."""
    added = {
        "resource": resource.name,
        "id": record_id,
        "version": version,
        "created_at": created,
        "updated_at": updated,
        "inferred": fields.inferred_fields(),
    }
    own = fields.model_dump_json(by_alias=True)
    return f"{json.dumps(added, separators=(',', ':'))[:-1]},{own[1:]}".encode()


def is_same(resource: Resource, record_id: str, fields: RecordFields, present: Stored) -> bool:
    """Whether the record says already what these fields say."""
    same = render(resource, record_id, fields, present.version, present.created_at, present.updated_at)
    return same == present.body.encode()


def accepted(resource: Resource, body: str | bytes) -> RecordFields:
    """The fields in a representation: what is read can be written back."""
    return resource.fields.model_validate(writable(json.loads(body)))


def writable(shown: Mapping[str, Any]) -> dict[str, Any]:
    """What a writer says of a record, without what only the registry says."""
    return {name: value for name, value in shown.items() if name not in Record.model_fields}


def named(fields: RecordFields) -> Iterator[tuple[str, str]]:
    """Records, as (resource, id), that a record names; each must exist when it is committed."""
    yield from ((target, record_id) for _, target, record_id in links_in(fields))


def partners_of(resource: str, record_id: str, body: str | bytes) -> frozenset[str] | None:
    """Partners that a record is or names; None for a representation of old that nobody can read any more."""
    try:
        found = {target for kind, target in named(accepted(RESOURCES[resource], body)) if kind == "partners"}
    except ValidationError:
        return None
    return frozenset(found | ({record_id} if resource == "partners" else set()))
