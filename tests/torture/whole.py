"""Whether a database is whole: its own check, the chain of Changes, records against Changes, links against records."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, select, text

import app.catalogue  # noqa: F401 - declares every resource
from app.core.change_log import CHANGES, digest
from app.core.database.engine import Database
from app.core.database.sql import CHUNK
from app.core.maintenance.verify import Verifier
from app.core.model.resource import RESOURCES, Resource
from app.core.search.tables import RECORDS
from tests.torture.setting import Told


def broken(url: str, told: Iterable[Told] = ()) -> list[str]:
    """What is not whole, in words; `told`: writes that were acknowledged, each of which must be there."""
    with Database(url) as database, database.engine.connect() as connection:
        found = [*_of_engine(connection, database), *Verifier(connection).problems(), *_lost(connection, told)]
        for resource in RESOURCES.values():
            found += _of_index(connection, resource)
    return found[:20]


def _of_engine(connection: Connection, database: Database) -> Iterator[str]:
    if database.is_sqlite:
        checked = connection.execute(text("PRAGMA integrity_check")).scalar()
        if checked != "ok":
            yield f"integrity: {checked}"
        if connection.execute(text("PRAGMA foreign_key_check")).first():
            yield "a link leads nowhere"


def _lost(connection: Connection, told: Iterable[Told]) -> Iterator[str]:
    """Acknowledged writes that the log lacks. If it was rewound, two of them can have had the same number."""
    missing = dict[int, list[Told]]()
    for each in told:
        missing.setdefault(each.sequence, []).append(each)
    columns = [CHANGES.c[name] for name in ("sequence", "resource", "record_id", "redacted", "body")]
    for row in connection.execute(select(*columns).execution_options(yield_per=CHUNK)):
        path = f"/v1/{row.resource}/{row.record_id}"
        for each in missing.get(row.sequence, []):
            if each.path == path and (row.redacted or digest(row.body.encode()) == each.digest):
                missing[row.sequence].remove(each)
                break
    yield from (f"lost: {each}" for writes in missing.values() for each in writes)


def _of_index(connection: Connection, resource: Resource) -> Iterator[str]:
    """Search holds each public record, and nothing else."""
    table: Any = resource.table
    indexed = set(connection.scalars(select(RECORDS.c.record_id).where(RECORDS.c.resource == resource.name)))
    if indexed != set(connection.scalars(select(table.id).where(table.state == "published"))):
        yield f"{resource.name}: the index holds other records"
