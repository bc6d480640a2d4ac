"""Hoptac: an open registry of international cooperation, with evidence for every figure."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__version__ = "0.1.0"


@contextmanager
def no_collector() -> Iterator[None]:
    """Without the garbage collector, where much is made and nothing thrown away: it would take a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
