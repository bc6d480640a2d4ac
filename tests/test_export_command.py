"""`hoptac export`: the whole public registry in a file, from which an import builds an equal one."""

import json
from pathlib import Path
from typing import Any

from app.core.database.engine import Database
from app.core.model.resource import RESOURCES
from tests.support.databases import NewDatabase, url_of
from tests.support.records import project, store
from tests.support.servers import run

OF_THE_COPY = ("version", "created_at", "updated_at")


def records_in(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [{name: value for name, value in line.items() if name not in OF_THE_COPY} for line in lines]


def test_an_import_of_an_export_builds_an_equal_registry(
    seeded_database: Database, new_database: NewDatabase, migrated: str, tmp_path: Path
) -> None:
    store(seeded_database, RESOURCES["projects"], project("hidden", state="draft"))
    url = url_of(seeded_database)
    exported = run("export", str(tmp_path / "all.jsonl"), HOPTAC_DATABASE_URL=url)
    facts = json.loads(run("status", "--json", HOPTAC_DATABASE_URL=url).stdout)
    count = sum(facts["records"].values()) - facts["drafts"]
    assert (exported.returncode, exported.stdout) == (0, f"{count} records in {tmp_path}/all.jsonl.\n")
    again = run("export", str(tmp_path / "all.jsonl"), HOPTAC_DATABASE_URL=url)
    assert (again.returncode, "already exists" in again.stderr) == (1, True)
    nowhere = run("export", str(tmp_path / "no" / "all.jsonl"), HOPTAC_DATABASE_URL=url)
    assert (nowhere.returncode, nowhere.stderr) == (1, f"hoptac: There is no folder {tmp_path}/no.\n")
    copy = new_database(migrated)
    imported = run("import", str(tmp_path / "all.jsonl"), "--row-by-row", HOPTAC_DATABASE_URL=copy)
    assert f"{count} created" in imported.stdout, imported
    assert run("export", str(tmp_path / "copy.jsonl"), HOPTAC_DATABASE_URL=copy).returncode == 0
    assert records_in(tmp_path / "copy.jsonl") == records_in(tmp_path / "all.jsonl")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["all.jsonl", "copy.jsonl"]
