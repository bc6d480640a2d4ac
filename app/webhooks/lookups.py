"""Lookups of the addresses of hosts, in threads, with the number of those of each key that have not ended.

A lookup cannot be stopped. It can take much longer than a client or an attempt waits for it.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeVar

Result = TypeVar("Result")


class Lookups:
    """The threads for lookups."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="lookup")
        self._unfinished: Counter[str] = Counter()
        self._lock = Lock()

    def unfinished(self) -> Counter[str]:
        """Return the number of lookups of each key that have not ended."""
        with self._lock:
            return self._unfinished.copy()

    def of_key(self, key_id: str) -> Executor:
        """Return an executor for the lookups of a key."""
        return _OfKey(self, key_id)

    def submit(self, key_id: str, call: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Start a lookup of a key."""
        with self._lock:
            self._unfinished[key_id] += 1
        future = self._pool.submit(call, *arguments)
        future.add_done_callback(lambda _: self._end(key_id))
        return future

    def _end(self, key_id: str) -> None:
        with self._lock:
            self._unfinished[key_id] -= 1
            if not self._unfinished[key_id]:
                del self._unfinished[key_id]

    def close(self) -> None:
        """Shut down without waiting for lookups that are running."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class _OfKey(Executor):
    def __init__(self, lookups: Lookups, key_id: str) -> None:
        self._lookups = lookups
        self._key_id = key_id

    def submit(self, call: Callable[..., Result], /, *arguments: Any, **_: Any) -> Future[Result]:
        return self._lookups.submit(self._key_id, call, *arguments)
