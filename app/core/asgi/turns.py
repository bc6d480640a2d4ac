"""Turns: in each round of the event loop, at most one request of each client starts.

Most requests run to their end in the step in which they start. Without turns, a client with a hundred connections
would run a hundred requests before anyone else gets an answer. The response cache is outside of this middleware.
"""

import asyncio
from collections import OrderedDict, deque

from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.access.clients import network_of
from app.core.asgi.rate_limits import PROBES
from app.core.request_cost import COST, Metered


class Turns:
    """An ASGI middleware. The client is an address here, because the key is not yet known."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._started: set[str] = set()  # clients of which a request has started in this round
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["path"] in PROBES and scope["method"] == "GET"):
            await self.app(scope, receive, send)
            return
        client = network_of((scope.get("client") or ("",))[0])
        if client in self._started:
            await self._wait(client)
        else:
            if not self._started:
                asyncio.get_running_loop().call_soon(self._start_round)
            self._started.add(client)
        cost = COST.get()
        if cost is None:
            await self.app(scope, receive, send)
        else:
            await Metered(self.app(scope, receive, send), cost)  # type: ignore[arg-type]

    async def _wait(self, client: str) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        await turn

    def _start_round(self) -> None:
        """Start the next request of each client that waits. They run in the round that follows."""
        self._started.clear()
        for client, turns in list(self._waiting.items()):
            while turns and client not in self._started:
                turn = turns.popleft()
                if not turn.done():  # otherwise it was cancelled
                    turn.set_result(None)
                    self._started.add(client)
            if not turns:
                del self._waiting[client]
        if self._started:
            asyncio.get_running_loop().call_soon(self._start_round)
