"""Changes of the source that are read before the mirror writes them, in a temporary file."""

import pickle
import tempfile
from collections.abc import Iterable, Iterator

from app.exchange.mirrors.source import NotMirrored, SourceChange

MAX_BYTES = 2_000_000_000


class Spool:
    """Lists of Changes in a temporary file of this process: a long transaction of the source takes no memory.

    Adding raises NotMirrored if the file becomes larger than MAX_BYTES.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it

    def add(self, items: Iterable[SourceChange]) -> None:
        """Add a list of Changes at the end."""
        pickle.dump(list(items), self._file)
        if self._file.tell() > MAX_BYTES:
            raise NotMirrored(f"A transaction of the source has more than {MAX_BYTES} bytes.")

    def __iter__(self) -> Iterator[list[SourceChange]]:
        """Yield the lists. Nothing can be added meanwhile."""
        end = self._file.tell()
        self._file.seek(0)
        while self._file.tell() < end:
            yield pickle.load(self._file)

    def close(self) -> None:
        """Delete the file."""
        self._file.close()
