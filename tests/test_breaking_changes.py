"""Which changes of the contract could break a client, and which could not."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests import contract
from tools.breaking_changes import ACCEPTED, RELEASED, breaking_changes, read_stored, stored, unaccepted, without_texts

Document = dict[str, Any]

NAME = {"type": "string", "maxLength": 100}
STATUS = {"$ref": "#/components/schemas/StatusCode"}
BEFORE: Document = {
    "paths": {
        "/v1/things": {
            "get": {
                "operationId": "list_things",
                "security": [{}, {"key": []}],
                "parameters": [
                    {"name": "sort", "in": "query", "schema": {"type": "string", "pattern": "^(id|name)(,-?id)?$"}},
                    {"$ref": "#/components/parameters/limit"},
                ],
                "responses": {
                    "200": {
                        "description": "Things.",
                        "headers": {"ETag": {"schema": {"type": "string"}}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ThingShown"}}},
                    }
                },
            },
            "post": {
                "operationId": "create_thing",
                "security": [{"key": []}],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ThingFields"}}},
                },
                "responses": {"201": {"description": "Created."}},
            },
        }
    },
    "components": {
        "parameters": {
            "limit": {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 200, "default": 50}}
        },
        "responses": {},
        "schemas": {
            "StatusCode": {"type": "string", "enum": ["active", "ended"], "description": "A stage."},
            "ThingFields": {"type": "object", "properties": {"name": NAME, "status": STATUS}, "required": ["name"]},
            "ThingShown": {
                "allOf": [
                    {"$ref": "#/components/schemas/ThingFields"},
                    {"type": "object", "properties": {"period": {"type": "string"}}, "required": ["period"]},
                ]
            },
        },
    },
}


def listing(document: Document) -> Document:
    return document["paths"]["/v1/things"]["get"]  # type: ignore[no-any-return]


def schemas(document: Document) -> Document:
    return document["components"]["schemas"]  # type: ignore[no-any-return]


def extended(document: Document) -> Document:
    return schemas(document)["ThingShown"]["allOf"][1]  # type: ignore[no-any-return]


def response(document: Document) -> Document:
    return listing(document)["responses"]["200"]  # type: ignore[no-any-return]


def share_response(document: Document) -> None:
    document["components"]["responses"]["Things"] = response(document)
    listing(document)["responses"]["200"] = {"$ref": "#/components/responses/Things"}


NEEDED = {"name": "kind", "in": "query", "required": True, "schema": {"type": "string"}}
POSSIBLE = {"name": "kind", "in": "query", "schema": {"type": "string"}}
Change = Callable[[Document], Any]

BREAKING: dict[str, tuple[Change, str]] = {
    "an operation": (lambda new: new["paths"]["/v1/things"].pop("post"), "POST /v1/things: the operation was removed"),
    "its name": (lambda new: listing(new).update(operationId="all"), "operationId changed from list_things to all"),
    "a key": (lambda new: listing(new).update(security=[{"key": []}]), "a key is needed now"),
    "a parameter": (lambda new: listing(new)["parameters"].pop(), "the parameter limit was removed"),
    "a needed parameter": (lambda new: listing(new)["parameters"].append(NEEDED), "the parameter kind is required now"),
    "a limit": (
        lambda new: new["components"]["parameters"]["limit"]["schema"].update(maximum=100),
        "the parameter limit: maximum is 100 now",
    ),
    "a default": (
        lambda new: new["components"]["parameters"]["limit"]["schema"].update(default=20),
        "the parameter limit: the default changed from 50 to 20",
    ),
    "a sort": (
        lambda new: listing(new)["parameters"][0]["schema"].update(pattern="^(id)(,-?id)?$"),
        "the parameter sort: the pattern is",
    ),
    "a header": (lambda new: response(new).pop("headers"), "the response 200 has no header ETag any more"),
    "a media type": (lambda new: response(new).update(content={}), "has no type application/json any more"),
    "a code": (lambda new: schemas(new)["StatusCode"]["enum"].pop(), "StatusCode: the code ended was removed"),
    "a rule": (
        lambda new: schemas(new)["ThingFields"]["properties"].update(name=NAME | {"pattern": "^[a-z]+$"}),
        "ThingFields.name: the pattern is ^[a-z]+$ now",
    ),
    "a needed member": (
        lambda new: schemas(new)["ThingFields"].update(required=["name", "status"]),
        "ThingFields.status: the member is required now",
    ),
    "a member": (lambda new: extended(new).update(properties={}), "ThingShown.period: the member was removed"),
    "a missing member": (lambda new: extended(new).update(required=[]), "period: the member can be missing now"),
    "a type": (
        lambda new: extended(new)["properties"].update(period={"anyOf": [{"type": "string"}, {"type": "null"}]}),
        "ThingShown.period: the type changed from string to string or null",
    ),
    "a schema": (lambda new: schemas(new).pop("StatusCode"), "StatusCode: the schema was removed"),
}  # fmt: skip

HARMLESS: dict[str, Change] = {
    "nothing": len,
    "an operation": lambda new: new["paths"].update({"/v1/others": new["paths"]["/v1/things"]}),
    "a parameter": lambda new: listing(new)["parameters"].append(POSSIBLE),
    "a code": lambda new: schemas(new)["StatusCode"]["enum"].append("planned"),
    "a sort": lambda new: listing(new)["parameters"][0]["schema"].update(pattern="^(id|-name|name)(,-?id)?$"),
    "a longer text": lambda new: schemas(new)["ThingFields"]["properties"].update(name={"type": "string"}),
    "a member": lambda new: schemas(new)["ThingFields"]["properties"].update(other=NAME),
    "a text": lambda new: schemas(new)["StatusCode"].update(description="Another text."),
    "a shared response": share_response,
    "a media type": lambda new: response(new)["content"].update({"text/csv": {"schema": {"type": "string"}}}),
}


def changes_after(change: Change) -> list[str]:
    changed = deepcopy(BEFORE)
    change(changed)
    return [*breaking_changes(read_stored(stored(BEFORE)), changed)]


@pytest.mark.parametrize("name", BREAKING)
def test_what_a_client_may_rely_on_is_reported(name: str) -> None:
    change, message = BREAKING[name]
    found = changes_after(change)
    assert any(message in line for line in found), found


@pytest.mark.parametrize("name", HARMLESS)
def test_an_addition_is_not_reported(name: str) -> None:
    assert changes_after(HARMLESS[name]) == []


def test_a_change_that_is_meant_is_accepted_as_long_as_it_exists() -> None:
    accepted = "# Why.\nPOST /v1/things: the operation was removed\nGET /v1/things: a key is needed now\n"
    found = iter(["POST /v1/things: the operation was removed", "StatusCode: the code ended was removed"])
    assert unaccepted(found, accepted) == (
        ["StatusCode: the code ended was removed"],
        ["GET /v1/things: a key is needed now"],
    )


def test_the_committed_contract_breaks_no_client_of_the_last_release() -> None:
    document = json.loads(contract.CONTRACT.read_text("utf-8"))
    released = read_stored(RELEASED.read_bytes())
    assert unaccepted(breaking_changes(released, document), ACCEPTED.read_text("utf-8")) == ([], [])
    assert "description" not in str(without_texts(document["components"]["parameters"]))
    assert len(str(without_texts(document)["paths"])) > 100_000
