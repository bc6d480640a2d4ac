"""The contract: valid, complete, committed, and true of what is answered."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from starlette.testclient import TestClient

from app.catalogue import RESOURCES
from app.core.http.openapi.examples import resolved
from app.core.http.openapi.named import code_list_name
from app.core.settings import Settings
from app.core.values import codelists
from app.main import assemble
from tests import contract

CONTRACT: dict[str, Any] = json.loads(contract.CONTRACT.read_text("utf-8"))
SCHEMAS: dict[str, Any] = CONTRACT["components"]["schemas"]
PARAMETERS: dict[str, Any] = CONTRACT["components"]["parameters"]
JSON = "application/json"
OPERATIONS = [(path, operation) for path, methods in CONTRACT["paths"].items() for operation in methods.values()]


def test_the_committed_contract_is_the_programs() -> None:
    assert contract.contract() == contract.CONTRACT.read_text("utf-8"), "run `make contract` and look at the difference"


OTHER_ORDER = """
import app.webhooks.models, app.statements.models, app.places.models, app.analysis.audit.rules
from tests import contract
import sys
sys.stdout.write(contract.contract())
"""


def test_the_order_of_imports_does_not_reach_the_contract() -> None:
    command = [sys.executable, "-c", OTHER_ORDER]
    printed = subprocess.run(command, cwd=contract.ROOT, check=True, capture_output=True, text=True).stdout
    assert printed == contract.CONTRACT.read_text("utf-8")


def test_code_lists_are_in_the_order_of_their_names(client: TestClient) -> None:
    listed = [codelist["name"] for codelist in client.get("/v1/codelists").json()["items"]]
    assert listed == sorted(listed)


def test_the_examples_are_the_datasets() -> None:
    assert contract.examples() == contract.EXAMPLES.read_text("utf-8"), "run `make contract`"


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_resolves() -> None:
    for reference in set(references(CONTRACT)):
        node: Any = CONTRACT
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_bounds_have_the_names_of_json_schema() -> None:
    schemas = [parameter["schema"] for parameter in PARAMETERS.values()]
    assert not [schema for schema in schemas if {"ge", "gt", "le", "lt"} & schema.keys()]
    assert PARAMETERS["keys_events_cursor"]["schema"]["minimum"] == 1


def test_downloads_come_after_the_other_operations_of_a_tag() -> None:
    for tag in (each["name"] for each in CONTRACT["tags"]):
        are_files = ["." in path.rpartition("/")[2] for path, operation in OPERATIONS if tag in operation["tags"]]
        assert are_files == sorted(are_files), tag


def test_operations_have_unique_ids_words_tags_and_every_error() -> None:
    ids = [operation["operationId"] for _, operation in OPERATIONS]
    assert len(ids) == len(set(ids))
    tags = {tag["name"] for tag in CONTRACT["tags"] if tag["description"]}
    for path, operation in OPERATIONS:
        assert operation["summary"], path
        assert set(operation["tags"]) <= tags
        for status, written in operation["responses"].items():
            name = written.get("$ref", "").removeprefix("#/components/responses/")
            response = CONTRACT["components"]["responses"][name] if name else written
            assert response["description"]
            if status >= "308":
                assert list(response["content"]) == ["application/problem+json"]
        assert {"200", "201", "202", "204"} & set(operation["responses"]), path
        assert "default" in operation["responses"], path


def test_the_contract_tells_how_to_repeat_a_request() -> None:
    responses = CONTRACT["components"]["responses"]
    assert "Retry-After" in responses["Problem"]["headers"]
    assert "ETag" in responses["Stale"]["headers"]
    for path, operation in OPERATIONS:
        parameters = [PARAMETERS[each["$ref"].rpartition("/")[2]]["name"] for each in operation.get("parameters", ())]
        if "If-Match" in parameters:
            assert "412" in operation["responses"], path
        success = resolved(CONTRACT, operation["responses"].get("200", {}))
        if "ETag" in success.get("headers", {}) and "If-Match" not in parameters:
            assert "304" in operation["responses"], path


def test_every_parameter_is_explained_and_named_by_its_meaning() -> None:
    for name, parameter in CONTRACT["components"]["parameters"].items():
        assert parameter.get("description"), name
        assert "null" not in str(parameter["schema"]), name
        assert re.fullmatch(rf"([a-z_]+_)?{re.escape(parameter['name'])}", name), name


def test_every_member_has_a_description_that_says_more_than_its_name() -> None:
    short: list[str] = []
    for name, schema in SCHEMAS.items():
        assert schema.get("description"), name
        for node in nodes(schema):
            for member, described in node.get("properties", {}).items() if "$ref" not in node else ():
                words = re.findall(r"\w+", described.get("description", "").lower())
                if set(words) <= {"the", "a", "of", *member.split("_")} or len(words) < 3:
                    short.append(f"{name}.{member}")
    assert short == []


def test_the_codes_of_records_are_explained_one_by_one() -> None:
    for resource in RESOURCES:
        reachable = [resource.fields.__name__]
        for name in reachable:
            found = {reference.rpartition("/")[2] for reference in references(SCHEMAS[name])}
            reachable += sorted(found - {*reachable})
        for codes in codelists.ALL.values():
            if code_list_name(codes) in reachable and codes.source == "Hoptac":
                unexplained = [code for code in codes.codes if f"`{code}`" not in codes.description]
                assert unexplained == [], codes.name


def test_each_code_list_is_one_schema() -> None:
    lists = {tuple(codes.codes): codes for codes in codelists.ALL.values()}
    for name, schema in SCHEMAS.items():
        if "enum" in schema:
            assert name == code_list_name(lists[tuple(schema["enum"])])
            assert len(schema["enum"]) > 40 or all(f"`{code}`" in schema["description"] for code in schema["enum"])
    inline = [node["enum"] for node in nodes(CONTRACT) if tuple(node.get("enum") or ()) in lists]
    assert len(inline) == len([name for name in SCHEMAS if "enum" in SCHEMAS[name]])
    assert "LanguageMap" in SCHEMAS
    assert [node for node in nodes(CONTRACT) if "patternProperties" in node] == []


def test_a_change_has_a_typed_body_and_needs_a_condition() -> None:
    for resource in RESOURCES:
        for method in ("patch", "delete"):
            operation = CONTRACT["paths"][f"/v1/{resource.name}/{{{resource.one}_id}}"][method]
            named = [each["$ref"].rpartition("/")[2] for each in operation["parameters"]]
            (condition,) = [PARAMETERS[name] for name in named if PARAMETERS[name]["name"] == "If-Match"]
            assert condition["required"] is True
            for body in operation.get("requestBody", {"content": {}})["content"].values():
                assert body["schema"] == {"$ref": f"#/components/schemas/Partial{resource.table.__name__}"}


WITHOUT_RECORDS = {"transactions"}  # of the dataset


def test_fields_have_an_operation_of_their_own(client: TestClient) -> None:
    for resource in RESOURCES:
        for path, operation in OPERATIONS:
            named = [PARAMETERS[each["$ref"].rpartition("/")[2]]["name"] for each in operation.get("parameters", ())]
            is_graph = path.endswith((".jsonld", "/evidence.{format}", "/provenance.{format}", "/{number}.{format}"))
            assert ("fields" in named) == (path.endswith(("/select", ".{format}")) and not is_graph), path
        fields = ["id", resource.names[0]] if resource.names else ["id", "version"]
        path = f"/v1/{resource.name}/select"
        first = client.get(path, params={"fields": ",".join(fields), "limit": 1, "sort": "-id"}).json()
        if resource.name in WITHOUT_RECORDS:
            continue
        assert [list(item) for item in first["items"]] == [fields]
        assert first["next"].startswith(path)
        assert [list(item) for item in client.get(first["next"]).json()["items"]] == [fields]
        schema = schema_of(CONTRACT["paths"][path]["get"])
        assert [error.message for error in validator(schema).iter_errors(first)] == []
        assert client.get(path).json()["errors"][0]["parameter"] == "fields"


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of a part of the document."""
    if isinstance(node, dict):
        yield node
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(value)


