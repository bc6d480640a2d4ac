"""Deny by default: every operation of the contract, with each kind of key, on own, others' and missing records."""

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.access.keys import new_token
from app.core.database.engine import Database
from app.core.model.resource import RESOURCES
from app.core.writing.representation import writable_members
from tests import contract
from tests.support.databases import NewDatabase
from tests.support.http import client_of
from tests.support.keys import change_key, key_of
from tests.support.receivers import ALLOWED

Operation = tuple[str, str, dict[str, Any]]


def operations_of(document: dict[str, Any]) -> list[Operation]:
    """Return method, path and description of each operation of a contract."""
    return [
        (method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


# Of the committed contract: every process that collects tests would take a second to make it anew.
OPERATIONS = operations_of(json.loads(contract.CONTRACT.read_text("utf-8")))
RECORDS = ("own", "others", "missing")
Row = tuple[int, int, int]
NEVER: Row = (403, 403, 403)
READ: Row = (200, 200, 404)

# What an operation answers for own, others' and missing records, to the key of another partner, of the partner itself,
# to one that writes all, and to an administrator's. To any other key: 401 or 403, see DENIED.
ROWS: dict[str, tuple[Row, Row, Row, Row]] = {
    "POST /v1/{resource}": ((201, 201, 201), (201, 201, 201), (201, 201, 201), NEVER),
    "PUT /v1/{resource}/{id}": ((403, 403, 201), (200, 403, 201), (200, 200, 201), NEVER),
    "PATCH /v1/{resource}/{id}": ((403, 403, 404), (200, 403, 404), (200, 200, 404), NEVER),
    "DELETE /v1/{resource}/{id}": ((403, 403, 404), (204, 403, 404), (204, 204, 404), NEVER),
    "POST /v1/{resource}/{id}/merge": (NEVER, NEVER, (200, 200, 404), NEVER),
    "PUT /v1/{resource}/{id}/text": ((403, 403, 404), (200, 403, 404), (200, 200, 404), NEVER),
    "DELETE /v1/{resource}/{id}/text": ((403, 403, 404), (204, 403, 404), (204, 204, 404), NEVER),
    "POST /v1/imports": ((202, 202, 202), (202, 202, 202), (202, 202, 202), NEVER),
    "GET /v1/imports": ((200, 200, 200), (200, 200, 200), (200, 200, 200), (200, 200, 200)),
    "GET /v1/imports/{id}": ((404, 404, 404), (200, 404, 404), (404, 404, 404), (200, 200, 404)),
    "GET /v1/imports/{id}/lines": ((404, 404, 404), (200, 404, 404), (404, 404, 404), (200, 200, 404)),
    "POST /v1/imports/{id}/cancel": ((404, 404, 404), (409, 404, 404), (404, 404, 404), (409, 409, 404)),  # ended
    "DELETE /v1/imports/{id}": ((404, 404, 404), (204, 404, 404), (404, 404, 404), (204, 204, 404)),
    "GET /v1/import-mappings": ((200, 200, 200), (200, 200, 200), (200, 200, 200), NEVER),
    "GET /v1/import-mappings/{name}": ((404, 404, 404), (200, 404, 404), (404, 404, 404), NEVER),
    "PUT /v1/import-mappings/{name}": ((201, 201, 201), (200, 201, 201), (201, 201, 201), NEVER),  # each has its own
    "DELETE /v1/import-mappings/{name}": ((404, 404, 404), (204, 404, 404), (404, 404, 404), NEVER),
    "GET /v1/keys": (NEVER, NEVER, NEVER, (200, 200, 200)),
    "POST /v1/keys": (NEVER, NEVER, NEVER, (201, 201, 201)),
    "GET /v1/keys/{id}": (NEVER, NEVER, NEVER, (200, 200, 404)),
    "GET /v1/keys/{id}/events": (NEVER, NEVER, NEVER, (200, 200, 404)),
    "PATCH /v1/keys/{id}": (NEVER, NEVER, NEVER, (200, 200, 404)),
    "POST /v1/keys/{id}/rotate": (NEVER, NEVER, NEVER, (200, 200, 404)),
    "DELETE /v1/keys/{id}": (NEVER, NEVER, NEVER, (204, 204, 404)),
    "GET /v1/keys/self": ((200, 200, 200), (200, 200, 200), (200, 200, 200), (200, 200, 200)),
    "POST /v1/keys/self/rotate": ((422, 422, 422), (422, 422, 422), (422, 422, 422), (422, 422, 422)),  # see attempt
    "GET /v1/webhooks": (NEVER, NEVER, NEVER, (200, 200, 200)),
    "POST /v1/webhooks": (NEVER, NEVER, NEVER, (201, 201, 201)),
    "GET /v1/webhooks/{id}": (NEVER, NEVER, NEVER, (200, 200, 404)),
    "PATCH /v1/webhooks/{id}": (NEVER, NEVER, NEVER, (200, 200, 404)),
    "DELETE /v1/webhooks/{id}": (NEVER, NEVER, NEVER, (204, 204, 404)),
    "POST /v1/webhooks/{id}/rotate": (NEVER, NEVER, NEVER, (200, 200, 404)),
    "POST /v1/webhooks/{id}/test": (NEVER, NEVER, NEVER, (202, 202, 404)),
    "GET /v1/webhooks/{id}/deliveries": (NEVER, NEVER, NEVER, (200, 200, 404)),
    "POST /v1/webhooks/{id}/deliveries/{delivery}/repeat": (NEVER, NEVER, NEVER, (202, 202, 404)),
}
# The key with the scope webhooks ("reader": it writes no records) may do what the administrator may, with its own.
SUBSCRIBER = {name: (row[3][0], 404 if "{id}" in name else row[3][1], row[3][2]) for name, row in ROWS.items()}
SUBSCRIBER = {name: row for name, row in SUBSCRIBER.items() if "/v1/webhooks" in name or "/v1/keys/self" in name}
OPEN: dict[str, Row] = {
    "GET /v1/{resource}": (200, 200, 200),
    "GET /v1/{resource}/{id}": READ,
    "GET /v1/{resource}/{id}/history": READ,
    "GET /v1/{resource}/{id}/evidence": READ,
    "GET /v1/{resource}/{id}/evidence.{format}": READ,
    "GET /v1/{resource}/{id}/provenance.{format}": READ,
    "GET /v1/{resource}/{id}/text": READ,
    "GET /v1/{resource}/{id}/paragraphs": READ,
    "GET /v1/{resource}/{id}/paragraphs/{number}": READ,
    "GET /v1/{resource}/{id}/paragraphs/{number}.{format}": READ,
    "GET /v1/{resource}/{id}/{list}": READ,
    "GET /v1/{resource}/{id}/{list}.{format}": READ,
    "GET /v1/{resource}.{format}": READ,
    "GET /v1/{resource}/facets": (200, 200, 200),
    "GET /v1/{resource}/facets.{format}": READ,
    "GET /v1/{resource}/aggregate.{format}": READ,
    "GET /v1/search.{format}": READ,
    "GET /v1/timeline.{format}": READ,
    "GET /v1/audit.{format}": READ,
    "GET /v1/{resource}/select": (200, 200, 200),
    "GET /v1/{resource}/aggregate": (200, 200, 200),
    "GET /v1/{resource}/{id}/progress": READ,
    "GET /v1/progress": (200, 200, 200),
    "GET /v1/audit": (200, 200, 200),
    "GET /v1/audit/rules": (200, 200, 200),
    "GET /v1/timeline": (200, 200, 200),
    "GET /v1/changes": (200, 200, 200),
    "GET /v1/search": (200, 200, 200),
    "GET /v1/iati/activities.xml": (200, 200, 200),
    "GET /v1/iati/organisations.xml": (200, 200, 200),
    "GET /v1/iati/loss-report.jsonl": (200, 200, 200),
    "GET /v1/iati/loss-report.txt": (200, 200, 200),
    "GET /v1/iati/extension.xsd": (200, 200, 200),
    "GET /v1/{resource}/{id}.xml": (200, 200, 404),
    "GET /v1/imports/templates/{table}": READ,
    "GET /v1/reconcile/{resource}": READ,
    "POST /v1/reconcile/{resource}": READ,
    "GET /v1/reconcile/{resource}/suggest/entity": READ,
    "GET /v1/reconcile/{resource}/suggest/property": READ,
    "GET /v1/reconcile/{resource}/preview": READ,
    "GET /v1/reconcile/{resource}/extend/propose": READ,
    "GET /v1": (200, 200, 200),
    "GET /v1/export": (404, 404, 404),  # the server of these tests has none, since making one takes time
    "GET /v1/catalog.jsonld": (200, 200, 200),
    "GET /v1/schemas/{file}": READ,
    "GET /v1/codelists": (200, 200, 200),
    "GET /v1/codelists/{codelist}": READ,
    "POST /v1/keys/revoke": (204, 204, 204),
    "GET /livez": (200, 200, 200),
    "GET /readyz": (200, 200, 200),
}
NOT_ASKED = {"GET /livez", "GET /readyz"}  # for operators: keys are not looked at
WRONG = ("bad", "expired", "revoked")


NESTED = "|".join({each.name for one in RESOURCES.values() for each in one.includes.values() if each.nested})


def row_of(method: str, path: str) -> str:
    """The row of an operation; resources share theirs."""
    names = "|".join(RESOURCES)
    path = path.replace("{delivery_id}", "{delivery}").replace("{mapping_name}", "{name}")
    path = re.sub(r"\{\w+_id\}", "{id}", re.sub(f"^/v1/({names})(?=[/.]|$)", "/v1/{resource}", path))
    return f"{method} " + re.sub(f"/{{id}}/({NESTED})$", "/{id}/{list}", path)


def test_every_operation_has_a_row_and_says_what_it_takes() -> None:
    operations = operations_of(json.loads(contract.contract()))
    missing = {row_of(method, path) for method, path, _ in operations} - set(ROWS) - set(OPEN)
    assert missing == set(), "a new operation needs a row: who may do it?"
    assert {operation[:2] for operation in operations} == {operation[:2] for operation in OPERATIONS}, "`make contract`"
    for method, path, operation in operations:
        guarded = row_of(method, path) in ROWS
        assert operation["security"] == ([{"key": []}] if guarded else [{}, {"key": []}]), (method, path)
        assert "default" in operation["responses"], (method, path)
        has_body = method in ("POST", "PUT", "PATCH") and not path.endswith(("/test", "/repeat", "/cancel"))
        assert ("requestBody" in operation) == has_body, (method, path)
        assert guarded or method == "GET" or path in ("/v1/keys/revoke", "/v1/reconcile/{resource}")


@pytest.fixture(scope="module")
def callers(new_database: NewDatabase, seeded: str) -> Iterator[tuple[TestClient, dict[str, dict[str, str]]]]:
    """A client, and a header for each kind of key."""
    url = new_database(seeded)
    database = Database(url)
    keys = {
        "none": {},
        "bad": {"Authorization": f"Bearer {new_token('0123456789')}"},
        "expired": key_of(database, "records:write", "keys"),
        "revoked": key_of(database, "records:write", "keys"),
        "reader": key_of(database, "webhooks"),
        "other": key_of(database, "records:write:own", partner="seco"),
        "own": key_of(database, "records:write:own", partner="unido"),
        "all": key_of(database, "records:write"),
        "admin": key_of(database, "keys"),
        "reviser": key_of(database, "records:write"),
    }
    change_key(database, keys["expired"], expires_at="2020-01-01T00:00:00.000000Z")
    change_key(database, keys["revoked"], revoked_at="2020-01-01T00:00:00.000000Z")
    database.close()
    with client_of(url, **ALLOWED, webhook_sender=False, max_archive=0) as client:
        yield client, keys


NUMBERS = itertools.count()


def body_of(client: TestClient, resource: str) -> dict[str, Any]:
    """What a new record of the resource may say; who keeps it is left to the key."""
    shown = client.get(f"/v1/{resource}/{RESOURCES[resource].example}").json()
    given = writable_members(shown)
    return {name: given[name] for name in given if name not in ("managed_by", "identifiers", "code")}


# What the last part of these paths names if it is there, and if it is not.
NAMES = {
    "/v1/codelists/": ("unit", "nothing"),
    "/v1/reconcile/": ("partners", "projects"),
    "/v1/schemas/": ("projects.json", "nothing.json"),
    "/v1/imports/templates/": ("projects.csv", "nothing.csv"),
}


def target(client: TestClient, keys: dict[str, dict[str, str]], path: str, record: str) -> str:
    """The path with the id of a new record (or key) that is there for this one request, or of none."""
    for start, (present, absent) in NAMES.items():
        if path.startswith(start):
            return re.sub(r"\{\w+\}", absent if record == "missing" else present, path)
    if path.endswith(".{format}") and "_id}" not in path:
        return path.replace("{format}", "nothing" if record == "missing" else "csv")
    if path.startswith("/v1/import"):
        return import_target(client, keys["own" if record == "own" else "reviser"], path, record)
    if path.startswith("/v1/keys/"):
        made = client.post("/v1/keys", json={"name": "x", "scopes": ["webhooks"]}, headers=keys["admin"]).json()["id"]
        return path.replace("{key_id}", "0000000000" if record == "missing" else made)
    if path.startswith("/v1/webhooks/"):
        return webhook_target(client, keys["reader" if record == "own" else "admin"], path, record)
    return record_target(client, keys["all"], path, record)


def record_target(client: TestClient, writer: dict[str, str], path: str, record: str) -> str:
    """The path with the id of a new record, which has a text if it is a document."""
    record_id, resource = f"probe-{next(NUMBERS)}", path.split("/")[2]
    if record != "missing":
        body = {**body_of(client, resource), "managed_by": "unido" if record == "own" else "moit"}
        body |= OF_TEXT if resource == "documents" else {}
        made = client.put(f"/v1/{resource}/{record_id}", json=body, headers=writer)
        assert made.status_code == 201, made.text
        if path.endswith("/text"):
            assert attempt(client, "PUT", f"/v1/documents/{record_id}/text", True, writer) == 200
    nested = next((include.name for include in RESOURCES[resource].includes.values() if include.nested), "")
    path = path.replace("{list}.{format}", f"{nested}.csv").replace("{number}", "1").replace("{format}", "jsonld")
    return re.sub(r"\{\w+_id\}", record_id, path)


def import_target(client: TestClient, owner: dict[str, str], path: str, record: str) -> str:
    """The path with a new import of the owner's that has ended, or with a new mapping."""
    if path.startswith("/v1/import-mappings/"):
        path = path.replace("{mapping_name}", f"probe-{next(NUMBERS)}")
        if record != "missing":
            made = client.put(path, json=MAPPING, headers=owner)
            assert made.status_code == 201, made.text
        return path
    sender = {**owner, "Content-Type": "application/x-ndjson"}
    import_id = client.post("/v1/imports?dry_run=true", content=b"", headers=sender).json()["id"]
    client.get(f"/v1/imports/{import_id}?wait=30", headers=sender)
    return path.replace("{import_id}", "0" * 20 + "a" * 12 if record == "missing" else import_id)


def webhook_target(client: TestClient, owner: dict[str, str], path: str, record: str) -> str:
    """The path with a new subscription of the owner's, and a delivery of it."""
    webhook = delivery = "0000000000"
    if record != "missing":
        made = client.post("/v1/webhooks", json={"url": "http://127.0.0.1/"}, headers=owner)
        assert made.status_code == 201, made.text
        webhook = made.json()["id"]
        delivery = client.post(f"/v1/webhooks/{webhook}/test", headers=owner).json()["id"]
    return path.replace("{webhook_id}", webhook).replace("{delivery_id}", delivery)


MUST_BE_ASKED = {
    "/select": "?fields=id",
    "/facets": "?facet=document",
    "/search": "?q=hop+tac",
    "/figures/aggregate": "?group_by=indicator",
    "/suggest/entity": "?prefix=bo",
    "/suggest/property": "?prefix=country",
    "/preview": "?id=unido",
}


TEXT = "The text of a document."
OF_TEXT = {"sha256": hashlib.sha256(TEXT.encode()).hexdigest(), "paragraphs": 1}
MAPPING: dict[str, Any] = {"resource": "projects", "columns": {"Name": {"to": "title.en"}}}
KEY_BODIES: dict[str, dict[str, Any]] = {
    "/v1/keys/revoke": {"key": new_token("0123456789")},
    "/v1/keys/self/rotate": {"overlap": -1},  # or the key would be another one afterwards
}


def content_of(client: TestClient, method: str, path: str) -> Any:
    """What is sent to a path; None for no body."""
    if path.startswith("/v1/keys"):
        return KEY_BODIES.get(path, {} if path.endswith("rotate") else {"name": "x", "scopes": ["webhooks"]})
    if path.startswith("/v1/import-mappings/"):
        return MAPPING
    if path.startswith("/v1/import"):
        return {"resource": "projects", "id": "probe"} if path == "/v1/imports" else None
    if path.startswith("/v1/webhooks"):
        return {"url": "http://127.0.0.1/"} if path == "/v1/webhooks" else {}
    if path.endswith("/merge"):
        return {"into": "moit"}
    return body_of(client, path.split("/")[2]) if method != "PATCH" else {}


def attempt(client: TestClient, method: str, path: str, there: bool, key: dict[str, str]) -> int:
    headers, content = dict(key), None
    if path.startswith("/v1/reconcile/") and method == "POST":
        return client.post(path, data={"queries": "{}"}, headers=headers).status_code
    if method in ("PUT", "PATCH", "DELETE") and there:
        headers["If-Match"] = "*"
    if method in ("POST", "PUT", "PATCH"):
        headers["Content-Type"] = "application/json" if method != "PATCH" else "application/merge-patch+json"
        if path == "/v1/imports":
            headers["Content-Type"] = "application/x-ndjson"
        content = content_of(client, method, path)
    if (method, path.endswith("/text")) == ("PUT", True):
        headers["Content-Type"] = "text/plain"
        return client.put(f"{path}?shown=full", content=TEXT, headers=headers).status_code
    path += next((query for end, query in MUST_BE_ASKED.items() if path.removesuffix(".csv").endswith(end)), "")
    sent = None if content is None else json.dumps(content)
    return client.request(method, path, content=sent, headers=headers).status_code


# Resources share their rows: without the slow tests, two of them stand for all.
SLOW_PATHS = tuple(f"/v1/{name}" for name in RESOURCES if name not in ("partners", "figures"))
CASES = [
    pytest.param(method, path, marks=[pytest.mark.slow] if path.startswith(SLOW_PATHS) else [], id=f"{method}-{path}")
    for method, path, _ in OPERATIONS
]


@pytest.mark.parametrize(("method", "path"), CASES)
def test_each_kind_of_key_may_do_what_its_row_says(
    callers: tuple[TestClient, dict[str, dict[str, str]]], method: str, path: str
) -> None:
    client, keys = callers
    name = row_of(method, path)
    for place, record in enumerate(RECORDS):
        wanted = dict(zip(("other", "own", "all", "admin"), [row[place] for row in ROWS.get(name, ())], strict=False))
        if name in OPEN:
            wanted = dict.fromkeys(("none", "reader", "other", "own", "all", "admin"), OPEN[name][place])
            wanted |= dict.fromkeys(WRONG, OPEN[name][place] if name in NOT_ASKED else 401)
        else:
            reader = SUBSCRIBER[name][place] if name in SUBSCRIBER else 403
            wanted |= {"none": 401, "reader": reader, **dict.fromkeys(WRONG, 401)}
        assert len(wanted) == 9
        shared = target(client, keys, path, record) if "{" in path else path
        for kind, status in wanted.items():
            writes = method != "GET" and status < 400
            asked = target(client, keys, path, record) if writes and "{" in path else shared
            found = attempt(client, method, asked, record != "missing", keys[kind])
            assert found == status, (kind, record, asked)
