"""Whether a database is whole: its own check, the chain of Changes, records against Changes, links against records."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, func, select, text

import app.main  # noqa: F401 - declares every resource
from app.core.backup import proof
from app.core.changes import CHANGES
from app.core.database import Database
from app.core.index import RECORDS
from app.core.resource import RESOURCES, Resource
from app.core.writing import accepted, link_rows
from tests.torture.ground import Told

OWN = ("sqlite_", "search_")


def broken(url: str, told: Iterable[Told] = ()) -> list[str]:
    """What is not whole, in words; `told`: writes that were acknowledged, each of which must be there."""
    database = Database(url)
    try:
        with database.engine.connect() as connection:
            found = [*_of_engine(connection, database), *_of_changes(connection), *_lost(connection, told)]
            for resource in RESOURCES.values():
                found += _of_records(connection, resource)
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


def _of_changes(connection: Connection) -> Iterator[str]:
    last, _, first_broken = proof(connection)
    if first_broken:
        yield f"the chain breaks at Change {first_broken}"
    count = connection.scalar(select(func.count()).select_from(CHANGES))
    if count != last:
        yield f"{count} Changes, the last is {last}"


def _lost(connection: Connection, told: Iterable[Told]) -> Iterator[str]:
    columns = (CHANGES.c.sequence, CHANGES.c.resource, CHANGES.c.record_id, CHANGES.c.digest)
    there = {
        row.sequence: (f"/v1/{row.resource}/{row.record_id}", row.digest)
        for row in connection.execute(select(*columns))
    }
    for each in told:
        if there.get(each.sequence) != (each.path, each.digest):
            yield f"lost: {each}"


def _of_records(connection: Connection, resource: Resource) -> Iterator[str]:
    """Each record is what its last Change says, and so are its links and its place in the index."""
    table: Any = resource.table
    ours = CHANGES.c.resource == resource.name
    newest = select(func.max(CHANGES.c.sequence)).where(ours).group_by(CHANGES.c.record_id)
    ended = select(CHANGES.c.record_id, CHANGES.c.sequence, CHANGES.c.version, CHANGES.c.action, CHANGES.c.body)
    last = {row.record_id: row for row in connection.execute(ended.where(CHANGES.c.sequence.in_(newest)))}
    rows = {row.id: row for row in connection.execute(select(table.id, table.change, table.version, table.state))}
    alive = {name for name, change in last.items() if change.action != "delete"}
    if alive != set(rows):
        yield f"{resource.name}: records without Change, or Changes without record: {list(alive ^ set(rows))[:5]}"
    for name in alive & set(rows):
        if (rows[name].change, rows[name].version) != (last[name].sequence, last[name].version):
            yield f"{resource.name}/{name} is at another version than its last Change"
    indexed = set(connection.scalars(select(RECORDS.c.record_id).where(RECORDS.c.resource == resource.name)))
    if indexed != {name for name, row in rows.items() if row.state == "published"}:
        yield f"{resource.name}: the index holds other records"
    yield from _of_links(connection, resource, {name: last[name].body for name in alive & set(rows)})


def _of_links(connection: Connection, resource: Resource, bodies: dict[str, str]) -> Iterator[str]:
    meant: Counter[tuple[str, str]] = Counter()
    for name, body in bodies.items():
        meant.update((table.name, name) for table, _ in link_rows(resource, name, accepted(resource, body)))
    there: Counter[tuple[str, str]] = Counter()
    for table in resource.link_tables:
        there.update((table.name, name) for name in connection.scalars(select(table.c.record_id)))
    if meant != there:
        yield f"{resource.name}: links of {list((meant - there) + (there - meant))[:5]} are in halves"
