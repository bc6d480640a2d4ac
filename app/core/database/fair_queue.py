"""Fair queues: how much work runs at once, in all and for one client."""

import asyncio
from collections import Counter, OrderedDict, deque

from app.core.errors import TooMany, Unavailable

RETRY_AFTER = {"Retry-After": "2"}


class FairQueue:
    """Lets a limited amount of work run at once. The rest waits, and waiting clients take turns.

    `running` and `waiting` are the limits for all clients together, `running_of_client` and `waiting_of_client` those
    for one client. Work waits at most `patience` seconds. `what` names it in problems.

    All methods must be called in one event loop.
    """

    def __init__(
        self,
        *,
        running: int,
        running_of_client: int,
        waiting: int,
        waiting_of_client: int,
        patience: float,
        what: str = "slow reads",
    ) -> None:
        self._what = what
        self._free = running
        self._running_of_client = running_of_client
        self._waiting_left = waiting
        self._waiting_of_client = waiting_of_client
        self._patience = patience
        self._running: Counter[str] = Counter()
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()  # the next client is the first

    async def enter(self, client: str) -> None:
        """Wait until this client may run one more piece of work; `leave` must be called after it.

        Raise TooMany if too much work of this client waits, Unavailable if too much waits in all or for too long.
        """
        if self._free and self._running[client] < self._running_of_client:
            self._start(client)  # no other work waits for the free place
            return
        queue = self._queues.setdefault(client, deque())
        try:
            if len(queue) >= self._waiting_of_client:
                raise TooMany(f"Too many {self._what} of this client are waiting.", headers=RETRY_AFTER)
            if self._waiting_left == 0:
                raise Unavailable(f"Too many {self._what} are waiting.")
            await self._wait(client, queue)
        finally:
            self._drop_if_empty(client)

    async def _wait(self, client: str, queue: "deque[asyncio.Future[None]]") -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        self._waiting_left -= 1
        try:
            await asyncio.wait({turn}, timeout=self._patience)
            if not turn.done():
                raise Unavailable(f"Too many {self._what} are waiting.")
        except BaseException:
            if turn.done():
                self.leave(client)
            raise
        finally:
            self._waiting_left += 1
            if not turn.done():
                queue.remove(turn)

    def leave(self, client: str) -> None:
        """End a piece of work of this client, and start the next one that waits."""
        self._free += 1
        self._running[client] -= 1
        if not self._running[client]:
            del self._running[client]
        ready = (name for name in self._queues if self._running[name] < self._running_of_client)
        following = next(ready, None)
        if following is None:
            return
        queue = self._queues[following]
        queue.popleft().set_result(None)
        self._start(following)
        self._queues.move_to_end(following)
        self._drop_if_empty(following)

    def count(self, client: str) -> int:
        """Return how much work of this client runs or waits."""
        return self._running[client] + len(self._queues.get(client, ()))

    def _start(self, client: str) -> None:
        self._free -= 1
        self._running[client] += 1

    def _drop_if_empty(self, client: str) -> None:
        if not self._queues.get(client, True):
            del self._queues[client]
