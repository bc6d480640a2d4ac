"""A partner that is written several times, and the history of it."""

from typing import Any

from starlette.testclient import TestClient

from tests.support.http import drop, put

ONE = "/v1/partners/zebra"
NAMES = ("Zebra", "Zebra and Sons", "Zebra ở Việt Nam")


def put_partner(client: TestClient, key: dict[str, str], path: str = ONE, **said: Any) -> Any:
    """Create or replace a partner."""
    body = {"name": {"en": NAMES[0]}, "kind": "other", "managed_by": "unido", **said}
    return put(client, key, path.removeprefix("/v1/"), body)


def delete_partner(client: TestClient, key: dict[str, str], path: str = ONE) -> None:
    """Delete a partner."""
    drop(client, key, path.removeprefix("/v1/"))


def history(client: TestClient, key: dict[str, str] | None = None, path: str = ONE) -> list[Any]:
    """The history of a record as the holder of a key may read it."""
    response = client.get(f"{path}/history", headers=key or {})
    assert response.status_code == 200, response.text
    items: list[Any] = response.json()["items"]
    return items


def versions(items: list[Any]) -> list[tuple[str, int]]:
    """Action and version of each item of a history, oldest first."""
    return [(each["action"], each["version"]) for each in reversed(items)]
