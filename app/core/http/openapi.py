"""The OpenAPI document, written from the declared operations and their models."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from app.core.errors import (
    PROBLEM_JSON,
    BadRequest,
    Failed,
    Forbidden,
    Invalid,
    Problem,
    TooMany,
    Unauthorized,
    Unavailable,
)
from app.core.http.bodies import JSON, MERGE_PATCH
from app.core.http.contract import info, servers
from app.core.http.openapi_schemas import REFERENCE, add_examples, never_null, schemas_of, share_long_lists
from app.core.http.operations import Model, Operation, model_of, operation_of
from app.core.model.resource import Resource
from app.core.settings import Settings

HEADERS = {
    "ETag": {"description": "Version of this response, for If-None-Match.", "schema": {"type": "string"}},
    "Link": {"description": 'The next page of a list, with `rel="next"` (RFC 8288).', "schema": {"type": "string"}},
    "X-Request-ID": {"description": "Id of this request, as in the access log.", "schema": {"type": "string"}},
}
STATUSES_WITH_HEADERS = ("200", "201", "202", "304")

KEY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "hoptac_<id>_<secret>",
    "description": "A key that an administrator of the registry creates. Reads need no key.",
}

NOT_MODIFIED = "Not modified: the client's copy, with the ETag in If-None-Match, is current."
PROBLEM_CONTENT = {PROBLEM_JSON: {"schema": {"$ref": REFERENCE.format(model="ProblemShown")}}}


def openapi_document(
    settings: Settings,
    version: str,
    routers: Sequence[APIRouter],
    resources: Sequence[Resource],
    tags: Sequence[dict[str, str]],
    webhooks: dict[str, Any],
    examples: Path,
) -> dict[str, Any]:
    """Return the OpenAPI document. `examples` is a file with one record of each resource."""
    declared: list[Operation] = []
    paths: dict[str, dict[str, Any]] = {}
    for route in chain.from_iterable(router.routes for router in routers):
        if isinstance(route, APIRoute):
            operation = operation_of(route.endpoint)
            declared.append(operation)
            paths.setdefault(route.path, {})[operation.method.lower()] = _operation(route, operation)
    schemas = schemas_of(declared)
    add_examples(schemas, resources, json.loads(examples.read_text("utf-8")) if examples.exists() else {})
    operations = [*chain.from_iterable(path.values() for path in (*paths.values(), *webhooks.values()))]
    schemas |= share_long_lists([schemas, operations])
    return {
        "openapi": "3.1.0",
        "info": info(settings, version),
        "servers": servers(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": HEADERS,
            "securitySchemes": {"key": KEY_SCHEME},
            "parameters": _share_parameters(operations),
            "responses": _share_responses(operations),
        },
        "tags": list(tags),
        "webhooks": webhooks,
    }


def _operation(route: APIRoute, operation: Operation) -> dict[str, Any]:
    description = operation.about
    if operation.scopes:
        scopes = " or ".join(f"`{scope}`" for scope in operation.scopes)
        description += f"\n\nNeeds a key with the scope {scopes}."
    written = {
        "tags": route.tags,
        "summary": operation.summary,
        "description": description,
        "operationId": operation.name,
        "parameters": [*_parameters(operation)],
        "responses": dict(sorted(_responses(route, operation).items())),
        "security": [{"key": []}] if operation.scopes else [],
    }
    if not written["parameters"]:
        del written["parameters"]
    if body := operation.accepts or _content(operation.body_type, operation.body):
        written["requestBody"] = {"required": True, "content": body}
    return written


def _responses(route: APIRoute, operation: Operation) -> dict[str, dict[str, Any]]:
    """Return the responses by status. Of several problems with one status, the last describes it."""
    problems: tuple[type[Problem], ...] = (BadRequest, Failed)
    if route.path.startswith("/v1"):
        problems += (TooMany, Unauthorized)
    problems += (Unauthorized, Forbidden, Invalid, Unavailable) if operation.scopes else (Invalid,)
    responses: dict[str, Any] = {}
    for problem in problems + operation.problems:
        responses[str(problem.status)] = {"description": _first_line(problem), "content": PROBLEM_CONTENT}
    if operation.tagged:
        responses["304"] = {"description": NOT_MODIFIED}
    content = operation.answers or _content(JSON, operation.returns)
    for status, description in _successes(operation).items():
        responses[status] = {"description": description, **({"content": content} if content else {})}
    for status in responses.keys() & STATUSES_WITH_HEADERS:
        responses[status]["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in HEADERS}
    return responses


def _successes(operation: Operation) -> Mapping[str, str]:
    """Return the description of each status of success. By default it is 200, described by the model."""
    if operation.statuses or operation.returns is None:
        return operation.statuses
    return {"200": _first_line(model_of(operation.returns))}


def _first_line(kind: Any) -> str:
    return (kind.__doc__ or "").partition("\n")[0]


def _content(media_type: str, model: Model | None) -> dict[str, Any]:
    if model is None:
        return {}
    name = model_of(model).__name__
    if media_type == MERGE_PATCH:
        description = f"The members of {name} to change. null sets a member to its default."
        schema = {"schema": {"type": "object", "description": description}}
        return {media_type: schema, JSON: schema}
    return {media_type: {"schema": {"$ref": REFERENCE.format(model=name)}}}


def _parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for name, parameter in operation.in_path.items():
        schema = TypeAdapter(parameter.kind).json_schema() | {"title": name.replace("_", " ").title()}
        schema |= {"description": parameter.about, "examples": [parameter.example]}
        yield _parameter("path", name, schema, parameter.about, required=True)
    query = model_of(operation.query).model_json_schema()
    for name, schema in query["properties"].items():
        required = name in query.get("required", ())
        yield _parameter("query", name, never_null(schema), schema["description"], required=required)
    for name, description in operation.headers.items():
        yield _parameter("header", name, {"type": "string"}, description)


def _parameter(place: str, name: str, schema: Any, description: str, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": schema, "description": description}


def _share_parameters(operations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Replace the parameters of the operations by references; return the parameters, each once."""
    shared = _Shared("parameters")
    for operation in operations:
        parameters = operation.get("parameters", [])
        parameters[:] = [shared.reference(parameter["name"], parameter) for parameter in parameters]
    return shared.components


def _share_responses(operations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Replace the problems that several operations have by references; return these problems, each once."""
    shared = _Shared("responses")
    responses = chain.from_iterable(operation["responses"].items() for operation in operations)
    counts = Counter(_text(response) for status, response in responses if status >= "304")
    for operation in operations:
        for status, response in operation["responses"].items():
            if status >= "304" and counts[_text(response)] > 1:
                operation["responses"][status] = shared.reference(status, response)
    return shared.components


class _Shared:
    """Components of one kind, under their name, or `name.1`, `name.2` … for later ones of the same name."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._names: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self.components: dict[str, Any] = {}

    def reference(self, name: str, component: dict[str, Any]) -> dict[str, str]:
        """Return a reference to the component, which is added unless there is an equal one."""
        text = _text(component)
        if text not in self._names:
            number = self._counts[name]
            self._counts[name] += 1
            self._names[text] = f"{name}.{number}" if number else name
            self.components[self._names[text]] = component
        return {"$ref": f"#/components/{self._kind}/{self._names[text]}"}


def _text(component: dict[str, Any]) -> str:
    return json.dumps(component, sort_keys=True)
