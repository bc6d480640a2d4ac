"""Numbers that `/metrics` shows for this process at the time of the request, such as open connections.

A module that has such a number registers a function that returns it. It is called for each scrape, in the event loop.
"""

from collections.abc import Callable
from typing import NamedTuple


class Gauge(NamedTuple):
    """The description of the number, and the function that returns it."""

    description: str
    read: Callable[[], float]


GAUGES: dict[str, Gauge] = {}


def register_gauge(name: str, description: str, read: Callable[[], float]) -> None:
    """Show a number as `hoptac_<name>`. It replaces an earlier one with the same name."""
    GAUGES[name] = Gauge(description, read)
