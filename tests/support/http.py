"""Requests to the application, and what every answer must be."""

import json
from typing import Any

from fastapi.dependencies import models
from httpx2 import Response
from starlette.testclient import TestClient

from app.core.errors import PROBLEM_JSON
from app.core.settings import Settings
from app.main import create_app
from tests.support.keys import Key

PATCH = {"Content-Type": "application/merge-patch+json"}


def client_of(url: str, *, address: str = "testclient", **settings: object) -> TestClient:
    """A client of the whole application over a database; a machine that is busy otherwise fails no test.

    `address` is where its requests come from.
    """
    limits = {"rate_limit_key": 0, "rate_limit_address": 0, "iati_reporting_org": "XM-EXAMPLE-1"}
    given = {"database_url": url, "access_log": False, "query_deadline": 60, **limits, **settings}
    for each in vars(models).values():  # or it keeps thousands of routes of applications that are gone
        if hasattr(each, "cache_clear"):
            each.cache_clear()
    app = create_app(Settings(**given))  # type: ignore[arg-type]
    return TestClient(app, base_url="http://hoptac.test", raise_server_exceptions=False, client=(address, 50_000))


def get(client: TestClient, path: str, status: int = 200) -> Any:
    """The answer to a read, which has this status."""
    response = client.get(path)
    assert response.status_code == status, response.text
    return response.json()


def walk(client: TestClient, path: str | None) -> list[Any]:
    """The items of a page and of all that follow it."""
    items: list[Any] = []
    while path:
        page = get(client, path)
        assert len(items) < 3000
        items += page["items"]
        path = page["next"]
    return items


def put(client: TestClient, key: Key, path: str, body: dict[str, Any]) -> Response:
    """Create a record, or replace it whatever its version is; return the answer."""
    answer = client.put(f"/v1/{path}", json=body, headers={**key, "If-Match": "*"})
    if answer.status_code == 412:  # there is no such record
        answer = client.put(f"/v1/{path}", json=body, headers=key)
    assert answer.status_code in (200, 201), answer.text
    return answer


def patch(client: TestClient, key: Key, path: str, **members: Any) -> None:
    """Change members of a record, whatever its version is."""
    answer = client.patch(f"/v1/{path}", content=json.dumps(members), headers={**key, **PATCH, "If-Match": "*"})
    assert answer.status_code == 200, answer.text


def drop(client: TestClient, key: Key, path: str) -> None:
    """Delete a record, whatever its version is."""
    assert client.delete(f"/v1/{path}", headers={**key, "If-Match": "*"}).status_code == 204


def problem(response: Response, status: int, code: str) -> dict[str, Any]:
    """The body of an answer, which is a problem with this status and code."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM_JSON
    body: dict[str, Any] = response.json()
    assert set(body) == {"type", "title", "status", "detail", "code", "errors"}
    assert (body["status"], body["code"], body["type"]) == (status, code, f"/problems#{code}")
    return body
