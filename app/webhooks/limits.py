"""Limits on what callers start by hand: tests, repetitions, rotations, new keys, and lookups of the host in a URL.

They apply even if the rate limits of requests are switched off, because these actions go beyond the request: they send
something to an address that the caller chose, or store something. All workers of a server share the counts.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeVar

from app.core.asgi.rate_limits import RateLimit
from app.core.asgi.usage_table import UsageTable
from app.core.errors import TooMany

Result = TypeVar("Result")

# Maximum number in a minute for one subscription, for one key, and for all keys together.
RATES = {
    "tests": (10, 30, 300),
    "repetitions": (60, 120, 600),
    "rotations": (10, 30, 300),
    "lookups": (60, 60, 600),
    "keys": (60, 60, 300),
}
MAX_LOOKUPS = 8  # at the same time; a lookup can take much longer than a client waits for it
MAX_LOOKUPS_OF_KEY = 2
RETRY_LOOKUP = 5  # seconds


class ManualLimits:
    """The limits of one process. `close` ends its threads."""

    def __init__(self, table: UsageTable) -> None:
        self._limits = {
            action: [
                RateLimit(f"{action}-of-{whom}", rate, table)
                for whom, rate in zip(("subscription", "key", "all"), rates, strict=True)
            ]
            for action, rates in RATES.items()
        }
        self._pool = ThreadPoolExecutor(MAX_LOOKUPS, thread_name_prefix="lookups")
        self._running: Counter[str] = Counter()
        self._lock = Lock()

    def take(self, action: str, key_id: str, webhook_id: str) -> None:
        """Count one action. Raise TooMany if the subscription, its key or all together have none left.

        The narrowest limit is checked first, so a caller who exceeds it does not use up the others.
        """
        for limit, client in zip(self._limits[action], (webhook_id, key_id, ""), strict=True):
            limit.take(limit.tag_of(client))

    def lookups_of(self, key_id: str) -> Executor:
        """Return an executor for one lookup. Raise TooMany if too many of this key have not ended."""
        self.take("lookups", key_id, key_id)
        with self._lock:
            if self._running[key_id] >= MAX_LOOKUPS_OF_KEY:
                raise TooMany(
                    "The addresses of other webhooks of this key are still being looked up. Try again later.",
                    headers={"Retry-After": str(RETRY_LOOKUP)},
                )
        return _CountedExecutor(self._pool, self._running, self._lock, key_id)

    def close(self) -> None:
        """Shut down without waiting for lookups that are running."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class _CountedExecutor(Executor):
    """Runs calls in a shared pool and counts those of a key that have not ended."""

    def __init__(self, pool: Executor, running: Counter[str], lock: Lock, key_id: str) -> None:
        self._pool = pool
        self._running = running
        self._lock = lock
        self._key_id = key_id

    def submit(self, call: Callable[..., Result], /, *arguments: Any, **named: Any) -> Future[Result]:
        with self._lock:
            self._running[self._key_id] += 1
        future = self._pool.submit(call, *arguments, **named)
        future.add_done_callback(self._end)
        return future

    def _end(self, _: object) -> None:
        with self._lock:
            self._running[self._key_id] -= 1
            if not self._running[self._key_id]:
                del self._running[self._key_id]
