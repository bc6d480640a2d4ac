"""The editor: runs the writes of a process in transactions, one after the other. Clients take turns."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.access.keys import DETAILS, current_caller
from app.core.database.engine import Database
from app.core.errors import Conflict, TooMany, Unauthorized, Unavailable
from app.core.request_cost import add_cost
from app.core.round_robin import RoundRobinQueue

# Writes that can wait. When this many wait, a key can still add its first one, which runs soon because keys take turns.
MAX_WAITING_WRITES = 500
MAX_WAITING_OF_KEY = 100
MAX_URGENT = 20
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
    future: "Future[Any]" = field(default_factory=Future)
    seconds: float = 0.0


class WriterThread:
    """The writes of this process, executed in a thread of their own. The keys that wait take turns.

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

    @property
    def has_waiting_writes(self) -> bool:
        """Whether a write is running or waiting."""
        return self._unfinished > 0

    @property
    def waiting_writes(self) -> int:
        """The number of writes that run or wait."""
        return self._unfinished

    async def run(self, caller: Caller, work: Callable[[Session, Caller], Outcome], *, urgent: bool = False) -> Outcome:
        """Run `work` in a transaction and return its result after the commit.

        An `urgent` write, such as the revocation of a key, runs before all that wait.
        `work` receives the caller as stored in the database at that time. If it raises an error, everything is rolled
        back. Raise TooMany if too many writes of the key are waiting, and Unavailable if too many are waiting in all or
        the database does not respond.
        """
        write = _WaitingWrite(caller, work)
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
        with self._lock:
            write = self._urgent.popleft() if self._urgent else self._queue.pop()
        if not write.future.set_running_or_notify_cancel():
            return
        try:
            outcome = self._commit(write)
        except BaseException as error:
            write.future.set_exception(error)
        else:
            write.future.set_result(outcome)

    def _commit(self, write: _WaitingWrite) -> Any:
        began = None
        try:
            with self.database.write(patience=PATIENCE) as session:
                began = time.thread_time()
                return write.work(session, current_caller(session, write.caller))
        except IntegrityError as error:
            # An integrity rule should have refused it before. The log shows which one is missing.
            structlog.get_logger("hoptac.error").error("refused by the database", constraint=str(error.orig))
            raise Conflict("The write conflicts with other records.") from None
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise Unavailable from error
        finally:
            if began is not None:  # it got the lock
                # Not the time that it waited for the interpreter or a disk while others worked.
                share = 1 if self.database.is_sqlite else SHARE_OF_POSTGRESQL
                write.seconds = share * (time.thread_time() - began)

    def close(self) -> None:
        """Wait until all writes have finished."""
        self._thread.shutdown(wait=True)
