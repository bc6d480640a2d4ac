"""Turns in parsing: no client has to wait until everything that another client has sent is parsed.

In each round, the event loop first hands over the data that all connections have received. If a hundred connections of
one client have sent many small pieces, all of them would be parsed first.
"""

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.server.protocol import Connection

ROUND = 0.002  # seconds of parsing in a round of the event loop, after which a client waits for the next round
MAX_UNPARSED = 16_000_000  # bytes that wait to be parsed for one client


class ParseTurns:
    """The time that the clients have used in this round, and their connections that wait for a later one."""

    def __init__(self) -> None:
        self._spent: dict[str, float] = {}
        self._waiting: dict[str, deque[tuple[Connection, int]]] = {}
        self._unparsed: dict[str, int] = {}  # bytes of the connections that wait

    def may_parse(self, client: str) -> bool:
        """Return whether the client has time left in this round."""
        return self._spent.get(client, 0.0) < ROUND

    def is_waiting(self, client: str) -> bool:
        """Return whether connections of the client wait."""
        return client in self._waiting

    def spend(self, client: str, since: float) -> None:
        """Add the time since an instant of `time.perf_counter`."""
        if not self._spent:
            self._start_round()
        self._spent[client] = self._spent.get(client, 0.0) + time.perf_counter() - since

    def wait(self, client: str, connection: "Connection", size: int) -> bool:
        """Let a connection parse that many bytes in a later round. Return False if too much waits for the client."""
        unparsed = self._unparsed.get(client, 0)
        if unparsed + size > MAX_UNPARSED:
            return False
        self._unparsed[client] = unparsed + size
        self._waiting.setdefault(client, deque()).append((connection, size))
        if not self._spent:
            self._start_round()
        return True

    def _start_round(self) -> None:
        self._spent[""] = 0.0  # a round has begun
        asyncio.get_running_loop().call_soon(self._next_round)

    def _next_round(self) -> None:
        """Let connections of each client continue: at least one, and others as long as the client has time left."""
        self._spent.clear()
        for client, waiting in list(self._waiting.items()):
            for _ in range(len(waiting)):
                if not self.may_parse(client):
                    break
                connection, size = waiting.popleft()
                self._unparsed[client] -= size
                connection.parse()
            if not waiting:
                del self._waiting[client]
                del self._unparsed[client]
        if self._waiting and not self._spent:
            self._start_round()