def test_every_field_of_a_record_is_there_and_required() -> None:
    for resource in RESOURCES:
        schema = SCHEMAS[resource.shown.__name__]
        names = {entry.alias or name for name, entry in resource.shown.model_fields.items()}
        partial = SCHEMAS[f"Partial{resource.table.__name__}"]
        assert schema["allOf"][0] == {"$ref": f"#/components/schemas/Partial{resource.table.__name__}"}
        assert set(partial["properties"]) == {*names, "labels"}
        assert set(schema["required"]) == names
        assert "required" not in partial


def contents_of(operation: dict[str, Any]) -> dict[str, Any]:
    """The bodies of a successful response, by media type."""
    contents: dict[str, Any] = resolved(CONTRACT, operation["responses"].get("200", {})).get("content", {})
    return contents


def schema_of(operation: dict[str, Any]) -> dict[str, Any]:
    """The schema of a successful response in JSON."""
    schema: dict[str, Any] = contents_of(operation)[JSON]["schema"]
    return schema


def validator(schema: dict[str, Any]) -> Any:
    return jsonschema_rs.Draft202012Validator({**schema, "components": CONTRACT["components"]})


READS = [(path, methods["get"]) for path, methods in CONTRACT["paths"].items() if "get" in methods]
OPEN = [(path, operation) for path, operation in READS if {} in operation["security"]]
PATHS = [
    (path, operation)
    for path, operation in OPEN
    if not path.startswith(("/livez", "/readyz")) and not path.endswith("/text") and JSON in contents_of(operation)
]


