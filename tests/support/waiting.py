"""Wait for an event. The limit only ends a test that would wait for ever: a busy machine stays far below it."""

import time
from collections.abc import Callable


def eventually(holds: Callable[[], object], seconds: float = 120) -> None:
    """Return as soon as `holds` returns something true."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it does not come to hold"
        time.sleep(0.02)
