"""`hoptac import ARCHIVE`: an equal registry, that a mirror continues, and archives that must not be imported."""

import hashlib
import io
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.core.change_log import MIRRORS
from app.core.database.engine import Database
from app.core.settings import Settings
from app.exchange.archives import reading
from app.exchange.archives.description import Description
from app.exchange.archives.importing import import_archive
from app.exchange.archives.making import export_archive
from app.exchange.archives.reading import NotImported
from tests.support.databases import url_of
from tests.support.http import client_of, drop, patch, put
from tests.support.keys import Key, key_of
from tests.support.log import changes, count_changes, redact, verified
from tests.support.mirrors import logs, mirror
from tests.support.records import PARTNER, PROJECT
from tests.support.servers import run

Files = dict[str, bytes]
SAME = ("/v1/projects?limit=5", "/v1/partners/unido/history", "/v1/changes?proof=true&limit=200", "/v1/search?q=unido")


def archive_of(database: Database, path: Path) -> bytes:
    export_archive(database, path, Description.of(Settings()))
    return path.read_bytes()


def write_history(client: TestClient, editor: Key, database: Database) -> None:
    """What a history can have: drafts, withdrawn, deleted and merged records, and redactions of all of them."""
    put(client, editor, "partners/draft", {**PARTNER, "name": {"en": "Hidden"}, "state": "draft"})
    put(client, editor, "partners/withdrawn", {**PARTNER, "name": {"en": "Leaked secret"}})
    patch(client, editor, "partners/withdrawn", state="draft", name={"en": "Hidden"})
    put(client, editor, "partners/twin", {**PARTNER, "name": {"en": "Leaked secret"}})
    put(client, editor, "projects/of-twin", {**PROJECT, "roles": [{"partner": "twin", "role": "funding"}]})
    put(client, editor, "projects/gone", {**PROJECT, "title": {"en": "Leaked secret"}})
    drop(client, editor, "projects/gone")
    merged = client.post("/v1/partners/twin/merge", json={"into": "unido"}, headers={**editor, "If-Match": "*"})
    assert merged.status_code == 200, merged.text
    redact(database, "Leaked secret")


def test_an_archive_builds_an_equal_registry_that_follows_its_source(
    registry: TestClient, editor: Key, seeded_database: Database, copy: Database, tmp_path: Path
) -> None:
    write_history(registry, editor, seeded_database)
    archive = archive_of(seeded_database, tmp_path / "first.zip")
    verification = run("import", str(tmp_path / "first.zip"), "--dry-run", HOPTAC_DATABASE_URL=url_of(copy))
    assert (verification.returncode, count_changes(copy)) == (0, 0)
    assert "The archive is intact." in verification.stdout
    imported = run("import", str(tmp_path / "first.zip"), HOPTAC_DATABASE_URL=url_of(copy))
    last = changes(seeded_database)[-1]
    assert f"The head of its log is {last.sequence}:{last.chain}." in imported.stdout, imported
    assert archive_of(copy, tmp_path / "second.zip") == archive  # nothing differs
    assert verified(copy)[0] == []
    assert logs(copy) == logs(seeded_database) != []
    assert not any("Leaked" in (row.body or "") or "Hidden" in (row.body or "") for row in changes(copy))
    again = run("import", str(tmp_path / "first.zip"), HOPTAC_DATABASE_URL=url_of(copy))
    assert (again.returncode, "needs an empty database" in again.stderr) == (1, True)
    wrong = run("import", str(tmp_path / "first.zip"), "--as", "unido", HOPTAC_DATABASE_URL=url_of(copy))
    assert (wrong.returncode, "--dry-run" in wrong.stderr) == (2, True)

    patch(registry, editor, "projects/of-twin", title={"en": "Changed later"})
    mirror(registry, copy)
    assert archive_of(copy, tmp_path / "third.zip") == archive_of(seeded_database, tmp_path / "fourth.zip") != archive
    with client_of(url_of(copy)) as other:
        for path in SAME:
            left, right = (client.get(path) for client in (registry, other))
            assert (left.content, left.headers["etag"]) == (right.content, right.headers["etag"]), path


