"""Renders records again if an earlier version of the program has rendered them. `hoptac migrate` does so."""

from itertools import accumulate

from sqlalchemy import select, update
from sqlmodel import Session

from app.core.database.engine import Database
from app.core.database.large_rows import MAX_BYTES
from app.core.database.sql import CHUNK
from app.core.model.code_counts import count_again
from app.core.model.columns import column_values
from app.core.model.fields import RENDERING
from app.core.model.resource import RESOURCES, Resource
from app.core.progress import advance
from app.core.search import index
from app.core.writing.batch import Batch
from app.core.writing.representation import accepted_fields, render


def render_again(session: Session, resource: Resource, limit: int = CHUNK) -> int:
    """Render up to `limit` records of an older rendering again, and return their number. Large ones are fewer.

    This writes no Change, because the fields of the records stay the same.
    """
    table = resource.table
    query = select(table.id).where(table.rendering < RENDERING).order_by(table.id).limit(limit)
    ids = [row[0] for row in session.execute(query)]
    batch = Batch(session, "migrate")
    sizes = batch.stored_sizes(resource, ids)
    totals = accumulate(sizes.get(record_id, 0) for record_id in ids)
    ids = ids[: max(1, sum([total <= MAX_BYTES for total in totals]))]
    for record_id, present in batch.stored(resource, ids).items():
        fields = accepted_fields(resource, present.body)
        body = render(resource, record_id, fields, present.version, present.created_at, present.updated_at)
        values = {"rendering": RENDERING, "body": body.decode(), **column_values(table, fields)}
        session.execute(update(table).where(table.id == record_id).values(values))
        index.update_index(session.connection(), [index.IndexWrite(resource, record_id, present.body, body)])
    return len(ids)


def render_all_again(database: Database) -> int:
    """Render every record of an older rendering again, in several transactions, and return their number."""
    count = 0
    for resource in RESOURCES.values():
        is_changed = False
        while True:
            with database.write() as session:
                rendered = render_again(session, resource)
            count += rendered
            advance(rendered)
            if not rendered:
                break
            is_changed = True
        if is_changed:
            with database.write() as session:
                count_again(session.connection(), resource)
    return count
