"""`hoptac import ARCHIVE`: building an equal registry from an archive, in one transaction."""

from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from app.core.change_log import LATEST_CHANGE, MIRRORS, now
from app.core.database.engine import Database
from app.core.maintenance.verify import Verifier
from app.exchange.archives.reading import ArchiveReader, Manifest, NotImported
from app.exchange.mirrors.mirror import MirrorTransaction
from app.exchange.mirrors.source import NotMirrored, page_of

NO_SOURCE = "an archive"  # for a mirror whose source is not known


def import_archive(database: Database, path: Path, *, dry_run: bool = False) -> Manifest:
    """Build a registry with the same records, history and chain. With `dry_run`, only verify the archive.

    The registry becomes a mirror: it follows the change feed of its source, and refuses other writes. Raise NotImported
    if the archive is not as its manifest says, if its log was altered, or if the database is not empty. Then nothing
    was written.
    """
    with ArchiveReader(path) as archive:
        archive.verify()
        if not dry_run:
            try:
                _write(database, archive)
            except NotMirrored as error:
                raise NotImported(str(error)) from None
            except IntegrityError as error:
                raise NotImported(f"The database rejects the records of the archive: {error.orig}") from None
        return archive.manifest


def _write(database: Database, archive: ArchiveReader) -> None:
    manifest = archive.manifest
    with database.write() as session:
        if session.execute(LATEST_CHANGE).first() or session.execute(select(MIRRORS.c.source)).first():
            raise NotImported("The database has records, or is a mirror. An archive needs an empty database.")
        session.execute(insert(MIRRORS), {"source": manifest.source or NO_SOURCE, "since": now()})
        copy = MirrorTransaction(session)
        for text in archive.change_pages():
            for items in page_of(text).transactions():
                copy.add_changes(items)
        copy.write_records()
        if (copy.sequence, copy.chain) != (manifest.sequence, manifest.chain):
            raise NotImported("The last Change of the archive is not the one that its manifest states.")
        problem = next(Verifier(session.connection()).problems(), None)
        if problem:
            raise NotImported(problem)
