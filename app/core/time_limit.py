"""The time limit of the work that runs in this thread, which long loops check.

A database stops a statement at its deadline. The Python code between two statements stops only where it checks.
"""

import threading
import time
from collections.abc import Callable


class OutOfTime(Exception):
    """The work in this thread has used up its time."""


class TimeLimit(threading.local):
    """The limit of one thread: no later than `until` by its clock. Without a limit, `until` is infinite."""

    clock: Callable[[], float] = time.monotonic
    until = float("inf")


LIMIT = TimeLimit()


def set_limit(clock: Callable[[], float], until: float) -> None:
    """Set the limit of this thread."""
    LIMIT.clock = clock
    LIMIT.until = until


def clear_limit() -> None:
    """Remove the limit of this thread."""
    LIMIT.until = float("inf")


def is_out_of_time() -> bool:
    """Return whether this thread has passed its limit."""
    until = LIMIT.until
    return until != float("inf") and LIMIT.clock() > until


def check_time() -> None:
    """Raise OutOfTime if this thread has passed its limit. Each loop over many records calls this."""
    if is_out_of_time():
        raise OutOfTime
