"""How far this process knows the log: the highest number of a Change that its commits or responses contain."""

import threading
import time

# Seconds after which a log that is shorter than before has lost Changes, as after a restore or a failover without its
# last writes. For that long, it can also be the log of a server that is no longer the primary.
REWOUND_AFTER = 10.0


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
