"""The progress of long commands.

Code that does long work calls `advance`. Only a command listens, so in a server this does nothing.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

FIRST = 2.0  # seconds until the first report
EVERY = 5.0  # seconds between two reports

_ADVANCE: ContextVar[Callable[[int], None] | None] = ContextVar("advance", default=None)


def advance(count: int) -> None:
    """Note that so many more items were done."""
    listener = _ADVANCE.get()
    if listener is not None:
        listener(count)


@contextmanager
def reported(items: str, report: Callable[[str], None]) -> Iterator[None]:
    """Report how many items are done, such as "Rows restored so far: 20,000.", while the block takes long."""
    done = 0
    due = time.monotonic() + FIRST

    def note(count: int) -> None:
        nonlocal done, due
        done += count
        if time.monotonic() >= due:
            report(f"{items} so far: {done:,}.")
            due = time.monotonic() + EVERY

    token = _ADVANCE.set(note)
    try:
        yield
    finally:
        _ADVANCE.reset(token)
