"""How far a read node is behind its source: a task of the server that compares the last Changes of both."""

import asyncio
import time
from contextvars import Context
from typing import NamedTuple

import httpx
import structlog
from sqlalchemy import select

from app.changes.feed import PATH
from app.core.change_log import CHANGES, MIRRORS
from app.core.database.log_position import LagHistory
from app.core.database.statements import Query, Read, Reader
from app.core.errors import Unavailable
from app.core.gauges import register_gauge
from app.exchange.mirrors.source import client_of

EVERY = 1.0  # seconds between two looks at the source
AT_ONCE = 0.1  # seconds between two looks for clients that have seen a later Change
TIMEOUT = 3.0  # seconds after which a source that does not answer is unreachable
REWOUND = 409  # the status for a Change that the source does not have
BEHIND = "This read node is {} seconds behind its source."
DIVERGED = "The source does not have the last Change of this read node. Mirror the source into a new database."

_SOURCE = Query(select(MIRRORS.c.source), alone=True)
_LAST = Query(select(CHANGES.c.sequence, CHANGES.c.chain).order_by(CHANGES.c.sequence.desc()).limit(1), alone=True)


class SourceState(NamedTuple):
    """What is known of the source: `ok`, `behind`, `diverged` or `unreachable`, and how far the node is behind it."""

    state: str
    changes_behind: int
    seconds_behind: float


class SourceWatch:
    """Asks the source of the database for its last Change, every second.

    A source that does not answer does not make the node unready: its reads are the ones that still work then.
    """

    def __init__(self, reader: Reader, max_lag: float) -> None:
        self._reader = reader
        self._max_lag = max_lag
        self._history = LagHistory()
        self._own = 0  # the last Change of this database
        self._sequence = 0  # that of the source
        self._responds = False
        self._has_this_log = True
        self._looked_at = 0.0  # when the last look began
        self._looking: asyncio.Task[None] | None = None
        self._client: httpx.AsyncClient | None = None
        self._url = ""
        self._watcher: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look at the source from time to time, and show how far it is."""
        register_gauge("source_reachable", "1 if the source of the read node answers.", lambda: self._responds)
        register_gauge(
            "source_changes_behind", "Changes that the source has before the read node.", lambda: self.state()[1]
        )
        register_gauge("source_seconds_behind", "Seconds behind the source.", lambda: self.state()[2])
        self._watcher = asyncio.get_running_loop().create_task(self._watch(), context=Context())

    def state(self) -> SourceState:
        """Return what is known of the source."""
        seconds = round(self._history.seconds_behind(self._own), 1)
        behind = max(0, self._sequence - self._own)
        if not self._has_this_log:
            return SourceState("diverged", behind, seconds)
        if seconds > self._max_lag:
            return SourceState("behind", behind, seconds)
        return SourceState("ok" if self._responds else "unreachable", behind, seconds)

    def ensure_near(self) -> None:
        """Raise Unavailable if the node is too far behind the source, or follows another log."""
        state = self.state()
        if state.state == "diverged":
            raise Unavailable(DIVERGED)
        if state.state == "behind":
            raise Unavailable(BEHIND.format(state.seconds_behind))

    async def lacks(self, sequence: int) -> bool:
        """Return whether the source is known not to have a Change, as it is now."""
        began = time.monotonic()
        while self._sequence < sequence and self._looked_at < began:
            await self._look()
        return self._responds and self._sequence < sequence

    async def close(self) -> None:
        """Stop looking."""
        for task in (self._watcher, self._looking):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _watch(self) -> None:
        while True:
            before = self.state().state
            await self._look()
            after = self.state()
            if after.state != before:
                log = structlog.get_logger("hoptac.source")
                log.warning("source changed", state=after.state, seconds_behind=after.seconds_behind)
            await asyncio.sleep(EVERY)

    async def _look(self) -> None:
        """Look at the source once. Those who ask at once share the look."""
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._compare(), context=Context())
        await asyncio.wait({self._looking})

    async def _compare(self) -> None:
        try:
            await asyncio.sleep(max(0.0, self._looked_at + AT_ONCE - time.monotonic()))
            self._looked_at = time.monotonic()
            source, self._own, chain = await self._reader.run(_read_own)
            query = {"after": self._own, "limit": 1} | ({"chain": chain} if chain else {})
            client = await self._client_of(source)
            response = await client.head(PATH, params=query)
            last = response.headers.get("hoptac-sequence", "")
            self._responds = response.status_code in (200, REWOUND)
            if self._responds:
                self._has_this_log = response.status_code != REWOUND
                self._sequence = int(last) if last.isdecimal() else 0
                self._history.note(self._sequence)
        except (httpx.HTTPError, Unavailable, ValueError):  # ValueError: the source is an archive, and has no URL
            self._responds = False
        finally:
            self._looking = None

    async def _client_of(self, source: str) -> httpx.AsyncClient:
        """Return the client for the source, which can get another address."""
        if self._client is not None and self._url == source:
            return self._client
        client = client_of(source, insecure=True)  # the mirror has decided that
        client.timeout = httpx.Timeout(TIMEOUT)
        if self._client is not None:
            await self._client.aclose()
        self._client = client
        self._url = source
        return client


def _read_own() -> Read:
    """Read the address of the source, and number and chain value of the last Change of this database."""
    source = yield _SOURCE, {}
    last = yield _LAST, {}
    return source[0][0] if source else "", *(last[0] if last else (0, ""))
