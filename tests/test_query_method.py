"""The method QUERY: the same reads as with GET, with their parameters in a JSON body."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.http import problem

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("path", "body", "query"),
    [
        ("/v1/projects", {"status": ["active", "past"], "limit": 3}, "status=active&status=past&limit=3"),
        ("/v1/projects", {"total": True, "q": "khu công nghiệp"}, "total=true&q=khu+c%C3%B4ng+nghi%E1%BB%87p"),
        ("/v1/projects", {"include": "partners", "fields[partners]": "name", "place": None},
         "include=partners&fields%5Bpartners%5D=name"),
        ("/v1/projects/facets", {"facet": ["status", "kind"]}, "facet=status&facet=kind"),
        ("/v1/projects/smart-factory-cooperation/figures", {"limit": 2}, "limit=2"),
        ("/v1/figures/aggregate", {"group_by": "indicator"}, "group_by=indicator"),
        ("/v1/search", {"q": "unido"}, "q=unido"),
        ("/v1/timeline", {}, ""),
    ],
)  # fmt: skip
def test_the_response_is_that_of_get(client: TestClient, path: str, body: dict[str, Any], query: str) -> None:
    found = client.request("QUERY", path, json=body)
    same = client.get(f"{path}?{query}" if query else path)
    assert (found.status_code, found.content) == (200, same.content)
    assert (found.headers["etag"], found.headers["accept-query"]) == (same.headers["etag"], "application/json")
    assert found.headers["content-location"] == (f"{path}?{query}" if query else path)
    again = client.request("QUERY", path, json=body, headers={"If-None-Match": found.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_parameters_of_the_path_and_of_the_body_are_both_used(client: TestClient) -> None:
    found = client.request("QUERY", "/v1/projects?limit=3", json={"status": "active"})
    assert found.content == client.get("/v1/projects?limit=3&status=active").content


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b'{"statu": "x"}', JSON, 422, "invalid"),
        (b"[]", JSON, 422, "invalid"),
        (b'{"q": {}}', JSON, 422, "invalid"),
        (b'{"q": [["a"]]}', JSON, 422, "invalid"),
        (b'{"q": "\\ud800"}', JSON, 422, "invalid"),
        (b'{"\\ud800": 1}', JSON, 422, "invalid"),
        (b"{", JSON, 400, "bad_body"),
        (b'{"q": "' + b"a" * 40_000 + b'"}', JSON, 400, "bad_query"),
        (b" " * 70_000, JSON, 413, "too_large"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "unsupported_type"),
        (b"{}", {}, 415, "unsupported_type"),
    ],
)
def test_a_wrong_body_is_refused(
    client: TestClient, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    problem(client.request("QUERY", "/v1/projects", content=content, headers=headers), status, code)


def test_only_reads_of_many_records_answer_it(client: TestClient) -> None:
    for path in ("/v1/projects/smart-factory-cooperation", "/v1", "/v1/codelists"):
        refused = client.request("QUERY", path, json={})
        problem(refused, 405, "method_not_allowed")
        assert "QUERY" not in refused.headers["allow"]
    options = client.options("/v1/projects")
    assert "QUERY" in options.headers["allow"]
    assert options.headers["accept-query"] == "application/json"
