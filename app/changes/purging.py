"""Deletion of changed responses from a cache in front of the server: what has changed, and the requests to the cache.

Responses name what they depend on (`app/core/values/cache_keys.py`). The log of Changes says what is different now, and
the states of the index and of the texts, the day and the program say the rest.
"""

import json
import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
from sqlalchemy import Connection, select

from app import __version__
from app.core.change_log import CHANGES as LOG
from app.core.change_log import name_of
from app.core.database.connection_reads import run_on
from app.core.database.engine import Database
from app.core.database.log_position import sequence_of
from app.core.model.fields import RENDERING
from app.core.reading.results import NO_CHANGE, last_change_and_index
from app.core.search.entries import INDEXING
from app.core.values.cache_keys import CHANGES, HEADER, REGISTRY, in_header, keys_of_change
from app.core.values.dates import today_in_utc
from app.documents.texts.tables import read_text_state

MAX_CHANGES = 2_000  # whose keys are deleted one by one; after more of them, everything is deleted
MAX_KEYS = 30  # in a request: 4 kB, and as many as each of the known services takes
TIMEOUT = 10.0  # seconds of a request
MAX_ATTEMPTS = 8
MIN_PAUSE = 0.25  # seconds before the second attempt; each following pause is twice as long
TEMPORARY = (429, 500, 502, 503, 504)  # statuses after which another attempt may succeed

_FOLLOWING = select(LOG.c.sequence, LOG.c.chain, LOG.c.resource, LOG.c.record_id, LOG.c.shown).order_by(LOG.c.sequence)


class NotPurged(Exception):
    """Raised when a cache does not delete responses; the message states the reason."""


class Position(NamedTuple):
    """What the responses in a cache show at least: the state after a Change, and what else they depend on."""

    change: str
    others: str  # the day, and the states of the index and of the texts
    program: str  # its version, with those of representations and entries of the index

    @classmethod
    def read(cls, file: Path) -> "Position | None":
        """Return the position in a file, or None if there is none."""
        try:
            change, others, program = map(str, json.loads(file.read_text("utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return cls(change, others, program)

    def write(self, file: Path) -> None:
        """Replace the position in a file."""
        written = file.with_name(f".{file.name}.new")
        written.write_text(json.dumps(self), "utf-8")
        written.replace(file)


def changed_since(connection: Connection, position: Position | None) -> tuple[Collection[str], Position]:
    """Return the keys of all responses that may differ from those at a position, and the present position."""
    last, _, index = run_on(connection, last_change_and_index()).partition(".")
    others = f"{today_in_utc()} {index} {run_on(connection, read_text_state())}"
    present = Position(last, others, f"{__version__} {RENDERING} {INDEXING}")
    if position is None or position.program != present.program:
        return (REGISTRY,), present
    keys = dict.fromkeys(() if position.others == others else (CHANGES,))
    if position.change == last:
        return keys, present
    start = 0 if position.change == NO_CHANGE else sequence_of(position.change) or 0
    changes = connection.execute(_FOLLOWING.where(LOG.c.sequence >= start).limit(MAX_CHANGES + 2)).all()
    if position.change != NO_CHANGE:
        if not changes or name_of(changes[0].sequence, changes[0].chain) != position.change:
            return (REGISTRY,), present  # the log was restored
        changes = changes[1:]
    if len(changes) > MAX_CHANGES:
        return (REGISTRY,), present
    for change in changes:
        keys |= dict.fromkeys(keys_of_change(change.resource, change.record_id, change.shown))
    return keys, present


class Cache:
    """A cache that deletes responses by their keys, which are in the header `Surrogate-Key` or in JSON as `tags`."""

    def __init__(self, client: httpx.Client, url: str, method: str, *, takes_json: bool = False) -> None:
        self._client = client
        self._url = url
        self._method = method
        self._takes_json = takes_json

    def delete(self, keys: Collection[str]) -> None:
        """Delete the responses with these keys. Raise NotPurged if the cache does not do this."""
        for batch in _batches(list(keys)):
            self._request(batch)

    def _request(self, keys: Sequence[str]) -> None:
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                time.sleep(MIN_PAUSE * 2 ** (attempt - 1))
            reason, is_final = self._attempt(keys)
            if not reason or is_final:
                break
        if reason:
            raise NotPurged(f"The cache does not delete responses: {reason}.")

    def _attempt(self, keys: Sequence[str]) -> tuple[str, bool]:
        """Send one request. Return why it failed, and whether every other attempt would fail too."""
        content = {"json": {"tags": keys}} if self._takes_json else {"headers": {HEADER: in_header(keys)}}
        try:
            response = self._client.request(self._method, self._url, timeout=TIMEOUT, **content)
        except httpx.HTTPError as error:
            return str(error) or type(error).__name__, False
        if response.is_success:
            return "", False
        return f"its status is {response.status_code}", response.status_code not in TEMPORARY


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), MAX_KEYS):
        yield keys[start : start + MAX_KEYS]


class Purger:
    """Deletes from a cache what has changed in a database, and stores in a file how far it is.

    It deletes everything twice, the second time `repeat_after` seconds later: a response that the server had begun
    before a Change can arrive in the cache after the first deletion. The position in the file is that of the last
    second deletion. So nothing is missed if the process is killed.
    """

    def __init__(self, database: Database, cache: Cache, file: Path, repeat_after: float) -> None:
        self._database = database
        self._cache = cache
        self._file = file
        self._repeat_after = repeat_after
        self._waiting: deque[tuple[float, Collection[str], Position]] = deque()
        self.position = Position.read(file)

    @property
    def is_complete(self) -> bool:
        """Whether everything that has changed until the last step was deleted twice."""
        return not self._waiting

    def forget(self) -> None:
        """Delete everything in the next step."""
        self.position = None

    def step(self) -> None:
        """Delete what has changed since the last step, and once more what had changed some time before."""
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, keys, position = self._waiting.popleft()
            self._cache.delete(keys)
            position.write(self._file)
        with self._database.snapshot() as connection:
            keys, position = changed_since(connection, self.position)
        if keys:
            self._cache.delete(keys)
            self._waiting.append((time.monotonic() + self._repeat_after, keys, position))
        self.position = position
