"""Sends a running server what no client library would: `hostile.py URL`. Every answer is a 4xx problem+json, repeats
nothing of the request, and the process goes on."""
# ruff: noqa: T201, E501 - it says what it did; its lists read better unbroken

import json
import re
import socket
import sys
from collections.abc import Iterator
from http.client import HTTPResponse
from urllib.parse import parse_qs, quote, urlsplit

BASE = sys.argv[1]
HOST, PORT = urlsplit(BASE).hostname, urlsplit(BASE).port
MARK = "zq7xecho"  # put into requests; no answer may hold it
NAME = re.compile(rb'"parameter":"[A-Za-z][A-Za-z0-9_.-]{0,39}"')  # but a plain name of a parameter, of which it tells
REFUSED = {400, 404, 405, 410, 413, 414, 415, 422, 431}
LISTS = (
    "projects",
    "partners",
    "agreements",
    "milestones",
    "statements",
    "figures",
    "indicators",
    "documents",
    "places",
)

# Query strings, as they are sent.
QUERIES = (
    *(f"{name}={value}" for name in ("limit", "total", "sort", "fields", "include", "cursor", "id", "updated_at_gte")
      for value in ("%00", "a%00b", "%ED%A0%80", "%ED%BF%BF", "%FF%FE", "%C0%80", "%1b", "%zz%00", MARK + "%0d%0aX-Evil:1")),
    *(f"limit={value}" for value in (
        "-1", "0", "201", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "1e9", "NaN", "Infinity",
        "-0", "1.5", "0x10", "", "%EF%BC%91", "true", "9" * 5000, "1%2C2", "[]", "{}", "+")),
    *(f"updated_at_gte={value}" for value in (
        "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "2024-13", "NaN", "Infinity", "0000-00-00", "9" * 400, "1e400", "-1e400", MARK)),
    "total=2x", "total=" + "1" * 9000, "sort=" + MARK, "sort=-" + "a" * 10000, "sort=id;drop", "sort=--id", "sort=",
    "include=" + MARK, "include=" + ",".join(["a"] * 400), "fields=" + MARK, "fields=" + "a," * 4000,
    "limit=1&limit=2", "cursor=a&cursor=b", "id=" + "a" * 10000, "id=" + MARK + "%20", "&".join(["id=a"] * 201), "&".join(["id=a"] * 1200),
    "=", "=" + MARK, MARK + "=1", "limt=1", "%00=1", "[]=1", "limit[]=1", "limit%5B%5D=1", "&".join(f"{MARK}{n}=1" for n in range(300)),
    "a=" + "b" * 40000, "__proto__=1", "id[$ne]=1", quote("id='; DROP TABLE projects;--", safe="="),
)  # fmt: skip
DATES = (
    "2024-13", "2024-00", "2024-02-30", "2023-02-29", "2024-13-01", "2024-1-1", "NaN", "1e9", "9" * 40, "2024/", "/", "../..", "2025/2024",
    "-2024", "0", "%00", "%D9%A2%D9%A0%D9%A2%D9%A4", "2024-01-01T25:00", MARK, "a" * 10000, "",
)  # fmt: skip
PATHS = (
    "/v1/projects/%00", "/v1/projects/a%00b", "/v1/projects/%ED%A0%80", "/v1/projects/%FF", "/v1/projects/" + "a" * 10000, "/v1/projects/" + "a" * 121,
    "/v1/projects/" + MARK, "/v1/projects/..%2f..%2fetc%2fpasswd", "/v1/projects/../../../etc/passwd", "/v1/projects/NaN", "/v1/projects/-1",
    "/v1/projects/9223372036854775808", "/v1/projects/%F0%9F%92%A5", "/v1/projects/a/b/c/d", "/v1/projects/" + MARK + "/figures", "/v1/" + MARK,
    "/v1/projects/", "//v1/projects", "/v1/codelists/%00", "/v1/codelists/" + MARK, "/v1/codelists/__class__", "/" + MARK, "/%00", "/v1/projects/new",
    "/docs/assets/" + MARK, "/docs/assets/%00", "/docs/assets/..%2f..%2f__init__.py", "/docs/assets/../__init__.py", "/docs/assets/" + "a" * 9000,
    "/docs/assets/", "/docs/assets/%2e%2e/%2e%2e/__init__.py", "/docs/assets/%FF", "/v1/figures/x/%00", "/openapi.json/", "/V1/projects",
)  # fmt: skip
METHODS = (
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "TRACE",
    "CONNECT",
    "OPTIONS",
    "PROPFIND",
    "LOCK",
    "QUERY",
    "BREW",
    "get",
    "G\0T",
    "",
    "G" * 10000,
)
HEADERS = (
    "If-None-Match: " + "\xff" * 100, "If-None-Match: " + '"a",' * 2000, "Accept-Encoding: " + MARK, "X-Request-ID: " + MARK + "\tx", "Range: bytes=0-1",
    "X-Request-ID: " + "a" * 10000, "Accept: text/" + MARK, "Content-Length: 5", "Content-Length: -1", "Content-Length: 1\r\nContent-Length: 2",
    "Transfer-Encoding: chunked", "Transfer-Encoding: " + MARK, "Host: " + MARK, "Host: a\r\nHost: b", "Expect: 100-continue", "Upgrade: websocket",
    "If-Modified-Since: NaN", "X: " + "y" * 70000, "Bad Header: 1", "No-Colon", "\0: 1", "Cookie: " + MARK, "Origin: null", "Accept-Encoding: \x80",
)  # fmt: skip


def send(head: bytes) -> tuple[int, dict[str, str], bytes]:
    """One request over a connection of its own, exactly these bytes; status 0 when there is no answer to them."""
    with socket.create_connection((HOST, PORT), timeout=5) as connection:
        connection.sendall(head)
        answer = HTTPResponse(connection, method=head.split(b" ", 1)[0].decode("latin-1"))
        try:
            answer.begin()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        except (ConnectionError, TimeoutError):
            return 0, {}, b""


def request(target: str, method: str = "GET", *headers: str) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def get(target: str) -> tuple[int, dict[str, str], bytes]:
    """An ordinary request."""
    return send(request(target))


def by_parser(status: int, headers: dict[str, str], body: bytes) -> bool:
    """Whether the parser of HTTP refused it, before the application saw it."""
    return not wrong(status, headers, body) and b"cannot read this as an HTTP/1.1 request" in body


def wrong(status: int, headers: dict[str, str], body: bytes) -> str:
    """What is wrong with an answer that must be a refusal; empty when nothing is."""
    if status not in REFUSED:
        return f"status {status}"
    if headers.get("content-type") != "application/problem+json":
        return f"a {status} as {headers.get('content-type')}"
    problem = json.loads(body)
    if problem["status"] != status or not problem["code"] or "errors" not in problem:
        return f"not a whole problem: {sorted(problem)}"
    return "the input is repeated" if MARK.encode() in NAME.sub(b"", body) + repr(headers).encode() else ""


def cursors() -> Iterator[str]:
    """Cursors of another list, of another filter, and each changed a little."""
    page = json.loads(get("/v1/figures?limit=1&sort=value")[2])
    good = parse_qs(urlsplit(page["next"]).query)["cursor"][0]
    assert get(f"/v1/figures?limit=1&sort=value&cursor={quote(good)}")[0] == 200, "a good cursor is refused"
    yield f"/v1/projects?cursor={quote(good)}"
    yield f"/v1/figures?limit=1&sort=-value&cursor={quote(good)}"
    yield f"/v1/figures?limit=1&sort=value&kind=target&cursor={quote(good)}"
    for position in range(len(good)):
        for other in "A_":
            if good[position] != other:
                yield f"/v1/figures?limit=1&sort=value&cursor={quote(good[:position] + other + good[position + 1 :])}"
    for changed in (
        good[:-1],
        good + "A",
        good + "=",
        good * 2,
        good[::-1],
        "",
        "=",
        "é",
        "%00",
        "e30",
        "bnVsbA",
        "W10",
        "A" * 10000,
        MARK,
    ):
        yield f"/v1/figures?limit=1&sort=value&cursor={quote(changed, safe='%')}"


def refusals() -> Iterator[str]:
    """Targets of which each must be refused."""
    yield from PATHS
    yield from cursors()
    for name in LISTS:
        yield from (f"/v1/{name}?{query}" for query in QUERIES)
    for parameter in ("period", "period_gte", "period_lt"):
        yield from (f"/v1/figures?{parameter}={date}" for date in DATES)
    for name in ("value_gte", "value_lt"):
        yield from (
            f"/v1/figures?{name}={value}" for value in ("NaN", "Infinity", "-inf", "1e999", "%00", "9" * 5000, MARK, "")
        )


def odd() -> Iterator[bytes]:
    """Requests that are refused, or answered as if what is odd were not there."""
    yield from (request("/v1/projects?limit=1", method) for method in METHODS)
    yield from (request("/v1/projects?limit=1", "GET", header) for header in HEADERS)
    yield from (b"\0" * 100, b"GET /v1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"A" * 100_000)
    yield from (
        "GET /v1/dự-án HTTP/1.1\r\n\r\n".encode(),
        b"GET /v1/projects?title=\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET " + b"/a" * 60_000 + b" HTTP/1.1\r\n\r\n",
    )


def amiss(head: bytes, status: int, headers: dict[str, str], body: bytes) -> str:
    """What is wrong with the answer to an odd request."""
    if head.startswith(b"POST "):
        return "" if status == 401 and "www-authenticate" in headers else f"status {status}, not 401"
    if head.split(b" ")[0] in (b"PUT", b"PATCH", b"DELETE", b"TRACE"):
        return "" if status == 405 and "GET" in headers.get("allow", "") else f"status {status}, not 405 with Allow"
    if 200 <= status < 400:
        return "the input is repeated" if MARK.encode() in NAME.sub(b"", body) else ""
    if status == 0 and not head.endswith(b"\r\n\r\n"):
        return ""  # it waits for the rest
    return wrong(status, headers, body)


def sparse() -> Iterator[str]:
    """An answer to `fields` holds these members and id, as in the whole record, and nothing else."""
    for name in LISTS:
        whole = json.loads(get(f"/v1/{name}?limit=20")[2])["items"]
        asked = [each for each in list(whole[0]) if not re.fullmatch("id|version", each)][:3]
        part = json.loads(get(f"/v1/{name}?limit=20&fields={','.join(asked)}")[2])["items"]
        wanted = [{key: value for key, value in each.items() if key in ("id", *asked)} for each in whole]
        if part != wanted:
            yield f"fields of {name}: {json.dumps(part)[:150]}"


def main() -> None:
    """Send everything, list what went wrong."""
    problems: list[str] = list(sparse())
    sent = parsed = 0
    for target in refusals():
        sent += 1
        answer = get(target)
        if fault := wrong(*answer):
            problems.append(f"{fault}: GET {target[:150]} {answer[2][:150]!r}")
    for head in odd():
        sent += 1
        answer = send(head)
        parsed += by_parser(*answer)
        if fault := amiss(head, *answer):
            problems.append(f"{fault}: {head[:150]!r} {answer[2][:150]!r}")
    if get("/readyz")[0] != 200:
        problems.append("the process is not ready any more")
    if problems:
        print(*problems, sep="\n", file=sys.stderr)
        sys.exit(f"   {len(problems)} of {sent} requests were not answered as they should be")
    print(f"   {sent} requests made by hand, {parsed} of them refused by the HTTP parser")


main()
