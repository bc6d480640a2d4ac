"""Shared reads: equal long reads that are requested at the same time run once."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any

from app.core.errors import TooMany


class SharedReads:
    """The long reads that run or wait now, by a key that is equal only if their results are.

    The key must contain the last Change, so that nobody receives a result from before their own write.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[Any]] = {}

    async def run(self, key: Hashable, read: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Return the result of the running read with this key, or start it."""
        running = self._running.get(key)
        if running is None:
            return await asyncio.shield(self._start(key, read))
        try:
            return await asyncio.shield(running)
        except TooMany:  # the client that was first has too many others waiting; this one may have none
            return await self.run(key, read)

    def _start(self, key: Hashable, read: Callable[[], Coroutine[Any, Any, Any]]) -> Awaitable[Any]:
        task = asyncio.ensure_future(read())
        self._running[key] = task
        task.add_done_callback(lambda _: self._running.pop(key))
        return task
