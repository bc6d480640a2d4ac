"""Turns: however much one key has waiting, the work of another one is next."""

import asyncio
import threading
import time
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.access.keys import KEYS
from app.core.change_log import now
from app.core.database.engine import Database
from app.core.errors import TooMany, Unauthorized, Unavailable
from app.core.request_cost import COST, Metered, RequestCost
from app.core.round_robin import RoundRobinQueue
from app.core.writing import writer_thread
from app.core.writing.writer_thread import WriterThread
from tests.support.keys import id_of, key_of


def test_clients_take_turns_in_a_queue() -> None:
    queue: RoundRobinQueue[str] = RoundRobinQueue()
    for item in ("a1", "a2", "a3", "b1"):
        queue.put(item[0], item)
    assert (queue.pop(), queue.count("a"), len(queue)) == ("a1", 2, 3)
    queue.put("c", "c1")
    queue.put_first("a", "a1 again")
    assert [queue.pop() for _ in range(len(queue))] == ["b1", "a1 again", "c1", "a2", "a3"]
    with pytest.raises(KeyError):
        queue.pop()


def test_many_writes_of_one_key_delay_no_other(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second key's write comes after at most two of the first one's, of which the bound refuses the rest."""
    monkeypatch.setattr(writer_thread, "MAX_WAITING_OF_KEY", 60)
    many, single = (Caller(id_of(key_of(database, "records:write"))) for _ in range(2))
    free = threading.Event()
    order: list[str] = []

    def work(_: Session, caller: Caller) -> None:
        free.wait(60)
        order.append(caller.key)

    async def write_all() -> list[Any]:
        editor = WriterThread(database)
        writes = [asyncio.ensure_future(editor.run(many, work)) for _ in range(80)]
        await asyncio.sleep(0.2)
        writes.append(asyncio.ensure_future(editor.run(single, work)))
        await asyncio.sleep(0.2)
        busy = [editor.has_waiting_writes]
        free.set()
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        busy.append(editor.has_waiting_writes)
        assert busy == [True, False]
        editor.close()
        return outcomes

    outcomes = asyncio.run(write_all())
    assert order.index(single.key) <= 2
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert 19 <= len(refused) <= 20, refused
    assert all(isinstance(problem, TooMany) and problem.headers["Retry-After"] for problem in refused)


def test_an_urgent_write_comes_before_all_that_wait(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a thief could delay the revocation of a key by the writes of the same key."""
    monkeypatch.setattr(writer_thread, "MAX_WAITING_OF_KEY", 5)
    token = key_of(database, "records:write")
    thief, other = Caller(id_of(token)), Caller(id_of(key_of(database, "records:write")))
    free = threading.Event()

    refusals: list[tuple[str, str]] = []

    async def write_all() -> list[Any]:
        editor = WriterThread(database, lambda key, reason, _: refusals.append((key, reason)))
        first = asyncio.ensure_future(editor.run(other, lambda *_: free.wait(60)))
        await asyncio.sleep(0.2)
        writes = [asyncio.ensure_future(editor.run(caller, lambda *_: None)) for caller in (other, *[thief] * 5)]
        await asyncio.sleep(0.1)

        def revoke(session: Session, caller: Caller) -> None:
            session.execute(update(KEYS).where(KEYS.c.id == caller.key).values(revoked_at=now()))

        urgent = asyncio.ensure_future(editor.run(thief, revoke, urgent=True))
        await asyncio.sleep(0.1)
        free.set()
        outcomes = await asyncio.gather(first, urgent, *writes, return_exceptions=True)
        editor.close()
        return outcomes

    outcomes = asyncio.run(write_all())
    assert outcomes[:3] == [True, None, None]
    assert refusals == [(thief.key, "revoked")] * 5
    assert all(isinstance(outcome, Unauthorized) for outcome in outcomes[3:]), outcomes


def test_a_full_queue_has_a_place_for_who_waits_with_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_thread, "MAX_WAITING_WRITES", 5)
    many, single = (Caller(id_of(key_of(database, "records:write"))) for _ in range(2))
    free = threading.Event()

    async def write_all() -> list[Any]:
        editor = WriterThread(database)
        writes = [asyncio.ensure_future(editor.run(many, lambda *_: free.wait(60))) for _ in range(8)]
        await asyncio.sleep(0.2)
        writes.append(asyncio.ensure_future(editor.run(single, lambda *_: free.wait(60))))
        await asyncio.sleep(0.2)
        free.set()
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        editor.close()
        return outcomes

    *of_many, of_single = asyncio.run(write_all())
    assert of_single is True
    assert any(isinstance(outcome, Unavailable) for outcome in of_many)


