"""The Table Schema (Data Package v2) of the CSV file of a resource."""

from collections.abc import Iterator
from typing import Any

from app.core.model.resource import Resource
from app.core.values.links import link_paths
from app.exchange.exports.table_columns import Column, record_columns
from app.exchange.formats.schema_paths import SEPARATOR, child, list_form, resolved, schema_of

SCHEMA = "https://datapackage.org/profiles/2.0/tableschema.json"
PLAIN_TYPES = ("string", "integer", "number", "boolean", "array", "object")
INSTANTS = ("created_at", "updated_at")


def table_schema(resource: Resource) -> dict[str, Any]:
    """Return the schema: the type, codes and meaning of each column, the primary key and the foreign keys."""
    columns = record_columns(resource)
    return {
        "$schema": SCHEMA,
        "fields": [_field(resource, column) for column in columns],
        "primaryKey": ["id"],
        "foreignKeys": list(_foreign_keys(resource, columns)),
        "missingValues": [""],
    }


def _field(resource: Resource, column: Column) -> dict[str, Any]:
    node = _node(resource, column)
    field = {"name": column.name, **_type(schema_of(resource), column, node)}
    if column.meaning:
        field["description"] = column.meaning
    constraints: dict[str, Any] = {}
    if column.name == "id":
        constraints |= {"required": True, "unique": True}
    elif "." not in column.name and field["type"] not in ("list", "array") and _is_required(resource, column.name):
        constraints["required"] = True
    if "enum" in node:
        constraints["enum"] = node["enum"]
    if constraints:
        field["constraints"] = constraints
    return field


def _type(root: dict[str, Any], column: Column, node: dict[str, Any]) -> dict[str, Any]:
    if list_form(root, node) == "items":
        item = resolved(root, node["items"]).get("type", "string")
        return {"type": "list", "delimiter": f"{SEPARATOR} ", "itemType": item}
    if column.kind == "day":
        return {"type": "date"}
    if column.name in INSTANTS:
        return {"type": "datetime"}
    if "edtf" in node.get("properties", ()) or node.get("type") not in PLAIN_TYPES:
        return {"type": "string"}
    return {"type": node["type"]}


def _node(resource: Resource, column: Column) -> dict[str, Any]:
    """Return the schema of the values of a column, whose name is the path of the values."""
    root = schema_of(resource)
    node: Any = root
    for step in column.name.split("."):
        node = child(resolved(root, node), step)
    return resolved(root, node)


def _is_required(resource: Resource, name: str) -> bool:
    field = resource.shown.model_fields.get(name)
    return field is not None and field.is_required()


def _foreign_keys(resource: Resource, columns: tuple[Column, ...]) -> Iterator[dict[str, Any]]:
    """Yield a foreign key for each column that has the id of one record."""
    targets = dict(link_paths(resource.fields))
    for column in columns:
        # The path of a link in a list has a `*`.
        target = targets.get(tuple(column.name.split(".")))
        if target is not None:
            # A table names itself by an empty text.
            reference = {"resource": "" if target == resource.name else target, "fields": ["id"]}
            yield {"fields": [column.name], "reference": reference}
