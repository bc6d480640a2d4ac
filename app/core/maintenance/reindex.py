"""The background task that indexes records again after the names of the records to which they link have changed."""

from app.core.database.engine import Database
from app.core.search.index import IndexWrite, update_index
from app.core.search.linked import is_refresh_pending, next_to_refresh

REFRESHED_EVERY = 5.0  # seconds between two checks for work


def is_refresh_needed(database: Database) -> bool:
    """Return whether records wait to be indexed again."""
    with database.snapshot() as connection:
        return is_refresh_pending(connection)


def refresh_index(database: Database) -> bool:
    """Index a batch of records again in a transaction. Return whether there may be more."""
    if not is_refresh_needed(database):
        return False
    with database.write() as session:
        connection = session.connection()
        linking = next_to_refresh(connection)
        update_index(connection, [IndexWrite(item.resource, item.record_id, item.body, item.body) for item in linking])
        return is_refresh_pending(connection)
