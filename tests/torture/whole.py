"""Whether a database is whole: its own check, the chain of Changes, records against Changes, links against records."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, select, text

import app.main  # noqa: F401 - declares every resource
from app.core.changes import CHANGES
from app.core.database import Database
from app.core.index import RECORDS
from app.core.resource import RESOURCES, Resource
from app.core.verifying import Verifier
from tests.torture.ground import Told


def broken(url: str, told: Iterable[Told] = ()) -> list[str]:
    """What is not whole, in words; `told`: writes that were acknowledged, each of which must be there."""
    database = Database(url)
    try:
        with database.engine.connect() as connection:
            found = [*_of_engine(connection, database), *Verifier(connection).problems(), *_lost(connection, told)]
            for resource in RESOURCES.values():
                found += _of_index(connection, resource)
    finally:
        database.close()
    return found[:20]


def _of_engine(connection: Connection, database: Database) -> Iterator[str]:
    if database.is_sqlite:
        checked = connection.execute(text("PRAGMA integrity_check")).scalar()
        if checked != "ok":
            yield f"integrity: {checked}"
        if connection.execute(text("PRAGMA foreign_key_check")).first():
            yield "a link leads nowhere"


def _lost(connection: Connection, told: Iterable[Told]) -> Iterator[str]:
    columns = (CHANGES.c.sequence, CHANGES.c.resource, CHANGES.c.record_id, CHANGES.c.digest)
    there = {
        row.sequence: (f"/v1/{row.resource}/{row.record_id}", row.digest)
        for row in connection.execute(select(*columns))
    }
    for each in told:
        if there.get(each.sequence) != (each.path, each.digest):
            yield f"lost: {each}"


def _of_index(connection: Connection, resource: Resource) -> Iterator[str]:
    """Search holds each public record, and nothing else."""
    table: Any = resource.table
    indexed = set(connection.scalars(select(RECORDS.c.record_id).where(RECORDS.c.resource == resource.name)))
    if indexed != set(connection.scalars(select(table.id).where(table.state == "published"))):
        yield f"{resource.name}: the index holds other records"
