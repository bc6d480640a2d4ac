"""How far this process knows the log, and for how long a copy of the log has been behind."""

import threading
import time
from collections import deque

# Seconds after which a log that is shorter than before has lost Changes, as after a restore or a failover without its
# last writes. For that long, it can also be the log of a server that is no longer the primary.
REWOUND_AFTER = 10.0

MAX_HISTORY = 1_000  # states of a log that are remembered to compute a lag


def sequence_of(name: str) -> int | None:
    """Return the number of the Change in an ETag or in the name of a Change, both of which start with it."""
    number = name.partition("-")[0]
    return int(number) if number.isdecimal() else None


class LogPosition:
    """The highest number of a Change that this process has committed or answered, in any of its threads.

    No later response of the process shows an earlier state.
    """

    def __init__(self) -> None:
        self.reached = 0
        self._raised_at = time.monotonic()
        self._lock = threading.Lock()

    def note(self, sequence: int | None) -> None:
        """Note the number of a Change that was committed or answered."""
        if sequence is not None and sequence > self.reached:
            with self._lock:
                if sequence > self.reached:
                    self.reached = sequence
                    self._raised_at = time.monotonic()

    def observe(self, last: int, looked_at: float) -> None:
        """Note the last Change of the log itself. `looked_at` is the time before it was read.

        If it has been lower for some time, the log was rewound, and responses start again from there.
        """
        self.note(last)
        if last < self.reached and looked_at > self._raised_at + REWOUND_AFTER:
            with self._lock:
                self.reached = last


class LagHistory:
    """The last Changes that a log was seen to have, and when each was first seen.

    The timestamps of Changes would need equal clocks on all machines, and an idle log would make a copy look old.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=MAX_HISTORY)

    def note(self, last: int) -> None:
        """Note the number of the last Change of the log, as it is now."""
        while self._seen and self._seen[-1][1] > last:  # the log was rewound
            self._seen.pop()
        if not self._seen or self._seen[-1][1] < last:
            self._seen.append((time.monotonic(), last))

    def seconds_behind(self, sequence: int) -> float:
        """Return for how long the log has had a later Change than this one, the last of a copy."""
        now = time.monotonic()
        return now - next((since for since, last in self._seen if last > sequence), now)
