"""Responses with their ETags, in memory."""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

import httpx


@dataclass(frozen=True)
class Stored:
    """A response that the registry may confirm with 304."""

    etag: str
    response: httpx.Response


class ETagCache:
    """The latest responses, up to a number of bytes. The registry confirms each of them before it is used again."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._stored: OrderedDict[str, Stored] = OrderedDict()
        self._lock = Lock()

    def find(self, url: str) -> Stored | None:
        """Return the stored response of a URL."""
        with self._lock:
            stored = self._stored.get(url)
            if stored is not None:
                self._stored.move_to_end(url)
            return stored

    def store(self, url: str, response: httpx.Response) -> None:
        """Store a response, and forget the ones that were not used for the longest time."""
        etag = response.headers.get("etag")
        with self._lock:
            self._forget(url)
            if etag is None or len(response.content) > self._max_bytes:
                return
            self._stored[url] = Stored(etag, response)
            self._bytes += len(response.content)
            while self._bytes > self._max_bytes:
                self._forget(next(iter(self._stored)))

    def _forget(self, url: str) -> None:
        stored = self._stored.pop(url, None)
        if stored is not None:
            self._bytes -= len(stored.response.content)
