"""Lists, whose pages are read when they are needed."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Generic, TypeVar

from hoptac_client.sessions import AsyncSession, Session

Item = TypeVar("Item")
Page = TypeVar("Page")


class Listing(Generic[Item, Page]):
    """A list of the registry. Iterating over it reads one page after the other. Each iteration starts anew."""

    def __init__(self, session: Session, path: str, params: Mapping[str, Any]) -> None:
        self._session = session
        self._path = path
        self._params = params

    def pages(self) -> Iterator[Page]:
        """Yield whole pages, which also have `included`, `hints` and the like."""
        path = self._path
        params = self._params
        while path:
            page = self._session.read(path, params)
            yield page
            path = page["next"]
            params = {}

    def __iter__(self) -> Iterator[Item]:
        page: Any
        for page in self.pages():
            yield from page["items"]

    def first(self) -> Item | None:
        """Return the first item, or None if there is none."""
        return next(iter(self), None)

    def count(self) -> int:
        """Return the number of all items, without reading them."""
        page = self._session.read(self._path, {**self._params, "limit": 1, "total": True, "include": None})
        return int(page["total"])


class AsyncListing(Generic[Item, Page]):
    """A list of the registry. Iterating over it reads one page after the other. Each iteration starts anew."""

    def __init__(self, session: AsyncSession, path: str, params: Mapping[str, Any]) -> None:
        self._session = session
        self._path = path
        self._params = params

    async def pages(self) -> AsyncIterator[Page]:
        """Yield whole pages, which also have `included`, `hints` and the like."""
        path = self._path
        params = self._params
        while path:
            page = await self._session.read(path, params)
            yield page
            path = page["next"]
            params = {}

    async def __aiter__(self) -> AsyncIterator[Item]:
        page: Any
        async for page in self.pages():
            for item in page["items"]:
                yield item

    async def first(self) -> Item | None:
        """Return the first item, or None if there is none."""
        async for item in self:
            return item
        return None

    async def count(self) -> int:
        """Return the number of all items, without reading them."""
        page = await self._session.read(self._path, {**self._params, "limit": 1, "total": True, "include": None})
        return int(page["total"])
