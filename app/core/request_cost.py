"""The cost of a request: how many seconds the server worked for it, without the time that it waited.

Whoever works for a request adds the time here. The rate limits read the sum when the request has ended.
"""

from contextvars import ContextVar


class RequestCost:
    """The seconds of work that one request has caused so far."""

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds = 0.0


# Set by the outermost middleware for each request; None outside of a request.
COST: ContextVar[RequestCost | None] = ContextVar("cost", default=None)


def add_cost(seconds: float) -> None:
    """Add seconds of work to the cost of the current request, if there is one.

    A thread that works for a request has no current request. Add its time when it has returned.
    """
    cost = COST.get()
    if cost is not None:
        cost.seconds += seconds
