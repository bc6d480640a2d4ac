"""The cache of the statements that are built for the shapes of requests, such as a combination of filters."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from threading import Lock

from app.core.database.statements import Query

MAX_QUERIES = 256
MAX_BYTES = 4_000_000


class StatementCache:
    """The most recently used statements of a process, bounded in number and in bytes.

    Clients choose the shapes, and there are too many combinations to keep a statement for each. Building and compiling
    a statement again takes a few milliseconds.
    """

    def __init__(self, max_queries: int = MAX_QUERIES, max_bytes: int = MAX_BYTES) -> None:
        self._max_queries = max_queries
        self._max_bytes = max_bytes
        self._queries: OrderedDict[Hashable, Query] = OrderedDict()
        self._lock = Lock()

    def query(self, build: Callable[..., Query], *shape: Hashable) -> Query:
        """Return `build(*shape)`, the same object as long as it is in the cache."""
        key = (build, shape)
        with self._lock:
            query = self._queries.get(key)
            if query is not None:
                self._queries.move_to_end(key)
                return query
        query = build(*shape)
        query.rebuild = partial(build, *shape)
        with self._lock:
            self._queries[key] = query
            while len(self._queries) > 1 and (len(self._queries) > self._max_queries or self.size > self._max_bytes):
                self._queries.popitem(last=False)
        return query

    @property
    def size(self) -> int:
        """The memory that the statements take, in bytes."""
        return sum(query.size for query in self._queries.values())

    def __len__(self) -> int:
        return len(self._queries)


STATEMENTS = StatementCache()
