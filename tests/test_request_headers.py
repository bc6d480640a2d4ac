"""Header lines: repeated ones are joined or refused, and one coding is chosen for the cache and the compression."""

import pytest
from starlette.testclient import TestClient

from app.core.asgi.request_headers import MAX_NAMES, SINGLE, chosen_coding
from tests.support.http import problem

Lines = list[tuple[str, str]]


def codings(*values: str) -> Lines:
    return [("Accept-Encoding", value) for value in values]


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br", "br"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("br;q=0, gzip;q=0.001", "gzip"),
        ("*", "zstd"),
        ("*, zstd;q=0", "br"),
        ("*;q=0, GZIP", "gzip"),
        ("gzip;q=0", ""),
        ("gzip;q=x", ""),
        ("gzip ; Q = 0.5", "gzip"),
        ("identity", ""),
        (",,;,", ""),
        ("é", ""),
    ],
)
def test_one_coding_is_chosen(accepted: str, coding: str) -> None:
    assert chosen_coding(accepted.encode("latin-1")) == coding


@pytest.mark.parametrize(
    ("first", "second", "coding"),
    [("br", "", "br"), ("zstd", "gzip, deflate", "zstd"), ("br", "identity", "br"), ("identity", "gzip", "gzip")],
)
def test_who_sends_two_codings_decides_for_nobody_else(
    client: TestClient, first: str, second: str, coding: str
) -> None:
    path = f"/v1/partners?limit={20 + len(first + second)}"
    assert client.get(path, headers=codings(first, second)).headers["content-encoding"] == coding
    for value in {first, second, "identity"}:
        answer = client.get(path, headers=codings(value))
        expected = chosen_coding(value.encode()) or None
        assert answer.headers.get("content-encoding") == expected
        assert expected == "zstd" or answer.json()["items"]  # the client of the tests reads no zstd


@pytest.mark.parametrize("name", sorted(name.decode() for name in SINGLE))
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_what_must_be_single_is_refused_when_repeated(client: TestClient, name: str, method: str) -> None:
    answer = client.request(method, "/v1/partners/unido", headers=[(name, "3"), (name.title(), "4")])
    problem(answer, 400, "bad_request")
    assert name in answer.json()["detail"]
    assert answer.headers["x-request-id"] not in ("3", "4")
    assert answer.headers["access-control-allow-origin"] == "*"


def test_what_is_a_list_is_joined(client: TestClient) -> None:
    tag = client.get("/v1/partners/unido").headers["etag"]
    tags = [("If-None-Match", '"a"'), ("If-None-Match", tag), ("If-None-Match", '"b"')]
    assert client.get("/v1/partners/unido", headers=tags).status_code == 304
    assert client.get("/v1/partners/unido", headers=[("X-Odd", "1"), ("X-Odd", "2")]).status_code == 200


def test_headers_have_a_number(client: TestClient) -> None:
    lines = [(f"X-{number}", "a") for number in range(MAX_NAMES)]
    problem(client.get("/v1/partners/unido", headers=lines), 400, "bad_request")


@pytest.mark.parametrize(
    "host", ["a", "a.example:80", "a_b.example", "127.0.0.1:8000", "[::1]:80", "[::1]", "xn--a", "a%20b", "a:"]
)
def test_a_host_is_a_name_or_an_address(client: TestClient, host: str) -> None:
    assert client.get("/v1/partners/unido", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["", "a b", "a/b", "a@b", "http://a", "a:b", "a:123456", "[::1", "::1", "a?b", "a#", "a%2", "a" * 301]
)
def test_anything_else_is_no_host(client: TestClient, host: str) -> None:
    problem(client.get("/livez", headers={"Host": host}), 400, "bad_request")
