"""Files of search, timeline, audit, aggregates and facets, and files that the header Accept asks for."""

import csv
import io
import json
from typing import Any

import openpyxl
import pytest
from starlette.testclient import TestClient

from app.core.asgi import turns
from app.core.asgi.request_headers import chosen_format
from app.exchange.exports import reading
from app.exchange.exports.pages import PagedRead
from app.exchange.formats.media_types import CSV, JSON_LINES, XLSX
from tests.support.http import get, walk

GEOJSON = "application/geo+json"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def rows_of(client: TestClient, path: str) -> list[dict[str, str]]:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return list(csv.DictReader(io.StringIO(response.text)))


@pytest.fixture(autouse=True)
def pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file needs several pages."""
    monkeypatch.setattr(PagedRead, "page_size", 7)


@pytest.mark.parametrize("read", ["search?q=smart+factory", "timeline?sort=-date", "audit?as_of=2026-01-01"])
def test_a_file_has_the_items_of_all_pages(client: TestClient, read: str) -> None:
    name, _, query = read.partition("?")
    items = walk(client, f"/v1/{read}&limit=200")
    assert len(items) > 7
    exported = client.get(f"/v1/{name}.jsonl?{query}")
    assert [json.loads(line) for line in exported.text.splitlines()] == items
    rows = rows_of(client, f"/v1/{name}.csv?{query}")
    assert len(rows) == len(items)
    for row, item in zip(rows, items, strict=True):
        assert [row[key] for key in ("id", "resource", "what", "rule", "severity", "at") if key in item] == [
            item[key] for key in ("id", "resource", "what", "rule", "severity", "at") if key in item
        ]
    book = openpyxl.load_workbook(io.BytesIO(client.get(f"/v1/{name}.xlsx?{query}").content))
    assert book[name].max_row == len(items) + 1
    tag = exported.headers["etag"]
    assert client.get(f"/v1/{name}.jsonl?{query}", headers={"If-None-Match": tag}).status_code == 304
    limited = client.get(f"/v1/{name}.jsonl?{query}&limit=2")
    following = limited.links["next"]["url"]
    assert following.startswith(f"/v1/{name}.jsonl?")
    rest = client.get(following)
    assert [json.loads(line) for line in (limited.text + rest.text).splitlines()] == items[:4]


@pytest.mark.parametrize(
    "path",
    [
        "search.csv?q=smart+factory&lang=vi",
        "places.jsonl?updated_at_gte=2001-02-03",
        "iati/loss-report.jsonl?updated_at_gte=2001-02-03",
    ],
)
def test_each_part_of_a_download_takes_its_turn(client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Otherwise a round of the event loop would have a part of every file that a client downloads."""
    monkeypatch.setattr(reading, "MAX_CHUNK", 7)
    waits: list[bool] = []
    wait = turns.Rounds._wait

    async def counted(rounds: turns.Rounds, client: str, *, first: bool) -> turns.Queue:
        waits.append(first)
        return await wait(rounds, client, first=first)

    monkeypatch.setattr(turns, "ROUND", -1)  # no client has time left in any round
    monkeypatch.setattr(turns.Rounds, "_wait", counted)
    assert client.get(f"/v1/{path}").status_code == 200  # no other test requests this path: the answer is not cached
    assert waits[0] is False
    assert waits.count(True) >= 2, waits


def test_columns_of_pages_have_labels_dates_and_languages(client: TestClient) -> None:
    row = rows_of(client, "/v1/audit.csv?as_of=2026-01-01&labels=vi&lang=vi&fields=rule,severity,message,records")[0]
    assert list(row) == ["rule", "rule_label", "severity", "severity_label", "message.vi", "records"]
    assert json.loads(row["records"])[0]["id"]
    entries = walk(client, "/v1/timeline?limit=200&labels=en")
    rows = rows_of(client, "/v1/timeline.csv?labels=en")
    assert [row["date_label"] for row in rows] == [entry["labels"]["/date"] for entry in entries]
    assert [row["date.latest"] for row in rows] == [entry["date"]["latest"] or "" for entry in entries]
    hits = walk(client, "/v1/search?q=doanh+nghi%E1%BB%87p&limit=200")
    names = [(row["name.vi"], row["name.und"]) for row in rows_of(client, "/v1/search.csv?q=doanh+nghi%E1%BB%87p")]
    assert names == [((hit["name"] or {}).get("vi", ""), (hit["name"] or {}).get("und", "")) for hit in hits]
    assert any(words for _, words in names)


