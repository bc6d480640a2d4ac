"""Send requests with httpx: `Session` waits for each response, `AsyncSession` is asynchronous."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypedDict

import anyio
import httpx

from hoptac_client.cache import ETagCache
from hoptac_client.errors import UnexpectedResponse
from hoptac_client.exchange import Exchange, Outcome, Seen, Step, exchange

USER_AGENT = "hoptac-client/0.1"

Params = Mapping[str, Any]


class Settings(TypedDict, total=False):
    """The keyword arguments of both clients; `Options` has their defaults."""

    retries: int
    longest_pause: float
    timeout: float
    cache_bytes: int
    language: str


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a client sends requests."""

    url: str
    key: str | None
    retries: int = 4
    longest_pause: float = 60.0
    timeout: float = 30.0
    cache_bytes: int = 16_000_000
    language: str | None = None

    def for_httpx(self) -> dict[str, Any]:
        """Return the arguments of a client of httpx."""
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        if self.language:
            headers["Accept-Language"] = self.language
        return {"base_url": self.url, "headers": headers, "timeout": self.timeout}


class _Requests:
    """What both sessions share: how requests are built and repeated."""

    def __init__(self, options: Options, http: httpx.Client | httpx.AsyncClient) -> None:
        self.options = options
        self._builder = http
        self._cache = ETagCache(options.cache_bytes) if options.cache_bytes else None
        self._seen = Seen()

    @property
    def registry(self) -> str:
        """The address of the registry."""
        return str(self._builder.base_url)

    def _exchange(self, method: str, path: str, params: Params, cached: bool = True, **content: Any) -> Exchange:
        url = self._url(path).copy_merge_params(query_of(params))
        timeout = self.options.timeout + float(params.get("wait") or 0)
        request = self._builder.build_request(method, url, timeout=timeout, **content)
        cache = self._cache if cached else None
        return exchange(request, cache, self._seen, self.options.retries, self.options.longest_pause)

    def _url(self, path: str) -> httpx.URL:
        """Return the URL of a path below the address of the registry, or of a `next` from the root of its host."""
        base = self._builder.base_url
        if base.path != "/" and path.startswith(base.path):
            path = path.removeprefix(base.path)
        url = base.join(path.removeprefix("/"))
        if (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
            raise ValueError(f"{path} is not a path of the registry.")  # and must not get the key
        return url


class Session(_Requests):
    """Sends requests and waits for their responses."""

    def __init__(self, options: Options, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(**options.for_httpx(), transport=transport)
        super().__init__(options, self._http)

    def send(self, method: str, path: str, params: Params, **content: Any) -> httpx.Response:
        """Send a request, repeat it if that is useful, and return the response or raise a `HoptacError`."""
        steps = self._exchange(method, path, params, **content)
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                response: httpx.Response = end.value
                return response
            outcome = self._perform(step)

    def _perform(self, step: Step) -> Outcome:
        if not isinstance(step, httpx.Request):
            time.sleep(step)
            return None
        try:
            return self._http.send(step, follow_redirects=step.method == "GET")
        except httpx.TransportError as error:
            return error

    def read(self, path: str, params: Params, **content: Any) -> Any:
        """Return the JSON of a GET request."""
        return json_of(self.send("GET", path, params, **content))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


class AsyncSession(_Requests):
    """Sends requests asynchronously, with asyncio or trio."""

    def __init__(self, options: Options, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(**options.for_httpx(), transport=transport)
        super().__init__(options, self._http)

    async def send(self, method: str, path: str, params: Params, **content: Any) -> httpx.Response:
        """Send a request, repeat it if that is useful, and return the response or raise a `HoptacError`."""
        steps = self._exchange(method, path, params, **content)
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                response: httpx.Response = end.value
                return response
            outcome = await self._perform(step)

    async def _perform(self, step: Step) -> Outcome:
        if not isinstance(step, httpx.Request):
            await anyio.sleep(step)
            return None
        try:
            return await self._http.send(step, follow_redirects=step.method == "GET")
        except httpx.TransportError as error:
            return error

    async def read(self, path: str, params: Params, **content: Any) -> Any:
        """Return the JSON of a GET request."""
        return json_of(await self.send("GET", path, params, **content))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def query_of(params: Params) -> httpx.QueryParams:
    """Return the parameters of a query string; a parameter with several values is repeated. None leaves it out."""
    query: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in params.items():
        values = [value] if isinstance(value, str) or not isinstance(value, Iterable) else value
        query += [(name, _text(item)) for item in values if item is not None]
    return httpx.QueryParams(query)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def json_of(response: httpx.Response) -> Any:
    """Return the JSON of a response."""
    try:
        return response.json()
    except ValueError as error:
        raise UnexpectedResponse(response) from error
