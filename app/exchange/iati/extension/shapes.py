"""The shapes of the values in a record, from the JSON Schema of its resource: what the extension writes and reads."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

from app.core.model.resource import Resource
from app.exchange.formats.schema_paths import NO_LANGUAGE, child, resolved, schema_of

NAMESPACE = "urn:hoptac:iati-extension:1"
PREFIX = "hoptac"
ATTRIBUTES = ("id", "version", "created_at", "updated_at")  # members of a record that are attributes of its element
LAST = ("identifiers", "citations", "inferred", "managed_by", "state")  # members that every resource can have
LANGUAGE = "vi"

Form = Literal["text", "number", "integer", "boolean", "date", "languages", "entries", "list", "object"]
SINGLE: dict[str, Form] = {"string": "text", "number": "number", "integer": "integer", "boolean": "boolean"}


class Shape(NamedTuple):
    """The form of a value, the shapes of its members if it is an object, and of its items if it is a list."""

    form: Form
    members: "Mapping[str, Shape]" = {}
    item: "Shape | None" = None


@cache
def shapes_of(resource: Resource) -> dict[str, Shape]:
    """Return the shape of each member of a record that is an element: all but `resource` and the attributes."""
    root = schema_of(resource)
    schemas = root["properties"]
    own = [name for name in schemas if name not in ("resource", *ATTRIBUTES, *LAST)]
    members = [*own, *(name for name in LAST if name in schemas)]
    return {name: _shape(root, schemas[name]) for name in members}


def _shape(root: dict[str, Any], schema: Any) -> Shape:
    node = resolved(root, schema)
    kind: str = node.get("type", "object")
    if kind == "array":
        return Shape("list", item=_shape(root, node["items"]))
    if kind != "object":
        return Shape(SINGLE[kind])
    if "edtf" in node.get("properties", ()):
        return Shape("date")
    if "properties" in node:
        return Shape("object", {name: _shape(root, inner) for name, inner in node["properties"].items()})
    is_free = child(node, NO_LANGUAGE) is not None
    return Shape("entries" if is_free or child(node, LANGUAGE) is None else "languages")
