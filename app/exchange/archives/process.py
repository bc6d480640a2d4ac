"""The child process that makes an archive, as the server sees it."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import structlog

from app.core.settings import Settings
from app.exchange.archives.description import Description
from app.exchange.archives.folder import ArchiveFolder, Lock

MODULE = "app.archive_process"
ROOT = Path(__file__).parents[3]
MAX_SECONDS = 3_600  # for one archive; a snapshot of the database is open for so long


@dataclass(frozen=True)
class Job:
    """The input of the child. `lock` is the file descriptor of the lock that it inherits."""

    database_url: str
    folder: Path
    description: Description
    most_bytes: int
    lock: int = -1

    @classmethod
    def of(cls, settings: Settings) -> "Job":
        """Return the job of a server with these settings."""
        folder = ArchiveFolder.of(settings).path
        return cls(settings.database_url, folder, Description.of(settings), settings.max_archive)

    @classmethod
    def read(cls, text: str) -> "Job":
        """Read a job from JSON."""
        members = json.loads(text)
        members |= {"folder": Path(members["folder"]), "description": Description(**members["description"])}
        return cls(**members)

    def write(self) -> bytes:
        """Return the job as JSON."""
        return json.dumps({**asdict(self), "folder": str(self.folder)}).encode()


class ArchiveProcess:
    """The child process. It has the lock until it ends, even if this process ends first."""

    def __init__(self, job: Job, lock: Lock) -> None:
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[lock.descriptor],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )
        finally:
            lock.close()
        self._input = replace(job, lock=lock.descriptor).write()
        self._is_stopped = False

    def wait(self) -> None:
        """Wait until the archive is made, and log why it could not be made."""
        output, _ = self._process.communicate(self._input)
        code = self._process.returncode
        if code and not self._is_stopped:
            reason = output.decode("utf-8", "replace") or f"the process ended with the code {code}"
            structlog.get_logger("hoptac.archives").warning("archive not made", reason=reason)

    def stop(self) -> None:
        """End the child."""
        self._is_stopped = True
        self._process.kill()
