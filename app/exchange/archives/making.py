"""Making an archive: into the folder of the server, or into a file that a command names."""

import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from app.core.database.engine import Database
from app.exchange.archives.contents import write_archive
from app.exchange.archives.description import Description, State
from app.exchange.archives.folder import CHAIN, PARTIAL, ArchiveFolder, ArchiveName, Lock
from app.exchange.exports.command import new_file

PAUSE_FACTOR = 10  # after an archive, none is made for ten times as long as it took: a tenth of one core at most
CACHE_KIB = 2_000  # of SQLite, in memory
PAUSE_AFTER_FAILURE = 600.0  # seconds


def export_archive(database: Database, path: Path, description: Description) -> State:
    """Write the public registry to a new file. Raise FileExistsError if there is such a file."""
    with new_file(path) as file, _snapshot(database) as connection:
        return write_archive(connection, file, description)


def make_archive(
    database: Database, folder: ArchiveFolder, description: Description, most_bytes: int, lock: Lock
) -> ArchiveName:
    """Make the archive of the present state in the folder. Raise NotArchived if it would be too large.

    If it fails or is killed, no archive is made for some minutes.
    """
    lock.pause_for(PAUSE_AFTER_FAILURE)
    started = time.monotonic()
    folder.remove_partial_files()
    partial = folder.path / f"{PARTIAL}{secrets.token_hex(4)}"
    try:
        with partial.open("x+b") as file:
            with _snapshot(database) as connection:
                state = write_archive(connection, file, description, most_bytes)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.flush()
            os.fsync(file.fileno())
        name = ArchiveName(state.sequence, state.chain[:CHAIN], description.digest, sha256)
        if state.at:
            instant = datetime.fromisoformat(state.at).timestamp()
            os.utime(partial, (instant, instant))
        partial.replace(folder.path / str(name))
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
    folder.keep(description, state.redaction)
    lock.pause_for(PAUSE_FACTOR * (time.monotonic() - started))
    return name


@contextmanager
def _snapshot(database: Database) -> Iterator[Connection]:
    """Open a snapshot that uses little memory: each page of the file is read about once, so a cache is of no use."""
    with database.snapshot() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql(f"PRAGMA cache_size=-{CACHE_KIB}")
        yield connection
