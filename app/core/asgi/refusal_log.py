"""Decides which refused requests and probes are logged: the first of each client in a minute, then their number.

The same applies to other lines that a client can cause any number of times.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

import structlog

REFUSALS = frozenset({400, 401, 403, 413, 429, 431, 503})  # statuses that every client can cause any number of times
PROBES = ("/livez", "/readyz")  # paths that no rate limit applies to
MAX_LINES = 60  # of one client in a minute
MAX_CLIENTS = 1_000
WINDOW = 60.0  # seconds


class RefusalLog:
    """The refused requests and the probes of this minute, by client. The least recently seen clients are forgotten.

    `logger`, `event` and `client` are the name of the logger, the event and the member of the line with the number.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        logger: str = "hoptac.access",
        event: str = "refused requests and probes that were not logged",
        client: str = "client",
    ) -> None:
        self._clock = clock
        self._logger = logger
        self._event = event
        self._client = client
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()  # end of the minute, and refused requests

    def admits(self, client: str) -> bool:
        """Count a refused request or a probe, and return whether to log it. The others are logged as one number."""
        now = self._clock()
        end, count = self._windows.pop(client, (now + WINDOW, 0))
        if now >= end:
            self._log_rest(client, count)
            end = now + WINDOW
            count = 0
        self._windows[client] = (end, count + 1)
        if len(self._windows) > MAX_CLIENTS:
            forgotten, (_, its_count) = self._windows.popitem(last=False)
            self._log_rest(forgotten, its_count)
        return count < MAX_LINES

    def _log_rest(self, client: str, count: int) -> None:
        if count > MAX_LINES:
            log = structlog.get_logger(self._logger)
            log.info(self._event, **{self._client: client, "count": count - MAX_LINES})
