"""A limit on the bytes that one kind of work keeps in memory, for all clients together and for one client."""

from collections import Counter


class ByteBudget:
    """The bytes in use, by client. A client that uses none can always get all the bytes that are left."""

    def __init__(self, total: int, per_client: int) -> None:
        self.used = 0
        self._total = total
        self._per_client = per_client
        self._by_client: Counter[str] = Counter()

    def take(self, client: str, size: int) -> bool:
        """Return whether the client may use so many bytes now. If so, they count until they are given back."""
        used = self._by_client[client]
        if self.used and (self.used + size > self._total or (used and used + size > self._per_client)):
            if not used:
                del self._by_client[client]
            return False
        self._by_client[client] += size
        self.used += size
        return True

    def used_by(self, client: str) -> int:
        """Return the bytes that a client uses."""
        return self._by_client.get(client, 0)

    def give_back(self, client: str, size: int) -> None:
        """Subtract bytes that the client no longer uses."""
        self.used -= size
        self._by_client[client] -= size
        if not self._by_client[client]:
            del self._by_client[client]
