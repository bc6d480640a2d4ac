"""What holds for every answer: errors, tags, HEAD, methods, compression, CORS, headers, health."""

import asyncio
import contextlib
import gzip
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from starlette.routing import Match
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from app.catalogue import RESOURCES
from app.core.database.engine import Database
from app.core.database.sqlite import SqliteReader
from app.core.database.statements import Query, Read
from app.core.errors import QueryTooSlow, Unavailable, family
from app.core.http import operations, read_endpoints
from app.core.maintenance.schema import migrate
from app.core.model.resource import RESOURCES as RESOURCES_BY_NAME
from app.core.reading.parameters import Queries
from app.core.writing.batch import Batch
from app.core.writing.representation import accepted_fields
from seed.files import Dataset
from seed.loader import load
from tests.support.cursors import signed
from tests.support.databases import NewDatabase, url_of
from tests.support.http import client_of, problem
from tests.support.selection import examples

PATHS = [
    "/v1",
    "/v1/projects",
    "/v1/projects/smart-factory-cooperation",
    "/v1/projects/smart-factory-cooperation/figures",
    "/v1/figures?limit=3&include=indicators",
    "/v1/codelists",
    "/v1/codelists/project_status",
    "/openapi.json",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_current_copy_is_answered_with_304(client: TestClient, path: str) -> None:
    plain = {"Accept-Encoding": "identity"}
    first = client.get(path, headers=plain)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "public, max-age=0, must-revalidate"
    for held in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get(path, headers={**plain, "If-None-Match": held})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"].removeprefix("W/") == tag
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_a_body(client: TestClient, path: str) -> None:
    get, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-type", "content-length"):
        assert head.headers.get(name) == get.headers.get(name)
    assert client.head("/v1/projects/nobody").status_code == 404


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_each_coding_has_a_tag_of_its_own(client: TestClient, coding: str) -> None:
    plain = client.get("/v1/projects", headers={"Accept-Encoding": "identity"})
    coded = client.get("/v1/projects", headers={"Accept-Encoding": coding})
    assert coded.headers["content-encoding"] == coding
    assert "accept-encoding" in coded.headers["vary"].lower()
    assert coded.headers["etag"] == f'{plain.headers["etag"][:-1]}-{coding}"'
    for held in (coded, plain):
        again = client.get("/v1/projects", headers={"Accept-Encoding": coding, "If-None-Match": held.headers["etag"]})
        assert (again.status_code, again.headers["etag"]) == (304, held.headers["etag"])


def test_gzip_holds_the_same_bytes(client: TestClient) -> None:
    plain = client.get("/v1/projects", headers={"Accept-Encoding": "identity"}).content
    with client.stream("GET", "/v1/projects", headers={"Accept-Encoding": "gzip"}) as response:
        assert gzip.decompress(b"".join(response.iter_raw())) == plain


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
@pytest.mark.parametrize(
    "path", ["/v1/codelists", "/v1/projects/x/figures", "/v1", "/livez", "/docs", "/docs/assets/favicon.png"]
)
def test_other_methods_are_refused_with_those_allowed(client: TestClient, method: str, path: str) -> None:
    response = client.request(method, path)
    problem(response, 405, "method_not_allowed")
    allowed = "GET, HEAD, OPTIONS, QUERY" if path.endswith("/figures") else "GET, HEAD, OPTIONS"
    assert response.headers["allow"] == allowed
    options = client.options(path)
    assert (options.status_code, options.headers["allow"]) == (204, allowed)


@pytest.mark.parametrize(
    ("path", "refused", "allowed"),
    [
        ("/v1/projects", ["PUT", "PATCH", "DELETE", "TRACE"], "GET, HEAD, OPTIONS, POST, QUERY"),
        ("/v1/projects/x", ["POST", "BREW"], "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
    ],
)
def test_what_can_be_written_says_how(client: TestClient, path: str, refused: list[str], allowed: str) -> None:
    for method in refused:
        response = client.request(method, path)
        problem(response, 405, "method_not_allowed")
        assert response.headers["allow"] == allowed
    assert client.options(path).headers["allow"] == allowed


def test_a_browser_on_another_host_may_read(client: TestClient) -> None:
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "GET"}
    preflight = client.options("/v1/projects", headers=asked)
    assert (preflight.status_code, preflight.content) == (204, b"")
    assert preflight.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE, QUERY"
    assert {"If-Match", "Authorization"} <= set(preflight.headers["access-control-allow-headers"].split(", "))
    for response in (preflight, client.get("/v1/projects"), client.get("/v1/nope")):
        assert response.headers["access-control-allow-origin"] == "*"
    assert "ETag" in client.get("/v1/projects").headers["access-control-expose-headers"]


def test_every_answer_has_the_security_headers_and_a_request_id(client: TestClient) -> None:
    for path in ("/v1", "/v1/nope", "/livez", "/docs", "/docs/assets/swagger-ui.css"):
        headers = client.get(path, headers={"X-Request-ID": "mine-1"}).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert (headers.get("x-frame-options"), headers.get("referrer-policy")) == (
            ("DENY", "no-referrer") if path == "/docs" else (None, None)
        )
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-request-id"] == "mine-1"
    made = client.get("/v1", headers={"X-Request-ID": "not one\x01"}).headers["x-request-id"]
    assert len(made) == 32


def test_a_word_that_is_no_id_allows_its_own_methods(client: TestClient) -> None:
    for path in ("/v1/projects/facets", "/v1/figures/aggregate", "/v1/search"):
        assert client.post(path).headers["allow"].removesuffix(", QUERY") == "GET, HEAD, OPTIONS", path


def test_health(client: TestClient) -> None:
    assert client.get("/livez").json() == {"status": "ok"}
    assert client.get("/readyz").json()["status"] == "ok"
    assert client.get("/readyz").headers["cache-control"] == "no-store"


def test_a_database_without_the_schema_is_not_ready(new_database: NewDatabase) -> None:
    with client_of(new_database(None)) as client:
        response = client.get("/readyz")
        problem(response, 503, "unavailable")
        assert response.headers["retry-after"] == "2"
        problem(client.get("/v1/projects"), 503, "unavailable")
        assert client.get("/livez").status_code == 200


def test_a_database_that_is_away_is_503(tmp_path: Any) -> None:
    for url in (f"sqlite:///{tmp_path}/none.db", "postgresql://nobody@127.0.0.1:1/none"):
        with client_of(url) as client:
            problem(client.get("/v1/projects"), 503, "unavailable")
            assert client.get("/livez").status_code == 200


def test_a_read_that_runs_away_is_stopped(new_database: NewDatabase, seeded: str) -> None:
    """A query without end ends at the deadline, and the next read is answered as ever."""
    numbers = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) FROM n"
    )

    def endless() -> Read:
        rows = yield Query(text(numbers)), {}
        return rows

    def quick() -> Read:
        rows = yield Query(text("SELECT count(*) FROM partners")), {}
        return rows[0][0]

    async def both() -> int:
        reader = Database(new_database(seeded), deadline=0.3).reader()
        try:
            for _ in range(2):
                with pytest.raises(QueryTooSlow):
                    await reader.run(endless)
            for _ in range(20):  # a busy machine may need more than the deadline for a quick one too
                with contextlib.suppress(QueryTooSlow):
                    return int(await reader.run(quick))
            pytest.fail("nothing is read any more")
        finally:
            await reader.close()

    assert asyncio.run(both()) > 40


