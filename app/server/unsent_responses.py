"""A limit on the memory of responses that clients do not read, or read slowly."""

from collections import Counter
from typing import Protocol

MAX_UNSENT = 128_000_000  # bytes in all
MAX_UNSENT_CLIENT = 32_000_000  # bytes of the connections of one client


class Closable(Protocol):
    """A connection."""

    def abort_soon(self) -> None:
        """Close the connection after the current callback."""


class UnsentResponses:
    """The bytes that wait in the buffers of connections, by client.

    If there are too many, the connection with the oldest of these responses is closed: that of the client which has too
    many, otherwise that of the client which has the most. The only response of a client is the last to be given up.
    """

    def __init__(self) -> None:
        self._sizes: dict[Closable, int] = {}
        self._client_of: dict[Closable, str] = {}
        self._connections: dict[str, dict[Closable, None]] = {}  # of each client, the oldest first
        self._by_client: Counter[str] = Counter()

    def total(self) -> int:
        """Return the bytes of all clients."""
        return self._by_client.total()

    def note(self, connection: Closable, client: str, size: int) -> None:
        """Note how many bytes of a response are in the buffer now. Too many of them close a connection."""
        is_more = size > self._sizes.get(connection, 0)
        self._by_client[client] += size - self._sizes.get(connection, 0)
        self._sizes[connection] = size
        self._client_of[connection] = client
        self._connections.setdefault(client, {})[connection] = None
        if is_more:
            while self._by_client[client] > MAX_UNSENT_CLIENT and len(self._connections[client]) > 1:
                self._give_up(client)
            while self.total() > MAX_UNSENT and len(self._sizes) > 1:
                self._give_up(max(self._by_client, key=self._by_client.__getitem__))

    def _give_up(self, client: str) -> None:
        """Close the connection of a client whose response has been waiting for the longest time."""
        oldest = next(iter(self._connections[client]))
        self.forget(oldest)
        oldest.abort_soon()

    def forget(self, connection: Closable) -> None:
        """Forget a connection, because its response is sent or given up."""
        if connection not in self._sizes:
            return
        client = self._client_of.pop(connection)
        self._by_client[client] -= self._sizes.pop(connection)
        del self._connections[client][connection]
        if not self._connections[client]:
            del self._connections[client]
            del self._by_client[client]