def test_groups_and_facets_are_tables(client: TestClient) -> None:
    path = "group_by=indicator,period"
    groups = get(client, f"/v1/figures/aggregate?{path}&limit=1000")["groups"]
    rows = rows_of(client, f"/v1/figures/aggregate.csv?{path}&limit=1000&labels=en")
    expected = [(group["key"]["indicator"], (group["key"]["period"] or {}).get("latest") or "") for group in groups]
    assert [(row["key.indicator"], row["key.period.latest"]) for row in rows] == expected
    assert [row["count"] for row in rows] == [str(group["count"]) for group in groups]
    assert all(row["key.unit_label"] for row in rows if row["key.unit"])
    cut = client.get(f"/v1/figures/aggregate.csv?{path}&labels=en")  # no other test reads it with larger pages
    assert (cut.status_code, cut.json()["code"]) == (413, "too_large")
    facets = get(client, "/v1/projects/facets?facet=status&facet=kind")["facets"]
    counted = [(name, each["value"], str(each["count"])) for name in facets for each in facets[name]["values"]]
    rows = rows_of(client, "/v1/projects/facets.csv?facet=status&facet=kind&limit=50")
    assert [(row["facet"], row["value"], row["count"]) for row in rows] == counted
    assert rows[0]["label.vi"]
    empty = client.get("/v1/search.csv?q=zzzzqqqq&fields=id,snippet")
    assert empty.text == "id,snippet\r\n"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/search.csv", 422),
        ("/v1/search.geojson?q=a", 404),
        ("/v1/audit.jsonl?lang=xx", 422),
        ("/v1/audit.csv?fields=nothing", 422),
        ("/v1/timeline.csv?limit=201", 422),
        ("/v1/timeline.csv?cursor=abc", 400),
        ("/v1/projects/facets.csv", 422),
        ("/v1/audit.csv?rows=records", 422),
    ],
)
def test_wrong_requests_are_refused(client: TestClient, path: str, status: int) -> None:
    assert client.get(path).status_code == status


@pytest.mark.parametrize(
    ("accepted", "ending"),
    [
        ("text/csv", "csv"),
        ("TEXT/CSV; charset=utf-8", "csv"),
        ("text/csv, */*", "csv"),
        ("text/csv, */*;q=0.1", "csv"),
        (f"{XLSX}, text/csv;q=0.5", "xlsx"),
        (f"{JSON_LINES};q=0.4,application/json;q=0.3", "jsonl"),
        (GEOJSON, "geojson"),
        (BROWSER, ""),
        ("*/*", ""),
        ("text/*", ""),
        ("application/json", ""),
        ("application/json, text/csv", ""),
        ("text/csv;q=0.5, */*", ""),
        ("text/csv;q=0", ""),
        ("text/csv;q=nan", ""),
        ("text/csv;q=9", ""),
        ("", ""),
    ],
)
def test_accept_chooses_a_format(accepted: str, ending: str) -> None:
    assert chosen_format(accepted.encode()) == ending


def test_a_list_is_a_file_if_accept_prefers_it(client: TestClient) -> None:
    parent = "/v1/projects/smart-factory-cooperation"
    for path in ("/v1/projects", f"{parent}/figures", "/v1/audit", "/v1/figures/aggregate", "/v1/projects/facets"):
        query = "?facet=status&limit=5" if path.endswith("facets") else "?limit=5"
        for _ in range(2):  # from the cache too
            plain = client.get(path + query, headers={"Accept": BROWSER})
            assert plain.headers["content-type"] == "application/json"
            assert "accept," in f"{plain.headers['vary'].lower()},"
        table = client.get(path + query, headers={"Accept": CSV})
        assert table.headers["content-type"].startswith(CSV)
        assert table.content == client.get(f"{path}.csv{query}").content
        assert table.headers["content-location"] == f"{path}.csv{query}"
        assert "accept," in f"{table.headers['vary'].lower()},"
        assert table.headers["etag"] != plain.headers["etag"]
        unchanged = client.get(path + query, headers={"Accept": CSV, "If-None-Match": table.headers["etag"]})
        assert (unchanged.status_code, "accept," in f"{unchanged.headers['vary'].lower()},") == (304, True)
    asked = client.request("QUERY", "/v1/projects", json={"limit": 1}, headers={"Accept": CSV})
    assert asked.text.startswith("id,")
    for path in ("/v1/partners", parent, f"{parent}/history", "/v1"):
        answer: Any = client.get(path, headers={"Accept": GEOJSON})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json"), path
