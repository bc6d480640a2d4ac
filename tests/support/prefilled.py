"""Each operation of the contract, run with the values that the contract gives as examples."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch
from urllib.parse import quote

from httpx2 import Response
from starlette.testclient import TestClient

from app.catalogue import RESOURCES
from app.core.database.engine import Database
from app.core.http.openapi.examples import resolved
from app.core.maintenance.schema import migrate
from seed.files import read
from seed.loader import load
from tests.support.http import client_of
from tests.support.keys import key_of

Contract = dict[str, Any]

# The steps of a life: create, read, change, act, delete. Operations of one step are in the order of the contract.
STEPS = ("put", "post", "get", "patch", "act", "deliveries", "repeat", "delete")
CREATING = {"create_key": "key_id", "create_webhook": "webhook_id", "send_import": "import_id"}
DAY = "2026-11-22"  # the present day of the examples: otherwise they would be different every day
PUBLIC_ADDRESS = ip_address("8.8.8.8")  # in place of a look-up of partner.example; nothing is sent there


class Prefilled(NamedTuple):
    """An operation with the request that its examples make."""

    name: str
    method: str
    path: str
    query: dict[str, Any]
    headers: dict[str, str]
    body: str | None


def prefilled(contract: Contract) -> list[Prefilled]:
    """The requests of all operations, in an order in which each finds what it needs."""
    found = [
        (_step(method, path, operation["operationId"]), _request(contract, method, path, operation))
        for path, methods in contract["paths"].items()
        for method, operation in methods.items()
    ]
    return [request for _, request in sorted(found, key=lambda each: STEPS.index(each[0]))]


def run_prefilled(client: TestClient, contract: Contract, key: dict[str, str]) -> Iterator[tuple[Prefilled, Response]]:
    """Run all operations; ids that the registry chose replace those of the examples."""
    ids: dict[str, str] = {}
    with patch("app.webhooks.egress._look_up", return_value=[PUBLIC_ADDRESS]):
        for request in prefilled(contract):
            path = request.path
            for name, value in ids.items():
                path = path.replace(f"<{name}>", value)
            response = client.request(
                request.method.upper(),
                path,
                params=request.query,
                headers={**key, **request.headers},
                content=request.body,
            )
            if request.name in CREATING:
                ids[CREATING[request.name]] = response.json()["id"]
            if request.name == "list_deliveries" and response.json()["items"]:
                ids["delivery_id"] = response.json()["items"][0]["id"]
            yield request, response


@contextmanager
def _same_secrets() -> Iterator[None]:
    """Let ids, tokens and secrets be the same in each run."""
    with (
        patch("secrets.choice", Random(0).choice),
        patch("secrets.token_bytes", Random(0).randbytes),
        patch("secrets.token_urlsafe", lambda length: Random(length).randbytes(length).hex()),
    ):
        yield


def _step(method: str, path: str, name: str) -> str:
    if name == "repeat_delivery":
        return "repeat"
    if name == "list_deliveries":
        return "deliveries"
    if name == "delete_document_text":  # before its document is deleted
        return "act"
    is_action = method == "post" and ("}/" in path or path.endswith(("/rotate", "/revoke")))
    return "act" if is_action else method


def _request(contract: Contract, method: str, path: str, operation: Contract) -> Prefilled:
    query: dict[str, Any] = {}
    headers: dict[str, str] = {}
    for reference in operation.get("parameters", ()):
        parameter = resolved(contract, reference)
        value = parameter.get("example")
        if parameter["in"] == "path":
            chosen = {"key_id", "webhook_id", "import_id", "delivery_id"}
            name = parameter["name"]
            path = path.replace(f"{{{name}}}", f"<{name}>" if name in chosen else quote(str(value)))
        elif value is not None and parameter["in"] == "query":
            query[parameter["name"]] = str(value).lower() if isinstance(value, bool) else value
        elif value is not None:
            headers[parameter["name"]] = str(value)
    body = None
    if "requestBody" in operation:
        contents = operation["requestBody"]["content"]
        media_type = next((name for name, entry in contents.items() if "example" in entry), next(iter(contents)))
        content = contents[media_type]
        headers["Content-Type"] = media_type
        example = content.get("example")
        if example is None:
            example = resolved(contract, content["schema"]).get("examples", [None])[0]
            assert example is not None, operation["operationId"]
        body = example if isinstance(example, str) else json.dumps(example)
    return Prefilled(operation["operationId"], method, path, query, headers, body)


def run_on_dataset(contract: Contract) -> list[tuple[Prefilled, Response]]:
    """Run all operations on a new SQLite database with the dataset, always on the same day."""
    with ExitStack() as stack:
        for module in ("analysis.audit.routes", "analysis.evidence.reading", "exchange.linked_data.reading"):
            stack.enter_context(patch(f"app.{module}.today_in_utc", return_value=DAY))
        return _run_on_dataset(contract)


def _run_on_dataset(contract: Contract) -> list[tuple[Prefilled, Response]]:
    with tempfile.TemporaryDirectory(prefix="hoptac-contract-") as folder, _same_secrets():
        database = Database(f"sqlite:///{folder}/dataset.db")
        migrate(database)
        dataset = read()
        for resource in RESOURCES:
            if own := resource.own_example():
                dataset.records[resource.name, resource.example] = own
        load(database, dataset)
        key = key_of(database, "records:write", "keys", "webhooks")
        database.close()
        with client_of(f"sqlite:///{folder}/dataset.db", webhook_sender=False) as client:
            return [*run_prefilled(client, contract, key)]
