"""The archive of the registry at `/v1/export`: what it contains, how it is made once, and how it is sent."""

import asyncio
import csv
import hashlib
import io
import json
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import frictionless
import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from app.catalogue import RESOURCES
from app.core.database.engine import Database
from app.exchange.archives import current, sending
from app.exchange.archives.description import State
from app.exchange.archives.folder import MAX_PAUSE, ArchiveFolder, ArchiveName, Lock, OpenArchive
from app.exchange.archives.sending import Downloads, Span, archive_response, requested_span
from app.exchange.archives.zip_file import NotArchived, ZipWriter
from tests.support.databases import url_of
from tests.support.http import client_of, get, patch, problem, put, walk
from tests.support.keys import Key
from tests.support.log import redact
from tests.support.records import PARTNER
from tests.support.servers import run
from tests.support.waiting import eventually

PATH = "/v1/export"


@pytest.fixture
def registry_settings(tmp_path: Path) -> dict[str, object]:
    return {"archive_folder": str(tmp_path / "archives"), "contact": "data@registry.example"}


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[Lock]:
    """The lock, as another process has it that makes an archive."""
    held = ArchiveFolder(tmp_path / "archives").lock()
    assert held is not None
    yield held
    held.close()


def download(client: TestClient, tmp_path: Path, tag: str | None = None) -> Response:
    """The present archive, of which the server may make one at once; not the one with this tag."""
    lock = tmp_path / "archives" / "lock"
    if lock.exists():
        lock.write_text("0")
    eventually(lambda: client.head(PATH).headers.get("etag") not in (None, tag))
    response = client.get(PATH)
    assert response.status_code == 200, response.text
    return response


def files_of(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_an_archive_has_the_whole_public_registry(
    registry: TestClient, editor: Key, seeded_database: Database, tmp_path: Path
) -> None:
    put(registry, editor, "partners/hidden", {**PARTNER, "name": {"en": "Hidden draft"}, "state": "draft"})
    put(registry, editor, "partners/withdrawn", {**PARTNER, "name": {"en": "First version"}})
    patch(registry, editor, "partners/withdrawn", state="draft", name={"en": "Hidden withdrawal"})
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda _: registry.get(PATH).headers.get("etag"), range(3)))
    response = download(registry, tmp_path)
    assert {*answers} <= {response.headers["etag"], None}  # None: 503 on a machine that is slow
    assert len(list((tmp_path / "archives").glob("*.zip"))) == 1
    files = files_of(response.content)
    manifest = json.loads(files.pop("manifest.json"))
    assert {facts["path"]: (facts["bytes"], facts["sha256"]) for facts in manifest["files"]} == {
        name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in files.items()
    }
    assert not any(b"Hidden" in content for content in files.values())
    changes = walk_changes(registry)
    assert files["changes.jsonl"].splitlines() == [json_of({**item, "partner": None}, item) for item in changes]
    assert (manifest["sequence"], manifest["chain"]) == (len(changes), changes[-1]["proof"]["chain"])
    assert (manifest["licence"], manifest["licence_url"][:8]) == ("CC-BY-4.0", "https://")
    for resource in RESOURCES:
        records = walk(registry, f"/v1/{resource.name}?limit=200")
        assert [json.loads(line) for line in files[f"data/{resource.name}.jsonl"].splitlines()] == records
        rows = csv.DictReader(io.StringIO(files[f"data/{resource.name}.csv"].decode()))
        assert [row["id"] for row in rows] == [record["id"] for record in records]
        assert manifest["records"][resource.name] == len(records)
    lists = json.loads(files["codelists.json"])["items"]
    assert {"project_status", "unit", "sector"} <= {codelist["name"] for codelist in lists}
    assert [codelist for codelist in get(registry, "/v1/codelists")["items"] if codelist in lists] == lists
    exported = run(
        "export",
        str(tmp_path / "own.zip"),
        HOPTAC_DATABASE_URL=url_of(seeded_database),
        HOPTAC_CONTACT="data@registry.example",
    )
    assert f"Change {manifest['sequence']} is in" in exported.stdout, exported
    assert (tmp_path / "own.zip").read_bytes() == response.content  # of another process
    again = run("export", str(tmp_path / "own.zip"), HOPTAC_DATABASE_URL=url_of(seeded_database))
    assert (again.returncode, "already exists" in again.stderr) == (1, True)
    report = frictionless.validate(str(tmp_path / "own.zip"))
    assert report.valid, report.flatten(["name", "rowNumber", "fieldName", "message"])
    assert len(report.tasks) == len(RESOURCES) + 1
    assert_described(json.loads(files["datapackage.json"]))


