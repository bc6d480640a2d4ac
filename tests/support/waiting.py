"""Wait for an event. The limit only ends a test that would wait for ever: a busy machine stays far below it."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def eventually(holds: Callable[[], Value], seconds: float = 120) -> Value:
    """Return the first true value of `holds`."""
    until = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < until, "it does not come to hold"
        time.sleep(0.02)
    return value
