"""The records in an IATI file that this program wrote, from the elements of the extension.

The functions that read the elements of a resource are made once from its shapes, because a file has many elements.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any
from xml.etree.ElementTree import Element

from app.core.errors import BadBody
from app.core.model.fields import Record
from app.core.model.resource import RESOURCES, Resource
from app.core.model.validation import strict_json
from app.exchange.formats.lines import ParsedLine, bad_line, checked_line
from app.exchange.iati.extension.shapes import Shape, shapes_of
from app.exchange.iati.reading.parser import LANGUAGE, OWN

OF_THE_REGISTRY = frozenset(Record.model_fields)  # members that only the registry sets
MAX_DIGITS = 18  # of an integer that every engine can store
LITERALS = {"true": True, "false": False, "0": 0}

Read = Callable[[Element], Any]


class ExtensionRecords:
    """The records of a file. One that belongs to several activities is in each of them, and is read once."""

    def __init__(self) -> None:
        self.count = 0
        self._repeated: set[bytes] = set()

    def line(self, element: Element, number: int) -> Iterator[ParsedLine]:
        """Yield the line of a record, unless it was read before."""
        self.count += 1
        line = _line(number, element)
        if not _is_repeated(line, self._repeated):
            yield line


def _is_repeated(line: ParsedLine, repeated: set[bytes]) -> bool:
    """Return whether the same record was in the file before."""
    if line.record is None or line.resource is None or "projects" not in shapes_of(RESOURCES[line.resource]):
        return False
    digest = hashlib.blake2b(line.record, digest_size=16).digest()
    is_repeated = digest in repeated
    repeated.add(digest)
    return is_repeated


@cache
def _resources() -> dict[str, tuple[Resource, Read]]:
    """Return the resource of each name of a record, with what reads the members of the record."""
    return {
        resource.one: (resource, _reader_of_members(shapes_of(resource), OF_THE_REGISTRY))
        for resource in RESOURCES.values()
    }


def _line(number: int, element: Element) -> ParsedLine:
    resource_and_reader = _resources().get(element.tag.removeprefix(OWN))
    if resource_and_reader is None:
        return bad_line(number)
    resource, read = resource_and_reader
    try:
        record = {"resource": resource.name, "id": element.get("id"), **read(element)}
    except BadBody:
        return bad_line(number, resource.name)
    return checked_line(number, resource, record, {})


def _reader(shape: Shape) -> Read:
    """Return what reads the value of an element with this shape."""
    if shape.item is not None:
        read = _reader(shape.item)
        return lambda element: [read(child) for child in element]
    if shape.form == "languages":
        return lambda element: {child.get(LANGUAGE, "und"): _text(child) for child in element}
    if shape.form == "entries":
        return lambda element: {child.get("name", ""): _text(child) for child in element}
    if shape.form == "object":
        return _reader_of_members(shape.members)
    return _text if shape.form in ("text", "date") else _single


def _reader_of_members(shapes: Mapping[str, Shape], left_out: frozenset[str] = frozenset()) -> Read:
    """Return what reads the elements in an element by their names, with which the namespace is optional."""
    readers: dict[str, tuple[str, Read]] = {}
    for name, shape in shapes.items():
        readers[name] = readers[OWN + name] = (name, _reader(shape))

    def read(element: Element) -> dict[str, Any]:
        members = {}
        for child in element:
            # One without a shape is no member, so the check of the line refuses it.
            name, read_value = readers.get(child.tag) or (child.tag.removeprefix(OWN), _text)
            if name not in left_out:
                members[name] = read_value(child)
        return members

    return read


def _text(element: Element) -> str:
    """Return the text of an element. One that is marked as JSON is a JSON string; BadBody if not."""
    text = element.text or ""
    if len(element):
        text = "".join([text, *(child.tail or "" for child in element)])
    if element.get("encoding") != "json":
        return text
    value = strict_json(text.encode())
    if not isinstance(value, str):
        raise BadBody
    return value


def _single(element: Element) -> Any:
    """Return a number or boolean."""
    text = _text(element)
    if text in LITERALS:
        return LITERALS[text]
    if text.isascii() and text.isdigit() and text[0] != "0" and len(text) <= MAX_DIGITS:
        return int(text)
    return strict_json(text.encode())
