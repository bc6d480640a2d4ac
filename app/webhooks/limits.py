"""Limits on what callers start by hand: tests, repetitions, rotations, new keys, and lookups of the host in a URL.

They apply even if the rate limits of requests are switched off, because these actions go beyond the request: they send
something to an address that the caller chose, or store something. All workers of a server share the counts.
"""

from concurrent.futures import Executor

from app.core.asgi.rate_limits import RateLimit
from app.core.asgi.usage_table import UsageTable
from app.core.errors import TooMany
from app.webhooks.lookups import Lookups

# Maximum number in a minute for one subscription, for one key, and for all keys together.
RATES = {
    "tests": (10, 30, 300),
    "repetitions": (60, 120, 600),
    "rotations": (10, 30, 300),
    "lookups": (60, 60, 600),
    "keys": (60, 60, 300),
}
MAX_LOOKUPS = 8  # at the same time
MAX_LOOKUPS_OF_KEY = 2
RETRY_LOOKUP = 5  # seconds


class ManualLimits:
    """The limits of one process. `close` ends its threads."""

    def __init__(self, table: UsageTable) -> None:
        self._limits = {
            action: [
                RateLimit(f"{action}-of-{whom}", rate, table)
                for whom, rate in zip(("subscription", "key", "all"), rates, strict=True)
            ]
            for action, rates in RATES.items()
        }
        self._lookups = Lookups(MAX_LOOKUPS)

    def take(self, action: str, key_id: str, webhook_id: str) -> None:
        """Count one action. Raise TooMany if the subscription, its key or all together have none left.

        The narrowest limit is checked first, so a caller who exceeds it does not use up the others.
        """
        for limit, client in zip(self._limits[action], (webhook_id, key_id, ""), strict=True):
            limit.take(limit.tag_of(client))

    def lookups_of(self, key_id: str) -> Executor:
        """Return an executor for one lookup. Raise TooMany if too many of this key have not ended."""
        self.take("lookups", key_id, key_id)
        if self._lookups.unfinished()[key_id] >= MAX_LOOKUPS_OF_KEY:
            raise TooMany(
                "The addresses of other webhooks of this key are still being looked up. Try again later.",
                headers={"Retry-After": str(RETRY_LOOKUP)},
            )
        return self._lookups.of_key(key_id)

    def close(self) -> None:
        """Shut down without waiting for lookups that are running."""
        self._lookups.close()