def files_of(archive: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def packed(files: Files, *more: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive, warnings.catch_warnings(action="ignore"):
        for name, content in (*files.items(), *more):
            archive.writestr(name, content)
    return packed.getvalue()


def listed(files: Files, **members: Any) -> Files:
    """The files with a manifest that lists them as they are now, as somebody who alters an archive writes it."""
    manifest = json.loads(files["manifest.json"]) | members
    own = [(name, content) for name, content in files.items() if name != "manifest.json"]
    manifest["files"] = [
        {"path": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in own
    ]
    return {**files, "manifest.json": json.dumps(manifest).encode()}


def altered(files: Files, change: Callable[[list[bytes]], list[bytes]]) -> Files:
    lines = change(files["changes.jsonl"].splitlines())
    return {**files, "changes.jsonl": b"".join(line + b"\n" for line in lines)}


def encrypted(archive: bytes) -> bytes:
    """The archive with the flag of an encrypted file in its list."""
    position = archive.rindex(b"PK\x01\x02") + 8
    return archive[:position] + b"\x01\x00" + archive[position + 2 :]


def hostile_archives(files: Files) -> dict[str, tuple[bytes, str]]:
    """Archives that must not be imported, each with a part of the message."""
    last = files["changes.jsonl"].splitlines()[-1]
    forged = last.replace(b"UNIDO", b"Other").replace(b"Project", b"Forged")
    assert forged != last
    manifest = json.loads(files["manifest.json"])
    return {
        "no archive": (b"PK" + bytes(100), "is not a ZIP file"),
        "cut off": (packed(files)[:-300], "is not a ZIP file"),
        "damaged": (packed(files).replace(b"PK\x03\x04", b"PK\x00\x00", 1), "damaged"),
        "no manifest": (packed({"changes.jsonl": b""}), "manifest.json is missing"),
        "other manifest": (packed({**files, "manifest.json": b"[]"}), "missing or wrong"),
        "later format": (packed(listed(files, format=2)), "missing or wrong"),
        "file outside": (packed(listed({**files, "../evil.csv": b"x"})), "missing or wrong"),
        "file not listed": (packed(files, ("evil.csv", b"x")), "not the ones"),
        "file missing": (packed({name: files[name] for name in files if name != "codelists.csv"}), "not the ones"),
        "same name": (packed(files, ("codelists.csv", files["codelists.csv"])), "same name"),
        "other content": (packed({**files, "codelists.csv": files["codelists.csv"][:-1] + b"x"}), "SHA-256"),
        "bomb": (packed(listed({**files, "codelists.csv": bytes(150_000_000)})), "200 times"),
        "many files": (packed(files, *((f"{number:0200d}.csv", b"") for number in range(1_500))), "1000 files"),
        "encrypted": (encrypted(packed(files)), "encrypted"),
        "other method": (packed(files, method=zipfile.ZIP_BZIP2), "another method"),
        "forged record": (packed(listed(altered(files, lambda lines: [*lines[:-1], forged]))), "not the one"),
        "forged order": (packed(listed(altered(files, lambda lines: lines[::-1]))), "is missing"),
        "last is missing": (packed(listed(altered(files, lambda lines: lines[:-1]))), "not the one"),
        "no change": (packed(listed(altered(files, lambda lines: [*lines[:-1], b"{}"]))), "not a change feed"),
        "no text": (packed(listed(altered(files, lambda lines: [*lines[:-1], b"\xff"]))), "damaged"),
        "source with NUL": (packed(listed(files, source="a\x00")), "missing or wrong"),
        "deep": (packed(listed(altered(files, lambda _: [b"[" * 20_000]))), "not a change feed"),
        "long line": (packed(listed(altered(files, lambda _: [b" " * 60_000]))), "a line of more"),
        "other number": (packed(listed(files, sequence=manifest["sequence"] + 1)), "not the one"),
    }


def test_no_part_of_a_wrong_archive_is_imported(
    database: Database, copy: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_LINE", 50_000)
    with client_of(url_of(database)) as client:
        editor = key_of(database, "records:write")
        put(client, editor, "partners/unido", {**PARTNER, "name": {"en": "UNIDO"}})
        put(client, editor, "projects/first", {**PROJECT, "title": {"en": "Project of UNIDO"}})
    files = files_of(archive_of(database, tmp_path / "good.zip"))
    path = tmp_path / "bad.zip"
    for name, (content, message) in hostile_archives(files).items():
        path.write_bytes(content)
        with pytest.raises(NotImported, match=message):
            import_archive(copy, path)
        with copy.engine.connect() as connection:
            assert connection.execute(select(MIRRORS)).first() is None, name
        assert count_changes(copy) == 0, name
    path.write_bytes(packed(files))
    import_archive(copy, path)
    assert count_changes(copy) == 2
