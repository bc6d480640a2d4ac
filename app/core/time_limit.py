"""The time limit of the work that runs in this thread, which long loops check.

A database stops a statement at its deadline. The Python code between two statements stops only where it checks.
"""

import threading
import time
from collections.abc import Callable


class OutOfTime(Exception):
    """The work in this thread has used up its time."""


class TimeLimit(threading.local):
    """The limit of one thread: no later than `until` by its clock. Without a limit, `until` is infinite.

    The limit cannot have passed before `checked_from` by the monotonic clock, which is read in a tenth of the time: no
    CPU time grows faster.
    """

    clock: Callable[[], float] = time.monotonic
    until = float("inf")
    checked_from = float("inf")


LIMIT = TimeLimit()


def set_limit(clock: Callable[[], float], until: float) -> None:
    """Set the limit of this thread."""
    LIMIT.clock = clock
    LIMIT.until = until
    LIMIT.checked_from = 0.0


def clear_limit() -> None:
    """Remove the limit of this thread."""
    LIMIT.until = LIMIT.checked_from = float("inf")


def is_out_of_time() -> bool:
    """Return whether this thread has passed its limit."""
    now = time.monotonic()
    if now < LIMIT.checked_from:
        return False
    left = LIMIT.until - LIMIT.clock()
    LIMIT.checked_from = now + left
    return left < 0


def check_time() -> None:
    """Raise OutOfTime if this thread has passed its limit. Each loop over many records calls this."""
    if is_out_of_time():
        raise OutOfTime
