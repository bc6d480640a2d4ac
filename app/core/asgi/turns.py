"""Turns: clients share the event loop. No client has to wait for all requests that another client sends at once.

Most requests, also refused ones, are processed completely in the event loop. If a hundred connections of one client
have a request at the same time, the loop would process all of them before it looks at the next connection. This is the
outermost middleware, so that it applies to every response. It is also around each read of the API in the process, of
which a page or a tool makes several: otherwise the loop would process one of every page that a client has requested.
The parts of a table that is downloaded take turns too (`go_on`).
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.access.clients import network_of

ROUND = 0.002  # seconds of a round of the event loop in which a client may start requests
MOST_IN_ROUND = 32  # requests of a client that has others waiting

Work = Callable[[], Awaitable[Any]]


class Queue:
    """The requests of one client that wait for their turn."""

    def __init__(self) -> None:
        self.turns: deque[asyncio.Future[None]] = deque()
        self._seconds = ROUND  # that a request takes, with the time that it waits for a database

    @property
    def count_in_round(self) -> int:
        """How many requests take about the time of a round together, at least one."""
        return max(1, min(MOST_IN_ROUND, int(ROUND / self._seconds)))

    def note(self, seconds: float) -> None:
        """Note how long a request took."""
        self._seconds = max(0.75 * self._seconds + 0.25 * seconds, seconds / 4, 1e-5)


class Rounds:
    """The rounds of the event loop, and the clients that wait for one."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}  # the clients of this round, and when each started its first request
        self._waiting: dict[str, Queue] = {}

    def may_start(self, client: str) -> bool:
        """Return whether a client may start a request at once."""
        return client not in self._waiting and self._has_time(client)

    def _has_time(self, client: str) -> bool:
        """Return whether a client has time left in this round of the event loop. The first one begins a round."""
        now = time.perf_counter()
        if not self._started:
            asyncio.get_running_loop().call_soon(self._next_round)
        return now - self._started.setdefault(client, now) <= ROUND

    async def in_turn(self, client: str, work: Work, *, first: bool) -> Any:
        """Do some work of a client when it is its turn."""
        queue = await self._wait(client, first=first)
        started = time.perf_counter()
        result = await work()
        queue.note(time.perf_counter() - started)
        return result

    async def go_on(self, client: str, work: Work) -> Any:
        """Do the next part of the work for a response that has begun. It goes before new requests of its client."""
        if self.may_start(client):
            return await work()
        return await self.in_turn(client, work, first=True)

    async def _wait(self, client: str, *, first: bool) -> Queue:
        """Wait for the turn of a client; `first`: before its requests that wait already. Return its queue."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue = self._waiting.setdefault(client, Queue())
        if first:
            queue.turns.appendleft(turn)
        else:
            queue.turns.append(turn)
        await turn
        return queue

    def _next_round(self) -> None:
        """Start some requests of each client that waits. Then the event loop looks at all connections."""
        self._started.clear()
        for client, queue in list(self._waiting.items()):
            for _ in range(min(queue.count_in_round, len(queue.turns))):
                turn = queue.turns.popleft()
                if not turn.done():
                    turn.set_result(None)
            if not queue.turns:
                del self._waiting[client]
            self._has_time(client)


class Turns:
    """An ASGI middleware.

    `within`: it is around the reads of pages and of tools, which are parts of a request. They go first, so that a
    request that has begun ends before the next one of its client begins.
    """

    def __init__(self, app: ASGIApp, rounds: Rounds | None = None, *, within: bool = False) -> None:
        self.app = app
        self._rounds = rounds or Rounds()
        self._within = within

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            client = network_of((scope.get("client") or ("",))[0])
            if not self._rounds.may_start(client):
                work = partial(self.app, scope, receive, send)
                await self._rounds.in_turn(client, work, first=self._within)
                return
        await self.app(scope, receive, send)
