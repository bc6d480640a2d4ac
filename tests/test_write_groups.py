"""Writes that wait are committed together: each has the result that it would have alone, and none is half-written."""

import asyncio
import json
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.access.keys import KEYS, current_caller
from app.core.change_log import CHANGES
from app.core.database.engine import Database, WriteLimits
from app.core.errors import Conflict, Problem, TooMany, Unavailable
from app.core.model.resource import RESOURCES
from app.core.search.tables import RECORDS
from app.core.search.vocabulary import WORDS
from app.core.writing import writer_thread
from app.core.writing.edit import Edit, WriteResult
from app.core.writing.expected import Expected
from app.core.writing.preconditions import Conditions
from app.core.writing.writer_thread import WriterThread
from tests.support.databases import NewDatabase
from tests.support.keys import id_of, key_of
from tests.support.log import verified
from tests.support.records import FIGURE, PROJECT

Work = Callable[[Session, Caller], Any]
Write = tuple[Work, Expected]

NAMES = [f"group-{number}" for number in range(6)]


def edit(act: str, resource: str, record_id: str, body: Any = None, if_match: str = "") -> Write:
    declared = RESOURCES[resource]

    def work(session: Session, caller: Caller) -> Any:
        one = Edit(session, caller, declared, record_id, Conditions(if_match, ""))
        return getattr(one, act)(*([] if act == "delete" else [body]))

    return work, Expected(declared, record_id, body)


def random_write(chance: random.Random) -> Write:
    """A write of one of a few records, which is refused about every second time."""
    name = chance.choice(NAMES)
    if_match = chance.choice(["*", "*", "*", '"1-00000000-1"', ""])
    kind = chance.choice(["put", "put", "put", "patch", "delete", "create", "figure"])
    if kind == "figure":
        relations = [{"kind": "part_of", "figure": chance.choice(NAMES)}] if chance.random() < 0.5 else []
        unit = chance.choice(["enterprise", "person"])
        return edit("put", "figures", name, {**FIGURE, "unit": unit, "relations": relations}, if_match)
    if kind == "delete":
        return edit("delete", "projects", name, if_match=if_match)
    changes: dict[str, Any] = {
        "title": {"en": chance.choice(["Port", "Zebrafish", "Quxity"])},
        "part_of": [chance.choice(NAMES)] if chance.random() < 0.4 else [],
        "places": [chance.choice(["da-nang", "viet-nam", "atlantis"])],
        "identifiers": [{"scheme": "x", "value": chance.choice("12345")}] if chance.random() < 0.5 else [],
        "state": chance.choice(["published", "published", "draft"]),
        "kind": chance.choice(["project", "programme", "nothing"]),
    }
    if kind == "patch":
        return edit("patch", "projects", name, dict(chance.sample(sorted(changes.items()), 2)), if_match)
    return edit(kind, "projects", name, {**PROJECT, **changes}, if_match)


async def _together(database: Database, callers: list[Caller], writes: list[Write]) -> list[Any]:
    editor = WriterThread(database)
    free = threading.Event()
    first = asyncio.ensure_future(editor.run(callers[0], lambda *_: free.wait(60)))
    await asyncio.sleep(0.05)
    waiting = [
        asyncio.ensure_future(editor.run(callers[number % len(callers)], work, expected=expected))
        for number, (work, expected) in enumerate(writes)
    ]
    await asyncio.sleep(0.05)
    free.set()
    await first
    results = await asyncio.gather(*waiting, return_exceptions=True)
    editor.close()
    return results


def together(database: Database, callers: list[Caller], writes: list[Write]) -> tuple[list[Any], int]:
    """Return the results of writes that wait at the same time, and the number of commits."""
    before = database.commits()
    results = asyncio.run(_together(database, callers, writes))
    return results, database.commits() - before - 1


def alone(database: Database, caller: Caller, work: Work) -> Any:
    try:
        with database.write() as session:
            return work(session, current_caller(session, caller))
    except Problem as problem:
        return problem


def comparable(result: Any) -> Any:
    """What does not depend on clock and salt."""
    if isinstance(result, Problem):
        detail = re.sub(r'"(\d+)-[0-9a-f]+-', r'"\1-', result.detail)
        return type(result), detail, [error.model_dump() for error in result.errors], sorted(result.headers)
    if isinstance(result, WriteResult):
        record = {**json.loads(result.body), "created_at": "", "updated_at": ""}
        return result.id, result.tag.partition("-")[0], record, result.created
    return result


def log(database: Database) -> list[Any]:
    columns = (CHANGES.c.sequence, CHANGES.c.resource, CHANGES.c.record_id, CHANGES.c.action, CHANGES.c.version)
    query = select(*columns, CHANGES.c.shown, CHANGES.c.actor).order_by(CHANGES.c.sequence)
    with database.snapshot() as connection:
        return [tuple(row)[:-1] for row in connection.execute(query)]


def indexed(database: Database) -> list[Any]:
    """What search has stored of the records and words."""
    columns = [column for column in RECORDS.c if column.name not in ("docid", "stored_terms")]
    with database.snapshot() as connection:
        records = connection.execute(select(*columns).order_by(RECORDS.c.resource, RECORDS.c.record_id)).all()
        return [*records, *connection.execute(select(WORDS).order_by(WORDS.c.word))]


