"""The background work of a process with imports: running them in turns.

It runs the imports that this process received, and those that another process left unfinished. One thread writes; the
keys take turns in it, of one transaction each. The imports of one key run one after the other.
"""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.access.caller import Caller
from app.core.change_log import now
from app.core.database.engine import Database
from app.core.database.statements import Query, Read, Reader
from app.core.errors import Problem, Unavailable
from app.core.round_robin import RoundRobinQueue
from app.core.writing.writer_thread import WriterThread
from app.exchange.formats.lines import ParsedLine, Reading
from app.exchange.imports.database_tables import IMPORTS
from app.exchange.imports.models import ImportOptions
from app.exchange.imports.pace import Interrupted, Pace
from app.exchange.imports.run import ImportRun, begin_run
from app.exchange.imports.storage.claims import UNCLAIMED_IMPORTS, new_claim
from app.exchange.imports.storage.quotas import USAGE, check_usage
from app.exchange.imports.storage.store import MAX_LINES_AT_ONCE, store_import

CHECK_SECONDS = 5.0  # between two queries for imports of other processes

# Imports that have begun, of which each takes memory for its plan. One with more lines than MAX_LINES_AT_ONCE is large.
MAX_LARGE_RUNS = 2
MAX_RUNS = 10

LINE_COUNT = Query(select(IMPORTS.c.lines).where(IMPORTS.c.id == bindparam("id")), alone=True)


@dataclass(eq=False)
class _QueuedImport:
    """An import of this process. It has a run when it has begun."""

    id: str
    key: str
    is_large: bool
    run: ImportRun | None = None


class Importer:
    """Stores and runs imports under the claim of this process. The imports of one key may take `quota` bytes."""

    def __init__(self, database: Database, reader: Reader, editor: WriterThread, quota: int) -> None:
        self.database = database
        self.claim = new_claim()
        self._reader = reader
        self._quota = quota
        self._ending = threading.Event()
        self._wake = asyncio.Event()
        self._pace = Pace(self._ending.is_set, lambda: editor.has_waiting_writes)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="import")
        self._queue: RoundRobinQueue[_QueuedImport] = RoundRobinQueue()
        self._queued: set[str] = set()  # ids
        self._runs: set[_QueuedImport] = set()
        self._task = asyncio.ensure_future(self._run_imports())

    async def check_quota(self, caller: Caller) -> None:
        """Raise TooMany or Unavailable if the imports of this key, or of all keys, leave no room for another one."""
        usage = await self._reader.run(lambda: _usage(caller.key))
        check_usage(usage, self._quota)

    def store(self, caller: Caller, options: ImportOptions, lines: Iterator[ParsedLine], reading: Reading) -> str:
        """Store the lines of a file as an import and return its id, as `store_import` does. Any thread can call it.

        Raise Unavailable if the database does not respond or has no space.
        """
        try:
            return store_import(self.database, caller, options, lines, self.claim, self._quota, reading)
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise Unavailable from error

    async def send(self, import_id: str, key: str) -> None:
        """Run an import that was stored."""
        self._add(import_id, key, await self._reader.run(lambda: _count_lines(import_id)))
        self._wake.set()

    def _add(self, import_id: str, key: str, lines: int) -> None:
        if import_id not in self._queued:
            self._queued.add(import_id)
            self._queue.put(key, _QueuedImport(import_id, key, is_large=lines > MAX_LINES_AT_ONCE))

    async def _run_imports(self) -> None:
        checked_at = 0.0
        while not self._ending.is_set():
            try:
                if not self._queue or time.monotonic() - checked_at > CHECK_SECONDS:
                    checked_at = time.monotonic()
                    await self._add_unclaimed()
                if self._queue:
                    await self._take_turn()
                else:
                    await self._wait()
            except (Problem, SQLAlchemyError, sqlite3.Error):  # the database does not respond: try again later
                await self._wait()
            except Exception:
                structlog.get_logger("hoptac.error").exception("import")
        await asyncio.get_running_loop().run_in_executor(self._thread, self._release_runs)

    async def _add_unclaimed(self) -> None:
        rows = await self._reader.run(_unclaimed_import)
        for import_id, key, lines in rows:
            self._add(import_id, key or "", lines)

    async def _wait(self) -> None:
        self._wake.clear()
        if not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), CHECK_SECONDS)

    async def _take_turn(self) -> None:
        """Run one transaction of the import whose turn it is. If it must not begin yet, the next one is tried then."""
        queued = self._queue.pop()
        has_more = True
        try:
            if queued.run is not None or self._may_begin(queued):
                has_more = await asyncio.get_running_loop().run_in_executor(self._thread, self._step, queued)
        except Interrupted:
            return
        except BaseException:
            has_more = False
            raise
        finally:
            if has_more:
                self._queue.put_first(queued.key, queued)
            else:
                self._queued.discard(queued.id)
                self._runs.discard(queued)

    def _may_begin(self, queued: _QueuedImport) -> bool:
        large_runs = sum(other.is_large for other in self._runs)
        return len(self._runs) < MAX_RUNS and not (queued.is_large and large_runs >= MAX_LARGE_RUNS)

    def _step(self, queued: _QueuedImport) -> bool:
        if queued.run is None:
            queued.run = begin_run(self.database, queued.id, self.claim, self._pace)
            if queued.run is None:
                return False
            self._runs.add(queued)
        return queued.run.step()

    def _release_runs(self) -> None:
        for queued in self._runs:
            if queued.run is not None:
                with contextlib.suppress(SQLAlchemyError, sqlite3.Error):
                    queued.run.release()

    async def close(self) -> None:
        """Stop after the current chunk. Another process continues an import that is not finished."""
        self._ending.set()
        self._wake.set()
        await self._task
        self._thread.shutdown(wait=True)


def _unclaimed_import() -> Read:
    """Read id, key and lines of the earliest unfinished import whose claim has expired."""
    return (yield UNCLAIMED_IMPORTS, {"now": now()})


def _usage(key: str) -> Read:
    rows = yield USAGE, {"key": key}
    return rows[0]


def _count_lines(import_id: str) -> Read:
    rows = yield LINE_COUNT, {"id": import_id}
    return rows[0][0] if rows else 0