def test_more_long_reads_than_can_wait_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.db"
    with Database(f"sqlite:///{path}") as database:
        migrate(database)

    def long() -> Read:
        yield Query(text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")), {}

    async def many() -> list[Any]:
        reader = SqliteReader(str(path), budget=0.001, deadline=0.5, threads=1, waiting=2)  # of which one may time out
        try:
            return await asyncio.gather(*(reader.run(long) for _ in range(6)), return_exceptions=True)
        finally:
            await reader.close()

    ended = [type(each) for each in asyncio.run(many())]
    assert 1 <= ended.count(QueryTooSlow) <= 3
    assert ended.count(Unavailable) == 6 - ended.count(QueryTooSlow)


@pytest.mark.parametrize("path", ["/v1/projects?include=nothing", "/v1/projects?limit=%2B5", "/v1/projects?limit=1_0"])
def test_what_is_not_allowed_is_never_unchanged(client: TestClient, path: str) -> None:
    problem(client.get(path, headers={"If-None-Match": "*"}), 422, "invalid")


def test_an_error_of_ours_is_a_problem_without_a_trace(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(read_endpoints, "write_response", fails)
    with capture_logs() as logs:
        response = client.get("/v1/projects?limit=17")
    problem(response, 500, "internal_error")
    assert "secret" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    (logged,) = logs
    assert logged["event"] == "unhandled"
    assert logged["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/projects"),
        ("PATCH", "/v1/projects/smart-factory-cooperation"),
        ("POST", "/v1/partners/undp/merge"),
        ("GET", "/v1/keys"),
        ("POST", "/v1/keys/0123456789/rotate"),
    ],
)
def test_operations_with_a_key_are_found_without_trying_all_routes(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    tried: list[str] = []

    def matches(route: APIRoute, _: object) -> tuple[Match, dict[str, Any]]:
        tried.append(route.path)
        return Match.NONE, {}

    monkeypatch.setattr(APIRoute, "matches", matches)
    problem(client.request(method, path), 401, "unauthorized")
    assert not tried


def test_an_error_of_ours_in_an_operation_with_a_key_is_a_problem(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(operations, "_require", fails)
    with capture_logs() as logs:
        response = client.post("/v1/projects", json={})
    problem(response, 500, "internal_error")
    assert "secret" not in response.text
    assert [logged["event"] for logged in logs] == ["unhandled"]


def test_every_problem_is_explained(client: TestClient) -> None:
    page = client.get("/problems").text
    for kind in family():
        assert f'id="{kind.code}"' in page
    for source in (Path(__file__).parents[1] / "app").rglob("*.py"):
        for code in re.findall(r'ErrorItem\([^)]*code="(\w+)"', source.read_text("utf-8")):
            assert f'id="{code}"' in page, code


def test_metrics_count_requests_by_route(seeded: str) -> None:
    with client_of(seeded, metrics=True) as client:
        client.get("/v1/projects/smart-factory-cooperation")
        client.get("/v1/nope")
        client.get("/v1/%00")
        text = client.get("/metrics").text
    assert 'route="/v1/projects/{project_id}",status="200"' in text
    assert 'route="none",status="404"' in text
    assert "hoptac_cached_responses 1.0" in text
    assert "hoptac_writes 0.0" in text
    with client_of(seeded) as client:
        assert client.get("/metrics").status_code == 404


def test_a_replaced_database_file_is_seen(tmp_path: Path, dataset: Dataset) -> None:
    """SQLite: a file that is removed, replaced or broken under a running server."""
    path, other = tmp_path / "one.db", tmp_path / "two.db"
    for each in (path, other):
        made = Database(f"sqlite:///{each}")
        migrate(made)
        if each == other:
            load(made, dataset)
        made.close()
    with client_of(f"sqlite:///{path}", hot_staleness=0) as client:
        assert client.get("/v1/projects").json()["items"] == []
        tag = client.get("/v1/projects").headers["etag"]
        whole = other.read_bytes()
        path.unlink()
        problem(client.get("/v1/projects"), 503, "unavailable")
        problem(client.get("/readyz"), 503, "unavailable")
        other.rename(path)
        found = client.get("/v1/projects", headers={"If-None-Match": tag})
        assert len(found.json()["items"]) == 50
        path.write_bytes(b"this is no database" * 1000)
        problem(client.get("/v1/projects"), 503, "unavailable")
        problem(client.get("/v1/projects/facets?facet=status"), 503, "unavailable")  # a read in a thread
        path.unlink()
        path.write_bytes(whole)
        assert client.get("/v1/projects").status_code == 200


def test_tags_differ_when_a_database_is_made_anew(new_database: NewDatabase, migrated: str, dataset: Dataset) -> None:
    tags = []
    for _ in range(2):
        database = Database(new_database(migrated))
        load(database, dataset)
        with client_of(url_of(database)) as client:
            tags.append([client.get(path).headers["etag"] for path in ("/v1/projects", "/v1/partners/unido")])
        database.close()
    assert not set(tags[0]) & set(tags[1])


@pytest.mark.parametrize(
    ("asked", "all_of_them"),
    [
        ("updated_at_gte={day}", True),
        ("updated_at_lte={day}", True),
        ("updated_at_gt={day}", False),
        ("updated_at_lt={day}", False),
        ("updated_at_gte={second}Z", True),
        ("updated_at_gte={second}.0Z", True),
        ("updated_at_lt={second}Z", False),
        ("updated_at_gte={instant}", True),
        ("updated_at_gt={instant}", False),
        ("updated_at_lte={instant}", True),
    ],
)
def test_instants_compare_whatever_their_precision(client: TestClient, asked: str, all_of_them: bool) -> None:
    instant: str = client.get("/v1/partners/unido").json()["updated_at"]
    path = "/v1/projects?total=true&" + asked.format(instant=instant, second=instant[:19], day=instant[:10])
    assert (client.get(path).json()["total"] > 0) is all_of_them


@pytest.mark.parametrize(
    "asked", ["2022-02-31", "0000-00-00", "2022-01-01T25:00:00Z", "2022-01-01T00:00:00", "20220101"]
)
def test_instants_that_do_not_exist_are_refused(client: TestClient, asked: str) -> None:
    problem(client.get(f"/v1/projects?updated_at_gte={asked}"), 422, "invalid")


@pytest.mark.parametrize("asked", ["NaN", "inf", "-inf", "1e999", "9" * 400, "1e16", "x"])
def test_numbers_that_no_figure_can_have_are_refused(client: TestClient, asked: str) -> None:
    problem(client.get(f"/v1/figures?value_gte={asked}"), 422, "invalid")


@pytest.mark.slow
@pytest.mark.parametrize("sort", ["title", "period", "id"])
@pytest.mark.parametrize("value", [None, True, 5, [1], {}, "\x00", "\ud800", "a" * 300])
@pytest.mark.parametrize("record_id", [None, 5, {}, "\x00", "unido"])
def test_a_signed_cursor_for_any_position_breaks_nothing(
    client: TestClient, seeded: str, sort: str, value: Any, record_id: Any
) -> None:
    forged = signed(seeded, "/v1/projects", [("sort", sort)], value, record_id)
    assert client.get(f"/v1/projects?sort={sort}&cursor={forged}").status_code in (200, 400)


def test_includes_past_200_say_where_the_rest_is(seeded_database: Database) -> None:
    figures = RESOURCES_BY_NAME["figures"]
    with seeded_database.write() as session:
        batch = Batch(session, "test")
        one = batch.stored(figures, ["smart-factory-duration"])["smart-factory-duration"]
        for number in range(450):
            batch.put(figures, f"many-{number:03}", accepted_fields(figures, one.body), None)
        batch.flush()
    with client_of(url_of(seeded_database)) as client:
        for path in ("/v1/projects/smart-factory-cooperation?", "/v1/projects?limit=200&", "/v1/indicators?limit=200&"):
            found = client.get(f"{path}include=figures").json()
            ids = set(found["included"]["figures"])
            assert len(ids) == 200
            for following in found["included_next"]["figures"]:
                while following:
                    page = client.get(following).json()
                    ids |= {item["id"] for item in page["items"]}
                    following = page["next"]
            assert {f"many-{number:03}" for number in range(450)} <= ids
        shaped = "include=figures&fields[figures]=value&labels=vi&lang=vi"
        following = client.get(f"/v1/projects/smart-factory-cooperation?{shaped}").json()["included_next"]["figures"][0]
        assert set(client.get(following).json()["items"][0]) == {"id", "value", "labels"}


# -- bad input ---------------------------------------------------------------------------------------------------

MARK = "zqxjmark"
BAD_QUERIES = [
    (f"{MARK}!=1", 422),
    (f"stauts={MARK}", 422),
    (f"status={MARK}", 422),
    ("status=", 422),
    ("limit=-1", 422),
    ("limit=0", 422),
    ("limit=201", 422),
    ("limit=9223372036854775808", 422),
    (f"limit={'9' * 5000}", 422),
    ("limit=NaN", 422),
    ("limit=1&limit=2", 422),
    ("limit=1.5", 422),
    ("total=maybe", 422),
    (f"sort={MARK}", 422),
    ("sort=--id", 422),
    ("sort=title,title", 422),
    (f"fields={MARK}", 422),
    ("fields=", 422),
    (f"include={MARK}", 422),
    ("include=figures,,partners", 422),
    ("period=2022-13", 422),
    ("period=2022-02-30", 422),
    ("period_gte=yesterday", 422),
    ("updated_at_gte=2022-13-01", 422),
    ("updated_at_gte=1", 422),
    ("partner=" + "x" * 10_000, 422),
    ("partner=A%20B", 422),
    ("title=" + "x" * 10_000, 422),
    ("title=%20", 422),
    ("identifier=none", 422),
    (f"cursor={MARK}", 400),
    ("cursor=AAAA", 400),
    ("cursor=%C3%A9", 400),
    ("cursor=", 400),
    ("title=%00", 400),
    ("title=%ED%A0%80", 400),
    ("title=%FF", 400),
    ("%00=1", 400),
    ("title=a%0D%0Ab", 400),
    ("&".join(f"id=a{n}" for n in range(1100)), 400),
    ("&".join(f"id=a{n}" for n in range(300)), 422),
    ("title=" + "x" * 40_000, 400),
]


@pytest.mark.parametrize(("query", "status"), BAD_QUERIES, ids=[query[:40] for query, _ in BAD_QUERIES])
def test_a_bad_query_is_a_problem_that_never_repeats_it(client: TestClient, query: str, status: int) -> None:
    response = client.get(f"/v1/projects?{query}")
    body = problem(response, status, {400: response.json()["code"], 422: "invalid"}[status])
    assert MARK not in response.text
    assert len(response.content) < 20_000
    if status == 422:
        assert body["errors"]
        assert client.get("/livez").status_code == 200


@pytest.mark.parametrize(
    ("given_", "meant"),
    [("stauts=active", "status"), ("partners=unido", "partner"), ("update_at_gte=2022-01-01", "updated_at_gte")],
)
def test_an_unknown_parameter_is_refused_with_the_nearest_name(client: TestClient, given_: str, meant: str) -> None:
    (error,) = problem(client.get(f"/v1/projects?{given_}"), 422, "invalid")["errors"]
    assert (error["code"], error["parameter"]) == ("unknown_parameter", given_.partition("=")[0])
    assert f"Did you mean {meant}?" in error["detail"]
    for path in (
        "/v1",
        "/v1/codelists",
        "/v1/codelists/unit",
        "/livez",
        "/readyz",
        "/v1/projects/smart-factory-cooperation",
    ):
        problem(client.get(f"{path}?x=1"), 422, "invalid")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/projects/%00",
        "/v1/projects/%ED%A0%80",
        "/v1/projects/A",
        "/v1/projects/" + "x" * 10_000,
        "/v1/projects/a%2Fb",
        "/v1/projects/history",
        "/v1/nope",
        "/v1/projects/",
        "/v1/projects%0A",
        "/v1/documents/x/paragraphs/",
        "/v1/codelists/%00",
        "/v2",
        "/v1/projects/nobody",
        "/v1/projects/nobody/figures",
        "/docs/assets/..%2f..%2fcore.py",
        "/docs/assets/none",
    ],
)
def test_a_path_with_nothing_behind_it_is_404(client: TestClient, path: str) -> None:
    problem(client.get(path), 404, "not_found")