def walk_changes(client: TestClient) -> list[Any]:
    items: list[Any] = []
    path = "/v1/changes?proof=true&limit=200"
    while page := get(client, path)["items"]:
        items += page
        path = f"/v1/changes?proof=true&limit=200&after={items[-1]['sequence']}"
    return items


def json_of(item: dict[str, Any], keys: dict[str, Any]) -> bytes:
    """The line of a Change: the item of the feed, of which the partner of its key is no part."""
    shown = {name: item[name] for name in keys}
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()


def assert_described(package: dict[str, Any]) -> None:
    """The descriptor has types, codes and keys where there are some: a validator accepts one without them, too."""
    tables = {table["name"]: table["schema"] for table in package["resources"]}
    fields = {field["name"]: field for field in tables["figures"]["fields"]}
    assert [fields[name]["type"] for name in ("value", "period.earliest", "created_at")] == [
        "number",
        "date",
        "datetime",
    ]
    assert {field["name"]: field["type"] for field in tables["projects"]["fields"]}["places"] == "list"
    assert "actual" in fields["kind"]["constraints"]["enum"]
    links = {tuple(key["fields"]): key["reference"]["resource"] for key in tables["figures"]["foreignKeys"]}
    assert (links["project",], links["said_by.partner",]) == ("projects", "partners")
    assert package["contributors"][0]["email"] == "data@registry.example"


def test_an_archive_is_sent_in_parts_and_made_again_after_a_change(
    registry: TestClient, editor: Key, seeded_database: Database, tmp_path: Path
) -> None:
    whole = download(registry, tmp_path)
    tag = whole.headers["etag"]
    size = len(whole.content)
    assert (
        whole.headers["content-disposition"]
        == f'attachment; filename="registry-{get(registry, "/v1/changes")["last"]}.zip"'
    )
    head = registry.head(PATH)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(size))
    assert registry.get(PATH, headers={"If-None-Match": f'"other", {tag}'}).status_code == 304
    middle = size // 2
    parts = [
        registry.get(PATH, headers={"Range": f"bytes={span}", "If-Range": tag})
        for span in (f"0-{middle - 1}", f"{middle}-{size * 2}", "-3")
    ]
    assert [part.status_code for part in parts] == [206] * 3
    assert parts[0].content + parts[1].content == whole.content
    assert (parts[2].content, parts[2].headers["content-range"]) == (
        whole.content[-3:],
        f"bytes {size - 3}-{size - 1}/{size}",
    )
    assert registry.get(PATH, headers={"Range": "bytes=0-3", "If-Range": '"other"'}).status_code == 200
    outside = registry.get(PATH, headers={"Range": f"bytes={size}-"})
    problem(outside, 416, "bad_range")
    assert outside.headers["content-range"] == f"bytes */{size}"

    put(registry, editor, "partners/leaking", {**PARTNER, "name": {"en": "Leaked secret"}})
    assert (
        registry.get(PATH).headers["etag"] == tag
    )  # none is made again so soon; an older one is as good to start from
    changed = download(registry, tmp_path, tag)
    assert b"Leaked secret" in files_of(changed.content)["data/partners.jsonl"]
    assert len(list((tmp_path / "archives").glob("*.zip"))) == 2

    lock = tmp_path / "archives" / "lock"
    lock.write_text(str(time.time() + 10_000))  # none is made
    redact(seeded_database, "Leaked secret")
    refused = registry.get(PATH, headers={"Accept-Language": "vi"})
    problem(refused, 503, "unavailable")
    assert "thay đổi" in refused.json()["detail"]
    settings = {"HOPTAC_DATABASE_URL": url_of(seeded_database), "HOPTAC_ARCHIVE_FOLDER": str(tmp_path / "archives")}
    run("redact", "Ministry", "--reason", "Asked for.", "--record", "partners/moit", **settings)
    assert list((tmp_path / "archives").glob("*.zip")) == []


