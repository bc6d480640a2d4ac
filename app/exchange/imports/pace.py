"""The pace of imports: when a process that is about to end stops, and how long other writers get between two chunks."""

import time
from collections.abc import Callable

# Seconds between two transactions. Writers that wait for the lock of SQLite try again every tenth of a second. This
# process does not know whether writers of other processes wait.
PAUSE = 0.12
PAUSED_EVERY = 0.25
SHORT_PAUSE = 0.005
LONG = 1.0
MAX_PAUSE = 10.0


class Interrupted(Exception):
    """The process is about to end. Another one continues the import."""


class Pace:
    """Decides before each transaction of a run whether to continue, and how long other writers get before it."""

    def __init__(self, is_ending: Callable[[], bool] = lambda: False, is_busy: Callable[[], bool] = lambda: False):
        self._is_ending = is_ending
        self._is_busy = is_busy
        self._paused_at = time.monotonic()
        self._locked_for = 0.0

    def note_lock(self, seconds: float) -> None:
        """Note for how long the last transaction had the lock of the writers."""
        self._locked_for = seconds

    def check(self) -> None:
        """Raise Interrupted if the process is about to end."""
        if self._is_ending():
            raise Interrupted

    def pause(self) -> None:
        """Let others write between two transactions. Raise Interrupted as `check` does."""
        self.check()
        is_long = self._is_busy() or time.monotonic() - self._paused_at > PAUSED_EVERY
        time.sleep(PAUSE if is_long else SHORT_PAUSE)
        # After a long transaction, other writers get as much time as it took, as long as some of them wait.
        until = time.monotonic() + min(self._locked_for, MAX_PAUSE) if self._locked_for > LONG else 0.0
        while self._is_busy() and time.monotonic() < until:
            self.check()
            time.sleep(PAUSE)
        self._locked_for = 0.0
        if is_long:
            self._paused_at = time.monotonic()
