"""The JSON Schema (draft 2020-12) of the records of a resource, at an address that does not change."""

from functools import cache
from typing import Any

from app.core.model.labels import LABELS
from app.core.model.resource import Resource
from app.core.public_paths import absolute
from app.core.values.json import to_json

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MEDIA_TYPE = "application/schema+json"


def schema_path(resource: Resource) -> str:
    """Return the path of the schema of a resource."""
    return f"/v1/schemas/{resource.name}.json"


def record_schema(resource: Resource, public_url: str) -> bytes:
    """Return the schema as JSON. Its `$id` is its URL, or only a path if the public URL is not known."""
    return to_json({"$schema": DIALECT, "$id": absolute(public_url, schema_path(resource)), **_members(resource)})


@cache
def _members(resource: Resource) -> dict[str, Any]:
    """Return the schema of a record as the API returns it without `fields` or other parameters that change it."""
    schema: dict[str, Any] = resource.shown.model_json_schema(mode="serialization")
    assert LABELS not in schema["properties"]
    return schema
