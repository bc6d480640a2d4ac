"""A queue in which clients take turns, regardless of how many items each client has in it."""

from collections import OrderedDict, deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class RoundRobinQueue(Generic[Item]):
    """Items of several clients. Clients come one after the other; the items of one client keep their order."""

    def __init__(self) -> None:
        self._items: OrderedDict[str, deque[Item]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def count(self, client: str) -> int:
        """Return how many items of a client are in the queue."""
        return len(self._items.get(client, ()))

    def put(self, client: str, item: Item) -> None:
        """Add an item after the others of its client."""
        self._items.setdefault(client, deque()).append(item)
        self._size += 1

    def put_first(self, client: str, item: Item) -> None:
        """Add an item before the others of its client. The turn of the client stays where it is."""
        self._items.setdefault(client, deque()).appendleft(item)
        self._size += 1

    def pop(self) -> Item:
        """Remove and return the first item of the client whose turn it is. Raise KeyError if the queue is empty."""
        client, items = self._items.popitem(last=False)
        item = items.popleft()
        self._size -= 1
        if items:
            self._items[client] = items
        return item
