"""The contract: what FastAPI derives from the routes, completed so that clients can be generated from it."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from app.core.errors import BadRequest, Failed, ProblemShown, TooMany, Unauthorized
from app.core.http.bodies import MERGE_PATCH
from app.core.http.operations import Operation, PathParameter, model_of, responses_of
from app.core.model.fields import Record
from app.core.model.resource import Resource
from app.core.settings import Settings
from app.core.writing.representation import writable_members

ABOUT = """An open registry of international cooperation: who agreed what with whom, what was promised, what was
delivered, and the document and paragraph that each number comes from.

- **Lists** answer `{items, next}`; follow `next` (also in the `Link` header) to the end. `limit` is 1 to 200.
- **Filters**: repeat a parameter for OR, use several for AND. A date filter matches what *can* fall in it.
- **`include`** reads linked records along, **`fields`** leaves fields out, **`sort`** orders, **`total=true`** counts.
- **Text** is a language map such as `{"vi": …, "en": …}`; **dates** say how precise they are (EDTF).
- **Evidence**: `citations` name document, paragraph and the words as written; `inferred` names fields that rest
  on context only.
- **Caching**: send `If-None-Match` with the `ETag` you have; 304 costs next to nothing.
- **Errors** are `application/problem+json`; each `code` is explained at [/problems](/problems).

Reading is open to everybody and needs no key. Writing takes one: `PUT`, `POST`, `PATCH` (RFC 7396) and `DELETE`, with
`If-Match` to change what exists; many records at once come in with `POST /v1/imports`.
"""

HEADERS = {
    "ETag": {"description": "Tag of this representation, for If-None-Match.", "schema": {"type": "string"}},
    "Link": {"description": 'RFC 8288: `rel="next"` where a list goes on.', "schema": {"type": "string"}},
    "X-Request-ID": {"description": "Id of this request, as logged.", "schema": {"type": "string"}},
}

KEY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "hoptac_<id>_<secret>",
    "description": "A key that the registry's administrators give out. Reading needs none.",
}

ON_REQUEST = ("included", "included_next", "total")  # there only when the request asks for them

IMPORTS = "Files of many records: JSON Lines, CSV and XLSX."

WEBHOOKS = """Subscriptions to what changes, and what was sent to them; with the scope `webhooks`.

