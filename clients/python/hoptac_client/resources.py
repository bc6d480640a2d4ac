"""What all resources have: details, history, facets and writes. `hoptac_client.records` has their lists, with types."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

from hoptac_client.listings import AsyncListing, Listing
from hoptac_client.models import Facets, HistoryPage, Version
from hoptac_client.sessions import AsyncSession, Session, json_of

Record = TypeVar("Record")
Detail = TypeVar("Detail")
Fields = TypeVar("Fields")
Changes = TypeVar("Changes")

Names = str | Sequence[str]
FieldsOf = Mapping[str, Names]


class _Paths:
    """The paths and parameters of a resource."""

    name: str

    def _path(self, *parts: str) -> str:
        return "/".join(["/v1", self.name, *(quote(part, safe="") for part in parts)])


def conditions(if_match: str | None) -> dict[str, dict[str, str]]:
    """Return the headers that say which version a write may replace."""
    return {"headers": {"If-Match": if_match}} if if_match else {}


def list_params(
    fields: Names | None, included_fields: FieldsOf | None, include: Names, page_size: int, filters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the parameters of a list."""
    included = {f"fields[{name}]": joined(names) for name, names in (included_fields or {}).items()}
    named = {"fields": joined(fields or ()), "include": joined(include), "limit": page_size}
    return {**filters, **named, **included}


def joined(names: Names) -> str | None:
    """Return names with commas between them, or None if there are none."""
    return (names if isinstance(names, str) else ",".join(names)) or None


class Resource(_Paths, Generic[Record, Detail, Fields, Changes]):
    """The records of one resource."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _list(self, *params: Any) -> Any:
        return Listing[Any, Any](self._session, self._path(), list_params(*params))

    def read(self, id: str, include: Names = (), **params: Any) -> tuple[Detail, str]:
        """Return a record and its ETag, which a write needs as `if_match`."""
        response = self._session.send("GET", self._path(id), {**params, "include": joined(include)})
        return json_of(response), response.headers["etag"]

    def history(self, id: str) -> Listing[Version, HistoryPage]:
        """List the versions of a record, the newest first."""
        return Listing(self._session, self._path(id, "history"), {})

    def facets(self, *names: str, **filters: Any) -> Facets:
        """Count the records for each value of these filters, under other filters."""
        facets: Facets = self._session.read(self._path("facets"), {**filters, "facet": names})
        return facets

    def create(self, fields: Fields) -> Record:
        """Create a record, whose id is made of its title. A repetition creates no second record."""
        headers = {"Idempotency-Key": str(uuid4())}
        record: Record = json_of(self._session.send("POST", self._path(), {}, json=fields, headers=headers))
        return record

    def put(self, id: str, fields: Fields | Record | Detail, if_match: str | None = None) -> Record:
        """Create a record, or replace the version with this ETag. `*` replaces any version."""
        content = {"json": writable(fields), **conditions(if_match)}
        record: Record = json_of(self._session.send("PUT", self._path(id), {}, **content))
        return record

    def patch(self, id: str, changes: Changes, if_match: str) -> Record:
        """Change fields of the version with this ETag. `*` changes any version. None removes a value."""
        record: Record = json_of(self._session.send("PATCH", self._path(id), {}, json=changes, **conditions(if_match)))
        return record

    def delete(self, id: str, if_match: str) -> None:
        """Delete the version with this ETag. `*` deletes any version."""
        self._session.send("DELETE", self._path(id), {}, **conditions(if_match))


class AsyncResource(_Paths, Generic[Record, Detail, Fields, Changes]):
    """The records of one resource, for `AsyncClient`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    def _list(self, *params: Any) -> Any:
        return AsyncListing[Any, Any](self._session, self._path(), list_params(*params))

    async def read(self, id: str, include: Names = (), **params: Any) -> tuple[Detail, str]:
        """Return a record and its ETag, which a write needs as `if_match`."""
        response = await self._session.send("GET", self._path(id), {**params, "include": joined(include)})
        return json_of(response), response.headers["etag"]

    def history(self, id: str) -> AsyncListing[Version, HistoryPage]:
        """List the versions of a record, the newest first."""
        return AsyncListing(self._session, self._path(id, "history"), {})

    async def facets(self, *names: str, **filters: Any) -> Facets:
        """Count the records for each value of these filters, under other filters."""
        facets: Facets = await self._session.read(self._path("facets"), {**filters, "facet": names})
        return facets

    async def create(self, fields: Fields) -> Record:
        """Create a record, whose id is made of its title. A repetition creates no second record."""
        headers = {"Idempotency-Key": str(uuid4())}
        record: Record = json_of(await self._session.send("POST", self._path(), {}, json=fields, headers=headers))
        return record

    async def put(self, id: str, fields: Fields | Record | Detail, if_match: str | None = None) -> Record:
        """Create a record, or replace the version with this ETag. `*` replaces any version."""
        content = {"json": writable(fields), **conditions(if_match)}
        record: Record = json_of(await self._session.send("PUT", self._path(id), {}, **content))
        return record

    async def patch(self, id: str, changes: Changes, if_match: str) -> Record:
        """Change fields of the version with this ETag. `*` changes any version. None removes a value."""
        content = {"json": changes, **conditions(if_match)}
        record: Record = json_of(await self._session.send("PATCH", self._path(id), {}, **content))
        return record

    async def delete(self, id: str, if_match: str) -> None:
        """Delete the version with this ETag. `*` deletes any version."""
        await self._session.send("DELETE", self._path(id), {}, **conditions(if_match))


def writable(fields: Any) -> Any:
    """Return the fields of a record without what `include` has added to it."""
    return {name: value for name, value in fields.items() if name not in ("included", "included_next")}
