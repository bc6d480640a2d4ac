"""The schema: migrations make what the models say, on both engines, also when many start at once."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, inspect, select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlmodel import SQLModel
from starlette.testclient import TestClient

from app.cli import main
from app.commands.output import UNREADY
from app.core.database.engine import Database
from app.core.maintenance.rerender import render_all_again
from app.core.maintenance.schema import config, head, migrate, modelled, revisions
from app.core.model.resource import RESOURCES
from app.core.search import stored_terms
from app.core.search.tables import STATE
from seed.files import Dataset
from tests.support.databases import NewDatabase, migrate_down, url_of
from tests.support.http import PATCH
from tests.support.keys import Key

ROOT = Path(__file__).parents[1]
TABLES = SQLModel.metadata.tables


def test_there_is_one_head_and_the_program_knows_it() -> None:
    script = ScriptDirectory.from_config(config())
    assert script.get_heads() == [head()]
    assert [each.revision for each in script.walk_revisions()] == revisions()[::-1]


def test_the_migrated_schema_is_the_models(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": modelled})
        assert compare_metadata(context, SQLModel.metadata) == []
        found = inspect(connection)
        for name, table in TABLES.items():
            assert _checks(found, name) == {
                str(check.name) for check in table.constraints if isinstance(check, CheckConstraint)
            }
            for key in found.get_foreign_keys(name):
                assert key["options"].get("deferrable"), (name, key)
                assert key["options"].get("initially") == "DEFERRED", (name, key)
            assert len(found.get_foreign_keys(name)) == len(table.foreign_key_constraints)


def _checks(found: Any, table: str) -> set[str]:
    return {check["name"] for check in found.get_check_constraints(table)}


def test_each_filter_and_sort_column_has_an_index(database: Database) -> None:
    with database.engine.connect() as connection:
        found = inspect(connection)
        for name, table in TABLES.items():
            first = {index["column_names"][0] for index in found.get_indexes(name)}
            first |= {unique["column_names"][0] for unique in found.get_unique_constraints(name)}
            first |= {str(column.name) for column in table.primary_key}
            for column in table.columns:
                assert not column.foreign_keys or column.name in first, (name, column.name)


def test_down_to_nothing_and_up_again(database: Database) -> None:
    migrate(database, "base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    migrate(database)
    assert set(TABLES) < set(inspect(database.engine).get_table_names())


def test_an_upgrade_keeps_links_and_their_indexes(seeded_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite copies the tables of links and compresses the terms; PostgreSQL gets two columns that stay empty."""
    links = [table for resource in RESOURCES.values() for table in resource.link_tables]
    schema = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'search_state' ORDER BY rowid"

    def content() -> dict[str, Any]:
        with seeded_database.engine.connect() as connection:
            found: dict[str, Any] = {table.name: set(connection.execute(select(table))) for table in links}
            if seeded_database.is_sqlite:
                found["schema"] = set(connection.execute(text(schema)))
                assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
            return found

    before = content()
    assert before["projects_roles"]
    monkeypatch.setattr(stored_terms, "MIN_RECORDS", 100)
    migrate_down(seeded_database, "0020")
    assert not seeded_database.is_sqlite or content()["schema"] != before["schema"]
    migrate(seeded_database)
    assert content() == before
    with seeded_database.engine.connect() as connection:
        assert (connection.scalar(select(STATE.c.dictionary)) is not None) == seeded_database.is_sqlite


def test_partners_rendered_again_get_their_periods_in_columns_and_keep_their_links(
    seeded_database: Database, dataset: Dataset
) -> None:
    counts = text("SELECT count(*) FROM partners_citations")
    with seeded_database.write() as session:
        before = session.connection().execute(counts).scalar()
        session.connection().execute(text("UPDATE partners SET rendering = 0, period_latest = NULL"))
    assert render_all_again(seeded_database) == len(dataset.of("partners"))
    with seeded_database.engine.connect() as connection:
        found = connection.execute(text("SELECT id, period_latest FROM partners WHERE period_latest IS NOT NULL"))
        assert [tuple(row) for row in found] == [("mpi", "2025-02-28")]
        assert connection.execute(counts).scalar() == before


@pytest.mark.parametrize("command", [["migrate"], ["migrate", "--down"], ["serve"], ["serve", "--migrate"]])
def test_a_schema_of_another_version_is_named_and_left_alone(
    database: Database, command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.write() as session:
        session.connection().execute(text("UPDATE alembic_version SET version_num = '20261202_drafts'"))
    monkeypatch.setenv("HOPTAC_DATABASE_URL", url_of(database))
    assert main(command) == UNREADY
    problem = capsys.readouterr().err
    assert "has the schema 20261202_drafts, which this program does not know" in problem
    assert "run `hoptac migrate`" not in problem
    assert database.schema_version() == "20261202_drafts"
    assert set(TABLES) < set(inspect(database.engine).get_table_names())


def test_servers_of_the_old_version_read_a_newer_schema_and_do_not_write_it(
    registry: TestClient, editor: Key, seeded_database: Database
) -> None:
    """As during an upgrade: the migration has run, and the servers of the new version start one after the other."""

    def renamed() -> int:
        headers = {**editor, **PATCH, "If-Match": "*"}
        return registry.patch("/v1/partners/unido", json={"name": {"en": "Renamed"}}, headers=headers).status_code

    def states(revision: str) -> list[int]:
        with seeded_database.write() as session:
            session.connection().execute(text("UPDATE alembic_version SET version_num = :new"), {"new": revision})
        paths = ("/readyz", "/v1/partners/unido?fields=name", "/v1/projects?limit=1")
        return [*(registry.get(path).status_code for path in paths), renamed()]

    assert states("9999") == [200, 200, 200, 503]
    assert states("0001") == [503, 200, 200, 503]
    assert states(head()) == [200, 200, 200, 200]


def test_a_migration_that_fails_leaves_nothing(new_database: NewDatabase) -> None:
    database = Database(new_database(None))
    with database.write() as session:
        session.connection().execute(text("CREATE TABLE statements (in_the_way integer)"))
    with pytest.raises(SQLAlchemyError):
        migrate(database)
    assert inspect(database.engine).get_table_names() == ["statements"]
    database.close()


@pytest.mark.slow
def test_processes_that_start_at_once_all_succeed(new_database: NewDatabase) -> None:
    url = new_database(None)
    environment = {**os.environ, "HOPTAC_DATABASE_URL": url}
    command = [sys.executable, "-c", "from app.cli import main; raise SystemExit(main(['migrate']) or main(['seed']))"]
    running = [
        subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=120)[0].decode() for process in running]
    assert [process.returncode for process in running] == [0] * 3, said
    assert sum(" 0 created" in each for each in said) == 2, said


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE projects SET status = 'nonsense'",
        "UPDATE projects SET state = 'nonsense'",
        "UPDATE figures SET indicator = 'nobody'",
        "UPDATE projects_roles SET partner_id = 'nobody'",
        "UPDATE milestones SET date_earliest = '2030-01-01', date_latest = '2029-01-01'",
        "DELETE FROM partners WHERE id = 'unido'",
        "DELETE FROM changes WHERE sequence = 1",
        "UPDATE projects SET id = 'unido-moit-cooperation'",
        "UPDATE places SET code = 'VN', period_earliest = '2000-01-01', period_latest = '2000-01-01'",
    ],
)
def test_the_database_itself_refuses_what_cannot_be(seeded_database: Database, statement: str) -> None:
    def attempt() -> None:
        with seeded_database.write() as session:
            session.connection().execute(text(statement))

    with pytest.raises(IntegrityError):
        attempt()