def required(operation: dict[str, Any]) -> dict[str, str]:
    """The first value of each parameter that must be given."""
    named = [each["$ref"].rpartition("/")[2] for each in operation.get("parameters", ())]
    given = [CONTRACT["components"]["parameters"][name] for name in named]
    return {
        each["name"]: each["schema"]["items"]["enum"][0] if "items" in each["schema"] else each["schema"]["examples"][0]
        for each in given
        if each["in"] == "query" and each.get("required")
    }


@pytest.mark.parametrize(("path", "operation"), PATHS, ids=[path for path, _ in PATHS])
def test_answers_are_what_the_contract_says(client: TestClient, path: str, operation: dict[str, Any]) -> None:
    schema = schema_of(operation)
    ids = {f"{{{resource.one}_id}}": resource.example for resource in RESOURCES} | {
        "{codelist}": "unit",
        "{number}": "12",
        "{resource}": "partners",
    }
    for name, value in ids.items():
        path = path.replace(name, value)
    limit = {"limit": 200} if "/{" not in path and "limit" in str(operation) else {}
    response = client.get(path, params={**limit, **required(operation)})
    assert response.status_code == 200
    check = validator(schema)
    errors = [error.message for error in check.iter_errors(response.json())]
    assert errors == []


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_answers_with_includes_are_what_the_contract_says(client: TestClient, resource: Any) -> None:
    operation = CONTRACT["paths"][f"/v1/{resource.name}/{{{resource.one}_id}}"]["get"]
    schema = schema_of(operation)
    path = f"/v1/{resource.name}/{resource.example}?include={','.join(resource.includes)}"
    errors = [error.message for error in validator(schema).iter_errors(client.get(path).json())]
    assert errors == []


def test_problems_are_what_the_contract_says(client: TestClient) -> None:
    schema = CONTRACT["components"]["schemas"]["ProblemShown"]
    for path in ("/v1/projects/nobody", "/v1/projects?limit=0", "/v1/projects?cursor=x", "/v1/nope"):
        body = client.get(path).json()
        assert [error.message for error in validator(schema).iter_errors(body)] == []


def test_settings_change_the_licence_and_name_shown() -> None:
    changed = assemble(Settings.model_construct(site_name="Sổ hợp tác", data_licence="CC0-1.0"))[0].openapi()
    assert changed["info"]["title"] == "Sổ hợp tác"
    assert "CC0-1.0" in changed["info"]["license"]["name"]


def test_the_contract_stands_beside_the_program() -> None:
    assert Path(contract.CONTRACT).name == "openapi.json"


def test_summaries_read_as_sentences(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    summaries = {operation["summary"] for path in paths.values() for operation in path.values()}
    assert {"List the figures of an agreement", "List later projects", "Create an indicator"} <= summaries
    assert not [summary for summary in summaries if ":" in summary or " a agreement" in summary]
