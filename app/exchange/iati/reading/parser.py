"""The elements of an IATI file, one activity, organisation or record of the extension at a time.

The parser refuses a DOCTYPE, so a file has no entities, and it opens no other file.
"""

from collections.abc import Collection, Mapping
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers.expat import ExpatError, ParserCreate

from app.core.errors import BadFile, TooLarge
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
    """An element with its name. `content` is its text in the file.

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

    def named(self, *names: str) -> "list[Node]":
        """Return the elements in it that have one of these names."""
        return [child for child in self.children if child.name in names]

    def first(self, name: str) -> "Node | None":
        """Return the first element in it with this name."""
        for child in self.children:
            if child.name == name:
                return child
        return None

    def get(self, name: str) -> str:
        """Return an attribute without the blanks around it; empty if it has none."""
        return self.attributes.get(name, "").strip()


Only = Mapping[str, Collection[str] | None]
Part = Node | Element  # an activity or organisation without a record, or a record of the extension


class Parser:
    """Collects the parts of a file while it is parsed.

    With `only`, an activity has only the elements with these names, and in them those with the names that stand beside
    it, or all. Their lines are then not known.
    """

    def __init__(self, only: Only | None = None) -> None:
        self.root: Node | None = None
        self.has_records = False  # of the extension
        self.elements = 0
        self._only = only
        self._expat = ParserCreate(namespace_separator="|")
        self._expat.buffer_text = True
        self._expat.buffer_size = CHUNK
        self._expat.StartDoctypeDeclHandler = self._refuse_doctype
        self._handle_units()
        self._depth = 0
        self._size = 0
        self._open: list[Node] = []  # of the activity or organisation that is being read
        self._nodes = 0  # of it
        self._characters = 0
        self._left_out = 0  # depth of elements of it that are left out
        self._lacks_record = False
        self._parts: list[Part] = []

    def feed(self, chunk: bytes) -> list[Part]:
        """Return what ends in a chunk of the file."""
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

    def _handle_units(self) -> None:
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._text

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        self._depth = depth = self._depth + 1
        if depth > MAX_DEPTH or len(name) > MAX_NAME or self.elements > MAX_ELEMENTS:
            raise _too_large(name, depth)
        if name.startswith(OWN) and depth > 1:
            self._handle_record(name, attributes)
        elif self._left_out:
            self._left_out += 1
        elif self._open:
            if self._only is None or self._is_wanted(self._only, name):
                self._add(name, attributes)
            else:
                self._left_out = 1
        elif depth == 1:
            self._open_root(name, attributes)
        else:
            self._lacks_record = True
            self._nodes = self._characters = 0
            self._add(name, attributes)

    def _is_wanted(self, only: Only, name: str) -> bool:
        if len(self._open) == 1:
            return name in only
        inner = only[self._open[1].name]
        return len(self._open) > 2 or inner is None or name in inner

    def _open_root(self, name: str, attributes: dict[str, str]) -> None:
        if name not in ROOTS:
            roots = " or ".join(ROOTS)
            raise BadFile(f"The file is not an IATI file: its root must be {roots}.")
        self.root = Node(name, attributes, self._expat.CurrentLineNumber)

    def _add(self, name: str, attributes: dict[str, str]) -> None:
        """Add an element to the one that is open."""
        self._nodes += 1
        if attributes:
            self._characters += _characters_of(attributes)
        if self._nodes > MAX_NODES or self._characters > MAX_CHARACTERS:
            raise _too_large(nodes=self._nodes, characters=self._characters)
        node = Node(name, attributes, self._expat.CurrentLineNumber if self._only is None else 0)
        if self._open:
            self._open[-1].children.append(node)
        self._open.append(node)

    def _end(self, _: str) -> None:
        self._depth -= 1
        if self._left_out:
            self._left_out -= 1
        elif self._open:
            node = self._open.pop()
            if not self._open and self._lacks_record:
                self._parts.append(node)

    def _text(self, text: str) -> None:
        if self._open and not self._left_out:
            self._characters += len(text)
            if self._characters > MAX_CHARACTERS:
                raise _too_large(characters=self._characters)
            self._open[-1].content += text

    def _handle_record(self, name: str, attributes: dict[str, str]) -> None:
        """Handle what follows as a record of the extension, whose elements are built in C, until it ends.

        These functions run for each element of a file of this program, so they have variables of their own.
        """
        builder = TreeBuilder()
        begin = builder.start
        finish = builder.end
        add = builder.data
        depth = self._depth
        nodes = 1
        characters = _characters_of(attributes)
        record = begin(name, attributes)

        def start(name: str, attributes: dict[str, str]) -> None:
            nonlocal depth, nodes, characters
            depth += 1
            nodes += 1
            if attributes:
                characters += _characters_of(attributes)
            if depth > MAX_DEPTH or len(name) > MAX_NAME or nodes > MAX_NODES or characters > MAX_CHARACTERS:
                raise _too_large(name, depth, nodes, characters)
            begin(name, attributes)

        def end(name: str) -> None:
            nonlocal depth
            depth -= 1
            if finish(name) is record:
                self.elements += nodes - 1
                self._depth = depth
                self._lacks_record = False
                self._parts.append(record)
                self._handle_units()

        def text(text: str) -> None:
            nonlocal characters
            characters += len(text)
            if characters > MAX_CHARACTERS:
                raise _too_large(characters=characters)
            add(text)

        self.has_records = True
        self._expat.StartElementHandler = start
        self._expat.EndElementHandler = end
        self._expat.CharacterDataHandler = text


def _characters_of(attributes: dict[str, str]) -> int:
    return len("".join(attributes)) + len("".join(attributes.values()))


def _too_large(name: str = "", depth: int = 0, nodes: int = 0, characters: int = 0) -> TooLarge:
    """Return the error for the first of these that is too large, or else for the elements of the file."""
    if len(name) > MAX_NAME:
        return TooLarge(f"An element of the file has a name with more than {MAX_NAME} characters.")
    if depth > MAX_DEPTH:
        return TooLarge(f"The file has more than {MAX_DEPTH} elements in each other.")
    if nodes > MAX_NODES:
        return TooLarge(f"An activity or record of the file has more than {MAX_NODES} elements.")
    if characters > MAX_CHARACTERS:
        return TooLarge(f"An activity or record of the file has more than {MAX_CHARACTERS} characters.")
    return TooLarge(f"The file has more than {MAX_ELEMENTS} elements. Send it in several files.")
