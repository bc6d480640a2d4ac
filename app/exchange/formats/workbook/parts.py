"""The small parts of a workbook that say how to read its sheets, and the table of its strings.

Of each part, only the elements and attributes that are needed are looked at. Names of cells, print areas, comments and
whatever else a workbook contains are not read.
"""

import posixpath
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import IO, Any, NamedTuple
from xml.parsers import expat

from app.exchange.formats.workbook.archive import (
    NEEDS_MEMORY,
    NOT_A_WORKBOOK,
    Archive,
    ElementCount,
    Refused,
    local_name,
    parse,
)

MAX_TEXT = 1_000_000  # characters of one cell; a row with more is refused anyway
MAX_STRINGS = 300_000_000  # bytes of the table of strings in memory
MAX_NAME = 100  # characters of the name of a sheet; Excel allows 31
MAX_FORMAT = 255  # characters of a number format, as in Excel
OFFSET_SIZE = 8

EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - dates of a workbook have no time zone
EPOCH_1904 = datetime(1904, 1, 1)  # noqa: DTZ001

FALSE = ("", "0", "f", "false")

Element = tuple[tuple[str, ...], dict[str, str]]


def elements(part: IO[bytes], depth: int) -> Iterator[Element]:
    """Yield the elements of a part that are not deeper than `depth`: their path of local names, and attributes."""
    path: list[str] = []
    complete: list[Element] = []
    count = ElementCount()

    def start(name: str, attributes: dict[str, str]) -> None:
        count.add(len(path))
        path.append(local_name(name) if len(path) < depth else "")
        if len(path) <= depth:
            complete.append((tuple(path), attributes))

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: path.pop()
    for _ in parse(part, parser):
        yield from complete
        complete.clear()


@dataclass(frozen=True)
class Relationship:
    """A reference of a part to another part of the archive."""

    type: str
    target: str


def relationships(archive: Archive, source: str) -> dict[str, Relationship]:
    """Return the relationships of a part to other parts, by id. References to other files are left out."""
    folder = posixpath.dirname(source)
    name = f"{folder}/_rels/{posixpath.basename(source)}.rels".lstrip("/")
    related: dict[str, Relationship] = {}
    if name not in archive:
        return related
    with archive.open(name) as part:
        for path, attributes in elements(part, 2):
            if path[1:] == ("Relationship",) and attributes.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, attributes.get("Target", "")))
                kind = attributes.get("Type", "").rpartition("/")[2]
                related[attributes.get("Id", "")] = Relationship(kind, target.lstrip("/"))
    return related


@dataclass
class Styles:
    """The number formats of cells: `formats` by their numbers, and the number that each style has."""

    formats: dict[int, str] = field(default_factory=dict)
    styles: "array[int]" = field(default_factory=lambda: array("q"))

    def format_of(self, style: int) -> str:
        """Return the number format of a style, "" if it has none. Raise Refused if it is too long."""
        from openpyxl.styles.numbers import builtin_format_code  # noqa: PLC0415 - slow; only dates and numbers need it

        if not 0 <= style < len(self.styles):
            return ""
        number = self.styles[style]
        number_format: str = self.formats.get(number) or builtin_format_code(number) or ""
        if len(number_format) > MAX_FORMAT:
            raise Refused(f"A number format is longer than {MAX_FORMAT} characters.")
        return number_format


def read_styles(part: IO[bytes]) -> Styles:
    """Return the number formats of the part `styles.xml`."""
    styles = Styles()
    for path, attributes in elements(part, 3):
        if path[1:] == ("numFmts", "numFmt"):
            styles.formats[int(attributes["numFmtId"])] = attributes.get("formatCode", "")[: MAX_FORMAT + 1]
        elif path[1:] == ("cellXfs", "xf"):
            styles.styles.append(int(attributes.get("numFmtId", "0")))
    return styles


