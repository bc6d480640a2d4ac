"""Runs imports beside the server, in a thread of its own: those sent here at once, those that others left in time."""

import asyncio
import contextlib
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core.database.engine import Database
from app.core.database.statements import Read, Reader
from app.core.errors import Problem
from app.core.log import now
from app.core.writing.editor import Editor
from app.exchange.imports import store as ledger
from app.exchange.imports.run import Interrupted, Pace, run

IMPORT_CHECK_SECONDS = 5.0  # seconds


class Importer:
    """The imports of this process; its claim tells them from those of others."""

    def __init__(self, database: Database, reader: Reader, editor: Editor) -> None:
        self.database, self._reader = database, reader
        self.claim = ledger.new_claim()
        self._ending, self._wake = threading.Event(), asyncio.Event()
        self._pace = Pace(self._ending.is_set, lambda: editor.has_waiting_writes)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="import")
        self._sent: list[str] = []
        self._task = asyncio.ensure_future(self._watch())

    def send(self, import_id: str) -> None:
        """Run this one next: it was received here, under the claim of this process."""
        self._sent.append(import_id)
        self._wake.set()

    async def _watch(self) -> None:
        while not self._ending.is_set():
            try:
                while import_id := await self._next():
                    await asyncio.get_running_loop().run_in_executor(self._thread, self._run, import_id)
            except Interrupted:
                return
            except (Problem, SQLAlchemyError, sqlite3.Error):  # the database is away: look again
                pass
            except Exception:
                structlog.get_logger("hoptac.error").exception("import")
            self._wake.clear()
            if not self._sent:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), IMPORT_CHECK_SECONDS)

    async def _next(self) -> str | None:
        if self._sent:
            return self._sent.pop(0)
        found: str | None = await self._reader.run(_left)
        return found

    def _run(self, import_id: str) -> Any:
        return run(self.database, import_id, self.claim, self._pace)

    async def close(self) -> None:
        """Stop at the next chunk; what is not finished is gone on with by whoever looks next."""
        self._ending.set()
        self._wake.set()
        await self._task
        self._thread.shutdown(wait=True)


def _left() -> Read:
    """An import that waits to be run and is nobody's."""
    rows = yield ledger.UNCLAIMED_IMPORTS, {"now": now()}
    return rows[0][0] if rows else None
