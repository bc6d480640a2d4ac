"""The parts of a workbook: files of XML in a ZIP archive.

Nothing that the archive states about itself is trusted: its directory and its parts are bounded before they are read.
"""

import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any
from xml.parsers import expat

from app.exchange.bounded_reads import BoundedReads

MAX_DIRECTORY = 300_000  # bytes of the directory at the end of the archive
MAX_PARTS = 1_000
MAX_UNPACKED = 500_000_000  # bytes of all parts
MAX_SMALL_PART = 6_000_000  # bytes of a part that is neither a sheet nor the table of strings
MAX_TAG = 100_000  # bytes, also of a comment
MAX_DEPTH = 100  # of elements
MAX_ELEMENTS = 40_000_000  # of a part: only empty elements are so short that more fit into MAX_UNPACKED
BLOCK = 65_536

NO_MEMORY = 1  # the code of this error in expat
IS_ENCRYPTED = 1  # a flag of a part
COMPOUND_FILE = b"\xd0\xcf\x11\xe0"  # the first bytes of .xls files and of encrypted workbooks

NOT_A_WORKBOOK = "The file is not an XLSX workbook with a sheet."
NOT_AN_ARCHIVE = "The file is not an XLSX workbook."
OLD_FORMAT = "The file is an older Excel file, or has a password. Save it as .xlsx without a password."
NEEDS_MEMORY = "The workbook contains more than fits in memory."


class Refused(Exception):
    """The workbook cannot be read, or exceeds a limit (`is_too_large`)."""

    def __init__(self, detail: str, *, is_too_large: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.is_too_large = is_too_large


class Archive:
    """The archive of a workbook. Raise Refused if it has too many or too large parts, or two with the same name."""

    def __init__(self, file: IO[bytes]) -> None:
        is_compound = file.read(len(COMPOUND_FILE)) == COMPOUND_FILE
        if is_compound:
            raise Refused(OLD_FORMAT)
        too_many = Refused(f"The workbook has more than {MAX_PARTS} parts.", is_too_large=True)
        try:
            self._archive = zipfile.ZipFile(BoundedReads(file, MAX_DIRECTORY, too_many))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
            raise Refused(NOT_AN_ARCHIVE) from None
        parts = self._archive.infolist()
        if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
            detail = f"The workbook has more than {MAX_PARTS} parts, or decompresses to more than {MAX_UNPACKED} bytes."
            raise Refused(detail, is_too_large=True)
        self._parts = {part.filename: part for part in parts}
        if len(self._parts) < len(parts):
            raise Refused("Two parts of the workbook have the same name.")

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def open(self, name: str, *, is_small: bool = True) -> IO[bytes]:
        """Open a part. Raise Refused if there is none with this name, if it is encrypted, or if it is too large."""
        part = self._parts.get(name)
        if part is None:
            raise Refused(NOT_A_WORKBOOK)
        if part.flag_bits & IS_ENCRYPTED:
            raise Refused("The workbook is encrypted. Save it without a password.")
        if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Refused("The workbook is compressed with another method than deflate.")
        if is_small and part.file_size > MAX_SMALL_PART:
            raise Refused(f"A part of the workbook has more than {MAX_SMALL_PART} bytes.", is_too_large=True)
        return self._archive.open(part)


def parse(part: IO[bytes], parser: Any) -> Iterator[int]:
    """Parse a part block by block with an expat parser, and yield the number of bytes so far.

    Raise Refused if the part is not well-formed, declares a document type (which could define entities), or contains a
    longer tag than MAX_TAG: expat would keep it in memory, and start it again for each block.
    """
    parser.StartDoctypeDeclHandler = _refuse_document_type
    size = 0
    try:
        while block := part.read(BLOCK):
            parser.Parse(block)
            size += len(block)
            if size - parser.CurrentByteIndex > MAX_TAG + BLOCK:
                raise Refused(f"The workbook contains an XML tag of more than {MAX_TAG} bytes.", is_too_large=True)
            yield size
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        if error.code == NO_MEMORY:
            raise Refused(NEEDS_MEMORY, is_too_large=True) from None
        raise Refused(NOT_A_WORKBOOK) from None
    except (zipfile.BadZipFile, EOFError, zlib.error, LookupError):
        raise Refused(NOT_A_WORKBOOK) from None


def _refuse_document_type(*_: Any) -> None:
    raise Refused("A part of the workbook declares a document type.")


class ElementCount:
    """A limit on the elements of a part, which would otherwise take memory and time without any content."""

    def __init__(self) -> None:
        self._remaining = MAX_ELEMENTS

    def add(self, depth: int) -> None:
        """Count an element at this depth. Raise Refused if it is one too many or too deep."""
        self._remaining -= 1
        if depth > MAX_DEPTH or self._remaining < 0:
            raise Refused("The workbook contains too many XML elements.", is_too_large=True)


def local_name(name: str) -> str:
    """Return the name of an element without its prefix."""
    return name.rpartition(":")[2]
