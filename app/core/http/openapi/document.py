"""The OpenAPI document, written from the declared operations and their models."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from app.core.errors import NoCondition
from app.core.http.bodies import JSON
from app.core.http.html_pages.contract import info, servers
from app.core.http.openapi.components import (
    ANY_PROBLEM,
    HEADERS,
    NOT_MODIFIED,
    RESPONSES,
    TELLING,
    Use,
    share_parameters,
    share_responses,
    shared,
)
from app.core.http.openapi.named import REFERENCE, name_schemas
from app.core.http.openapi.schemas import name_of_body, never_null, schemas_of
from app.core.http.operations import Model, Operation, model_of, operation_of
from app.core.model.resource import Resource
from app.core.settings import Settings

PROBLEM_LANGUAGE = {"Accept-Language": "The language of a problem: `en` or `vi`."}
NEEDS_CONDITION = ("PATCH", "DELETE")  # methods that change only what exists, so 428 answers every one without If-Match


KEY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "hoptac_<id>_<secret>",
    "description": "A key that an administrator of the registry creates. Reads need no key.",
}
WITH_KEY: list[dict[str, list[str]]] = [{"key": []}]
WITH_OR_WITHOUT_KEY: list[dict[str, list[str]]] = [{}, *WITH_KEY]


class _Parameters(GenerateJsonSchema):
    """Schemas of parameters. Pydantic makes a serializer for each default, which takes a quarter of the time."""

    def encode_default(self, dft: Any) -> Any:
        """Return a default as JSON has it."""
        return dft if type(dft) in (type(None), bool, int, str) else super().encode_default(dft)


def _is_file(path: str) -> bool:
    """Return whether a path has the ending of a file. The contract lists these after the other operations."""
    return "." in path.rpartition("/")[2]


def openapi_document(
    settings: Settings,
    version: str,
    routers: Sequence[APIRouter],
    resources: Sequence[Resource],
    tags: Sequence[dict[str, str]],
    webhooks: dict[str, Any],
) -> dict[str, Any]:
    """Return the OpenAPI document, without examples of requests and responses."""
    declared: list[Operation] = []
    paths: dict[str, dict[str, Any]] = {}
    named: dict[str, Any] = {}
    for route in chain.from_iterable(router.routes for router in routers):
        if isinstance(route, APIRoute):
            operation = operation_of(route.endpoint)
            declared.append(operation)
            paths.setdefault(route.path, {})[operation.method.lower()] = _operation(route, operation, named)
    paths = dict(sorted(paths.items(), key=lambda item: _is_file(item[0])))  # the order of routes has other reasons
    schemas = schemas_of(declared, resources)
    uses: list[Use] = []
    for path, methods in (paths | webhooks).items():
        uses += [Use(path, method, described) for method, described in methods.items()]
    return {
        "openapi": "3.1.0",
        "info": info(settings, version),
        "servers": servers(),
        "paths": paths,
        "components": {
            "schemas": dict(sorted((schemas | named).items())),
            "headers": HEADERS,
            "securitySchemes": {"key": KEY_SCHEME},
            "parameters": share_parameters(uses),
            "responses": RESPONSES | share_responses(uses),
        },
        "tags": list(tags),
        "webhooks": webhooks,
    }


def _operation(route: APIRoute, operation: Operation, named: dict[str, Any]) -> dict[str, Any]:
    description = operation.about
    if operation.scopes:
        scopes = " or ".join(f"`{scope}`" for scope in operation.scopes)
        description += f"\n\nNeeds a key with the scope {scopes}."
    written = {
        "tags": route.tags,
        "summary": operation.summary,
        "description": description,
        "operationId": operation.name,
        "parameters": [*_parameters(operation, named)],
        "responses": _responses(operation),
        "security": WITH_KEY if operation.scopes else WITH_OR_WITHOUT_KEY,
    }
    if not written["parameters"]:
        del written["parameters"]
    if body := operation.accepts or _body(operation):
        written["requestBody"] = {"required": True, "content": body}
    return written


def _body(operation: Operation) -> dict[str, Any]:
    """Return the content of a request body, by media type."""
    if operation.body is None:
        return {}
    content = {"schema": {"$ref": REFERENCE.format(model=name_of_body(operation))}}
    return {operation.body_type: content, JSON: content}


def _responses(operation: Operation) -> dict[str, dict[str, Any]]:
    """Return the responses by status: successes, the problems that say something, and all others as `default`."""
    content = operation.answers or _content(operation.returns)
    responses: dict[str, Any] = {}
    for status, description in _successes(operation).items():
        headers = _headers(operation, status)
        responses[status] = {
            "description": description,
            **({"headers": headers} if headers else {}),
            **({"content": content} if content else {}),
        }
    if operation.tagged:
        responses["304"] = shared(f"responses/{NOT_MODIFIED}")
    for problem in TELLING:
        if any(issubclass(kind, problem) for kind in operation.problems):
            responses[str(problem.status)] = shared(f"responses/{problem.__name__}")
    return {**dict(sorted(responses.items())), "default": shared(f"responses/{ANY_PROBLEM}")}


def _headers(operation: Operation, status: str) -> dict[str, Any]:
    """Return the headers of a response that programs need."""
    names = []
    if operation.tagged or "If-Match" in operation.headers:
        names.append("ETag")
    if operation.tagged:
        names.append("Hoptac-Sequence")
    if operation.tagged and operation.returns is not None:
        names += ["Link"] if "next" in getattr(model_of(operation.returns), "model_fields", ()) else []
    if status in ("201", "202"):
        names.append("Location")
    return {name: shared(f"headers/{name}") for name in names if status != "204"}


def _successes(operation: Operation) -> Mapping[str, str]:
    """Return the description of each status of success. By default it is 200, described by the model."""
    if operation.statuses or operation.returns is None:
        return operation.statuses
    return {"200": (model_of(operation.returns).__doc__ or "").partition("\n")[0]}


def _content(model: Model | None) -> dict[str, Any]:
    if model is None:
        return {}
    return {JSON: {"schema": {"$ref": REFERENCE.format(model=model_of(model).__name__)}}}


def _parameters(operation: Operation, named: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, parameter in operation.in_path.items():
        schema = name_schemas(TypeAdapter(parameter.kind).json_schema(), named)
        yield _parameter("path", name, schema | {"examples": [parameter.example]}, parameter.about, required=True)
    query = model_of(operation.query).model_json_schema(schema_generator=_Parameters)
    left_out = operation.leaves_out()
    for name, schema in query["properties"].items():
        if name not in left_out:
            description = schema.pop("description")
            required = name in query.get("required", ())
            yield _parameter("query", name, never_null(name_schemas(schema, named)), description, required=required)
    # openapi-python-client writes a wrong module for a body of two media types without an optional parameter.
    headers = operation.headers if operation.body_type == JSON else {**operation.headers, **PROBLEM_LANGUAGE}
    for name, description in headers.items():
        required = name == "If-Match" and operation.method in NEEDS_CONDITION and NoCondition in operation.problems
        yield _parameter("header", name, {"type": "string"}, description, required=required)


def _parameter(place: str, name: str, schema: Any, description: str, *, required: bool = False) -> dict[str, Any]:
    needed = {"required": True} if required else {}
    return {"name": name, "in": place, **needed, "description": description, "schema": schema}
