"""The cost of a request: how many seconds the server worked for it, without the time that it waited.

`Metered` measures the steps of its task in the event loop. Code that runs work for it elsewhere, such as in a thread or
in a database, adds the time of this work with `add_cost`. The rate limits read the sum.
"""

import time
from collections.abc import Coroutine, Generator
from contextvars import ContextVar
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send


class RequestCost:
    """The seconds of work that one request has caused so far."""

    __slots__ = ("_seconds", "_step_started")

    def __init__(self) -> None:
        self._seconds = 0.0
        self._step_started: float | None = None

    @property
    def seconds(self) -> float:
        """The work so far, with the step of the task that is running now."""
        if self._step_started is None:
            return self._seconds
        return self._seconds + time.thread_time() - self._step_started

    def add(self, seconds: float) -> None:
        """Add seconds of work."""
        self._seconds += seconds

    def start_step(self) -> None:
        """Note that a step of the task starts. It can be part of a step that is measured already."""
        self.end_step()
        self._step_started = time.thread_time()

    def end_step(self) -> None:
        """Add the CPU time of the step."""
        if self._step_started is not None:
            self._seconds += time.thread_time() - self._step_started
            self._step_started = None


# Set by the rate limits for each request; None outside of a request.
COST: ContextVar[RequestCost | None] = ContextVar("cost", default=None)


def add_cost(seconds: float) -> None:
    """Add seconds of work to the cost of the current request, if there is one.

    A thread that works for a request has no current request. Add its time when it has returned.
    """
    cost = COST.get()
    if cost is not None:
        cost.add(seconds)


class MeteredWork:
    """An ASGI middleware that adds the time of a request in the event loop to the cost of the request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        cost = COST.get()
        if cost is None:
            await self.app(scope, receive, send)
        else:
            await Metered(self.app(scope, receive, send), cost)  # type: ignore[arg-type]


class Metered:
    """An awaitable that runs a coroutine and adds the CPU time of each of its steps to a cost."""

    __slots__ = ("_coroutine", "_cost")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], cost: RequestCost) -> None:
        self._coroutine = coroutine
        self._cost = cost

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._coroutine.__await__()
        step: Any = steps.send
        argument: Any = None
        while True:
            self._cost.start_step()
            try:
                future = step(argument)
            except StopIteration as end:
                return end.value
            finally:
                self._cost.end_step()
            try:
                argument = yield future
                step = steps.send
            except BaseException as error:  # the cancellation of the task, for the coroutine
                argument = error
                step = steps.throw
