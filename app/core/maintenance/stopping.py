"""The signals that stop the process, and its end at the latest some seconds after them.

A thread that waits for a database or a name server that does not respond cannot be ended, and the interpreter would
wait for it without end. All that is stored is safe from an abrupt end, because every write is a transaction.
"""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import structlog

STOP_SECONDS = 60.0  # from a signal to the end; the server itself gives its requests ten seconds


def before_stop(act: Callable[[], object]) -> None:
    """Call a function on SIGINT and SIGTERM, before the handler that is set now. Only the main thread can do this."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(number)
        if callable(handler):
            signal.signal(number, _call_before(handler, act))


def _call_before(handler: Callable[..., object], act: Callable[[], object]) -> Callable[..., object]:
    def handle(*arguments: Any) -> object:
        act()
        return handler(*arguments)

    return handle


def end_in_time() -> None:
    """End this process abruptly if it has not ended by itself after STOP_SECONDS."""
    timer = threading.Timer(STOP_SECONDS, _end)
    timer.daemon = True
    timer.start()


def _end() -> None:
    structlog.get_logger("hoptac.error").error("ended abruptly", after_seconds=STOP_SECONDS)
    os._exit(1)
