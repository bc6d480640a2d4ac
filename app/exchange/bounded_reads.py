"""Reads of the list of files of a ZIP archive, which `zipfile` does not limit."""

import io
from typing import IO


class BoundedReads:
    """A file that raises `refusal` if more than `most` bytes are read at once.

    When `zipfile` opens an archive, it reads the whole list of files. It trusts the length that the end of the archive
    states, so a caller cannot check this length first.
    """

    def __init__(self, file: IO[bytes], most: int, refusal: Exception) -> None:
        self._file = file
        self._most = most
        self._refusal = refusal

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes of the file."""
        content = self._file.read(self._most + 1 if size is None or size < 0 else min(size, self._most + 1))
        if len(content) > self._most:
            raise self._refusal
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Return true: every position can be read."""
        return True