Events are posted as [Standard Webhooks](https://www.standardwebhooks.com) says: each at least once, those of one record
in order. Anything but a 2xx within ten seconds, a redirect too, is tried again with growing delays; an event that is
not accepted for 24 hours, or a 410, disables the subscription."""

KEYS = "Keys of those who write: for administrators, with the scope `keys`."

SEARCH = "Words in all resources at once."

REGISTRY = "The registry itself: index, code lists, health."


def describe_api(
    app: FastAPI, settings: Settings, resources: Sequence[Resource], examples: Path, sent: Callable[[], Any]
) -> None:
    """Give the application its OpenAPI document.

    `examples` is a file with a record of each resource; `sent` says what is posted to subscribers.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            tags = [{"name": each.name, "description": each.about} for each in resources]
            tags += [{"name": "imports", "description": IMPORTS}, {"name": "keys", "description": KEYS}]
            tags += [{"name": "webhooks", "description": WEBHOOKS}]
            schema = get_openapi(
                title=app.title,
                version=app.version,
                openapi_version="3.1.0",
                summary="Evidence for every figure of international cooperation.",
                description=ABOUT,
                routes=app.routes,
                tags=[*tags, {"name": "search", "description": SEARCH}, {"name": "registry", "description": REGISTRY}],
                servers=[{"url": "/", "description": "This server."}],
                license_info={"name": f"Data: {settings.data_licence}", "url": settings.data_licence_url},
            )
            _document(schema, app)
            schema["webhooks"] = sent()
            _complete(schema)
            _exemplify(schema["components"]["schemas"], resources, examples)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _exemplify(schemas: dict[str, Any], resources: Sequence[Resource], examples: Path) -> None:
    """Give what is shown and what is accepted an example; bodies may hold what only the registry writes, too."""
    records = json.loads(examples.read_text("utf-8")) if examples.exists() else {}
    for resource in resources:
        shown, fields = schemas[resource.shown.__name__], schemas[resource.fields.__name__]
        ignored = {"readOnly": True, "description": "May be sent back as it was read."}
        fields["properties"] |= {name: {**shown["properties"][name], **ignored} for name in Record.model_fields}
        fields["properties"]["id"] = {**shown["properties"]["id"], "description": "As in the path; chosen with POST."}
        if resource.name in records:
            record = records[resource.name]
            shown["examples"] = [record]
            fields["examples"] = [writable_members(record)]


def _document(schema: dict[str, Any], app: FastAPI) -> None:
    """Write in what routes say through `documented`: parameters, and the model of the answer."""
    shown: dict[tuple[Any, JsonSchemaMode], None] = {}
    for context in iter_route_contexts(app.routes):
        said = getattr(context.endpoint, "operation", None)
        if said is None:
            continue
        method = next(iter(context.methods or ()))
        operation = schema["paths"][context.path][method.lower()]
        if parameters := [*_parameters(said)]:
            operation["parameters"] = parameters
        operation["security"] = [{"key": []}] if said.scopes else []
        if said.scopes:
            operation["description"] += (
                f"\n\nTakes a key with the scope {' or '.join(f'`{each}`' for each in said.scopes)}."
            )
        content, body = dict(said.answers), dict(said.accepts)
        if said.returns is not None:
            shown[model_of(said.returns), "serialization"] = None
            content = _of_type("application/json", model_of(said.returns))
        if said.body is not None:
            shown[model_of(said.body), "validation"] = None
            body = _of_type(said.body_type, model_of(said.body))
        _write_in(operation, said, content, body)
    models = TypeAdapter.json_schemas(
        [(model, mode, TypeAdapter(model)) for model, mode in shown], ref_template="#/components/schemas/{model}"
    )[1]
    schema["components"] = {"schemas": _without_null_defaults(dict(sorted(models["$defs"].items())))}


def _write_in(operation: dict[str, Any], said: Operation, content: dict[str, Any], body: dict[str, Any]) -> None:
    """The answers and the body of an operation."""
    operation["responses"].pop("200")
    for status, about in said.statuses.items():
        operation["responses"][status] = {"description": about, **({"content": content} if content else {})}
    if body:
        operation["requestBody"] = {"required": True, "content": body}


def _parameters(said: Operation) -> Iterator[dict[str, Any]]:
    for name, each in said.in_path.items():
        yield _path_parameter(name, each)
    query = model_of(said.query).model_json_schema()
    for name, kind in query["properties"].items():
        required, about = name in query.get("required", ()), kind["description"]
        yield {"name": name, "in": "query", "required": required, "schema": kind, "description": about}
    for name, about in said.headers.items():
        yield {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": about}


def _of_type(media_type: str, model: Any) -> dict[str, Any]:
    if media_type == MERGE_PATCH:
        about = f"Members of {model.__name__}: those that change. null gives a member its default."
        return {media_type: {"schema": {"type": "object", "description": about}}}
    return {media_type: {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}


def _without_null_defaults(schema: Any) -> Any:
    """What is not there is absent or null as its type says; a default that the type does not allow only confuses."""
    if isinstance(schema, list):
        return [_without_null_defaults(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _without_null_defaults(each) for name, each in schema.items() if (name, each) != ("default", None)}


def _path_parameter(name: str, said: PathParameter) -> dict[str, Any]:
    kind = {**TypeAdapter(said.kind).json_schema(), "description": said.about, "examples": [said.example]}
    kind["title"] = name.replace("_", " ").title()
    return {"name": name, "in": "path", "required": True, "schema": kind, "description": said.about}


def _complete(schema: dict[str, Any]) -> None:
    for path, operation in ((path, each) for path, methods in schema["paths"].items() for each in methods.values()):
        operation.setdefault("security", [])
        for kind in (BadRequest, Failed, *([TooMany, Unauthorized] if path.startswith("/v1") else [])):
            for status, response in responses_of(kind).items():
                operation["responses"].setdefault(str(status), response)
        operation["responses"] = dict(sorted(operation["responses"].items()))
        for status, response in operation["responses"].items():
            if status in ("200", "201", "202", "304"):
                response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in HEADERS}
    schema["components"]["headers"] = HEADERS
    schema["components"]["securitySchemes"] = {"key": KEY_SCHEME}
    problem = ProblemShown.model_json_schema(ref_template="#/components/schemas/{model}")
    schema["components"]["schemas"] |= {**problem.pop("$defs"), "ProblemShown": problem}
    _share_parameters(schema)
    _share_responses(schema)
    for shown in schema["components"]["schemas"].values():
        shown["required"] = [name for name in shown.get("required", ()) if name not in ON_REQUEST]


def _share_parameters(schema: dict[str, Any]) -> None:
    """Write a parameter that several operations have once: the lists share most of theirs."""
    shared: dict[str, Any] = {}
    names: dict[str, str] = {}
    for operation in _operations(schema):
        for position, parameter in enumerate(operation.get("parameters", [])):
            parameter["schema"] = _never_null(parameter["schema"])
            written = json.dumps(parameter, sort_keys=True)
            if written not in names:
                taken = sum(1 for name in shared if name.partition(".")[0] == parameter["name"])
                names[written] = f"{parameter['name']}.{taken}" if taken else parameter["name"]
                shared[names[written]] = parameter
            operation["parameters"][position] = {"$ref": f"#/components/parameters/{names[written]}"}
    schema["components"]["parameters"] = shared


def _share_responses(schema: dict[str, Any]) -> None:
    """Write a problem that several operations may answer with once, under its status."""
    written = [
        (operation["responses"], status, json.dumps(response, sort_keys=True))
        for operation in _operations(schema)
        for status, response in operation["responses"].items()
        if status >= "304"
    ]
    counts = Counter(text for _, _, text in written)
    shared: dict[str, Any] = {}
    names: dict[str, str] = {}
    for responses, status, text in written:
        if counts[text] == 1:
            continue
        if text not in names:
            taken = sum(1 for name in shared if name.partition(".")[0] == status)
            names[text] = f"{status}.{taken}" if taken else status
            shared[names[text]] = responses[status]
        responses[status] = {"$ref": f"#/components/responses/{names[text]}"}
    schema["components"]["responses"] = shared


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is not given is absent; a query string cannot say null."""
    schema = _without_null_defaults(schema)
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return {**kinds[0], **{name: schema[name] for name in schema if name != "anyOf"}} if len(kinds) == 1 else schema


def _operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in (*schema["paths"].values(), *schema["webhooks"].values()):
        yield from path.values()
