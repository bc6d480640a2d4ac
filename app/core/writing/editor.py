"""Carries out the writes of a process, one after the other."""

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

PATIENCE = 30  # seconds that a write waits for those of other processes

Outcome = TypeVar("Outcome")


class Editor:
    """Carries out the writes of this process, one after the other in the order they came, off the event loop."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._waiting = 0

    @property
    def has_waiting_writes(self) -> bool:
        """Whether any write is under way or waits for its turn."""
        return self._waiting > 0

    async def run(self, caller: Caller, work: Callable[[Session, Caller], Outcome]) -> Outcome:
        """The outcome, after the commit; nothing is left of work that raises."""
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
        except IntegrityError as error:  # the rules should have said so first
            structlog.get_logger("hoptac.error").error("refused by the database", constraint=str(error.orig))
            raise Conflict("The database refuses this beside what is there.") from None
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise Unavailable from error

    def close(self) -> None:
        """Finish what is under way."""
        self._thread.shutdown(wait=True)
