"""The sender: a background task that makes deliveries, sends those that are due and records the results.

In each cycle it runs `fan_out` and `queue` in one transaction, then starts the claimed attempts with `client`. Any
number of senders may run for one database.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from sqlalchemy import and_, bindparam, exists, func, literal_column, or_, select
from sqlalchemy.exc import SQLAlchemyError

from app.core.asgi.refusal_log import RefusalLog
from app.core.change_log import CHANGES, now
from app.core.database.engine import Database
from app.core.database.statements import Query, Read, Reader
from app.webhooks.disabling import disable_keyless
from app.webhooks.egress import EgressPolicy
from app.webhooks.fan_out import fan_out
from app.webhooks.lookups import Lookups
from app.webhooks.models import CURSOR, DELIVERIES, IS_ACTIVE, IS_PENDING, WEBHOOKS
from app.webhooks.queue import (
    MAX_CLAIMED,
    AttemptResult,
    DeliveryAttempt,
    claim,
    find_due,
    is_unreliable,
    lock_deliveries,
    record_results,
    release_attempts,
)
from app.webhooks.subscriptions import MAX_IN_ALL

POLL = 1.0  # seconds between looks at the database, for commits of other processes
TICK = 0.05  # seconds between looks at the commits of this process
MAX_RUNNING = 256  # attempts at the same time
MAX_OF_KEY = MAX_RUNNING // 4  # of one key; unreliable and slow subscriptions have at most half of either number
SLOW_MS = 1_000
GRACE = 1.0  # seconds for which running attempts may continue when the sender stops

_AHEAD = select(func.max(CHANGES.c.sequence)).scalar_subquery() > select(CURSOR.c.after).scalar_subquery()
_HAS_WORK = or_(
    and_(_AHEAD, exists().where(IS_ACTIVE)),
    exists().where(IS_ACTIVE, WEBHOOKS.c.behind.is_not(None)),
    exists().where(IS_PENDING, DELIVERIES.c.due_at <= bindparam("at")),
)
HAS_WORK = Query(select(literal_column("1")).where(_HAS_WORK), alone=True)


class FreeAttempts:
    """The number of further attempts of each subscription, so that no subscription and no key delays the others.

    A lookup of a host that goes on after the end of its attempt counts for its key like an attempt.
    """

    def __init__(
        self, running: Iterable[DeliveryAttempt], slow: Iterable[str], lookups: Counter[str] | None = None
    ) -> None:
        attempts = list(running)
        self._slow = frozenset(slow)
        self._running = Counter(attempt.webhook for attempt in attempts)
        self._of_key = Counter(attempt.key for attempt in attempts) | (lookups or Counter())  # the larger number
        limited = [attempt.key for attempt in attempts if attempt.is_unreliable or attempt.webhook in self._slow]
        self._limited = Counter(limited)  # by key

    def in_all(self) -> int:
        """Return the number for all subscriptions."""
        return MAX_RUNNING - self._of_key.total()

    def of(self, webhook: Any) -> int:
        """Return the number for a subscription. An unreliable or slow one gets one attempt at a time."""
        of_key = MAX_OF_KEY - self._of_key[webhook.key]
        if not self._is_limited(webhook):
            return min(of_key, MAX_CLAIMED - self._running[webhook.id])
        is_full = self._limited[webhook.key] >= MAX_OF_KEY // 2 or self._limited.total() >= MAX_RUNNING // 2
        return 0 if is_full or self._running[webhook.id] else min(of_key, 1)

    def take(self, webhook: Any, number: int) -> None:
        """Note that a subscription gets so many more attempts."""
        self._running[webhook.id] += number
        self._of_key[webhook.key] += number
        self._limited[webhook.key] += number if self._is_limited(webhook) else 0

    def _is_limited(self, webhook: Any) -> bool:
        return is_unreliable(webhook) or webhook.id in self._slow


class Sender:
    """Sends the events of a database. `base` is the URL at which the registry is reached, for the links in events."""

    def __init__(self, database: Database, reader: Reader, policy: EgressPolicy, base: str = "") -> None:
        self.database = database
        self.reader = reader
        self.base = base.rstrip("/")
        self._policy = policy
        self._transactions = ThreadPoolExecutor(1, thread_name_prefix="deliveries")
        self._lookups = Lookups(MAX_RUNNING)
        self._client: Any = None  # created when there is something to send
        self._running: dict[asyncio.Task[None], DeliveryAttempt] = {}
        self._results: list[AttemptResult] = []
        self._slow: set[str] = set()
        self._failures = RefusalLog(
            logger="hoptac.webhooks", event="failed webhook calls that were not logged", client="key"
        )
        self._wake = asyncio.Event()
        self._stopping = False
        self._healthy = True
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the sender in the running event loop."""
        self._loop = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Stop the sender. Attempts that do not end within `GRACE` are cancelled and released for other senders."""
        self._stopping = True
        self._wake.set()
        if self._loop is not None:
            await self._loop
        if self._running:
            await asyncio.wait(self._running, timeout=GRACE)
        unfinished = list(self._running.values())
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        with contextlib.suppress(SQLAlchemyError):
            if unfinished or self._results:
                await self._in_thread(self._finish, unfinished)
        self._transactions.shutdown(wait=True)
        self._lookups.close()

    async def _run(self) -> None:
        while not self._stopping:
            commits = self.database.commits()
            self._wake.clear()
            try:
                more = await self._cycle()
                self._healthy = True
            except Exception as error:  # whatever the error is, the deliveries stay due
                more = False
                if self._healthy:
                    structlog.get_logger("hoptac.webhooks").warning("cannot send", reason=type(error).__name__)
                self._healthy = False
            if not more:
                await self._wait(commits)

    async def _wait(self, commits: int) -> None:
        """Wait until an attempt has ended, this process has committed, or `POLL` seconds have passed."""
        until = time.monotonic() + POLL
        while not self._stopping and time.monotonic() < until and commits == self.database.commits():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), TICK)
                return

    async def _cycle(self) -> bool:
        """Record results, make deliveries, claim those that are due and start them. Return whether there is more."""
        if not self._results and not await self.reader.run(_has_work):
            return False
        results = self._results
        self._results = []
        free = FreeAttempts(self._running.values(), self._slow, self._lookups.unfinished())
        try:
            claimed, more = await self._in_thread(self._transact, results, free)
        except BaseException:
            self._results = results + self._results
            raise
        if claimed and self._client is None:
            self._client = await self._in_thread(_webhook_client, self._policy)
        for attempt in claimed:
            task = asyncio.ensure_future(self._send(attempt))
            self._running[task] = attempt
            task.add_done_callback(lambda ended: self._running.pop(ended, None))
        return bool(more)

    async def _send(self, attempt: DeliveryAttempt) -> None:
        lookups = self._lookups.of_key(attempt.key)
        outcome = await self._client.post(attempt.url, attempt.delivery, attempt.body, attempt.secrets, lookups)
        self._note_speed(attempt.webhook, outcome.took_ms)
        self._results.append(AttemptResult(attempt, outcome))
        self._wake.set()
        if not outcome.accepted and self._failures.admits(attempt.key):
            structlog.get_logger("hoptac.webhooks").warning(
                "webhook call failed",
                webhook=attempt.webhook,
                key=attempt.key,
                delivery=attempt.delivery,
                status=outcome.status,
                reason=outcome.error,
                ms=outcome.took_ms,
            )

    def _note_speed(self, webhook_id: str, took_ms: int) -> None:
        """Remember the subscriptions whose last attempt was slow. Those that were deleted since are forgotten."""
        self._slow.discard(webhook_id)
        if took_ms > SLOW_MS:
            if len(self._slow) >= MAX_IN_ALL:
                self._slow.clear()
            self._slow.add(webhook_id)

    def _transact(self, results: list[AttemptResult], free: FreeAttempts) -> tuple[list[DeliveryAttempt], bool]:
        """Run the transactions of one cycle."""
        with self.database.engine.begin() as connection:
            lock_deliveries(connection)
            disabled = record_results(connection, results) + disable_keyless(connection)
            more = fan_out(connection, self.base)
        with self.database.snapshot() as connection:
            due_by_webhook = find_due(connection, free, free.in_all())
        claimed: list[DeliveryAttempt] = []
        if any(due.ids for due in due_by_webhook):
            with self.database.engine.begin() as connection:
                lock_deliveries(connection)
                claimed = claim(connection, due_by_webhook)
        for webhook_id, reason in disabled:
            structlog.get_logger("hoptac.webhooks").warning("webhook disabled", webhook=webhook_id, because=reason)
        return claimed, more

    def _finish(self, unfinished: list[DeliveryAttempt]) -> None:
        with self.database.engine.begin() as connection:
            lock_deliveries(connection)
            record_results(connection, self._results)
            release_attempts(connection, unfinished)

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._transactions, work, *arguments)


def _webhook_client(policy: EgressPolicy) -> Any:
    from app.webhooks.client import WebhookClient  # noqa: PLC0415 - its HTTP client takes a while to import

    return WebhookClient(policy)


def _has_work() -> Read:
    return bool((yield HAS_WORK, {"at": now()}))
