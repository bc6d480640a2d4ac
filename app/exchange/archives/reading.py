"""Reading an archive that somebody else has made. Nothing that it says about itself is trusted.

Its files are never written to the disk. They are read in blocks, and their sizes are bounded before they are read.
"""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from app.changes.routes import LAST_NUMBER, Hash
from app.core.progress import advance
from app.exchange.archives.contents import CHANGES_FILE, MANIFEST
from app.exchange.bounded_reads import BoundedReads

MAX_DIRECTORY = 300_000  # bytes of the list of files at the end of a ZIP file, and of one read
MAX_MANIFEST = 1_000_000  # bytes
MAX_FILES = 1_000
MAX_RATIO = 200  # of the size of all files to that of the archive; text of records has about 10
SMALL = 100_000_000  # bytes of all files that are allowed for any archive
MAX_LINE = 20_000_000  # bytes of one Change, like a response of the change feed
BLOCK = 65_536
LINES_AT_ONCE = 200
BYTES_AT_ONCE = 4_000_000
IS_ENCRYPTED = 1  # a flag of a file in an archive

TOO_MANY_FILES = f"The archive has more than {MAX_FILES} files."

FilePath = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]+(/[a-z0-9_-]+)*\.[a-z]+$", max_length=100)]


class NotImported(Exception):
    """Raised when an archive cannot be imported; the message states the reason."""


class ListedFile(BaseModel):
    """A file as the manifest lists it."""

    path: FilePath
    bytes: int = Field(ge=0)
    sha256: Hash


class Manifest(BaseModel):
    """The members of a manifest that an import needs."""

    format: Literal[1]  # of `description.FORMAT`
    source: str = Field(default="", max_length=1_000, pattern=r"^[^\x00-\x1f\x7f]*$")
    sequence: int = Field(ge=0, le=LAST_NUMBER)
    chain: Hash | Literal[""]
    files: list[ListedFile] = Field(max_length=MAX_FILES)


@contextmanager
def _errors() -> Iterator[None]:
    """Raise NotImported for the errors that a damaged or malicious ZIP file causes."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
        UnicodeError,
    ) as error:
        raise NotImported(f"The archive is damaged, or is not a ZIP file ({error}).") from None


class ArchiveReader:
    """An archive at a path. Raise NotImported if the file is not an archive, or if its manifest lists other files."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        try:
            with _errors():
                self._zip = zipfile.ZipFile(BoundedReads(self._file, MAX_DIRECTORY, NotImported(TOO_MANY_FILES)))
            self._check_files(path.stat().st_size)
            self.manifest = self._read_manifest()
            self._check_manifest()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "ArchiveReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()

    def verify(self) -> None:
        """Read all files. Raise NotImported if the content of one is not the one that the manifest lists."""
        for listed in self.manifest.files:
            digest = hashlib.sha256()
            with _errors(), self._zip.open(listed.path) as file:
                while block := file.read(BLOCK):
                    digest.update(block)
            if digest.hexdigest() != listed.sha256:
                raise NotImported(f"{listed.path} is not the file that the manifest lists: its SHA-256 is different.")

    def change_pages(self) -> Iterator[str]:
        """Yield the Changes as pages of a change feed."""
        lines: list[bytes] = []
        size = 0
        opened: Any = self._zip.open(CHANGES_FILE)
        with _errors(), io.BufferedReader(opened, BLOCK) as file:
            while line := file.readline(MAX_LINE + 1):
                if len(line) > MAX_LINE:
                    raise NotImported(f"{CHANGES_FILE} has a line of more than {MAX_LINE:,} bytes.")
                lines.append(line.strip())
                size += len(line)
                if len(lines) == LINES_AT_ONCE or size > BYTES_AT_ONCE:
                    yield self._page(lines)
                    lines = []
                    size = 0
            if lines:
                yield self._page(lines)

    def _page(self, lines: list[bytes]) -> str:
        advance(len(lines))
        items = b",".join(lines).decode()
        return f'{{"items":[{items}],"last":{self.manifest.sequence}}}'

    def _check_files(self, archive_size: int) -> None:
        """Check the list of files before any of them is read."""
        files = self._zip.infolist()
        if len(files) > MAX_FILES:
            raise NotImported(TOO_MANY_FILES)
        if len({file.filename for file in files}) < len(files):
            raise NotImported("Two files of the archive have the same name.")
        if sum(file.file_size for file in files) > max(SMALL, MAX_RATIO * archive_size):
            raise NotImported(f"The files of the archive are more than {MAX_RATIO} times as large as the archive.")
        for file in files:
            if file.flag_bits & IS_ENCRYPTED or file.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise NotImported("The archive is encrypted, or compressed with another method than deflate.")

    def _read_manifest(self) -> Manifest:
        try:
            if self._zip.getinfo(MANIFEST).file_size > MAX_MANIFEST:
                raise NotImported(f"{MANIFEST} has more than {MAX_MANIFEST:,} bytes.")
            with _errors():
                return Manifest.model_validate_json(self._zip.read(MANIFEST))
        except (KeyError, ValidationError):
            raise NotImported(
                f"This is no archive that this program can read: {MANIFEST} is missing or wrong."
            ) from None

    def _check_manifest(self) -> None:
        listed = {file.path: file.bytes for file in self.manifest.files}
        present = {file.filename: file.file_size for file in self._zip.infolist() if file.filename != MANIFEST}
        if len(listed) < len(self.manifest.files) or listed != present or CHANGES_FILE not in listed:
            raise NotImported(f"The files of the archive are not the ones that its {MANIFEST} lists.")
