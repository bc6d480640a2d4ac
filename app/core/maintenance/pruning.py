"""Pruning: a background task that deletes rows whose retention has ended.

It runs in every process, also without requests. It deletes in small transactions, and other writers can write between
two of them. The file of SQLite does not shrink, but its free pages are used again before it grows.
"""

import asyncio
import contextlib
import random
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core.database.engine import Database

FIRST_AFTER = 2.0  # seconds after the start
PRUNED_EVERY = 300.0  # seconds, more or less: processes that started together do not all prune together
# Seconds between two transactions, so that writers that wait for the lock of SQLite can get it. After a transaction
# that took longer, the pause is as long as the transaction.
PAUSE = 0.12

# A function that deletes a batch in a transaction and returns whether there may be more.
Prune = Callable[[Database], bool]


class Pruner:
    """Runs pruning functions from time to time, each until there is nothing more to delete."""

    def __init__(self, database: Database, *functions: Prune, every: float = PRUNED_EVERY) -> None:
        self._database = database
        self._every = every
        self._functions = functions
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pruning")
        self._wake = asyncio.Event()
        self._ending = False
        self._task = asyncio.ensure_future(self._run())

    def wake(self) -> None:
        """Prune now."""
        self._wake.set()

    async def close(self) -> None:
        """Stop after the current transaction."""
        self._ending = True
        self._wake.set()
        await self._task
        self._thread.shutdown(wait=True)

    async def _run(self) -> None:
        delay = FIRST_AFTER
        while not self._ending:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), delay * random.uniform(0.8, 1.2))
            self._wake.clear()
            delay = self._every
            for prune in self._functions:
                await self._run_to_end(prune)

    async def _run_to_end(self, prune: Prune) -> None:
        try:
            started = time.monotonic()
            while not self._ending and await self._in_thread(prune):
                await asyncio.sleep(max(PAUSE, time.monotonic() - started))
                started = time.monotonic()
        except (SQLAlchemyError, sqlite3.Error):  # the database does not respond: try again later
            pass
        except Exception:
            structlog.get_logger("hoptac.error").exception("pruning")

    async def _in_thread(self, prune: Prune) -> bool:
        return await asyncio.get_running_loop().run_in_executor(self._thread, prune, self._database)
