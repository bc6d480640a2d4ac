"""The sender: makes deliveries of Changes, sends what is due, and writes down what came of it. Any number may run."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import structlog
from sqlalchemy import and_, bindparam, exists, func, literal_column, or_, select
from sqlalchemy.exc import SQLAlchemyError

from app.core.database.engine import Database
from app.core.database.statements import Query, Read, Reader
from app.core.log import CHANGES, now
from app.webhooks.egress import EgressPolicy
from app.webhooks.fan_out import fan_out, lock_deliveries
from app.webhooks.models import CURSOR, DELIVERIES, IS_ACTIVE, IS_PENDING, WEBHOOKS
from app.webhooks.queue import (
    MAX_CLAIMED,
    AttemptResult,
    DeliveryAttempt,
    claim_due,
    delete_done,
    disable_keyless,
    record_results,
    release_attempts,
)

POLL, TICK = 1.0, 0.05  # seconds between looks at the database, and between looks at the commits of this process

MAX_AT_ONCE = 256  # calls at the same time; the doubtful and slow have half of them at most

SLOW_MS = 1_000

GRACE = 1.0  # seconds that calls under way have to end when the sender stops

PRUNED_EVERY = 600.0

_AHEAD = select(func.max(CHANGES.c.sequence)).scalar_subquery() > select(CURSOR.c.after).scalar_subquery()

_HAS_WORK = or_(
    and_(_AHEAD, exists().where(IS_ACTIVE)),
    exists().where(IS_ACTIVE, WEBHOOKS.c.behind.is_not(None)),
    exists().where(IS_PENDING, DELIVERIES.c.due_at <= bindparam("at")),
)

HAS_WORK = Query(select(literal_column("1")).where(_HAS_WORK), alone=True)


class Sender:
    """Sends for all subscriptions of a database; `base` is where the registry is reached, for the links it sends."""

    def __init__(self, database: Database, reader: Reader, allowance: EgressPolicy, base: str = "") -> None:
        self.database, self.reader, self.base = database, reader, base.rstrip("/")
        self._books = ThreadPoolExecutor(1, thread_name_prefix="books")
        self._lookups = ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="lookup")
        self._allowance = allowance
        self._caller: Any = None  # made when there is something to send
        self._calls: dict[asyncio.Task[None], DeliveryAttempt] = {}
        self._results: list[AttemptResult] = []
        self._slow: set[str] = set()
        self._stirred, self._stopping = asyncio.Event(), False
        self._pruned, self._healthy = time.monotonic(), True
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._running = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Give calls under way a moment to end, give back the others, and write down what came of them."""
        self._stopping = True
        self._stirred.set()
        if self._running is not None:
            await self._running
        if self._calls:
            await asyncio.wait(self._calls, timeout=GRACE)
        left = list(self._calls.values())
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        with contextlib.suppress(SQLAlchemyError):
            if left or self._results:
                await self._in_transaction(self._finish, left)
        self._books.shutdown(wait=True)
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        while not self._stopping:
            commits = self.database.commits()
            self._stirred.clear()
            try:
                more = await self._turn()
                self._healthy = True
            except Exception as error:  # whatever it is, what is due stays due
                more = False
                if self._healthy:
                    structlog.get_logger("hoptac.webhooks").warning("cannot send", reason=type(error).__name__)
                self._healthy = False
            if not more:
                await self._wait(commits)

    async def _wait(self, commits: int) -> None:
        """Until a call has ended, this process has committed, or it is time to look whether another has."""
        until = time.monotonic() + POLL
        while not self._stopping and time.monotonic() < until and commits == self.database.commits():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stirred.wait(), TICK)
                return

    async def _turn(self) -> bool:
        """Write down, make, claim, and start what was claimed; whether there may be more at once."""
        if not self._results and not await self.reader.run(_has_work):
            return False
        results, self._results = self._results, []
        try:
            books: tuple[list[DeliveryAttempt], bool] = await self._in_transaction(
                self._record, results, self._free(), MAX_AT_ONCE - len(self._calls)
            )
        except BaseException:
            self._results = results + self._results
            raise
        taken, more = books
        if taken and self._caller is None:
            self._caller = await self._in_transaction(_webhook_client, self._allowance, self._lookups)
        for attempt in taken:
            call = asyncio.ensure_future(self._send(attempt))
            self._calls[call] = attempt
            call.add_done_callback(lambda ended: self._calls.pop(ended, None))
        return more

    async def _send(self, attempt: DeliveryAttempt) -> None:
        assert self._caller is not None
        outcome = await self._caller.post(attempt.url, attempt.delivery, attempt.body, attempt.secrets)
        (self._slow.add if outcome.took_ms > SLOW_MS else self._slow.discard)(attempt.webhook)
        self._results.append(AttemptResult(attempt, outcome))
        self._stirred.set()

    def _free(self) -> Callable[[str, bool], int]:
        """How many more calls one subscription may have now: the doubtful and slow one each, together half of all."""
        busy = Counter(attempt.webhook for attempt in self._calls.values())
        slow = set(self._slow)
        held = sum(1 for attempt in self._calls.values() if attempt.is_doubtful or attempt.webhook in slow)

        def free(webhook: str, doubtful: bool) -> int:
            nonlocal held
            if not doubtful and webhook not in slow:
                return MAX_CLAIMED - busy[webhook]
            if busy[webhook] or held >= MAX_AT_ONCE // 2:
                return 0
            held += 1
            return 1

        return free

    def _record(
        self, results: list[AttemptResult], free: Callable[[str, bool], int], limit: int
    ) -> tuple[list[DeliveryAttempt], bool]:
        """One transaction of the books; and now and then one that removes what is old."""
        with self.database.engine.begin() as connection:
            lock_deliveries(connection)
            stopped = record_results(connection, results) + disable_keyless(connection)
            more = fan_out(connection, self.base)
            taken = claim_due(connection, free, limit)
        for webhook, because in stopped:
            structlog.get_logger("hoptac.webhooks").warning("webhook disabled", webhook=webhook, because=because)
        if time.monotonic() - self._pruned > PRUNED_EVERY:
            with self.database.engine.begin() as connection:
                lock_deliveries(connection)
                self._pruned += 0 if delete_done(connection) else PRUNED_EVERY
        return taken, more

    def _finish(self, left: list[DeliveryAttempt]) -> None:
        with self.database.engine.begin() as connection:
            lock_deliveries(connection)
            record_results(connection, self._results)
            release_attempts(connection, left)

    async def _in_transaction(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._books, work, *arguments)


def _webhook_client(allowance: EgressPolicy, lookups: Executor) -> Any:
    from app.webhooks.client import WebhookClient  # noqa: PLC0415 - see there

    return WebhookClient(allowance, lookups)


def _has_work() -> Read:
    return bool((yield HAS_WORK, {"at": now()}))
