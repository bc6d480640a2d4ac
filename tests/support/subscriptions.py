"""Subscriptions of webhooks, and what was delivered to them."""

from typing import Any

from starlette.testclient import TestClient

from tests.support.http import put

Headers = dict[str, str]


def subscribe(client: TestClient, key: Headers, url: str, **said: Any) -> dict[str, Any]:
    answer = client.post("/v1/webhooks", json={"url": url, **said}, headers=key)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def put_project(client: TestClient, key: Headers, record_id: str = "green-ports", **said: Any) -> None:
    body = {"title": {"en": said.pop("title", "Ports")}, "kind": "project", "status": "active", "managed_by": "unido"}
    put(client, key, f"projects/{record_id}", {**body, **said})


def deliveries(client: TestClient, key: Headers, made: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get(f"/v1/webhooks/{made['id']}/deliveries{query}", headers=key).json()[
        "items"
    ]
    return items
