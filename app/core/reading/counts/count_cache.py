"""Counts that took long to make, such as a total of records whose title contains a text.

They stay in the memory of the process until a Change of a resource on which they depend, which the log tells.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

from sqlalchemy import bindparam, literal_column, select

from app.core.change_log import CHANGE_NAME, CHANGES
from app.core.database.log_position import sequence_of
from app.core.database.statements import Query, Read

MAX_COUNTS = 2_000
MAX_BYTES = 4_000_000
MAX_COUNT_BYTES = 64_000  # of one entry
MAX_CHANGES = 500  # that are read at once to learn which resources have changed

_changed = select(CHANGE_NAME, CHANGES.c.resource, CHANGES.c.shown).where(CHANGES.c.sequence >= bindparam("since"))
_changed = _changed.order_by(CHANGES.c.sequence).limit(literal_column(str(MAX_CHANGES + 1)))
_CHANGED_SINCE = Query(_changed, alone=True)  # later Changes are left out


class _Entry(NamedTuple):
    """A count, the name of the last Change when it was made, and about how many bytes it takes."""

    count: Any
    last: str
    size: int


class CountCache:
    """The counts of a process: the most recently used ones, bounded in number and in bytes.

    The log was read from the Change `_start` to the one with the name `_head`. `_changed` has the number of the last
    public Change of each resource in it.
    """

    def __init__(self, max_counts: int = MAX_COUNTS, max_bytes: int = MAX_BYTES) -> None:
        self._max_counts = max_counts
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._size = 0
        self._head = ""
        self._start = 0
        self._changed: dict[str, int] = {}
        self._lock = Lock()

    def read(
        self,
        keys: Sequence[Hashable],
        last: str,
        depends_on: Collection[str] | None,
        count: Callable[[Sequence[Hashable]], Read],
    ) -> Read:
        """Return the counts with these keys, by key. `count` is the read that makes the missing ones.

        `last` is the state of the snapshot, or an earlier one: the name of the last Change, and of the search index
        after a point. `depends_on` are the resources whose records decide the counts. With None they are used only in
        the same state.
        """
        counts = yield from self.find(keys, last, depends_on)
        missing = [key for key in keys if key not in counts]
        if missing:
            new = yield from count(missing)
            yield from self.keep(new, last)
            counts |= new
        return counts

    def peek(self, key: Hashable) -> Any:
        """Return the count with this key, which may be out of date, or None."""
        entry = self._entries.get(key)
        return None if entry is None else entry.count

    def find(self, keys: Iterable[Hashable], last: str, depends_on: Collection[str] | None) -> Read:
        """Return those of the counts with these keys that hold in this state, by key (see `read`)."""
        if (yield from self._follow(last)) is None:
            return {}
        with self._lock:
            counts = {}
            for key in keys:
                entry = self._entries.get(key)
                if entry is not None and self._is_current(entry, last, depends_on):
                    self._entries.move_to_end(key)
                    counts[key] = entry.count
            return counts

    def keep(self, counts: Mapping[Hashable, Any], last: str) -> Read:
        """Keep counts of this state, unless the log is at a later one."""
        start = yield from self._follow(last)
        if start is not None:
            self._keep(counts, last, start)

    def _follow(self, last: str) -> Read:
        """Read which resources have changed up to this state. Return `_start`, or None if they are not known."""
        last = last.partition(".")[0]
        head = self._head
        if last == head:
            return self._start
        since = _sequence(head)
        if head and _sequence(last) < since:
            return None  # an older snapshot, or a log that was restored and may have other Changes
        rows = (yield _CHANGED_SINCE, {"since": since}) if head else ()
        names = [name for name, *_ in rows]
        with self._lock:
            if self._head != head:
                return self._start if self._head == last else None
            if head in names and last in names:
                for name, resource, public_action in rows[1 : names.index(last) + 1]:
                    if public_action is not None:
                        self._changed[resource] = _sequence(name)
            else:  # there was no log before, it is another one, or it has too many new Changes
                self._entries.clear()
                self._size = 0
                self._changed = {}
                self._start = _sequence(last)
            self._head = last
            return self._start

    def _is_current(self, entry: _Entry, last: str, depends_on: Collection[str] | None) -> bool:
        if entry.last == last or depends_on is None:
            return entry.last == last
        both = min(_sequence(entry.last), _sequence(last))
        return all(self._changed.get(name, self._start) <= both for name in depends_on)

    def _keep(self, counts: Mapping[Hashable, Any], last: str, start: int) -> None:
        """Keep counts, unless they may belong to another log: one that starts elsewhere."""
        with self._lock:
            for key, count in counts.items():
                size = _size_of(key) + _size_of(count)
                if size > MAX_COUNT_BYTES or start != self._start:
                    continue
                self._drop(key)
                self._entries[key] = _Entry(count, last, size)
                self._size += size
            while len(self._entries) > self._max_counts or self._size > self._max_bytes:
                self._drop(next(iter(self._entries)))

    def _drop(self, key: Hashable) -> None:
        dropped = self._entries.pop(key, None)
        if dropped is not None:
            self._size -= dropped.size


def _sequence(name: str) -> int:
    return sequence_of(name) or 0


def values_key(values: Mapping[str, Any]) -> Hashable:
    """Return the bound values of a statement as a key."""
    return tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in sorted(values.items()))


def _size_of(value: Any) -> int:
    """Return about how many bytes a value made of texts, numbers and sequences takes."""
    if isinstance(value, str | bytes):
        return 60 + len(value)
    return 60 + sum(map(_size_of, value)) if isinstance(value, tuple | list) else 30
