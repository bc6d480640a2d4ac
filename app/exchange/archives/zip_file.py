"""A ZIP file that is written file by file, and whose bytes depend only on what is written."""

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Iterable
from datetime import datetime
from typing import IO, NamedTuple, Self

FREE_BYTES = 100_000_000  # that stay free on the disk
CHECK_BYTES = 8_000_000  # between two checks of the disk
FIRST_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest one in a ZIP file


class NotArchived(Exception):
    """Raised when an archive cannot be made; the message states the reason."""


class FileFacts(NamedTuple):
    """The path of a file in an archive, its size, and its SHA-256."""

    path: str
    bytes: int
    sha256: str


class ZipWriter:
    """Writes the files of a ZIP file one after the other. All have the same time, owner and permissions.

    Raise NotArchived if it would have more than `most_bytes` (0: no limit), or if the disk is nearly full.
    """

    def __init__(self, file: IO[bytes], at: datetime | None, most_bytes: int = 0) -> None:
        self.files: list[FileFacts] = []
        self._file = file
        self._zip = zipfile.ZipFile(file, "w")
        self._time = FIRST_TIME if at is None else (at.year, at.month, at.day, at.hour, at.minute, at.second)
        self._most_bytes = most_bytes
        self._unchecked = CHECK_BYTES

    def add(self, path: str, parts: Iterable[bytes]) -> FileFacts:
        """Write a file that consists of these parts, and return its facts."""
        info = zipfile.ZipInfo(path, self._time)
        info.create_system = 3  # Unix
        info.external_attr = 0o100644 << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        digest = hashlib.sha256()
        size = 0
        # The size is not known, so each file has the form that files of any size can have.
        with self._zip.open(info, "w", force_zip64=True) as target:
            for part in parts:
                target.write(part)
                digest.update(part)
                size += len(part)
                self._check(len(part))
        facts = FileFacts(path, size, digest.hexdigest())
        self.files.append(facts)
        return facts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Write the list of the files, also after an error: otherwise the garbage collector would."""
        with contextlib.suppress(*(() if error is None else (OSError,))):
            self._zip.close()

    def _check(self, size: int) -> None:
        if self._most_bytes and self._file.tell() > self._most_bytes:
            raise NotArchived(f"The archive would have more than {self._most_bytes:,} bytes.")
        self._unchecked += size
        if self._unchecked < CHECK_BYTES:
            return
        self._unchecked = 0
        disk = os.fstatvfs(self._file.fileno())
        if disk.f_bavail * disk.f_frsize < FREE_BYTES:
            raise NotArchived(f"The disk has less than {FREE_BYTES:,} free bytes.")