def test_a_write_costs_the_time_that_it_works(database: Database) -> None:
    caller = Caller(id_of(key_of(database, "records:write")))

    async def write() -> float:
        COST.set(RequestCost())
        editor = WriterThread(database)
        with database.write() as session:  # for which the write waits, at no cost
            waiting = asyncio.ensure_future(editor.run(caller, lambda session, _: session.execute(KEYS.select()).all()))
            await asyncio.sleep(0.7)
            session.rollback()
        await waiting
        cost = COST.get()
        assert cost is not None
        editor.close()
        return cost.seconds

    assert 0 < asyncio.run(write()) < 0.6


def test_a_write_on_a_busy_machine_costs_its_own_work_alone(database: Database) -> None:
    """Else the load of others would use up the units of a key. PostgreSQL works elsewhere."""
    if not database.is_sqlite:
        pytest.skip("measured in the thread, with SQLite alone")
    caller = Caller(id_of(key_of(database, "records:write")))

    async def cost_of_write() -> float:
        cost = RequestCost()
        COST.set(cost)
        editor = WriterThread(database)
        await editor.run(caller, lambda *_: time.sleep(0.5))
        editor.close()
        return cost.seconds

    assert 0 < asyncio.run(cost_of_write()) < 0.4


def test_a_write_that_never_gets_the_lock_costs_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it waits: its key would be locked out for that time once more."""
    caller = Caller(id_of(key_of(database, "records:write")))

    def write(**_: Any) -> Any:
        time.sleep(0.3)
        raise OperationalError("BEGIN IMMEDIATE", {}, Exception("database is locked"))

    async def cost_of_write() -> float:
        cost = RequestCost()
        COST.set(cost)
        editor = WriterThread(database)
        monkeypatch.setattr(database, "write", write)
        with pytest.raises(Unavailable):
            await editor.run(caller, lambda *_: None)
        editor.close()
        return cost.seconds

    assert asyncio.run(cost_of_write()) == 0


def test_a_write_is_answered_also_if_the_database_hangs(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = Caller(id_of(key_of(database, "records:write")))
    answers = threading.Event()

    async def write() -> str:
        editor = WriterThread(database)
        monkeypatch.setattr(writer_thread, "ANSWERED_WITHIN", 0.2)
        with pytest.raises(Unavailable, match="has not confirmed the write"):
            await editor.run(caller, lambda *_: answers.wait(60))
        monkeypatch.setattr(writer_thread, "ANSWERED_WITHIN", 60)
        answers.set()
        outcome = await editor.run(caller, lambda *_: "done")
        editor.close()
        return outcome

    assert asyncio.run(write()) == "done"


def test_the_cost_of_a_request_is_its_work_and_not_its_waiting() -> None:
    def spin(seconds: float) -> None:
        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass

    async def work() -> None:
        spin(0.02)
        await asyncio.sleep(0.2)
        spin(0.02)

    async def run(cost: RequestCost) -> None:
        await Metered(work(), cost)

    cost = RequestCost()
    asyncio.run(run(cost))
    assert 0.04 <= cost.seconds < 0.1


def test_a_metered_request_can_be_cancelled() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")

    async def run() -> None:
        task = asyncio.ensure_future(metered())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def metered() -> None:
        await Metered(work(), RequestCost())

    asyncio.run(run())
    assert ended == ["cancelled"]
