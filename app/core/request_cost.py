"""The cost of a request: how many seconds the server worked for it, without the time that it waited.

Whoever works for a request adds the time here. The rate limits read the sum when the request has ended.
"""

from contextvars import ContextVar


class RequestCost:
    """The work that one request has caused so far, in seconds: of readers and writers, and of the event loop."""

    __slots__ = ("in_event_loop", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.in_event_loop = 0.0

    @property
    def total(self) -> float:
        """What counts for the rate limit. The work of a short read is part of both numbers."""
        return max(self.seconds, self.in_event_loop)


# Set by the outermost middleware for each request; None outside of a request.
COST: ContextVar[RequestCost | None] = ContextVar("cost", default=None)


def add_cost(seconds: float) -> None:
    """Add seconds of work to the cost of the current request, if there is one.

    A thread that works for a request has no current request. Add its time when it has returned.
    """
    cost = COST.get()
    if cost is not None:
        cost.seconds += seconds
