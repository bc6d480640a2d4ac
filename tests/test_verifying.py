"""The log proves itself: whatever is changed, left out or moved in the database is found, and nothing else."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text, update
from sqlmodel import Session

from app.core.change_log import CHANGES, chain_entry, chain_value, digest
from app.core.database.engine import Database
from app.core.maintenance import record_history, rerender
from app.core.maintenance.rerender import render_again
from app.core.maintenance.verify import ChainHead, Verifier
from app.core.model.fields import RENDERING
from app.core.model.resource import RESOURCES
from app.core.writing import batch
from tests.support.databases import url_of
from tests.support.log import changes, tamper, verified
from tests.support.records import change, delete
from tests.support.selection import examples
from tests.support.servers import run


@pytest.fixture
def lived_in(seeded_database: Database) -> Database:
    """A seeded database in which records were changed, hidden, published and deleted."""
    for number, state in enumerate(("published", "draft", "draft", "published")):
        change(seeded_database, "partners", "unido", "me", state=state, name={"en": f"Name {number}"})
    delete(seeded_database, "figures", "net-zero-target-2050-stated-2024", "me")
    return seeded_database


def test_an_honest_log_is_proved(lived_in: Database) -> None:
    last = changes(lived_in)[-1]
    assert verified(lived_in) == ([], ChainHead(last.sequence, last.chain))


def test_a_record_that_was_rendered_again_is_as_its_change_says(
    lived_in: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (batch, record_history, rerender):
        monkeypatch.setattr(module, "RENDERING", RENDERING + 1)
    assert verified(lived_in)[0] == []
    with lived_in.write() as session:
        render_again(session, RESOURCES["places"])
    assert verified(lived_in)[0] == []
    tamper(lived_in, "UPDATE places SET body = replace(body, 'vi', 'xx') WHERE id = 'da-nang'")
    assert verified(lived_in)[0] == ["places/da-nang: its representation is not that of its last Change."]


def test_what_is_no_representation_is_told(lived_in: Database) -> None:
    for sequence, body in enumerate(("[]", "{", '"x"', "[" * 50_000), 2):
        tamper(lived_in, f"UPDATE changes SET body = '{body}' WHERE sequence = {sequence}")
    if lived_in.is_sqlite:  # it takes any type anywhere
        tamper(lived_in, "UPDATE changes SET at = 7, actor = x'00', salt = 1, body = x'ff' WHERE sequence = 9")
    problems, _ = verified(lived_in)
    assert {2, 3, 4, 5} <= {int(each.split()[1][:-1]) for each in problems if each.startswith("Change ")}


NAME = "UPDATE changes SET {} WHERE sequence = 3"
# `first` to `fourth`: the Changes of UNIDO in `lived_in`, which follow those of the seed.
TAMPERED = {
    "a representation": ([NAME.format("body = replace(body, 'en', 'xx')")], "Change 3: its representation"),
    "no representation": ([NAME.format("body = NULL")], "Change 3: its representation"),
    "a digest": ([NAME.format("digest = 'x'")], "Change 3: its chain value"),
    "a salt": ([NAME.format("salt = 'x'")], "Change 3: its representation"),
    "a chain value": ([NAME.format("chain = 'x'")], "Change 4: its chain value"),
    "an instant": ([NAME.format("at = '2020-01-01T00:00:00.000000Z'")], "Change 3: it is older"),
    "an actor": ([NAME.format("actor = 'nobody'")], "Change 3: its chain value"),
    "a version": ([NAME.format("version = 2")], "Change 3: its version"),
    "an action": ([NAME.format("action = 'update'")], "Change 3: its version"),
    "what is shown": ([NAME.format("shown = NULL")], "Change 3: its public action"),
    "a resource": ([NAME.format("resource = 'nothing'")], "Change 3: it belongs to an unknown resource"),
    "an id": ([NAME.format("record_id = 'nothing'")], "nothing: it is missing"),
    "the order": (
        [
            "UPDATE changes SET sequence = -1 WHERE sequence = {second}",
            "UPDATE changes SET sequence = {second} WHERE sequence = {third}",
            "UPDATE changes SET sequence = {third} WHERE sequence = -1",
        ],
        "Change {second}: its chain value",
    ),
    "a Change left out": (["DELETE FROM changes WHERE sequence = {third}"], "Change {third} is missing"),
    "the first left out": (
        [
            "UPDATE changes SET sequence = 100000 WHERE sequence = {second}",
            "DELETE FROM changes WHERE sequence = {first}",
        ],
        "Change {first} is missing",
    ),
    "an older Change pointed to": (
        ["UPDATE partners SET change = {first} WHERE id = 'unido'"],
        "partners/unido: it refers to Change {first}, but its last Change is {fourth}",
    ),
    "a record of nobody's": (
        ["UPDATE changes SET record_id = 'x' WHERE record_id = 'duration' AND resource = 'indicators'"],
        "indicators/duration: no Change wrote it",
    ),
    "a column": (["UPDATE partners SET kind = 'other' WHERE id = 'unido'"], "partners/unido: its columns"),
    "a state": (["UPDATE partners SET state = 'draft' WHERE id = 'moit'"], "partners/moit: its columns"),
    "a link": (
        ["DELETE FROM projects_places WHERE record_id = 'smart-factory-cooperation'"],
        "projects/smart-factory-cooperation: its links are not",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_is_tampered_with_is_found(lived_in: Database, what: str) -> None:
    sequences = [row.sequence for row in changes(lived_in) if row.actor == "me"]
    names = dict(zip(("first", "second", "third", "fourth"), sequences, strict=False))
    statements, message = TAMPERED[what]
    tamper(lived_in, *(statement.format(**names) for statement in statements))
    said = message.format(**names)
    problems, _ = verified(lived_in)
    assert any(said in problem for problem in problems), problems
    assert len(problems) <= 12, problems


def test_a_record_that_is_gone_is_missed(lived_in: Database) -> None:
    tamper(lived_in, "DELETE FROM figures WHERE id = 'smart-factory-duration'")
    missing, count = verified(lived_in)[0]
    assert missing == "figures/smart-factory-duration: it is missing."
    assert count.startswith("figures: the stored count of public records with ")


def test_a_deleted_record_that_is_there_is_told(lived_in: Database) -> None:
    last = changes(lived_in)[-1]
    with lived_in.write() as session:
        table = RESOURCES["figures"].table.__table__
        row = dict(session.execute(table.select().where(table.c.id == "smart-factory-duration")).mappings().one())
        session.execute(table.insert(), {**row, "id": last.record_id, "change": last.sequence})
    found = [f"figures/{last.record_id}: it exists, although its last Change deleted it."]
    assert verified(lived_in)[0][:-1] == found


def test_a_wrong_count_of_records_is_found(lived_in: Database) -> None:
    tamper(
        lived_in, "UPDATE code_counts SET records = records + 1 WHERE resource = 'places' AND codes LIKE '%province%'"
    )
    (problem,) = verified(lived_in)[0]
    assert problem.startswith('places: the stored count of public records with ["province"] is ')


def test_a_log_that_was_made_anew_is_told_by_a_head_that_was_kept(lived_in: Database) -> None:
    """Who may write the database can count the whole chain anew; a head kept elsewhere is what tells."""
    _, kept = verified(lived_in)
    change(lived_in, "partners", "unido", "me", name={"en": "Later"})
    assert verified(lived_in, kept)[0] == []
    with lived_in.write() as session:
        forge(session, session.execute(select(CHANGES).order_by(CHANGES.c.sequence)).all())
    assert verified(lived_in)[0] == []
    assert verified(lived_in, kept)[0] == [
        f"Change {kept.sequence}: its chain value differs from the head that was stored elsewhere."
    ]


def forge(session: Session, log: Sequence[Any]) -> None:
    chain = ""
    for row in log:
        sealed = chain_entry(row.at, "somebody-else", row.action, row.resource, row.record_id, row.version, row.digest)
        chain = chain_value(chain, row.sequence, sealed)
        forged = update(CHANGES).where(CHANGES.c.sequence == row.sequence)
        session.execute(forged.values(actor="somebody-else", chain=chain))


def test_a_log_that_ends_early_is_told_by_a_head_that_was_kept(lived_in: Database) -> None:
    _, kept = verified(lived_in)
    tamper(lived_in, f"DELETE FROM changes WHERE sequence = {kept.sequence}")
    problems, _ = verified(lived_in, kept)
    assert problems == [
        f"Change {kept.sequence} is missing: it is the head that was stored elsewhere.",
        "figures/net-zero-target-2050-stated-2024: it is missing.",
    ]


@pytest.mark.parametrize(
    "wrong", ["", "1", "0:" + "0" * 64, "1:" + "0" * 63, "1:" + "G" * 64, "9" * 19 + ":" + "0" * 64]
)
def test_a_head_has_one_form(wrong: str) -> None:
    with pytest.raises(ValueError, match="a head is"):
        ChainHead.read(wrong)
    assert str(ChainHead.read("7:" + "a" * 64)) == "7:" + "a" * 64


@settings(max_examples=examples(7), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_byte_that_is_changed_is_found(lived_in: Database, data: st.DataObject) -> None:
    """One character of one text column of one Change."""
    row = data.draw(st.sampled_from(changes(lived_in)))
    column = data.draw(st.sampled_from(["at", "actor", "record_id", "salt", "body", "digest", "chain"]))
    before: str = getattr(row, column)
    place = data.draw(st.integers(0, len(before) - 1))
    after = before[:place] + ("x" if before[place] != "x" else "y") + before[place + 1 :]
    for value, is_wrong in ((after, True), (before, False)):
        with lived_in.write() as session:
            session.execute(update(CHANGES).where(CHANGES.c.sequence == row.sequence).values({column: value}))
        assert bool(verified(lived_in)[0]) is is_wrong


def test_writing_goes_on_while_the_log_is_proved(lived_in: Database) -> None:
    with lived_in.snapshot() as connection:
        verifier = Verifier(connection)
        problems = verifier.problems()
        assert next(problems, None) is None
        before = verifier.head
    with lived_in.snapshot() as connection:
        connection.execute(text("SELECT count(*) FROM changes"))
        change(lived_in, "partners", "unido", "me", name={"en": "Meanwhile"})
        verifier = Verifier(connection)
        assert list(verifier.problems()) == []
        assert verifier.head == before


def test_the_command_says_what_is_wrong_and_prints_the_head(lived_in: Database) -> None:
    _, head = verified(lived_in)
    found = run("check", "--head", str(head), HOPTAC_DATABASE_URL=url_of(lived_in))
    assert (found.returncode, found.stderr) == (0, ""), found
    assert found.stdout.splitlines()[-1].endswith(f"0 problems in the log. Keep its head elsewhere: {head}")
    tamper(lived_in, "UPDATE changes SET at = '2020' WHERE sequence > 200", "UPDATE partners SET kind = 'other'")
    found = run("check", HOPTAC_DATABASE_URL=url_of(lived_in))
    assert found.returncode == 1
    assert len(found.stderr.splitlines()) == 100
    assert "Change 201: its chain value does not follow" in found.stderr
    assert digest(b"")[:8] not in found.stderr
