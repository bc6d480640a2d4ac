"""The garbage collector of Python: switched off while many objects are created, and kept from objects that stay."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

LONG = 0.02  # seconds of a full collection, which stops the process
FREEZES = 4  # each keeps at most what the process had in memory then

Callback = Callable[[str, dict[str, Any]], None]


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Switch the garbage collector off for a block, which saves a third of the time of imports and bulk writes."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def freeze_after_long_collections() -> Callback:
    """Exclude the objects that a long full collection has left from later ones, some times. Return the callback.

    Most of them stay for as long as the process: models and statements that the first requests build, and modules that
    they import. Excluded objects are still freed when nothing refers to them, but not if they refer to each other.
    """
    started = 0.0
    left = FREEZES

    def note(phase: str, info: dict[str, Any]) -> None:
        nonlocal started, left
        if info["generation"] < 2 or not left:
            return
        if phase == "start":
            started = time.thread_time()
        elif time.thread_time() - started > LONG:
            left -= 1
            gc.freeze()

    gc.callbacks.append(note)
    return note
