"""Commands of the operator read records of a megabyte few at a time, however many there are."""

import json
import tracemalloc
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import update

from app.core.database import large_rows
from app.core.database.engine import Database
from app.core.maintenance.backup import back_up
from app.core.maintenance.redact import Redaction, redact
from app.core.maintenance.rerender import render_again
from app.core.model.resource import RESOURCES
from app.core.writing.batch import Batch
from app.core.writing.representation import accepted_fields
from app.partners.models import PARTNERS
from tests.support.log import verified
from tests.support.records import PARTNER

LANGUAGES = [f"q{first}{second}" for first, second in product("abcdefghi", "abcde")]
COUNT = 60


@pytest.fixture
def large(seeded_database: Database) -> Database:
    """A database with drafts, which are not indexed, of about 0.9 MB."""
    description = dict.fromkeys(LANGUAGES, "x" * 20000)
    body = json.dumps({**PARTNER, "state": "draft", "description": description})
    fields = accepted_fields(RESOURCES["partners"], body)
    for first in range(0, COUNT, 10):
        with seeded_database.write() as session:
            batch = Batch(session, "test")
            for number in range(first, first + 10):
                batch.put(RESOURCES["partners"], f"large-{number}", fields, None)
            batch.flush()
    return seeded_database


def test_no_command_reads_many_large_records_at_once(large: Database, tmp_path: Path) -> None:
    """A key may write two gigabytes in a day. All records here have 54 MB."""
    commands: dict[str, Callable[[], object]] = {
        "check": lambda: verified(large),
        "backup": lambda: back_up(large, tmp_path / "backup.db"),
        "redact": lambda: redact(large, Redaction("no such text", "[…]", "Asked for."), dry_run=True),
    }
    with large.write() as session:
        session.execute(update(PARTNERS.table).values(rendering=0))
    commands["render again"] = lambda: render_some(large)
    for version in range(30):
        with large.write() as session:
            batch = Batch(session, "test")
            present = batch.stored(PARTNERS, ["large-0"])["large-0"]
            fields = accepted_fields(PARTNERS, present.body.replace("xx", f"{version:02}", 1))
            batch.put(PARTNERS, "large-0", fields, present)
            batch.flush()
    only = ("partners", "large-0")
    commands["redact versions"] = lambda: redact(large, Redaction("x" * 19_000, "[…]", "Asked for.", only))
    for name, command in commands.items():
        tracemalloc.start()
        try:
            command()
            assert tracemalloc.get_traced_memory()[1] < 40_000_000, name
        finally:
            tracemalloc.stop()


def render_some(database: Database) -> None:
    with database.write() as session:
        assert render_again(session, PARTNERS, COUNT) < COUNT


def test_lists_of_one_row_each_give_the_same_result(seeded_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_rows, "MAX_BYTES", 1)
    assert verified(seeded_database)[0] == []
