"""Temporary folders for files that are made before they are sent.

A process that is killed leaves its folders. While it runs, it has a lock on each, which the system releases at its end.
So other processes, and the next start, recognise the folders that nobody uses.
"""

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from app.core.database.engine import Database

PREFIX = "hoptac-file-"
LOCK = "lock"
NEW = 60.0  # seconds after its creation, in which a folder can have no lock yet


class TemporaryFolder:
    """A new folder that only this user can read. Call `close`."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """Delete the folder with its files."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def remove_abandoned_folders(_: Database) -> bool:
    """Delete the folders of processes that have ended. It is a pruning function, and nothing is left afterwards."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            status = path.lstat()
            if status.st_uid == os.geteuid() and time.time() - status.st_mtime > NEW and _is_abandoned(path):
                shutil.rmtree(path, ignore_errors=True)
    return False


def _is_abandoned(path: Path) -> bool:
    try:
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
