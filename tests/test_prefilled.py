"""The examples of the contract: what they send works and publishes nothing; what they show is right for its place."""

from typing import Any

import jsonschema_rs
from starlette.testclient import TestClient

from app.catalogue import RESOURCES
from app.core.database.engine import Database
from app.core.http.openapi.examples import operations_in, resolved, response_schema
from tests import contract
from tests.support.keys import key_of
from tests.support.prefilled import run_prefilled

CONTRACT = contract.committed_with_examples()
SCHEMAS = CONTRACT["components"]["schemas"]
ALL_SCOPES = ("records:write", "keys", "webhooks")
# The import of the example ends sooner than anybody can cancel it, and the dataset has no texts.
ENDED = {"cancel_import", "read_document_text"}


def totals(client: TestClient) -> list[int]:
    return [client.get(f"/v1/{name.name}?limit=1&total=true").json()["total"] for name in RESOURCES]


def test_every_operation_works_as_it_is_prefilled_and_publishes_nothing(
    registry: TestClient, seeded_database: Database
) -> None:
    before = totals(registry)
    answers = [*run_prefilled(registry, CONTRACT, key_of(seeded_database, *ALL_SCOPES))]
    assert {request.name for request, _ in answers} == {each["operationId"] for each in operations_in(CONTRACT)}
    refused = [(request.name, answer.text) for request, answer in answers if not 200 <= answer.status_code < 300]
    assert {name for name, _ in refused} <= ENDED, refused
    assert totals(registry) == before


def test_every_response_with_json_has_an_answer_that_fits_its_schema() -> None:
    for name in {response_schema(CONTRACT, operation) for operation in operations_in(CONTRACT)} - {None}:
        (example,) = SCHEMAS[name]["examples"]
        check = jsonschema_rs.Draft202012Validator({**SCHEMAS[name], "components": CONTRACT["components"]})
        assert [error.message for error in check.iter_errors(example)] == [], name


def test_every_problem_has_the_example_of_its_status(client: TestClient) -> None:
    shown: dict[str, Any] = {}
    for operation in operations_in(CONTRACT):
        for status, response in operation["responses"].items():
            content = resolved(CONTRACT, response).get("content", {}).get("application/problem+json", {})
            if status == "default":
                shown |= {number: example["value"] for number, example in content["examples"].items()}
            elif content:
                shown[status] = content["example"]
    assert {"400", "401", "403", "404", "412", "415", "422", "428", "429", "503"} <= shown.keys()
    assert all(problem["status"] == int(status) for status, problem in shown.items())
    for path, status in (("/v1/projects?limit=0", "422"), ("/v1/projects/nobody", "404")):
        assert client.get(path).json() == shown[status]


def test_every_body_that_is_sent_has_an_example() -> None:
    for operation in operations_in(CONTRACT):
        contents = [*operation.get("requestBody", {}).get("content", {}).values()]
        if contents and not any("example" in content for content in contents):
            content = contents[0]
            body = SCHEMAS[content["schema"]["$ref"].rpartition("/")[2]]["examples"][0]
            assert body, operation["operationId"]
            assert body.get("state", "draft") == "draft", operation["operationId"]
