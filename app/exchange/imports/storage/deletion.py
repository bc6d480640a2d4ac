"""Deleting imports in small transactions, so that other writers never wait for a large one.

An import is marked first, and clients no longer see it. Its lines are deleted from then on, and its row at the end, by
the process that marked it or by the next run of the pruning.
"""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, update

from app.core.change_log import instant
from app.core.database.engine import Database
from app.core.database.sql import chunks
from app.exchange.imports.database_tables import DELETED, IMPORTS, LINES, Import
from app.exchange.imports.storage.claims import import_transaction
from app.exchange.imports.storage.line_chunks import end_of_chunk

IMPORT_RETENTION = timedelta(days=30)

BATCH = 5_000  # lines
BATCH_BYTES = 4_000_000
PAUSE = 0.12  # seconds between two batches; writers that wait for the lock of SQLite try again every tenth of a second


def mark_deleted(row: Import) -> None:
    """Hide an import that has ended or was not received, until `prune_imports` has deleted it."""
    row.status = DELETED


def delete_import(database: Database, import_id: str) -> None:
    """Mark an import, whatever its status is, and delete it."""
    with import_transaction(database) as session:
        session.execute(update(IMPORTS).where(IMPORTS.c.id == import_id).values(status=DELETED))
    while not _delete_batch(database, import_id):
        time.sleep(PAUSE)


def prune_imports(database: Database) -> bool:
    """Mark imports that ended before the retention, and delete a batch of a marked one. Return whether there are more.

    This writes only if there is something to delete.
    """
    oldest = instant(datetime.now(UTC) - IMPORT_RETENTION)
    expired = select(IMPORTS.c.id).where(IMPORTS.c.finished_at < oldest, IMPORTS.c.status != DELETED).limit(BATCH)
    marked = select(IMPORTS.c.id).where(IMPORTS.c.status == DELETED).limit(1)
    with database.snapshot() as connection:
        expired_ids = list(connection.execute(expired).scalars())
        import_id = connection.execute(marked).scalar()
    if expired_ids:
        with import_transaction(database) as session:
            for ids in chunks(expired_ids):
                session.execute(update(IMPORTS).where(IMPORTS.c.id.in_(ids)).values(status=DELETED))
    if import_id is not None:
        _delete_batch(database, import_id)
    return bool(expired_ids) or import_id is not None


def _delete_batch(database: Database, import_id: str) -> bool:
    """Delete a batch of lines, and the import if there are no more. Return whether it was deleted."""
    of_import = LINES.c.import_id == import_id
    with import_transaction(database) as session:
        last = end_of_chunk(session, of_import, limit=BATCH, max_bytes=BATCH_BYTES)
        if last is not None:
            session.execute(delete(LINES).where(of_import, LINES.c.number <= last))
        is_empty = end_of_chunk(session, of_import, limit=1) is None
        if is_empty:
            session.execute(delete(IMPORTS).where(IMPORTS.c.id == import_id))
    return is_empty
