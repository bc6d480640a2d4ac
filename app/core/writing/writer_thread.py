"""The editor: runs the writes of a process in one thread, in turn. Those that wait are committed together."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.access.keys import DETAILS, caller_now, current_caller, stored_keys
from app.core.database.engine import Database
from app.core.errors import Conflict, Problem, TooMany, Unauthorized, Unavailable
from app.core.request_cost import add_cost
from app.core.round_robin import RoundRobinQueue
from app.core.writing.expected import Expected, read_expected
from app.core.writing.write_group import NotTogether, WriteGroup

# Writes that can wait. When this many wait, a key can still add its first one, which runs soon because keys take turns.
MAX_WAITING_WRITES = 500
MAX_WAITING_OF_KEY = 100
MAX_URGENT = 20
MAX_GROUP = 64  # writes that are committed together
GROUP_SECONDS = 0.2  # after which a group takes no more of them: other processes and reads of its records wait
PATIENCE = 30  # seconds that a write waits for the writes of other processes

ANSWERED_WITHIN = 120  # seconds after which a client gets an answer, also if the database hangs
UNCONFIRMED = (
    "The database has not confirmed the write. It may still be made: read the record before you send it again, or "
    "send it again with the same `Idempotency-Key`."
)

SHARE_OF_POSTGRESQL = 2  # PostgreSQL works about as long for a write as this process does

CountRefusal = Callable[[str, str, str], None]  # of the use of a key, for a reason, from an address

Outcome = TypeVar("Outcome")


@dataclass(eq=False)
class _WaitingWrite:
    """A write in the queue. `seconds` is the time for which it worked, without the time for which it waited."""

    caller: Caller
    work: Callable[[Session, Caller], Any]
    expected: Expected | None = None
    future: "Future[Any]" = field(default_factory=Future)
    seconds: float = 0.0


class WriterThread:
    """The writes of this process, executed in a thread of their own. The keys that wait take turns.

    Writes of single records that wait are committed together, each with its own result. If the database refuses one of
    them, all are rolled back and each is written alone.

    `count_refusal` is called in the event loop for each write whose key is no longer valid when its turn comes.
    """

    def __init__(self, database: Database, count_refusal: CountRefusal = lambda *_: None) -> None:
        self.database = database
        self._count_refusal = count_refusal
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._queue: RoundRobinQueue[_WaitingWrite] = RoundRobinQueue()
        self._urgent: deque[_WaitingWrite] = deque()
        self._lock = threading.Lock()
        self._unfinished = 0
        self._written_alone: set[str] = set()  # keys that have reached their quota

    @property
    def has_waiting_writes(self) -> bool:
        """Whether a write is running or waiting."""
        return self._unfinished > 0

    @property
    def waiting_writes(self) -> int:
        """The number of writes that run or wait."""
        return self._unfinished

    async def run(
        self,
        caller: Caller,
        work: Callable[[Session, Caller], Outcome],
        *,
        urgent: bool = False,
        expected: Expected | None = None,
    ) -> Outcome:
        """Run `work` in a transaction and return its result after the commit.

        An `urgent` write, such as the revocation of a key, runs before all that wait. With `expected`, the transaction
        can be shared with other writes: `work` may then run twice, and adds at most one Change, as its last step.
        `work` receives the caller as stored in the database at that time. If it raises an error, everything is rolled
        back. Raise TooMany if too many writes of the key are waiting, and Unavailable if too many are waiting in all or
        the database does not respond.
        """
        write = _WaitingWrite(caller, work, expected)
        self._enqueue(write, urgent=urgent)
        self._unfinished += 1
        try:
            async with asyncio.timeout(ANSWERED_WITHIN):
                outcome: Outcome = await asyncio.wrap_future(write.future)
            return outcome
        except TimeoutError:
            raise Unavailable(UNCONFIRMED) from None
        except Unauthorized as error:  # the key was valid when the request arrived
            if error.reason in DETAILS:
                self._count_refusal(caller.key, error.reason, caller.address)
            raise
        finally:
            self._unfinished -= 1
            add_cost(write.seconds)

    def _enqueue(self, write: _WaitingWrite, *, urgent: bool) -> None:
        with self._lock:
            if urgent and len(self._urgent) < MAX_URGENT:
                self._urgent.append(write)
            else:
                self._put_in_turn(write)
        self._thread.submit(self._run_next)  # once for each write; the turns decide which write runs

    def _put_in_turn(self, write: _WaitingWrite) -> None:
        waiting = self._queue.count(write.caller.key)
        if waiting >= MAX_WAITING_OF_KEY:
            raise TooMany("Too many writes of this key are waiting.", headers={"Retry-After": "2"})
        if waiting and len(self._queue) >= MAX_WAITING_WRITES:
            raise Unavailable("Too many writes are waiting.")
        self._queue.put(write.caller.key, write)

    def _run_next(self) -> None:
        """Run the next write, and those after it that can be committed with it."""
        group: list[_WaitingWrite] = []
        alone: _WaitingWrite | None = None
        with self._lock:
            while alone is None and len(group) < MAX_GROUP and (write := self._pop()) is not None:
                if write.future.set_running_or_notify_cancel():
                    if write.expected is not None and write.caller.key not in self._written_alone:
                        group.append(write)
                    else:
                        alone = write
        while len(group) > 1:
            group = self._write_group(group)
        for write in (*group, *([alone] if alone else [])):
            self._write_alone(write)

    def _pop(self) -> _WaitingWrite | None:
        if self._urgent:
            return self._urgent.popleft()
        return self._queue.pop() if len(self._queue) else None

    def _write_alone(self, write: _WaitingWrite) -> None:
        _answer([write], self._run(partial(self._commit, write)))
        error = write.future.exception()
        if isinstance(error, TooMany):
            self._written_alone.add(write.caller.key)
        elif error is None:
            self._written_alone.discard(write.caller.key)

    def _commit(self, write: _WaitingWrite) -> list[Any]:
        with self._transaction([write]) as session:
            return [write.work(session, current_caller(session, write.caller))]

    def _write_group(self, writes: list[_WaitingWrite]) -> list[_WaitingWrite]:
        """Commit some writes together, or each alone if the database refuses one. Return those that are left."""
        results = self._run(partial(self._commit_group, writes))
        if isinstance(results, Unavailable) or (isinstance(results, list) and results):
            _answer(writes, results)
            return writes[len(results) :] if isinstance(results, list) else []
        for write in writes:
            self._write_alone(write)
        return []

    def _commit_group(self, writes: list[_WaitingWrite]) -> list[Any]:
        """Commit the first of some writes, as many as the time allows; return the result or problem of each."""
        until = time.monotonic() + GROUP_SECONDS
        results: list[Any] = []
        with self._transaction(writes) as session, WriteGroup(session) as group:
            keys = stored_keys(session, {write.caller.key for write in writes})
            read_expected(group, (write.expected for write in writes if write.expected))
            for write in writes:
                group.begin_write()
                try:
                    results.append(write.work(session, caller_now(keys.get(write.caller.key), write.caller)))
                except Problem as problem:
                    if group.has_added:
                        raise NotTogether from problem
                    results.append(problem)
                if time.monotonic() > until:
                    break
        return results

    @contextmanager
    def _transaction(self, writes: list[_WaitingWrite]) -> Iterator[Session]:
        """Open a transaction for some writes. Count its time, of which each of them costs the same share."""
        began = None
        try:
            with self.database.write(patience=PATIENCE) as session:
                began = time.thread_time()
                yield session
        finally:
            if began is not None:  # it got the lock
                # Not the time that it waited for the interpreter or a disk while others worked.
                share = 1 if self.database.is_sqlite else SHARE_OF_POSTGRESQL
                for write in writes:
                    write.seconds += share * (time.thread_time() - began) / len(writes)

    def _run(self, commit: Callable[[], list[Any]]) -> list[Any] | BaseException:
        """Return the results of a transaction, or the error with which it was rolled back."""
        try:
            return commit()
        except IntegrityError as error:
            # An integrity rule should have refused it before. The log shows which one is missing.
            structlog.get_logger("hoptac.error").error("refused by the database", constraint=str(error.orig))
            return Conflict("The write conflicts with other records.")
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            unavailable = Unavailable()
            unavailable.__cause__ = error
            return unavailable
        except BaseException as error:
            return error

    def close(self) -> None:
        """Wait until all writes have finished."""
        self._thread.shutdown(wait=True)


def _answer(writes: Iterable[_WaitingWrite], results: list[Any] | BaseException) -> None:
    """Give each write its result or problem. An error of the transaction is that of all of them."""
    for write, result in zip(writes, results if isinstance(results, list) else repeat(results), strict=False):
        if isinstance(result, BaseException):
            write.future.set_exception(result)
        else:
            write.future.set_result(result)
