"""The signals that stop the process, and its end at the latest some seconds after them.

A thread that waits for a database or a name server that does not respond cannot be ended, and the interpreter would
wait for it without end. All that is stored is safe from an abrupt end, because every write is a transaction.
"""

import asyncio
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


class StopDelay:
    """The time from SIGTERM to the stop, in which a load balancer can notice that the process is about to stop.

    The process serves all requests meanwhile, but says that it is not ready. A second SIGTERM, or SIGINT, stops it at
    once.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.is_stopping = False

    def set_up(self) -> None:
        """Delay the handler of SIGTERM that is set now. Called in the event loop; only the main thread can do this."""
        stop = signal.getsignal(signal.SIGTERM)
        if not self._seconds or not callable(stop) or threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()

        def handle(*arguments: Any) -> object:
            if self.is_stopping:
                return stop(*arguments)
            self.is_stopping = True
            return loop.call_soon_threadsafe(loop.call_later, self._seconds, stop, *arguments)

        signal.signal(signal.SIGTERM, handle)


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
