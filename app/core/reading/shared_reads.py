"""Shared reads: equal long reads that are requested at the same time run once."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from app.core.database.fair_queue import RETRY_AFTER
from app.core.errors import TooMany

MAX_WAITING = 200  # requests of one client for equal reads, because all of them continue in one round of the event loop

Start = Callable[[], Coroutine[Any, Any, Any]]


class SharedReads:
    """The long reads that run or wait now, by a key that is equal only if their results are.

    The key must contain the last Change, so that nobody receives a result from before their own write.
    """

    def __init__(self) -> None:
        self._groups: dict[Hashable, EqualReads] = {}

    async def run(self, key: Hashable, client: str, read: Start) -> Any:
        """Return the result of the read with this key that is the first to end, or start one for this client."""
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = EqualReads(lambda ended: self._drop(key, ended))
        return await group.run(client, read)

    def _drop(self, key: Hashable, group: "EqualReads") -> None:
        if self._groups.get(key) is group:
            del self._groups[key]


class EqualReads:
    """Equal reads of several clients. Each client waits for its own turn, and all get the first result.

    So no client waits for the other reads of another client, or fails because the read of another client fails.
    """

    def __init__(self, ended: Callable[["EqualReads"], object]) -> None:
        self._ended = ended
        self._reads: dict[str, asyncio.Task[Any]] = {}
        self._waiting: Counter[str] = Counter()
        self._result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def run(self, client: str, read: Start) -> Any:
        """Return the first result, or raise the error of the read of this client."""
        if self._waiting[client] >= MAX_WAITING:
            raise TooMany("Too many slow reads of this client are waiting.", headers=RETRY_AFTER)
        own = self._reads.get(client)
        if own is None:
            own = self._reads[client] = asyncio.ensure_future(read())
            own.add_done_callback(lambda task: self._note_end(client, task))
        self._waiting[client] += 1
        try:
            await asyncio.wait({own, self._result}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting[client] -= 1
        return self._result.result() if self._result.done() else own.result()

    def _note_end(self, client: str, task: "asyncio.Task[Any]") -> None:
        """Keep the first result, and stop the other reads."""
        del self._reads[client]
        if not task.cancelled() and task.exception() is None and not self._result.done():
            self._result.set_result(task.result())
            for other in self._reads.values():
                other.cancel()
        if not self._reads or self._result.done():
            self._ended(self)
