"""Reads of the public API, in the process and without a key. A page gets data in no other way."""

from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import quote, urlencode

from starlette.types import ASGIApp, Message, Scope

from app.core.public_paths import public
from app.core.values.json import from_json

MAX_READS = 12  # of one page, if nothing else is said

Parameters = Mapping[str, Any]  # texts, numbers, lists of texts; None and empty ones are left out


class ReadFailed(Exception):
    """The API did not answer with 200. `problem` is the body of its response."""

    def __init__(self, status: int, problem: Mapping[str, Any], location: str) -> None:
        super().__init__(status)
        self.status = status
        self.problem = problem
        self.location = location  # of a record that was merged into another one


class PublicReads:
    """The reads of one page. `paths` records them in order, so that the page can list them."""

    def __init__(self, api: ASGIApp, page: Scope, language: str, max_reads: int = MAX_READS) -> None:
        self.paths: list[str] = []
        self._max_reads = max_reads
        self._api = api
        self._page = page
        self._headers = [(b"accept-language", language.encode())]

    async def get(self, path: str, parameters: Parameters | None = None) -> Any:
        """Return the JSON at a path; raises ReadFailed."""
        if len(self.paths) >= self._max_reads:
            raise RuntimeError(f"There are at most {self._max_reads} reads.")
        query = _query_string(parameters or {})
        self.paths.append(public(f"{quote(path)}?{query}" if query else quote(path)))
        response = Response()
        await self._api(self._scope(path, query), _no_body(), response.send)
        content = from_json(response.body)
        if response.status != 200:
            raise ReadFailed(response.status, content, response.location)
        return content

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
