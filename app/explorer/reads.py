"""Reads of the public API, in the process and without a key. A page gets data in no other way."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote, urlencode

from starlette.types import ASGIApp, Message, Scope

from app.core.public_paths import public
from app.core.values.json import from_json

MAX_READS = 12  # of one page, if nothing else is said
MAX_SUMMARIES = 256  # of this process
MAX_SUMMARY = 32_000  # bytes; larger ones are read each time

Parameters = Mapping[str, Any]  # texts, numbers, lists of texts; None and empty ones are left out


class ReadFailed(Exception):
    """The API did not answer with 200. `problem` is the body of its response."""

    def __init__(self, status: int, problem: Mapping[str, Any], location: str) -> None:
        super().__init__(status)
        self.status = status
        self.problem = problem
        self.location = location  # of a record that was merged into another one


class Summaries:
    """Responses that count or compare all records of a resource, which takes long. They are used until the next Change.

    The least recently used ones are dropped.
    """

    def __init__(self, marker: Callable[[], Awaitable[object]]) -> None:
        self._marker = marker
        self._bodies: OrderedDict[Hashable, bytes] = OrderedDict()

    async def body(self, key: Hashable, read: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return the response with this key, and store it for the next page."""
        marker = await self._marker()
        if marker is None:  # the last Change is not known
            return await read()
        own = (marker, key)
        stored = self._bodies.get(own)
        if stored is None:
            stored = await read()
            if len(stored) <= MAX_SUMMARY:
                self._bodies[own] = stored
        else:
            self._bodies.move_to_end(own)
        while len(self._bodies) > MAX_SUMMARIES:
            self._bodies.popitem(last=False)
        return stored


class PublicReads:
    """The reads of one page. `paths` records them in order, so that the page can list them."""

    def __init__(
        self,
        api: ASGIApp,
        page: Scope,
        language: str,
        max_reads: int = MAX_READS,
        summaries: Summaries | None = None,
    ) -> None:
        self.paths: list[str] = []
        self._max_reads = max_reads
        self._summaries = summaries
        self._api = api
        self._page = page
        self._headers = [(b"accept-language", language.encode())]

    async def get(self, path: str, parameters: Parameters | None = None) -> Any:
        """Return the JSON at a path. Raise ReadFailed if the API does not return any, which is no read to repeat."""
        query = self._noted(path, parameters)
        return from_json(await self._body(path, query))

    async def get_if_exists(self, path: str) -> Any:
        """Return the JSON at a path, or None if there is nothing."""
        try:
            return await self.get(path)
        except ReadFailed as failure:
            if failure.status != 404:
                raise
            return None

    async def summary(self, path: str, parameters: Parameters | None = None) -> Any:
        """Return the same, perhaps from an earlier page: for what takes long and is equal for many pages."""
        if self._summaries is None:
            return await self.get(path, parameters)
        query = self._noted(path, parameters)
        key = (path, query, self._headers[0])
        return from_json(await self._summaries.body(key, lambda: self._body(path, query)))

    def _noted(self, path: str, parameters: Parameters | None) -> str:
        """Add a read to the list of the page. Return its query string."""
        if len(self.paths) >= self._max_reads:
            raise RuntimeError(f"There are at most {self._max_reads} reads.")
        query = _query_string(parameters or {})
        self.paths.append(public(f"{quote(path)}?{query}" if query else quote(path)))
        return query

    async def _body(self, path: str, query: str) -> bytes:
        response = Response()
        await self._api(self._scope(path, query), _no_body(), response.send)
        if response.status != 200:
            self.paths.pop()
            raise ReadFailed(response.status, from_json(response.body), response.location)
        return response.body

    def _scope(self, path: str, query: str) -> Scope:
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": self._page["scheme"],
            "path": path,
            "raw_path": quote(path).encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": self._headers,
            "header_values": dict(self._headers),
            "client": self._page.get("client"),
            "server": self._page.get("server"),
        }


class Response:
    """Collects the messages of a response."""

    def __init__(self) -> None:
        self.status = 0
        self.location = ""
        self.body = b""

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Take the next message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.location = dict(message["headers"]).get(b"location", b"").decode()
        else:
            self.body += message.get("body", b"")


def _no_body() -> Any:
    """Return a `receive` of a request without a body. A second call means that the client has disconnected."""
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


def _query_string(parameters: Parameters) -> str:
    pairs = {name: value for name, value in parameters.items() if value not in (None, "", [])}
    return urlencode(pairs, doseq=True, safe=",:")
