"""Long reads: they run in threads, at most two at a time for one client."""

import asyncio
import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from sqlalchemy.engine.interfaces import Dialect

from app.core.database.fair_queue import FairQueue
from app.core.database.statements import Read, Rows
from app.core.errors import QueryTooSlow, Unavailable
from app.core.request_cost import RequestCost, add_cost
from app.core.time_limit import LIMIT, OutOfTime, clear_limit, set_limit

THREADS = 4  # long reads that run at once
OF_CLIENT = 2  # of them, those of one client
LEAST_BUDGET = 0.002  # seconds that a short read may always use in the event loop
QUICK = 0.005  # seconds: a long read that took less could have been a short one
REMEMBERED = 30.0  # seconds after which a kind of read may be short again
MAX_KINDS = 2_000  # kinds of reads of clients that are remembered
WAITING = 500
WAITING_OF_CLIENT = 30


class ConnectionLost(Exception):
    """The database does not answer."""


class Connection(Protocol):
    """A connection for one long read at a time."""

    @property
    def is_usable(self) -> bool:
        """Whether another read can use the connection."""

    def drive(self, read: Read) -> Any:
        """Return the result of a read, in one snapshot.

        Raise OutOfTime after the time limit of this thread, and ConnectionLost if the database does not answer.
        """

    def close(self) -> None:
        """Close the connection."""


class LongReads:
    """Runs reads in threads, each with a connection of its own.

    A read waits at most `deadline` seconds for its turn, and then runs at most `deadline` seconds, in SQL and Python.
    `clock` measures its cost in its thread.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        deadline: float,
        dialect: Dialect,
        *,
        clock: Callable[[], float] = time.monotonic,
        threads: int = THREADS,
        of_client: int = OF_CLIENT,
        waiting: int = WAITING,
        waiting_of_client: int = WAITING_OF_CLIENT,
    ) -> None:
        self._connect = connect
        self._deadline = deadline
        self._dialect = dialect
        self._clock = clock
        self._python = threading.Lock()
        self._idle: list[Connection] = []
        self._long_kinds: OrderedDict[tuple[str, Hashable], tuple[int, float]] = OrderedDict()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="read")
        self._queue = FairQueue(
            running=threads,
            running_of_client=of_client,
            waiting=waiting,
            waiting_of_client=waiting_of_client,
            patience=deadline,
        )

    async def run(self, read: Callable[[], Read], client: str, kind: Hashable = None) -> Any:
        """Return the result of a read; TooMany or Unavailable if too many wait, QueryTooSlow after the deadline."""
        await self._queue.enter(client)
        cost = RequestCost()
        try:
            work = asyncio.get_running_loop().run_in_executor(self._threads, self._work, read, cost)
        except BaseException:
            self._queue.leave(client)
            raise
        # A cancelled request leaves its place when its thread has ended, not before.
        work.add_done_callback(lambda _: self._queue.leave(client))
        try:
            return await asyncio.shield(work)
        except OutOfTime:
            raise QueryTooSlow from None
        except ConnectionLost as error:
            raise Unavailable from error
        finally:
            add_cost(cost.seconds)
            if cost.seconds < QUICK:
                self._long_kinds.pop((client, kind), None)

    def budget_of_short_read(self, client: str, budget: float) -> float:
        """Return how long the next read of a client may take before it becomes a long one.

        It is shorter if many long reads of the client run or wait, because the next one is likely to be long, too, and
        its time in the event loop would be wasted.
        """
        return max(budget / (1 + self._queue.count(client)), min(budget, LEAST_BUDGET))

    def became_long(self, client: str, kind: Hashable) -> None:
        """Note that a read of this kind took too long for a short read."""
        count, _ = self._long_kinds.pop((client, kind), (0, 0.0))
        self._long_kinds[client, kind] = (count + 1, time.monotonic() + REMEMBERED)
        if len(self._long_kinds) > MAX_KINDS:
            self._long_kinds.popitem(last=False)

    def is_likely_long(self, client: str, kind: Hashable) -> bool:
        """Return whether the last reads of this kind and client became long, so that the next one begins as one."""
        count, until = self._long_kinds.get((client, kind), (0, 0.0))
        return count >= 2 and time.monotonic() < until

    def _work(self, read: Callable[[], Read], cost: RequestCost) -> Any:
        started = self._clock()
        set_limit(time.monotonic, time.monotonic() + self._deadline)
        try:
            connection = self._take()
            try:
                return connection.drive(self._in_turn(read()))
            finally:
                self._idle.append(connection)
        except ConnectionLost:
            started = self._clock()  # clients do not pay for the time in which a database does not answer
            raise
        finally:
            clear_limit()
            cost.add(self._clock() - started)

    def _in_turn(self, read: Read) -> Read:
        """Run the Python code of a read while no other long read runs Python code.

        Then the event loop competes with one thread for the interpreter, instead of with all of them. Statements do
        not need the interpreter, so they run at the same time.
        """
        rows: Rows | None = None
        try:
            while True:
                if not self._python.acquire(timeout=max(0.0, LIMIT.until - time.monotonic())):
                    raise OutOfTime
                try:
                    following = read.send(rows)  # type: ignore[arg-type]
                    following[0].compile(self._dialect)
                finally:
                    self._python.release()
                rows = yield following
        except StopIteration as done:
            return done.value
        finally:
            read.close()

    def _take(self) -> Connection:
        with contextlib.suppress(IndexError):
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
            connection.close()  # the others were probably lost too: they are checked when they are needed
        return self._connect()

    def close_idle(self) -> None:
        """Close the connections that no read uses."""
        while self._idle:
            with contextlib.suppress(IndexError):  # a thread has taken it
                self._idle.pop().close()

    def close(self) -> None:
        """Wait for the threads and close all connections."""
        self._threads.shutdown(wait=True)
        self.close_idle()
