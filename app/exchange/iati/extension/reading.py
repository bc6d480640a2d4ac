"""The records in an IATI file that this program wrote, from the elements of the extension.

The parser keeps one record at a time. It refuses a DOCTYPE, so a file has no entities, and it opens no other file.
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from typing import IO, Any
from xml.parsers.expat import ExpatError, ParserCreate

from app.core.errors import BadBody, BadFile, TooLarge
from app.core.model.fields import Record
from app.core.model.resource import RESOURCES, Resource
from app.core.model.validation import strict_json
from app.exchange.formats.lines import MAX_LINES, ParsedLine, bad_line, checked_line, too_many_lines
from app.exchange.iati.extension.shapes import NAMESPACE, Shape, shapes_of

CHUNK = 65_536  # bytes that are parsed at once
MAX_TOKEN = 2_000_000  # bytes of one tag or text, which the parser keeps
MAX_DEPTH = 100  # elements in each other
MAX_NODES = 100_000  # elements of one record
MAX_CHARACTERS = 4_000_000  # of the texts and attributes of one record
ROOTS = ("iati-activities", "iati-organisations")
OWN = f"{NAMESPACE}|"
OF_THE_REGISTRY = frozenset(Record.model_fields)  # members that only the registry sets
LANGUAGE = "http://www.w3.org/XML/1998/namespace|lang"
OTHER_TEXT = (
    "The file has an activity without the elements of this program, so another program wrote it. Only IATI files that "
    "a Hoptac registry has exported can be imported."
)


class Node:
    """An element of a record, with its name in the extension. `content` is its text in the file."""

    __slots__ = ("attributes", "children", "content", "name")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.content = ""
        self.children: list[Node] = []

    @property
    def text(self) -> str:
        """The text of the element. A text that is marked as JSON is a JSON string; BadBody if it is none."""
        if not self.attributes or self.attributes.get("encoding") != "json":
            return self.content
        value = strict_json(self.content.encode())
        if not isinstance(value, str):
            raise BadBody
        return value


def iati_records(file: IO[bytes]) -> Iterator[ParsedLine]:
    """Yield the records of a file, numbered from 1.

    Raise BadFile if the file is not one that this program wrote, TooLarge if it is too long.
    """
    parser = _Parser()
    number = 0
    repeated: set[bytes] = set()
    while chunk := file.read(CHUNK):
        for node in parser.feed(chunk):
            number += 1
            if number > MAX_LINES:
                raise too_many_lines()
            line = _line(number, node)
            if not _is_repeated(line, repeated):
                yield line
    parser.finish()


def _is_repeated(line: ParsedLine, repeated: set[bytes]) -> bool:
    """Return whether the same record was in the file before: an agreement is in each activity to which it belongs."""
    if line.record is None or line.resource is None or "projects" not in shapes_of(RESOURCES[line.resource]):
        return False
    digest = hashlib.blake2b(line.record, digest_size=16).digest()
    is_repeated = digest in repeated
    repeated.add(digest)
    return is_repeated


class _Parser:
    """Collects the records of a file while it is parsed."""

    def __init__(self) -> None:
        self._expat = ParserCreate(namespace_separator="|")
        self._expat.buffer_text = True
        self._expat.buffer_size = CHUNK
        self._expat.StartDoctypeDeclHandler = self._refuse_doctype
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._text
        self._depth = 0
        self._size = 0
        self._path: list[Node] = []  # the record that is being read, and the elements in it that are open
        self._nodes = 0  # of that record
        self._characters = 0
        self._records: list[Node] = []
        self._lacks_record = False  # the activity that is being read

    def feed(self, chunk: bytes) -> list[Node]:
        """Return the records that end in a part of the file."""
        self._parse(chunk)
        self._size += len(chunk)
        if self._size - self._expat.CurrentByteIndex > MAX_TOKEN:
            raise TooLarge(f"A tag of the file has more than {MAX_TOKEN} bytes.")
        records = self._records
        self._records = []
        return records

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
        if self._depth == 0 and name not in ROOTS:
            roots = " or ".join(ROOTS)
            raise BadFile(f"The file is not an IATI file: its root must be {roots}.")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TooLarge(f"The file has more than {MAX_DEPTH} elements in each other.")
        if self._path:
            parent = self._path[-1]
            parent.children.append(self._open(name, attributes))
        elif name.startswith(OWN):
            self._open(name, attributes)
        elif name == "iati-activity":
            self._lacks_record = True

    def _open(self, name: str, attributes: dict[str, str]) -> Node:
        node = Node(name.removeprefix(OWN), attributes)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise TooLarge(f"A record of the file has more than {MAX_NODES} elements.")
        for value in attributes.values():
            self._count(value)
        self._path.append(node)
        return node

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name == "iati-activity" and self._lacks_record:
            raise BadFile(OTHER_TEXT)
        if not self._path:
            return
        node = self._path.pop()
        if not self._path:
            self._nodes = 0
            self._characters = 0
            self._lacks_record = False
            self._records.append(node)

    def _text(self, text: str) -> None:
        if self._path:
            self._count(text)
            self._path[-1].content += text

    def _count(self, text: str) -> None:
        self._characters += len(text)
        if self._characters > MAX_CHARACTERS:
            raise TooLarge(f"A record of the file has more than {MAX_CHARACTERS} characters.")


@cache
def _resources() -> dict[str, Resource]:
    return {resource.one: resource for resource in RESOURCES.values()}


def _line(number: int, node: Node) -> ParsedLine:
    resource = _resources().get(node.name)
    if resource is None:
        return bad_line(number)
    shapes = shapes_of(resource)
    record: dict[str, Any] = {"resource": resource.name, "id": node.attributes.get("id")}
    try:
        for child in node.children:
            if child.name not in OF_THE_REGISTRY:
                record[child.name] = _value(shapes.get(child.name), child)
    except BadBody:
        return bad_line(number, resource.name)
    return checked_line(number, resource, record, {})


def _value(shape: Shape | None, node: Node) -> Any:
    """Return the value of an element. One without a shape is no member, so the check of the line refuses it."""
    if shape is None or shape.form in ("text", "date"):
        return node.text
    if shape.item is not None:
        return [_value(shape.item, child) for child in node.children]
    if shape.form == "languages":
        return {child.attributes.get(LANGUAGE, "und"): child.text for child in node.children}
    if shape.form == "entries":
        return {child.attributes.get("name", ""): child.text for child in node.children}
    if shape.form == "object":
        return {child.name: _value(shape.members.get(child.name), child) for child in node.children}
    return strict_json(node.text.encode())
