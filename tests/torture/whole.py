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
    by_sequence = {each.sequence: each for each in told}
    columns = [CHANGES.c[name] for name in ("sequence", "resource", "record_id", "redacted", "body")]
    for row in connection.execute(select(*columns).execution_options(yield_per=CHUNK)):
        each = by_sequence.get(row.sequence)
        is_same = each and (row.redacted or digest(row.body.encode()) == each.digest)
        if each and is_same and each.path == f"/v1/{row.resource}/{row.record_id}":
            del by_sequence[row.sequence]
    yield from (f"lost: {each}" for each in by_sequence.values())


def _of_index(connection: Connection, resource: Resource) -> Iterator[str]:
    """Search holds each public record, and nothing else."""
    table: Any = resource.table
    indexed = set(connection.scalars(select(RECORDS.c.record_id).where(RECORDS.c.resource == resource.name)))
    if indexed != set(connection.scalars(select(table.id).where(table.state == "published"))):
        yield f"{resource.name}: the index holds other records"
