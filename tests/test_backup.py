"""A backup holds every write acknowledged before it began, and restores to the same bytes on either engine."""

import json
import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlmodel import SQLModel

from app.cli import main
from app.core.change_log import BACKUPS, CHANGES
from app.core.database.engine import INITIAL_ROWS, Database
from app.core.maintenance import backup
from app.core.maintenance.backup import NOT_COPIED, NotCopied, back_up, restore
from app.core.maintenance.redact import Redaction, redact
from app.exchange.imports.pace import Pace
from app.exchange.imports.run import run as run_import
from app.webhooks.models import WEBHOOKS
from tests.support.databases import NewDatabase, url_of
from tests.support.http import client_of, get
from tests.support.imports import lines_of, ports, received
from tests.support.keys import key_of
from tests.support.log import verified
from tests.support.receivers import ALLOWED, receiving
from tests.support.records import PARTNER, PROJECT
from tests.support.servers import run
from tests.support.subscriptions import subscribe


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "registry.backup"


@pytest.fixture
def empty(new_database: NewDatabase) -> Iterator[Database]:
    """A database without schema, of the other engine too where there is one."""
    made = Database(new_database(None))
    yield made
    made.close()


def contents(database: Database) -> dict[str, Any]:
    """Every row of every table, the search index too, but for its numbers and what only SQLite stores for FTS5.

    The last backup is that of the one database, and not part of it.
    """
    tables = [table for table in SQLModel.metadata.tables.values() if table is not BACKUPS]
    left_out = {"docid", "stored_terms"}
    shown = {each.name: select(*(column for column in each.c if column.name not in left_out)) for each in tables}
    with database.engine.connect() as connection:
        return {name: sorted(map(repr, connection.execute(rows))) for name, rows in shown.items()}


def used(database: Database) -> dict[str, str]:
    """Make something of everything: keys, drafts, a replay, a deleted record; returns a key."""
    key = key_of(database, "records:write")
    with client_of(url_of(database)) as client:
        client.put("/v1/partners/gone", json=PARTNER, headers=key)
        client.delete("/v1/partners/gone", headers={**key, "If-Match": "*"})
        client.put("/v1/projects/draft", json={**PROJECT, "state": "draft"}, headers=key)
        client.post("/v1/projects", json=PROJECT, headers={**key, "Idempotency-Key": "once"})
    return key