@pytest.mark.parametrize("seed", range(2))
def test_a_group_does_what_its_writes_do_one_after_the_other(new_database: NewDatabase, seeded: str, seed: int) -> None:
    chance = random.Random(seed)
    writes = [random_write(chance) for _ in range(150)]
    with Database(new_database(seeded)) as grouped, Database(new_database(seeded)) as single:
        callers = [Caller(id_of(key_of(grouped, "records:write")))]
        results, commits = together(grouped, callers, writes[:100])
        more, _ = together(grouped, callers, writes[100:])
        caller = Caller(id_of(key_of(single, "records:write")))
        expected = [alone(single, caller, work) for work, _ in writes]
        assert list(map(comparable, results + more)) == list(map(comparable, expected))
        assert log(grouped) == log(single)
        assert indexed(grouped) == indexed(single)
        assert commits < 20  # a group ends after some time
        assert sum(isinstance(result, Problem) for result in expected) > 30
        own = select(CHANGES.c.at).where(CHANGES.c.record_id.in_(NAMES)).order_by(CHANGES.c.sequence)
        with grouped.snapshot() as connection:
            instants = connection.execute(own).scalars().all()
        assert instants == sorted(set(instants))  # each write has its own, as if it were a transaction of its own
        assert verified(grouped)[0] == []


def test_a_change_of_a_linked_record_does_not_split_a_group(seeded_database: Database) -> None:
    caller = Caller(id_of(key_of(seeded_database, "records:write")))
    project = "smart-factory-cooperation"
    writes = []
    for name in NAMES:
        writes.append(edit("patch", "projects", project, {"description": {"en": name}}, "*"))
        writes.append(edit("put", "figures", name, {**FIGURE, "project": project}))
        project = name
        writes.append(edit("put", "projects", project, PROJECT))
    flushes: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith("INSERT INTO changes"):
            flushes.append(statement)

    event.listen(seeded_database.engine, "before_cursor_execute", note)
    results, commits = together(seeded_database, [caller], writes[:-1])
    event.remove(seeded_database.engine, "before_cursor_execute", note)
    assert [result.id for result in results[1::3]] == NAMES
    assert len(flushes) == commits
    assert verified(seeded_database)[0] == []


def test_what_the_database_refuses_is_refused_alone(seeded_database: Database) -> None:
    caller = Caller(id_of(key_of(seeded_database, "records:write")))
    writes = [edit("put", "projects", name, PROJECT) for name in NAMES]

    def repeated_key(session: Session, caller: Caller) -> None:
        session.execute(insert(KEYS).from_select(list(KEYS.c), select(KEYS).where(KEYS.c.id == caller.key)))

    writes.insert(3, (repeated_key, writes[0][1]))
    results, commits = together(seeded_database, [caller], writes)
    assert isinstance(results.pop(3), Conflict)
    assert [result.id for result in results] == NAMES
    assert commits == len(NAMES)
    assert verified(seeded_database)[0] == []


def test_a_quota_that_is_used_up_refuses_only_the_writes_of_its_key(new_database: NewDatabase, seeded: str) -> None:
    with Database(new_database(seeded), limits=WriteLimits(quota=30_000)) as database:
        callers = [Caller(id_of(key_of(database, "records:write"))) for _ in range(2)]
        large = {**PROJECT, "description": {"en": "port " * 1_500}}
        writes = [edit("put", "projects", f"port-{number}", (large, PROJECT)[number % 2]) for number in range(12)]
        results, _ = together(database, callers, writes)
        assert [isinstance(result, TooMany) for result in results[::2]] == [False] * 3 + [True] * 3
        assert all(isinstance(result, WriteResult) for result in results[1::2])
        assert verified(database)[0] == []


@contextmanager
def failing_commit(database: Database) -> Iterator[None]:
    def fail(_: object) -> None:
        raise OperationalError(None, None, Exception("the disk is full"))

    event.listen(database.engine, "commit", fail)
    try:
        yield
    finally:
        event.remove(database.engine, "commit", fail)


def test_a_failed_commit_refuses_all_writes(seeded_database: Database) -> None:
    caller = Caller(id_of(key_of(seeded_database, "records:write")))
    before = log(seeded_database)

    def begin_to_fail(session: Session, _: Caller) -> None:
        failing.__enter__()
        raise Conflict

    failing = failing_commit(seeded_database)
    writes = [edit("put", "projects", name, PROJECT) for name in NAMES]
    writes.append((begin_to_fail, writes[0][1]))
    try:
        results, _ = together(seeded_database, [caller], writes)
    finally:
        failing.__exit__(None, None, None)
    assert all(isinstance(result, Unavailable) for result in results), results
    assert log(seeded_database) == before
    assert verified(seeded_database)[0] == []


def test_a_long_group_ends_early_and_answers_all(seeded_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_thread, "GROUP_SECONDS", 0)
    caller = Caller(id_of(key_of(seeded_database, "records:write")))
    results, commits = together(seeded_database, [caller], [edit("put", "projects", name, PROJECT) for name in NAMES])
    assert [result.id for result in results] == NAMES
    assert commits == len(NAMES)
    with seeded_database.snapshot() as connection:
        assert connection.scalar(select(func.count()).where(CHANGES.c.record_id.in_(NAMES))) == len(NAMES)
