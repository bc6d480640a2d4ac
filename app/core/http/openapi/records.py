"""The schemas of a resource: what one has in common with another is stated once.

PartialProject   every member, none of them required: what `select` returns, and the body of PATCH
ProjectFields    the same, with the members that a new record must have: the body of POST and PUT
ProjectShown     the same, with every member required: a record in a list
ProjectDetail    ProjectShown with `included`: one record
ProjectPage      Page with `items`: a list
"""

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from app.core.http.openapi.named import REFERENCE
from app.core.model.fields import Record
from app.core.model.labels import LABELS, Labels
from app.core.model.resource import Resource

PAGE = "Page"
SET_BY_REGISTRY = " Only the registry sets it."
PARTIAL = (
    "{about}\n\nNo member is required: `select` returns those that `fields` names, and PATCH changes those in its body."
)


def partial(name: str) -> str:
    """Return the name of the schema of which no member is required."""
    return f"Partial{name}"


def share_members(schemas: dict[str, Any], resources: Sequence[Resource]) -> None:
    """Derive the schemas of each resource from the one with its members."""
    for resource in resources:
        _share_members(schemas, resource)
        _share_page(schemas, f"{resource.table.__name__}Page")
        _share_page(schemas, partial(f"{resource.table.__name__}Page"))


def _share_members(schemas: dict[str, Any], resource: Resource) -> None:
    name = resource.table.__name__
    record_schema = schemas[resource.shown.__name__]
    fields = schemas[resource.fields.__name__]
    detail = schemas[f"{name}Detail"]
    members = {member: _without_default(schema) for member, schema in record_schema["properties"].items()}
    for member, schema in members.items():
        if schema.get("type") == "object":  # generators of clients name such a type after each schema that has it
            schemas[member.title()] = schema
            members[member] = {
                "$ref": REFERENCE.format(model=member.title()),
                "description": schema["description"],
            }
    for member, field in Record.model_fields.items():
        if member != "id":
            members[member] |= {"description": f"{field.description}{SET_BY_REGISTRY}"}
    members[LABELS] = TypeAdapter[Any](Labels).json_schema()
    on_request = {member: schema for member, schema in detail["properties"].items() if member not in members}
    schemas[partial(name)] = {
        "type": "object",
        "description": PARTIAL.format(about=fields["description"]),
        "properties": members,
    }
    for model_name, model in ((resource.shown.__name__, record_schema), (resource.fields.__name__, fields)):
        # Generators look for required members only beside a member, and take a schema of one part for this part.
        first = {"properties": {member: members[member] for member in model["required"][:1]}}
        parts = _all_of(partial(name), model["description"], **first)
        schemas[model_name] = {**parts, "type": "object", **first, "required": model["required"]}
    schemas[f"{name}Detail"] = _all_of(
        resource.shown.__name__, f"{detail['description']} `include` adds linked records.", properties=on_request
    )


def _share_page(schemas: dict[str, Any], name: str) -> None:
    page = schemas[name]
    items = page["properties"].pop("items")
    required = [member for member in page["required"] if member != "items"]
    schemas[name] = _all_of(_base_of(page), page["description"], properties={"items": items}, required=["items"])
    base = {"type": "object", "description": "What every list returns.", "properties": page["properties"]}
    schemas[_base_of(page)] = {**base, "required": required}


def _base_of(page: dict[str, Any]) -> str:
    is_partial = page["properties"]["included"]["$ref"].endswith(partial("Included"))
    return partial(PAGE) if is_partial else PAGE


def _all_of(base: str, description: str, **added: Any) -> dict[str, Any]:
    """Return a schema that adds members to another one."""
    parts: list[dict[str, Any]] = [{"$ref": REFERENCE.format(model=base)}]
    return {"description": description, "allOf": [*parts, {"type": "object", **added}] if added else parts}


def _without_default(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a member without its default: PATCH leaves out what it does not change."""
    if "default" not in schema:
        return schema
    others = {key: value for key, value in schema.items() if key != "default"}
    return others | {"description": f"{schema['description']} A new record without it gets `{schema['default']}`."}