def test_what_is_restored_is_what_was_there(seeded_database: Database, empty: Database, file: Path) -> None:
    key = used(seeded_database)
    saved = back_up(seeded_database, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    before = file.read_bytes()
    assert restore(file, empty) == saved
    assert file.read_bytes() == before
    assert contents(empty) == contents(seeded_database)
    with client_of(url_of(seeded_database)) as one, client_of(url_of(empty)) as other:
        for path in (
            "/v1/partners?limit=200",
            "/v1/projects?q=thong minh&sort=id",
            "/v1/partners/gone",
        ):
            found = [client.get(path) for client in (one, other)]
            assert found[0].content == found[1].content
            assert found[0].headers.get("etag") == found[1].headers.get("etag")
        again = other.post("/v1/projects", json=PROJECT, headers={**key, "Idempotency-Key": "once"})
        assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
        assert other.put("/v1/partners/new-one", json=PARTNER, headers=key).status_code == 201


def test_a_backup_goes_from_engine_to_engine(
    seeded_database: Database, tmp_path: Path, postgres: str, empty: Database
) -> None:
    """Whatever it was made of, through an SQLite database and back."""
    used(seeded_database)
    between = Database(f"sqlite:///{tmp_path}/between.db")
    saved = back_up(seeded_database, tmp_path / "first")
    assert restore(tmp_path / "first", between) == saved
    assert back_up(between, tmp_path / "second") == saved
    assert restore(tmp_path / "second", empty) == saved
    assert contents(empty) == contents(between) == contents(seeded_database)
    between.close()


def test_the_command_disables_restored_subscriptions(seeded_database: Database, empty: Database, file: Path) -> None:
    """The command runs in a process of its own, which imports less than these tests do."""
    with client_of(url_of(seeded_database), **ALLOWED, webhook_sender=False) as client:
        subscribe(client, key_of(seeded_database, "webhooks"), "http://127.0.0.1/hook")
    back_up(seeded_database, file)
    environment = {**os.environ, "HOPTAC_DATABASE_URL": url_of(empty)}
    subprocess.run([sys.executable, "-m", "app", "restore", str(file)], env=environment, check=True)
    with empty.engine.connect() as connection:
        states = connection.execute(select(WEBHOOKS.c.state, WEBHOOKS.c.disabled_because)).all()
    assert states == [("disabled", "restored")]


@pytest.mark.slow
def test_what_was_under_way_is_restored_and_tells_nobody(
    seeded_database: Database, empty: Database, file: Path, tmp_path: Path
) -> None:
    """An import goes on, redactions are proved; subscriptions stand where they were, until they are made active."""
    client_key, key = key_of(seeded_database, "webhooks"), key_of(seeded_database, "records:write")
    with receiving() as receiver:
        with client_of(url_of(seeded_database), **ALLOWED) as client:
            made = [
                client.post("/v1/webhooks", json={"url": receiver.url}, headers=client_key).json() for _ in range(2)
            ]
            stopped = {**client_key, "Content-Type": "application/merge-patch+json"}
            client.patch(f"/v1/webhooks/{made[1]['id']}", content=b'{"state": "disabled"}', headers=stopped)
            client.put("/v1/partners/leaked", json={**PARTNER, "name": {"en": "Quagga"}}, headers=key)
            receiver.wait(1)
        redact(seeded_database, Redaction("Quagga", "[…]", "Asked for."))
        import_id = received(seeded_database, tmp_path / "x.jsonl", lines_of(*ports(3)), "one", mode="all")
        saved = back_up(seeded_database, file)
        restored = restore(file, empty)
        assert (restored, restored.broken) == (saved, None)
        apart = {"webhooks", "deliveries"}
        there, here = contents(seeded_database), contents(empty)
        assert {name: rows for name, rows in there.items() if name not in apart} == {
            name: rows for name, rows in here.items() if name not in apart
        }
        assert run_import(empty, import_id, "one", Pace())
        assert verified(empty)[0] == verified(seeded_database)[0] == []
        with client_of(url_of(empty), **ALLOWED) as client:
            hooks = client.get("/v1/webhooks", headers=client_key).json()["items"]
            said = {each["id"]: (each["state"], each["disabled_because"]) for each in hooks}
            assert said == {made[0]["id"]: ("disabled", "restored"), made[1]["id"]: ("disabled", "owner")}
            time.sleep(1.5)
            assert len(receiver.messages) == 1
            client.patch(f"/v1/webhooks/{made[0]['id']}", content=b'{"state": "active"}', headers=stopped)
            kinds = [json.loads(each.body)["type"] for each in receiver.wait(5)]
    assert kinds[:1] == ["partner.created"]
    assert sorted(kinds[1:]) == ["partner.redacted", *["project.created"] * 3]


def test_a_backup_is_a_database_itself(seeded_database: Database, file: Path) -> None:
    back_up(seeded_database, file)
    file.rename(file.with_suffix(".db"))
    url = f"sqlite:///{file.with_suffix('.db')}"
    assert "indexed" in run("migrate", HOPTAC_DATABASE_URL=url).stdout
    with client_of(url) as client:
        assert get(client, "/v1/search?q=unido")["items"]


@pytest.mark.slow
def test_writes_go_on_while_it_is_made(
    seeded_database: Database, empty: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each copy of a table waits for a write: none is in halves, all that were acknowledged before are there."""
    key, told = key_of(seeded_database, "records:write"), list[str]()
    with client_of(url_of(seeded_database)) as client:

        def write() -> None:
            name = f"added-{len(told)}"
            body = {**PARTNER, "parent": told[-1] if told else None}
            assert client.put(f"/v1/partners/{name}", json=body, headers=key).status_code == 201
            told.append(name)

        for _ in range(5):
            write()
        copy = backup._copy_table

        def copy_slowly(*arguments: Any) -> int:
            copied = copy(*arguments)
            if arguments[2].name in ("changes", "keys", "partners"):
                write()
            return copied

        monkeypatch.setattr(backup, "_copy_table", copy_slowly)
        back_up(seeded_database, file)
        monkeypatch.undo()
    restore(file, empty)
    with client_of(url_of(empty)) as client:
        assert [client.get(f"/v1/partners/{each}").status_code for each in told] == [200] * 5 + [404] * 3
    with empty.engine.connect() as connection:
        versions = select(CHANGES.c.record_id).where(CHANGES.c.record_id.like("added-%"))
        assert set(connection.scalars(versions)) == set(told[:5])


def test_nothing_is_overwritten(seeded_database: Database, file: Path) -> None:
    file.write_text("precious")
    with pytest.raises(NotCopied, match="already exists"):
        back_up(seeded_database, file)
    with pytest.raises(NotCopied, match="is not a backup"):
        restore(file, seeded_database)
    assert file.read_text() == "precious"
    back_up(seeded_database, file.with_name("other"))
    before = contents(seeded_database)
    with pytest.raises(NotCopied, match="not empty"):
        restore(file.with_name("other"), seeded_database)
    assert contents(seeded_database) == before
    file.unlink()


def test_a_file_that_appears_meanwhile_stays(
    seeded_database: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = backup._copy

    def slowly(*arguments: Any) -> Any:
        file.write_text("precious")
        return copy(*arguments)

    monkeypatch.setattr(backup, "_copy", slowly)
    with pytest.raises(NotCopied, match="already exists"):
        back_up(seeded_database, file)
    assert [(each.name, each.read_text()) for each in file.parent.iterdir()] == [(file.name, "precious")]


def test_a_failure_leaves_no_file(seeded_database: Database, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise OSError("the disk is full")

    monkeypatch.setattr(backup, "_copy", fail)
    with pytest.raises(OSError, match="full"):
        back_up(seeded_database, file)
    assert list(file.parent.iterdir()) == []


@pytest.mark.parametrize("column", ["body", pytest.param("chain", marks=pytest.mark.slow)])
def test_a_changed_change_is_told_and_not_restored(
    seeded_database: Database, empty: Database, file: Path, column: str
) -> None:
    with seeded_database.write() as session:
        session.execute(update(CHANGES).where(CHANGES.c.sequence == 7).values({column: CHANGES.c[column] + " "}))
    assert str(back_up(seeded_database, file).broken).startswith("Change 7: ")
    with pytest.raises(NotCopied, match="Change 7"):
        restore(file, empty)
    assert not any(
        contents(empty)[each.name]
        for each in SQLModel.metadata.sorted_tables
        if each not in NOT_COPIED and INITIAL_ROWS not in each.info
    )
    assert str(restore(file, empty, unproved=True).broken).startswith("Change 7: ")
    assert contents(empty) == contents(seeded_database)


def test_a_file_of_another_schema_is_refused(seeded_database: Database, empty: Database, file: Path) -> None:
    back_up(seeded_database, file)
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'x'")
    connection.close()
    with pytest.raises(NotCopied, match="has the schema x"):
        restore(file, empty)


def test_a_view_is_no_table(seeded_database: Database, empty: Database, file: Path) -> None:
    back_up(seeded_database, file)
    with sqlite3.connect(file) as connection:
        connection.execute("ALTER TABLE places RENAME TO others")
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        connection.execute(f"CREATE VIEW places AS {endless} SELECT others.* FROM others, n")
    connection.close()
    with pytest.raises(NotCopied, match="no table places"):
        restore(file, empty)


def test_the_commands_say_what_they_did(
    seeded_database: Database, empty: Database, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def command(url: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setenv("HOPTAC_DATABASE_URL", url)
        return main(arguments), *capsys.readouterr()

    code, made, _ = command(url_of(seeded_database), "backup", str(file))
    assert (code, "rows in the backup" in made) == (0, True)
    code, done, _ = command(url_of(empty), "restore", str(file))
    assert (code, "rows restored" in done) == (0, True)
    assert made.partition(".")[2] == done.partition(".")[2]
    for arguments, said in (
        (("backup", str(file)), "already exists"),
        (("backup", str(file.parent / "no" / "folder")), "There is no folder"),
        (("restore", str(file)), "not empty"),
        (("restore", str(file.parent)), "is a folder"),
        (("restore", str(file.parent / "nothing")), "There is no file"),
    ):
        code, _, told = command(url_of(seeded_database), *arguments)
        assert (code, said in told) == (1, True), told
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    assert command(f"sqlite:///{file.parent}/no.db", "backup", str(file.parent / "x"))[0] == 3
    assert not (file.parent / "x").exists()