class SharedStrings:
    """The strings that several cells can refer to, in one block of memory. A string over MAX_TEXT is not stored."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._ends = array("Q")
        self._too_long: set[int] = set()

    def add(self, text: str | None) -> None:
        """Add the next string. None is one that is too long."""
        if text is None:
            self._too_long.add(len(self._ends))
        else:
            self._content += text.encode()
        self._ends.append(len(self._content))
        if len(self._content) + OFFSET_SIZE * len(self._ends) > MAX_STRINGS:
            raise Refused(NEEDS_MEMORY, is_too_large=True)

    def __getitem__(self, index: int) -> str | None:
        if not 0 <= index < len(self._ends):
            raise Refused("A cell refers to a shared string that does not exist.")
        if index in self._too_long:
            return None
        return self._content[self._ends[index - 1] if index else 0 : self._ends[index]].decode()


class Text:
    """The text of one element, which expat delivers in pieces."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0

    def add(self, piece: str) -> None:
        """Add a piece, unless the text is too long already."""
        self._length += len(piece)
        if self._length <= MAX_TEXT:
            self._pieces.append(piece)

    def take(self) -> str | None:
        """Return the text, or None if it is too long, and start with an empty one."""
        text = "".join(self._pieces) if self._length <= MAX_TEXT else None
        self._pieces.clear()
        self._length = 0
        return text


TEXT_PATHS = (("t",), ("r", "t"))  # in a string: plain, and in a run with a format of its own


def read_strings(part: IO[bytes]) -> SharedStrings:
    """Return the strings of the part `sharedStrings.xml`."""
    strings = SharedStrings()
    text = Text()
    path: list[str] = []
    count = ElementCount()
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(name: str, _: Any) -> None:
        count.add(len(path))
        path.append(local_name(name) if len(path) < 5 else "")
        if tuple(path[2:]) in TEXT_PATHS:
            parser.CharacterDataHandler = text.add

    def end(_: str) -> None:
        parser.CharacterDataHandler = None
        if len(path) == 2:
            content = text.take()
            strings.add(content and content.replace("x005F_", ""))
        path.pop()

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    for _ in parse(part, parser):
        pass
    return strings


class Sheet(NamedTuple):
    """A sheet of a workbook, and the name of its part."""

    name: str
    is_hidden: bool
    part: str


class Workbook:
    """The parts that are needed to read the sheets of a workbook. Raise Refused if it has no sheets."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        main = [related.target for related in relationships(archive, "").values() if related.type == "officeDocument"]
        self._name = main[0] if main else "xl/workbook.xml"
        self._related = relationships(archive, self._name)
        self.sheets: list[Sheet] = []
        self.epoch = EPOCH  # from which the numbers of dates count
        with archive.open(self._name) as part:
            for path, attributes in elements(part, 3):
                if path[1:] == ("sheets", "sheet"):
                    self._add_sheet(attributes)
                elif path[1:] == ("workbookPr",) and attributes.get("date1904", "") not in FALSE:
                    self.epoch = EPOCH_1904
        if not self.sheets:
            raise Refused(NOT_A_WORKBOOK)
        self.styles = self._read_styles()

    def _part(self, kind: str) -> str | None:
        """Return the name of the part of a kind, if there is one."""
        names = [related.target for related in self._related.values() if related.type == kind]
        return next((name for name in [*names, f"xl/{kind}.xml"] if name in self._archive), None)

    def _read_styles(self) -> Styles:
        name = self._part("styles")
        if name is None:
            return Styles()
        with self._archive.open(name) as part:
            return read_styles(part)

    @cached_property
    def strings(self) -> SharedStrings:
        """The shared strings."""
        name = self._part("sharedStrings")
        if name is None:
            return SharedStrings()
        with self._archive.open(name, is_small=False) as part:
            return read_strings(part)

    def _add_sheet(self, attributes: dict[str, str]) -> None:
        """Add a sheet, unless it is a chart or its part is missing."""
        related = [self._related.get(value) for name, value in attributes.items() if name.endswith(":id")]
        for part in related:
            if part is not None and part.type == "worksheet" and part.target in self._archive:
                is_hidden = attributes.get("state", "visible") != "visible"
                self.sheets.append(Sheet(attributes.get("name", "")[:MAX_NAME], is_hidden, part.target))

    def open_sheet(self, sheet: Sheet) -> IO[bytes]:
        """Open the part of a sheet."""
        return self._archive.open(sheet.part, is_small=False)
