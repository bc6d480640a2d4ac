"""Records in the background when keys are used, and when a use is refused."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import structlog
from sqlalchemy import or_, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from app.core.access.clients import network_of
from app.core.access.key_events import Refusal, RefusalCount, add_refusals, remove_old_events
from app.core.access.keys import KEYS
from app.core.change_log import instant, now
from app.core.database.engine import Database

USE_RECORDED_EVERY = timedelta(minutes=1)
OLD_REMOVED_EVERY = timedelta(days=1)
PAUSE = 2.0  # seconds between two batches
PATIENCE = 30  # seconds that a batch waits for other writes
MAX_REFUSALS = 200  # counts in a batch; further refused uses are counted without their address, or not at all
MAX_LOGGED = 20  # counts in a batch that have a line of the log each
MAX_USES = 1_000  # in a batch; further ones are recorded with the next use of the key


class KeyActivity:
    """The uses of keys since the last batch: at most one a minute for each key, and counts of those refused.

    A batch is one transaction without a Change, in a thread. Requests never wait for it.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._uses: set[str] = set()
        self._refusals: dict[Refusal, RefusalCount] = {}
        self._recorded_at: dict[str, str] = {}
        self._old_removed_at = ""
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def used(self, key: Any) -> None:
        """Record that the key is used now."""
        limit = instant(datetime.now(UTC) - USE_RECORDED_EVERY)
        if max(key.last_used_at or "", self._recorded_at.get(key.id, "")) > limit or len(self._uses) >= MAX_USES:
            return
        self._recorded_at[key.id] = now()
        self._uses.add(key.id)
        self._start()

    def refused(self, key_id: str, reason: str, address: str) -> None:
        """Count a refused use of a key, from this address."""
        refusal = Refusal(key_id, reason, network_of(address) or None)
        if refusal not in self._refusals and len(self._refusals) >= MAX_REFUSALS:
            refusal = Refusal(key_id, reason, None)
        at = now()
        count = self._refusals.get(refusal)
        if count is not None:
            count.number += 1
            count.last_at = at
        elif len(self._refusals) < 2 * MAX_REFUSALS:
            self._refusals[refusal] = RefusalCount(1, at, at)
        self._start()

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._write_batches())

    async def _write_batches(self) -> None:
        while self._uses or self._refusals:
            uses = self._uses
            refusals = self._refusals
            self._uses = set()
            self._refusals = {}
            await asyncio.to_thread(self._write, uses, refusals)
            try:
                await asyncio.wait_for(self._closing.wait(), PAUSE)
            except TimeoutError:
                continue

    def _write(self, uses: set[str], refusals: dict[Refusal, RefusalCount]) -> None:
        log = structlog.get_logger("hoptac.keys")
        for refusal, count in islice(refusals.items(), MAX_LOGGED):
            log.warning("key refused", **refusal._asdict(), **vars(count))
        if others := list(islice(refusals.values(), MAX_LOGGED, None)):
            log.warning("other keys refused", number=sum(count.number for count in others))
        try:
            with self.database.write(patience=PATIENCE) as session:
                for key_id in uses:
                    _record_use(session, key_id)
                add_refusals(session, refusals)
                if self._old_removed_at < instant(datetime.now(UTC) - OLD_REMOVED_EVERY):
                    remove_old_events(session)
                    self._old_removed_at = now()
        except SQLAlchemyError:
            log.warning("activity of keys was not recorded", uses=len(uses), refusals=len(refusals))

    async def close(self) -> None:
        """Write the last batch."""
        self._closing.set()
        if self._task is not None:
            await self._task


def _record_use(session: Session, key_id: str) -> None:
    limit = instant(datetime.now(UTC) - USE_RECORDED_EVERY)
    is_older = or_(KEYS.c.last_used_at.is_(None), KEYS.c.last_used_at < limit)
    session.execute(update(KEYS).where(KEYS.c.id == key_id, is_older).values(last_used_at=now()))
