"""The files of an SQLite database: who may read them, and how large the write-ahead log (WAL) becomes."""

import contextlib
import os
import sqlite3
import time
from pathlib import Path

MAX_WAL = 64_000_000  # bytes; one transaction can need more
WAL_PATIENCE = 12.0  # seconds that a write waits for reads that keep the WAL from being reset
RETRY_WAL = 60.0  # seconds to the second attempt when reads lasted longer; each later one takes twice as long
LONGEST_RETRY_WAL = 3_600.0
LOOK_AGAIN = 5.0  # seconds to the next look if most of a large WAL is free

FRAME_HEADER = 24  # bytes of the WAL before each page

ONLY_OWNER = 0o600


def create_file(path: str) -> None:
    """Create the file that only its owner can read, if it is missing. SQLite gives the WAL the same permissions."""
    if not Path(path).exists():
        with contextlib.suppress(FileNotFoundError):  # the folder is missing: SQLite reports that itself
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, ONLY_OWNER))


def restrict_access(path: str) -> None:
    """Let only the owner access an existing database, if this user is the owner."""
    for name in (path, f"{path}-wal", f"{path}-shm"):
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(name)  # noqa: PTH116
            if status.st_uid == os.geteuid() and status.st_mode & 0o077:
                os.chmod(name, ONLY_OWNER)  # noqa: PTH101


class WalLimit:
    """Resets the WAL before a write if it is too large.

    SQLite writes the content of the WAL to the database while others read, but starts the WAL again only at a moment
    without reads. Reads that overlap let it grow without limit. This waits for such a moment with the lock of writers:
    reads that begin after that no longer need the WAL, so it waits for the reads that run now, but not for others. An
    archive or a backup can read for an hour, and all writes of that time would wait again and again: so it tries less
    and less often until it succeeds.

    A program that copies the WAL, such as Litestream, always reads. It starts the WAL again itself, but leaves the file
    as large as it was. Most of the file is free then, so there is nothing to wait for.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._retry_at = 0.0
        self._retry_after = RETRY_WAL

    def apply(self) -> None:
        """Reset the WAL if it is larger than MAX_WAL. If that fails, writes continue, and the WAL grows."""
        try:
            size = os.stat(f"{self._path}-wal").st_size  # noqa: PTH116 - before every write
        except FileNotFoundError:
            return
        if size <= MAX_WAL or time.monotonic() < self._retry_at:
            return
        if _content_of_wal(self._path) <= MAX_WAL:
            self._retry_at = time.monotonic() + LOOK_AGAIN
            self._retry_after = RETRY_WAL
        elif reset_wal(self._path, WAL_PATIENCE):
            self._retry_after = RETRY_WAL
        else:
            self._retry_at = time.monotonic() + self._retry_after
            self._retry_after = min(2 * self._retry_after, LONGEST_RETRY_WAL)


def reset_wal(path: str, patience: float) -> bool:
    """Write the content of the WAL to the database, and empty it; False if reads or writes prevented that."""
    driver = sqlite3.connect(path, timeout=patience, isolation_level=None)
    with contextlib.closing(driver) as connection, contextlib.suppress(sqlite3.OperationalError):
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy
    return False


def _content_of_wal(path: str) -> int:
    """Return the size of what a WAL contains, in bytes; 0 if another connection prevents that it is known."""
    driver = sqlite3.connect(path, timeout=0, isolation_level=None)
    with contextlib.closing(driver) as connection, contextlib.suppress(sqlite3.OperationalError):
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return max(0, int(frames)) * (int(page_size) + FRAME_HEADER)
    return 0
