"""The child process that makes an archive, so that the server goes on answering at its usual speed.

Its standard input is a `Job` as JSON. It prints the reason if it has failed.
"""

import contextlib
import os
import signal
import sqlite3
import sys

from sqlalchemy.exc import SQLAlchemyError

import app.catalogue  # noqa: F401 - declares every table
from app.core.database.engine import Database
from app.exchange.archives.folder import ArchiveFolder, Lock
from app.exchange.archives.making import make_archive
from app.exchange.archives.process import MAX_SECONDS, Job
from app.exchange.archives.zip_file import NotArchived

NICENESS = 10


def main() -> int:
    """Make the archive and return the exit code."""
    os.nice(NICENESS)  # requests go first
    signal.alarm(MAX_SECONDS)  # ends this process, also if the server has ended meanwhile
    job = Job.read(sys.stdin.read())
    reason = ""
    try:
        with contextlib.closing(Lock(job.lock)) as lock, Database(job.database_url) as database:
            make_archive(database, ArchiveFolder(job.folder), job.description, job.most_bytes, lock)
    except NotArchived as error:
        reason = str(error)
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason = f"{type(error).__name__}: {error}"
    sys.stdout.write(reason[:1000])
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main())
