"""The schemas of the OpenAPI document: models, their examples, and types without null."""

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from app.core.errors import ProblemShown
from app.core.http.operations import Operation, model_of
from app.core.model.fields import Record
from app.core.model.labels import LABELS, Labels
from app.core.model.resource import Resource
from app.core.values import codelists
from app.core.writing.representation import writable_members

REFERENCE = "#/components/schemas/{model}"
ON_REQUEST = (
    "included",
    "included_next",
    "total",
    "hints",
    LABELS,
)  # members that a response has only if the request asks for them


def schemas_of(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the schemas of the models that operations return or accept, and of problems."""
    models: dict[tuple[Any, JsonSchemaMode], None] = {}
    for operation in operations:
        if operation.returns is not None:
            models[model_of(operation.returns), "serialization"] = None
        if operation.body is not None:
            models[model_of(operation.body), "validation"] = None
    adapters = [(model, mode, TypeAdapter[Any](model)) for model, mode in models]
    definitions = TypeAdapter.json_schemas(adapters, ref_template=REFERENCE)[1]["$defs"]
    schemas: dict[str, Any] = _without_null_defaults(dict(sorted(definitions.items())))
    problem = ProblemShown.model_json_schema(ref_template=REFERENCE)
    schemas |= {**problem.pop("$defs"), "ProblemShown": problem}
    for schema in schemas.values():
        schema["required"] = [name for name in schema.get("required", ()) if name not in ON_REQUEST]
    return schemas


def add_examples(schemas: dict[str, Any], resources: Sequence[Resource], records: dict[str, Any]) -> None:
    """Add an example of each resource, and to the request bodies the members that only the registry writes."""
    ignored = {"readOnly": True, "description": "Set by the registry. A request may contain the value of a response."}
    labels = TypeAdapter[Any](Labels).json_schema()
    id_texts = {"description": "The id in the path. With POST, the id of the new record."}
    for resource in resources:
        record_schema = schemas[resource.shown.__name__]
        fields_schema = schemas[resource.fields.__name__]
        members = record_schema["properties"]
        fields_schema["properties"] |= {name: members[name] | ignored for name in Record.model_fields}
        fields_schema["properties"]["id"] = members["id"] | id_texts
        members[LABELS] = labels
        if resource.name in records:
            record = records[resource.name]
            record_schema["examples"] = [record]
            fields_schema["examples"] = [writable_members(record)]


def share_long_lists(parts: list[Any]) -> dict[str, Any]:
    """Replace long lists of codes by references; return their schemas, each once."""
    lists = [codes for codes in codelists.ALL.values() if len(codes.codes) > codelists.MAX_NAMED]
    names = {tuple(codes.codes): f"{codes.name.title().replace('_', '')}Code" for codes in lists}
    used: dict[str, Any] = {}
    pending = parts
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending += part
        elif isinstance(part, dict):
            pending += part.values()
            listed = part.get("enum")
            name = names.get(tuple(listed)) if isinstance(listed, list) else None
            if name is not None:
                used[name] = {"type": part.pop("type", "string"), "enum": part.pop("enum"), "title": name}
                part["$ref"] = REFERENCE.format(model=name)
    return dict(sorted(used.items()))


def _without_null_defaults(schema: Any) -> Any:
    """Remove each `"default": null`: the types already say which members can be absent or null."""
    if isinstance(schema, list):
        return [_without_null_defaults(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _without_null_defaults(item) for name, item in schema.items() if (name, item) != ("default", None)}


def never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Remove null from the types of a parameter: a query string cannot state it."""
    schema = _without_null_defaults(schema)
    types = [item for item in schema.get("anyOf", ()) if item != {"type": "null"}]
    return {**types[0], **{name: schema[name] for name in schema if name != "anyOf"}} if len(types) == 1 else schema
