"""Fills the index with the records that it lacks: all of them after a change of its rules."""

from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select, text, update

from app.core.change_log import CHANGES
from app.core.database.engine import Database
from app.core.database.large_rows import batches
from app.core.model.resource import RESOURCES, Resource
from app.core.progress import advance
from app.core.search.entries import INDEXING
from app.core.search.index import IndexWrite, update_index
from app.core.search.stored_terms import SAMPLES
from app.core.search.tables import RECORDS, REFRESHES, STATE
from app.core.search.vocabulary import PAIRS, WORDS

BATCH = 2_000  # records that `fill_index` writes in one transaction

_EMPTY = {
    "sqlite": text("INSERT INTO search_terms (search_terms) VALUES ('delete-all')"),
    "postgresql": text("TRUNCATE search_terms"),
}


def prepare_index(connection: Connection) -> None:
    """Empty the index if it was written with another `INDEXING`, so that `fill_index` fills it again."""
    if connection.scalar(select(STATE.c.indexing)) == INDEXING:
        return
    connection.execute(_EMPTY[connection.dialect.name])
    for emptied in (RECORDS, WORDS, PAIRS, REFRESHES, STATE):
        connection.execute(delete(emptied))
    complete = not any(_missing(connection, resource, "", 1) for resource in RESOURCES.values())
    connection.execute(insert(STATE), {"indexing": INDEXING, "complete": complete})


def fill_index(database: Database) -> int:
    """Index every public record that is not in the index yet, in batches. Return the number of these records."""
    with database.write() as session:
        prepare_index(session.connection())
        if session.connection().scalar(select(STATE.c.complete)):
            return 0
    # The dictionary of stored terms is made of records of each resource, so some of each come first.
    total = sum(_fill(database, resource, SAMPLES) for resource in RESOURCES.values())
    total += sum(_fill(database, resource) for resource in RESOURCES.values())
    with database.write() as session:
        session.connection().execute(update(STATE).values(complete=True))
    return total


def _fill(database: Database, resource: Resource, most: int | None = None) -> int:
    """Index the records of a resource, or about `most` of them, and return their number."""
    total = 0
    last = ""
    while most is None or total < most:
        with database.write() as session:
            missing = _missing(session.connection(), resource, last, most or BATCH)
            update_index(session.connection(), missing)
        total += len(missing)
        advance(len(missing))
        if not missing:
            break
        last = missing[-1].record_id
    return total


def _missing(connection: Connection, resource: Resource, after: str, limit: int) -> list[IndexWrite]:
    """Return public records with an id after this one that are not in the index, in the order of their ids.

    They are at most `limit`, and fewer if they are large, but at least one if there is one.
    """
    row: Any = resource.table
    body = func.coalesce(row.body, CHANGES.c.body)
    query = select(row.id, body).join(CHANGES, CHANGES.c.sequence == row.change)
    query = query.outerjoin(RECORDS, and_(RECORDS.c.resource == resource.name, RECORDS.c.record_id == row.id))
    query = query.where(row.state == "published", RECORDS.c.docid.is_(None), row.id > after)
    missing = next(batches(connection, query.order_by(row.id).limit(limit), limit), [])
    return [IndexWrite(resource, record_id, None, body) for record_id, body in map(tuple, missing)]
