"""The generator of the bench: the same seed makes the same records, and every one of them is valid on both engines."""

import asyncio
import unicodedata
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import SQLModel
from starlette.testclient import TestClient

from app.core.database.engine import Database
from bench.apps.same_sql import recorded, runner
from bench.bulk import TABLES, connect, dump, insert, unreadable
from bench.disk import LOG, OTHER, sizes
from bench.generate import Generator, Record
from bench.load import write
from bench.table import Goal, Row
from bench.validate import Checks
from tests.support.databases import NewDatabase, url_of


def made(projects: int = 50, seed: int = 1) -> list[Record]:
    return [record for chunk in Generator(projects, seed).chunks() for record in chunk]


def test_the_same_seed_makes_the_same_records() -> None:
    assert made(seed=7) == made(seed=7)
    assert made(seed=7) != made(seed=8)


def test_each_project_has_what_the_registry_is_about() -> None:
    records = made(500)
    counts = {
        resource: sum(each.resource == resource for each in records) for resource in {r.resource for r in records}
    }
    assert counts["projects"] == 500
    assert 400 < counts["agreements"] < 600
    assert 1_100 < counts["milestones"] < 1_400
    assert 1_100 < counts["figures"] < 1_400
    assert all(each.fields["citations"] for each in records if each.resource in ("projects", "figures"))


def test_texts_are_vietnamese() -> None:
    titles = "".join(each.fields["title"]["vi"] for each in made() if each.resource == "projects")
    assert {"đ", "ệ", "ư", "Đ"} <= set(titles)
    assert unicodedata.is_normalized("NFC", titles)


def test_some_words_are_rare_and_some_are_frequent() -> None:
    generator = Generator(2_000)
    assert sum(1 for _ in generator.chunks()) == 2
    counts = generator.brands_in_titles
    assert min(counts.values()) == 1
    assert max(counts.values()) > 20


def test_every_record_can_be_loaded(database: Database) -> None:
    generator = Generator(50)
    for chunk in generator.chunks():
        counts = write(database, chunk)
        assert sum(counts.values()) == len(chunk)


def test_what_a_load_leaves_behind_can_be_inserted_raw(
    database: Database, new_database: NewDatabase, migrated: str
) -> None:
    sent = unreadable(database)
    for chunk in Generator(20).chunks():
        write(database, chunk)
    kind = "sqlite" if database.is_sqlite else "postgresql"
    urls = [new_database(migrated) for _ in range(2)]
    connected = [closing(connect(each)) for each in (database, *map(Database, urls))]
    with connected[0] as full, connected[1] as raw, connected[2] as nothing:
        found = dump(full, raw, TABLES[kind], sent)
        insert(raw, found, "?" if database.is_sqlite else "%s")
        again = dump(raw, nothing, TABLES[kind], sent)
        for name, (columns, rows) in found.items():  # a row that was updated comes in another place
            assert (again[name][0], sorted(again[name][1], key=repr)) == (columns, sorted(rows, key=repr)), name
        assert set(again) == set(found)
    of_schema = {"cursor_key", "search_state", "webhook_cursor"}  # they are there before the first record
    assert set(SQLModel.metadata.tables) - set(found) == of_schema
    assert len(found["search_terms"][1]) == len(found["changes"][1])
    assert len(found["projects"][1]) == 20


def test_what_ours_asks_the_database_can_be_asked_again(seeded_database: Database) -> None:
    paths = ["/v1/projects?status=active", "/v1/projects/smart-factory-cooperation?include=partners,figures"]
    url = url_of(seeded_database)
    reads = asyncio.run(recorded(url, paths))
    with runner(url) as run:
        found = [[run(statement) for statement in statements] for statements in reads]
    assert [bool(answers) for answers in found] == [True, True]
    assert all(rows for answers in found for rows in answers)


def test_each_byte_on_disk_is_for_something(seeded_database: Database) -> None:
    measured = sizes(url_of(seeded_database))
    assert measured[f"{LOG}: rows"] > 500_000
    assert measured[OTHER] < 0.3 * measured.total()  # the pages of empty tables
    with seeded_database.engine.connect() as connection:
        of_sqlite = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        tables = "relkind = 'r' AND relnamespace = 'public'::regnamespace"
        of_postgresql = f"SELECT sum(pg_table_size(oid) + pg_indexes_size(oid)) FROM pg_class WHERE {tables}"
        size = connection.scalar(text(of_sqlite if seeded_database.is_sqlite else of_postgresql))
        assert measured.total() == pytest.approx(size, rel=0.25)  # maps of free space and free pages are not counted


def test_a_row_says_what_was_measured_and_whether_that_is_enough() -> None:
    row = Row("detail", {"ours": 3.0, "F": 2.0, "usual": 60.0}, [Goal("≤", 2, "F"), Goal("≥", 25, "usual")])
    assert row.line() == "| detail | 1.50 |  |  |  | 30.00 | ≤ 2 F: 1.5 met; ≥ 25 × usual: 20 **not met** |"
    assert Goal("≥", 4, "Datasette").result(row.costs) == ""


def test_exports_are_validated(client: TestClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checks = Checks(client, tmp_path)
    checks.run("tables", lambda: checks.table("statements"))
    checks.run("map", lambda: checks.features("places"))
    assert checks.failed == []
    (tmp_path / "places.geojson").unlink()
    checks.run("nothing", lambda: checks.features("no-such-list"))
    assert checks.failed == ["nothing"]
    assert "statements.parquet" in {path.name for path in tmp_path.iterdir()}
    assert "tables: 127 records" in capsys.readouterr().out
