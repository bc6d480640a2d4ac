"""The elements of an IATI file, one activity, organisation or record of the extension at a time.

The parser refuses a DOCTYPE, so a file has no entities, and it opens no other file.
"""

from collections.abc import Collection
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate

from app.core.errors import BadBody, BadFile, TooLarge
from app.core.model.validation import strict_json
from app.exchange.iati.extension.shapes import NAMESPACE

CHUNK = 65_536  # bytes that are parsed at once
MAX_TOKEN = 2_000_000  # bytes of one tag or text, which the parser keeps
MAX_NAME = 500  # characters of the name of an element, with its namespace
MAX_DEPTH = 100  # elements in each other
MAX_ELEMENTS = 20_000_000  # of a file; each takes about 2 µs
MAX_NODES = 100_000  # elements of one activity or record
MAX_CHARACTERS = 4_000_000  # of the texts and attributes of one activity or record
ROOTS = ("iati-activities", "iati-organisations")
UNITS = ("iati-activity", "iati-organisation")
OWN = f"{NAMESPACE}|"
LANGUAGE = "http://www.w3.org/XML/1998/namespace|lang"


class Node:
    """An element with its name, or that in the extension. `content` is its text in the file.

    `fate` says what became of it: IMPORTED, a reason why it was not kept, or None while nobody has looked at it.
    """

    __slots__ = ("attributes", "children", "content", "fate", "line", "name")

    def __init__(self, name: str, attributes: dict[str, str], line: int) -> None:
        self.name = name
        self.attributes = attributes
        self.line = line
        self.content = ""
        self.fate: str | None = None
        self.children: list[Node] = []

    @property
    def text(self) -> str:
        """The text of an element of the extension. One that is marked as JSON is a JSON string; BadBody if not."""
        if not self.attributes or self.attributes.get("encoding") != "json":
            return self.content
        value = strict_json(self.content.encode())
        if not isinstance(value, str):
            raise BadBody
        return value

    def named(self, *names: str) -> "list[Node]":
        """Return the elements in it that have one of these names."""
        return [child for child in self.children if child.name in names]

    def first(self, name: str) -> "Node | None":
        """Return the first element in it with this name."""
        return next((child for child in self.children if child.name == name), None)

    def get(self, name: str) -> str:
        """Return an attribute without the blanks around it; empty if it has none."""
        return self.attributes.get(name, "").strip()


class _Part:
    """An activity, organisation or record while it is read: its open elements, and its size."""

    def __init__(self) -> None:
        self.open: list[Node] = []
        self.nodes = 0
        self.characters = 0

    def add(self, name: str, attributes: dict[str, str], line: int) -> None:
        """Add an element to the one that is open."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise TooLarge(f"An activity or record of the file has more than {MAX_NODES} elements.")
        node = Node(name, attributes, line)
        if attributes:
            self.count(sum(map(len, attributes)) + sum(map(len, attributes.values())))
        if self.open:
            self.open[-1].children.append(node)
        self.open.append(node)

    def count(self, characters: int) -> None:
        """Count characters of texts and attributes."""
        self.characters += characters
        if self.characters > MAX_CHARACTERS:
            raise TooLarge(f"An activity or record of the file has more than {MAX_CHARACTERS} characters.")


class Parser:
    """Collects the parts of a file while it is parsed.

    With `only`, the activities have only the elements in them that have these names, whatever is in those.
    """

    def __init__(self, only: Collection[str] | None = None) -> None:
        self.root: Node | None = None
        self.has_records = False  # of the extension
        self.elements = 0
        self._only = only
        self._expat = ParserCreate(namespace_separator="|")
        self._expat.buffer_text = True
        self._expat.buffer_size = CHUNK
        self._expat.StartDoctypeDeclHandler = self._refuse_doctype
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._text
        self._depth = 0
        self._size = 0
        self._record: _Part | None = None
        self._unit: _Part | None = None
        self._unit_depth = 0  # of elements of the unit that are left out
        self._lacks_record = False  # the unit that is being read
        self._parts: list[tuple[Node, bool]] = []

    def feed(self, chunk: bytes) -> list[tuple[Node, bool]]:
        """Return what ends in a part of the file, and whether it is a record of the extension."""
        self._parse(chunk)
        self._size += len(chunk)
        if self._size - self._expat.CurrentByteIndex > MAX_TOKEN:
            raise TooLarge(f"A tag of the file has more than {MAX_TOKEN} bytes.")
        parts = self._parts
        self._parts = []
        return parts

    def finish(self) -> None:
        """Raise BadFile if the file is not complete."""
        self._parse(b"", is_last=True)

    def _parse(self, chunk: bytes, *, is_last: bool = False) -> None:
        try:
            self._expat.Parse(chunk, is_last)
        except ExpatError as error:
            raise BadFile(f"The XML is not well-formed in line {error.lineno}.") from None
        except (LookupError, ValueError):
            raise BadFile("The file states an encoding that is not known. Send it in UTF-8.") from None

    def _refuse_doctype(self, *_: object) -> None:
        raise BadFile("The file has a DOCTYPE, which IATI files do not need.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        self._depth += 1
        if len(name) > MAX_NAME:
            raise TooLarge(f"An element of the file has a name with more than {MAX_NAME} characters.")
        if self._depth > MAX_DEPTH:
            raise TooLarge(f"The file has more than {MAX_DEPTH} elements in each other.")
        if self.elements > MAX_ELEMENTS:
            raise TooLarge(f"The file has more than {MAX_ELEMENTS} elements. Send it in several files.")
        part = self._record
        if part is None:
            part = self._part_of(name, attributes)
        if part is not None:
            part.add(name.removeprefix(OWN), attributes, self._expat.CurrentLineNumber)

    def _part_of(self, name: str, attributes: dict[str, str]) -> _Part | None:
        """Return the part to which an element belongs that is in no record; None for one that is not needed."""
        if name.startswith(OWN) and self._depth > 1:
            self.has_records = True
            self._record = _Part()
            return self._record
        unit = self._unit
        if unit is None and self._depth == 1:
            self._open_root(name, attributes)
        elif unit is None:
            self._lacks_record = True
            self._unit = unit = _Part()
        elif self._unit_depth or (self._only is not None and len(unit.open) == 1 and name not in self._only):
            self._unit_depth += 1
            return None
        return unit

    def _open_root(self, name: str, attributes: dict[str, str]) -> None:
        if name not in ROOTS:
            roots = " or ".join(ROOTS)
            raise BadFile(f"The file is not an IATI file: its root must be {roots}.")
        self.root = Node(name, attributes, self._expat.CurrentLineNumber)

    def _end(self, _: str) -> None:
        self._depth -= 1
        if self._record is not None:
            node = self._record.open.pop()
            if not self._record.open:
                self._record = None
                self._lacks_record = False
                self._parts.append((node, True))
        elif self._unit_depth:
            self._unit_depth -= 1
        elif self._unit is not None:
            node = self._unit.open.pop()
            if not self._unit.open:
                self._unit = None
                if self._lacks_record:
                    self._parts.append((node, False))

    def _text(self, text: str) -> None:
        if self._unit_depth:
            return
        part: Any = self._record or self._unit
        if part is not None:
            part.count(len(text))
            part.open[-1].content += text
