"""Mirrors over a test client, and the comparison of two registries, byte for byte."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
from sqlalchemy import select
from starlette.testclient import TestClient

from app.core.change_log import CHANGES, REDACTIONS
from app.core.database.engine import Database
from app.core.model.resource import RESOURCES
from app.exchange.mirrors.mirror import MirrorFollower
from app.exchange.mirrors.source import Source
from tests.support.log import changes


def logs(database: Database) -> list[Any]:
    """The log of what was taken down, but for what concerns records that were never public."""
    query = select(REDACTIONS).join(CHANGES, CHANGES.c.sequence == REDACTIONS.c.change)
    with database.engine.connect() as connection:
        return list(connection.execute(query.where(CHANGES.c.shown.is_not(None)).order_by(REDACTIONS.c.change)))


Alter = Callable[[str], str]


def source_of(client: TestClient, alter: Alter = lambda text: text) -> Source:
    """The registry behind a test client, over httpx; `alter` changes what it says."""

    def answer(request: httpx.Request) -> httpx.Response:
        found = client.get(request.url.raw_path.decode())
        return httpx.Response(found.status_code, content=streamed(alter(found.text).encode()))

    made = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="https://source.test")
    return Source(made, retries_forever=False, pause=lambda _: None)


def mirror(client: TestClient, copy: Database, alter: Alter = lambda text: text) -> None:
    with source_of(client, alter) as source:
        MirrorFollower(copy, source).follow(once=True)


async def streamed(content: bytes) -> AsyncIterator[bytes]:
    """A body that httpx has not read yet."""
    yield content


def pages(client: Any, path: str | None) -> Iterator[str]:
    while path:
        yield path
        found = client.get(path)
        path = found.json().get("next") if found.status_code == 200 else None


def public(client: Any, ids: set[tuple[str, str]]) -> Iterator[str]:
    """A read of every kind: each record that there ever was, every list, the feed, and what is computed."""
    yield from (f"/v1/{name}/{record_id}" for name, record_id in sorted(ids))
    for name, record_id in sorted(ids):
        if name in ("partners", "projects"):
            yield from (f"/v1/{name}/{record_id}/history", f"/v1/{name}/{record_id}?as_of=2999-01-01")
    for name in RESOURCES:
        for shape in (
            "sort=-id",
            "sort=updated_at",
            "q=zebra",
            "include=partners" if name == "projects" else "total=true",
        ):
            yield from pages(client, f"/v1/{name}?limit=100&{shape}")
    for shape in ("proof=true", "partner=unido", "resource=projects&proof=true", "record=partners/unido"):
        last, path = "", "/v1/changes?limit=200&" + shape
        while path != last:
            yield path
            last, path = path, client.get(path).json()["next"]
    yield from ("/v1/projects/facets?facet=status&facet=partner", "/v1/figures/aggregate?group_by=indicator,kind")
    yield from pages(client, "/v1/search?q=khu+cong+nghiep&limit=7")
    yield from ("/v1/audit?as_of=2026-11-22", "/v1/timeline?limit=200", "/v1/progress")


def ensure_alike(one: Any, other: Any, ids: set[tuple[str, str]]) -> int:
    count = 0
    for path in public(one, ids):
        left, right = (client.get(path, follow_redirects=False) for client in (one, other))
        assert (left.status_code, left.content) == (right.status_code, right.content), (
            f"{path}: {left.status_code} {left.text[:600]} is not {right.status_code} {right.text[:600]}"
        )
        assert left.headers.get("etag") == right.headers.get("etag"), path
        assert left.headers.get("location") == right.headers.get("location"), path
        count += 1
    return count


def ids_of(database: Database) -> set[tuple[str, str]]:
    """The records of a database, but of those that were only seeded a tenth: the others are in lists and the feed."""
    found = changes(database)
    return {(row.resource, row.record_id) for row in found if row.actor != "seed" or row.sequence % 10 == 0}
