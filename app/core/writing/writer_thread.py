"""The editor: runs the writes of a process in transactions, one after the other."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.access.keys import current_caller
from app.core.database.engine import Database
from app.core.errors import Conflict, Unavailable

MAX_WAITING_WRITES = 500
PATIENCE = 30  # seconds that a write waits for the writes of other processes

Outcome = TypeVar("Outcome")


class WriterThread:
    """The writes of this process, executed in the order of their arrival in a thread of their own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._waiting = 0

    @property
    def has_waiting_writes(self) -> bool:
        """Whether a write is running or waiting."""
        return self._waiting > 0

    @property
    def waiting_writes(self) -> int:
        """The number of writes that run or wait."""
        return self._waiting

    async def run(self, caller: Caller, work: Callable[[Session, Caller], Outcome]) -> Outcome:
        """Run `work` in a transaction and return its result after the commit.

        `work` receives the caller as the database has it by then. If it raises an error, everything is rolled back.
        Raise Unavailable if too many writes are waiting or the database does not answer.
        """
        if self._waiting >= MAX_WAITING_WRITES:
            raise Unavailable("Too many writes are waiting.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, caller, work)
        finally:
            self._waiting -= 1

    def _commit(self, caller: Caller, work: Callable[[Session, Caller], Outcome]) -> Outcome:
        try:
            with self.database.write(patience=PATIENCE) as session:
                return work(session, current_caller(session, caller))
        except IntegrityError as error:
            # An integrity rule should have refused it before. The log shows which one is missing.
            structlog.get_logger("hoptac.error").error("refused by the database", constraint=str(error.orig))
            raise Conflict("The write conflicts with other records.") from None
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise Unavailable from error

    def close(self) -> None:
        """Wait until all writes have finished."""
        self._thread.shutdown(wait=True)
