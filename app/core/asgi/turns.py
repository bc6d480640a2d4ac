"""Turns: clients share the event loop. One that sends many requests at once does not make the others wait for all.

A short read runs to its end in the event loop. If a hundred connections of one client have a request at the same time,
the loop would answer all of them before it looks at the next connection.
"""

import asyncio
import time
from collections import deque

from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.access.clients import network_of
from app.core.asgi.refusal_log import PROBES
from app.core.request_cost import COST, Metered

ROUND = 0.002  # seconds after its first request in a round of the event loop in which a client may start others


class Turns:
    """An ASGI middleware. It also adds what a request takes of the event loop to the cost of the request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._started: dict[str, float] = {}  # the clients of this round, and when each has started its first request
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (scope["path"] not in PROBES or scope["method"] != "GET"):
            client = network_of((scope.get("client") or ("",))[0])
            if client in self._waiting or not self._may_start(client):
                await self._turn(client)
            cost = COST.get()
            if cost is not None:
                await Metered(self.app(scope, receive, send), cost)  # type: ignore[arg-type]
                return
        await self.app(scope, receive, send)

    def _may_start(self, client: str) -> bool:
        """Return whether a client may start a request in this round of the event loop. The first one begins a round."""
        now = time.perf_counter()
        if not self._started:
            asyncio.get_running_loop().call_soon(self._next_round)
        return now - self._started.setdefault(client, now) <= ROUND

    async def _turn(self, client: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        await turn

    def _next_round(self) -> None:
        """Start a request of each client that waits. Then the event loop looks at all connections."""
        self._started.clear()
        for client, turns in list(self._waiting.items()):
            turn = turns.popleft()
            if not turns:
                del self._waiting[client]
            if not turn.done():
                turn.set_result(None)
            self._may_start(client)
