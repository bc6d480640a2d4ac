"""The used part of each client's rate limit, in memory of a fixed size that all workers of a server can share.

A client has one slot: a tag, the end of its window, and the part of its quota that it has used (1.0 is all of it).
Use beyond the quota is carried over to later windows. The tag is a keyed hash, so nobody can choose a client
with which to share a slot, and it determines the eight slots that the client can have. If others occupy all of them,
the client that has used least is forgotten.

There is no lock, so a worker that is stopped or killed cannot block the others. If two workers count for the same
client within the same microsecond, one of the two counts is lost. The time is `time.monotonic()`, which is the same for
all processes of a machine.
"""

import hashlib
import mmap
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

WINDOW = 60  # seconds
SLOTS = 65_536
SLOTS_OF_SET = 8  # slots that one client can have
MAX_LAST_SLOTS = 4_096
ROUNDING = 1e-9  # usages are sums of fractions
MAX_USED = 10.0  # quotas; so no client has to wait longer than ten windows
SECRET_SIZE = 16  # bytes
ITEM_SIZE = 8  # bytes of a tag, a time or a usage
SIZE = SECRET_SIZE + 3 * SLOTS * ITEM_SIZE


class UsageTable:
    """The usage of each client, in memory of its own or in the memory that `open_usage_table` maps."""

    def __init__(self, memory: bytearray | mmap.mmap | None = None) -> None:
        view = memoryview(_new_memory() if memory is None else memory)
        columns = [view[start : start + SLOTS * ITEM_SIZE] for start in range(SECRET_SIZE, SIZE, SLOTS * ITEM_SIZE)]
        self._secret = bytes(view[:SECRET_SIZE])
        self._tags = columns[0].cast("Q")
        self._ends = columns[1].cast("d")
        self._used = columns[2].cast("d")
        self._last_slots: dict[int, int] = {}  # the slots in which clients were found last, by tag

    def tag_of(self, client: str) -> int:
        """Return the tag of a client."""
        digest = hashlib.blake2b(client.encode(), digest_size=ITEM_SIZE, key=self._secret).digest()
        return int.from_bytes(digest, "little") or 1  # 0 marks an empty slot

    def take(self, tag: int, amount: float, now: float) -> tuple[bool, float, float]:
        """Add an amount to the usage of a client unless more than its quota would then be used.

        Return whether it was added, the usage and the end of the window. An amount of 1.0 is the whole quota.
        """
        slot = self._current_slot(tag, now)
        used = self._used[slot]
        is_left = used + amount <= 1 + ROUNDING
        if is_left:
            used += amount
            self._used[slot] = used
        return is_left, used, self._ends[slot]

    def add(self, tag: int, amount: float, now: float) -> tuple[float, float]:
        """Add an amount, which may be negative, to a usage. Return the usage and the end of the window."""
        slot = self._current_slot(tag, now)
        used = min(max(self._used[slot] + amount, 0.0), MAX_USED)
        self._used[slot] = used
        return used, self._ends[slot]

    def _current_slot(self, tag: int, now: float) -> int:
        """Return the slot of a client.

        If its window is over, the next one starts, with the use that is carried over.
        """
        slot = self._last_slots.get(tag, 0)
        if self._tags[slot] != tag:
            slot = self._slot_of(tag, now)
            if len(self._last_slots) >= MAX_LAST_SLOTS:
                self._last_slots.clear()
            self._last_slots[tag] = slot
        end = self._ends[slot]
        if now >= end:
            left = self._used_at(slot, now)
            self._used[slot] = left
            self._ends[slot] = end + (1 + (now - end) // WINDOW) * WINDOW if left else now + WINDOW
        return slot

    def _slot_of(self, tag: int, now: float) -> int:
        """Return the slot of a client. A new client gets the slot of the one that has used least."""
        first = tag % (SLOTS // SLOTS_OF_SET) * SLOTS_OF_SET
        tags = self._tags[first : first + SLOTS_OF_SET].tolist()
        if tag in tags:
            return first + tags.index(tag)
        slot = min(range(first, first + SLOTS_OF_SET), key=lambda slot: self._used_at(slot, now))
        self._used[slot] = 0.0
        self._ends[slot] = 0.0
        self._tags[slot] = tag
        return slot

    def _used_at(self, slot: int, now: float) -> float:
        if now < self._ends[slot]:
            return self._used[slot]
        return max(0.0, self._used[slot] - 1 - (now - self._ends[slot]) // WINDOW)


def _new_memory() -> bytearray:
    return bytearray(secrets.token_bytes(SECRET_SIZE) + bytes(SIZE - SECRET_SIZE))


@contextmanager
def usage_file() -> Iterator[str]:
    """Make the file that the workers of one server share, and delete it at the end."""
    handle, path = tempfile.mkstemp(prefix="hoptac-usage-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_new_memory())  # all of it now: a disk that is full later must not stop the workers
        yield path
    finally:
        Path(path).unlink(missing_ok=True)


def open_usage_table(path: str) -> UsageTable:
    """Return the table in a file, or one for this process alone if the file does not exist any more."""
    try:
        with Path(path).open("r+b") as file:
            return UsageTable(mmap.mmap(file.fileno(), SIZE))
    except (OSError, ValueError) as error:
        log = structlog.get_logger("hoptac.limits")
        log.warning("rate limits are not shared between the workers", reason=type(error).__name__)
        return UsageTable()