def test_no_path_with_a_blank_part_fails(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    blank = {path.replace(part, "") for path in paths for part in re.findall(r"{\w+}", path)}
    assert len(blank) > 100
    assert all(client.get(re.sub(r"{\w+}", "x", path)).status_code < 500 for path in blank)


def test_a_cursor_serves_its_own_list_only(client: TestClient) -> None:
    following = client.get("/v1/figures?limit=2&kind=actual").json()["next"]
    cursor = following.rpartition("cursor=")[2]
    assert client.get(following).status_code == 200
    for path in ("/v1/figures?", "/v1/figures?kind=target&", "/v1/figures?kind=actual&sort=value&", "/v1/projects?"):
        problem(client.get(f"{path}cursor={cursor}"), 400, "bad_cursor")
    for position in range(len(cursor)):
        other = "A" if cursor[position] != "A" else "B"
        changed = cursor[:position] + other + cursor[position + 1 :]
        problem(client.get(f"/v1/figures?kind=actual&cursor={changed}"), 400, "bad_cursor")


LISTS = {resource.name: list(Queries(resource).page.model_fields) for resource in RESOURCES}


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_query_string_breaks_a_list(client: TestClient, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(LISTS)))
    parameter = data.draw(st.one_of(st.sampled_from(LISTS[name]), st.text(max_size=20)))
    value = data.draw(
        st.one_of(
            st.text(max_size=60),
            st.integers().map(str),
            st.floats().map(str),
            st.dates().map(str),
            st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True),
        )
    )
    asked = (
        f"/v1/{name}?{quote(parameter.encode(errors='surrogatepass'))}={quote(value.encode(errors='surrogatepass'))}"
    )
    response = client.get(asked)
    assert response.status_code in (200, 400, 422), asked
    json.loads(response.content)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(segment=st.text(min_size=1, max_size=40))
def test_no_path_breaks_a_detail(client: TestClient, segment: str) -> None:
    path = "/v1/partners/" + quote(segment.encode(errors="surrogatepass"), safe="")
    assert client.get(path).status_code in (200, 404, 422)
