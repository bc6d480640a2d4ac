"""The schemas of the OpenAPI document, from the models that operations return or accept."""

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from app.core.errors import ProblemShown
from app.core.http.bodies import MERGE_PATCH
from app.core.http.openapi.named import REFERENCE, name_schemas
from app.core.http.openapi.records import partial, share_members
from app.core.http.operations import Operation, model_of
from app.core.model.resource import Resource

CHANGES_TEXT = "No member is required: what is left out keeps its value."
ON_REQUEST = (
    "included",
    "included_next",
    "total",
    "hints",
)  # members that a response has only if the request asks for them


def schemas_of(operations: Sequence[Operation], resources: Sequence[Resource]) -> dict[str, Any]:
    """Return the schemas of what operations return or accept."""
    models: dict[tuple[Any, JsonSchemaMode], None] = {(ProblemShown, "serialization"): None}
    for operation in operations:
        if operation.returns is not None:
            models[model_of(operation.returns), "serialization"] = None
        if operation.body is not None:
            models[model_of(operation.body), "validation"] = None
    adapters = [(model, mode, TypeAdapter[Any](model)) for model, mode in models]
    definitions = TypeAdapter.json_schemas(adapters, ref_template=REFERENCE)[1]["$defs"]
    named: dict[str, Any] = {}
    schemas = {name: name_schemas(schema, named) for name, schema in definitions.items()}
    for schema in schemas.values():
        schema["required"] = [name for name in schema.get("required", ()) if name not in ON_REQUEST]
    for operation in operations:
        if operation.body is not None and operation.body_type == MERGE_PATCH and not operation.body_schema:
            schemas[name_of_body(operation)] = _partial(schemas[model_of(operation.body).__name__])
    share_members(schemas, resources)
    return dict(sorted((schemas | named).items()))


def name_of_body(operation: Operation) -> str:
    """Return the name of the schema of a JSON body."""
    assert operation.body is not None
    if operation.body_schema:
        return operation.body_schema
    name = model_of(operation.body).__name__
    return partial(name) if operation.body_type == MERGE_PATCH else name


def _partial(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a change: no member is required, and one that is left out keeps its value."""
    members = {
        name: {key: member[key] for key in member if key != "default"} for name, member in schema["properties"].items()
    }
    return {"type": "object", "description": f"{schema['description']}\n\n{CHANGES_TEXT}", "properties": members}


def never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Remove null from the types of a parameter: a query string cannot state it."""
    types = [item for item in schema.get("anyOf", ()) if item != {"type": "null"}]
    return {**types[0], **{name: schema[name] for name in schema if name != "anyOf"}} if len(types) == 1 else schema