def test_slow_downloads_keep_few_deleted_archives_on_the_disk(tmp_path: Path) -> None:
    folder = ArchiveFolder(tmp_path)

    def opened(number: int) -> OpenArchive:
        name = ArchiveName(number, "", "0" * 8, "0" * 64)
        (tmp_path / str(name)).write_bytes(bytes(200_000))
        archive = folder.open(name)
        assert archive is not None
        return archive

    async def sizes(later: int, *, is_deleted: bool) -> list[int]:
        """The sizes of the parts of a download, after the first of which so many other archives are sent."""
        downloads = Downloads()
        archive = opened(1)
        sent: list[int] = []

        async def receive() -> Any:
            await asyncio.Event().wait()

        with ExitStack() as others:

            async def send(message: Any) -> None:
                sent.append(len(message.get("body", b"")))
                if len(sent) == 2:
                    for number in range(later):
                        other = opened(2 + number)
                        others.callback(other.file.close)
                        others.enter_context(downloads.sending(other))
                    if is_deleted:
                        (tmp_path / str(archive.name)).unlink()

            await archive_response(archive, State(), {}, "", downloads)({"type": "http"}, receive, send)
        assert archive.file.closed
        return sent

    assert sum(asyncio.run(sizes(2, is_deleted=True))) == 200_000
    assert sum(asyncio.run(sizes(3, is_deleted=False))) == 200_000
    assert sum(asyncio.run(sizes(3, is_deleted=True))) == sending.BLOCK


def test_only_one_process_makes_an_archive(
    registry: TestClient, lock: Lock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(current, "PATIENCE", 0.01)
    waiting = registry.get(PATH)
    problem(waiting, 503, "unavailable")
    assert waiting.headers["retry-after"] == "10"
    assert [path.name for path in (tmp_path / "archives").iterdir()] == ["lock"]


def test_archives_are_made_again_after_the_clock_was_set_back(lock: Lock) -> None:
    lock.pause_for(10_000)
    assert lock.pause() > 0
    lock.pause_for(2 * MAX_PAUSE)  # written while the clock was far ahead
    assert lock.pause() == 0


def test_an_archive_that_is_too_large_is_not_made(seeded_database: Database, tmp_path: Path) -> None:
    folder = {"archive_folder": str(tmp_path / "archives")}
    with client_of(url_of(seeded_database), **folder, max_archive=1_000) as client:
        eventually(lambda: "could not" in client.get(PATH).json()["detail"])
        assert [path.name for path in (tmp_path / "archives").iterdir()] == ["lock"]
    with client_of(url_of(seeded_database), **folder, max_archive=0) as client:
        problem(client.get(PATH), 404, "not_found")
    (tmp_path / "archives").chmod(0o777)  # others could put archives into it
    with client_of(url_of(seeded_database), **folder) as client:
        problem(client.get(PATH), 503, "unavailable")


def test_a_full_disk_ends_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.exchange.archives.zip_file.FREE_BYTES", 10**18)
    with (
        (tmp_path / "a.zip").open("xb") as file,
        pytest.raises(NotArchived, match="free bytes"),
        ZipWriter(file, None) as archive,
    ):
        archive.add("data/large.csv", [bytes(9_000_000)])


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-", Span(0, 100)),
        ("bytes=5-5", Span(5, 6)),
        ("bytes=-7", Span(93, 100)),
        ("bytes=-700", Span(0, 100)),
        ("bytes=-0", Span(100, 100)),
        ("bytes=100-", Span(100, 100)),
        ("bytes=6-5", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("bytes=٣-", None),
        ("lines=0-1", None),
    ],
)
def test_the_range_of_a_request(header: str, span: Span | None) -> None:
    assert requested_span({"range": header}, 100, "tag") == span
