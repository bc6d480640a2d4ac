"""The folder with the archives of a registry, and the lock of the process that makes the next one.

The processes of a machine share it. The name of an archive has the number and chain value of its last Change, a digest
of what else it depends on, and its SHA-256. The process that makes an archive holds the lock until it ends, even if it
is killed.
"""

import fcntl
import hashlib
import json
import os
import re
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from app.core.database.engine import Database
from app.core.settings import Settings
from app.exchange.archives.description import Description, State

MAX_ARCHIVES = 2  # archives: the newest, and the one before it, which clients may still download in parts
CHAIN = 8  # characters of a chain value in a name
MAX_PAUSE = 100_000.0  # seconds between two archives: more than any that takes an hour to make
PARTIAL = "partial-"
LOCK = "lock"
_NAME = re.compile(
    r"(?P<sequence>[0-9]{1,18})-(?P<chain>[0-9a-f]{0,8})-(?P<digest>[0-9a-f]{8})-(?P<sha256>[0-9a-f]{64})\.zip"
)


class ArchiveName(NamedTuple):
    """What the name of an archive says about it."""

    sequence: int
    chain: str
    digest: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.sequence}-{self.chain}-{self.digest}-{self.sha256}.zip"

    def is_of(self, state: State) -> bool:
        """Return whether it is the archive of this state of the log."""
        return (self.sequence, self.chain) == (state.sequence, state.chain[:CHAIN])


class OpenArchive(NamedTuple):
    """An archive that is open for reading, so that it can be sent even if it is deleted meanwhile."""

    name: ArchiveName
    file: IO[bytes]
    size: int


class ArchiveFolder:
    """The folder at a path, which is created when the first archive is made."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, settings: Settings) -> "ArchiveFolder":
        """Return the folder of the settings. By default it is beside an SQLite database, or in the temporary folder."""
        if settings.archive_folder:
            return cls(Path(settings.archive_folder))
        with Database(settings.database_url) as database:
            if database.is_sqlite:
                return cls(Path(f"{database.url.database}-archives"))
            url = database.url.render_as_string(hide_password=True)
        digest = hashlib.blake2b(url.encode(), digest_size=6).hexdigest()
        return cls(Path(tempfile.gettempdir()) / f"hoptac-archives-{os.geteuid()}-{digest}")

    def create(self) -> None:
        """Create the folder. Raise OSError if other users can put files into it."""
        with suppress(FileExistsError):
            self.path.mkdir(mode=0o700)
        status = self.path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise PermissionError(f"{self.path} must be a folder that only this user can write to.")

    def names(self) -> list[ArchiveName]:
        """Return the complete archives, the newest first."""
        try:
            files = [path.name for path in self.path.iterdir()]
        except OSError:
            return []
        matches = [match for match in map(_NAME.fullmatch, files) if match]
        names = [
            ArchiveName(int(match["sequence"]), match["chain"], match["digest"], match["sha256"]) for match in matches
        ]
        return sorted(names, reverse=True)

    def open(self, name: ArchiveName) -> OpenArchive | None:
        """Open an archive. Return None if it was deleted."""
        try:
            file = (self.path / str(name)).open("rb")
        except OSError:
            return None
        return OpenArchive(name, file, os.fstat(file.fileno()).st_size)

    def keep(self, description: Description, redaction: int) -> None:
        """Delete the archives that are not needed, and those that can contain what a redaction removed."""
        current = [name for name in self.names() if name.digest == description.digest and name.sequence >= redaction]
        for name in {*self.names()} - {*current[:MAX_ARCHIVES]}:
            (self.path / str(name)).unlink(missing_ok=True)

    def remove_partial_files(self) -> None:
        """Delete the files of archives that were not completed. Only the holder of the lock may do this."""
        for path in self.path.glob(f"{PARTIAL}*"):
            path.unlink(missing_ok=True)

    def lock(self) -> "Lock | None":
        """Return the lock, or None if another process holds it."""
        self.create()
        descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return Lock(descriptor)


class Lock:
    """The lock of a folder, which a child process can inherit. Its file says when the next archive may be made."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def close(self) -> None:
        """Release the lock, unless a child process has inherited it."""
        os.close(self.descriptor)

    def pause(self) -> float:
        """Return the number of seconds for which no archive should be made: 0 if the clock was set back since."""
        try:
            left = float(json.loads(os.pread(self.descriptor, 100, 0))) - time.time()
        except (ValueError, TypeError):
            return 0.0
        return left if 0 < left < MAX_PAUSE else 0.0

    def pause_for(self, seconds: float) -> None:
        """Prevent new archives for this number of seconds."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, json.dumps(time.time() + seconds).encode(), 0)
