"""The background task of a process that runs imports, one at a time, in a thread of its own.

It runs the imports that this process received, and those that another process left unfinished.
"""

import asyncio
import contextlib
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core.change_log import now
from app.core.database.engine import Database
from app.core.database.statements import Read, Reader
from app.core.errors import Problem
from app.core.writing.writer_thread import WriterThread
from app.exchange.imports import store
from app.exchange.imports.run import Interrupted, Pace, run

CHECK_SECONDS = 5.0  # between two queries for imports of other processes


class Importer:
    """Runs imports under the claim of this process."""

    def __init__(self, database: Database, reader: Reader, editor: WriterThread) -> None:
        self.database = database
        self.claim = store.new_claim()
        self._reader = reader
        self._ending = threading.Event()
        self._wake = asyncio.Event()
        self._pace = Pace(self._ending.is_set, lambda: editor.has_waiting_writes)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="import")
        self._received: list[str] = []
        self._task = asyncio.ensure_future(self._run_imports())

    def send(self, import_id: str) -> None:
        """Run an import that this process received, after those that it received before."""
        self._received.append(import_id)
        self._wake.set()

    async def _run_imports(self) -> None:
        while not self._ending.is_set():
            try:
                while import_id := await self._next_import():
                    await asyncio.get_running_loop().run_in_executor(self._thread, self._run, import_id)
            except Interrupted:
                return
            except (Problem, SQLAlchemyError, sqlite3.Error):  # the database does not respond: try again later
                pass
            except Exception:
                structlog.get_logger("hoptac.error").exception("import")
            self._wake.clear()
            if not self._received:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), CHECK_SECONDS)

    async def _next_import(self) -> str | None:
        if self._received:
            return self._received.pop(0)
        import_id: str | None = await self._reader.run(_unclaimed_import)
        return import_id

    def _run(self, import_id: str) -> Any:
        return run(self.database, import_id, self.claim, self._pace)

    async def close(self) -> None:
        """Stop after the current chunk. Another process continues an import that is not finished."""
        self._ending.set()
        self._wake.set()
        await self._task
        self._thread.shutdown(wait=True)


def _unclaimed_import() -> Read:
    """Read the id of the earliest unfinished import whose claim has expired, or None."""
    rows = yield store.UNCLAIMED_IMPORTS, {"now": now()}
    return rows[0][0] if rows else None
