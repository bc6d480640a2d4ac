"""The records in an IATI file that this program wrote, from the elements of the extension."""

import hashlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from app.core.errors import BadBody
from app.core.model.fields import Record
from app.core.model.resource import RESOURCES, Resource
from app.core.model.validation import strict_json
from app.exchange.formats.lines import ParsedLine, bad_line, checked_line
from app.exchange.iati.extension.shapes import Shape, shapes_of
from app.exchange.iati.reading.parser import LANGUAGE, Node

OF_THE_REGISTRY = frozenset(Record.model_fields)  # members that only the registry sets


class ExtensionRecords:
    """The records of a file. One that belongs to several activities is in each of them, and is read once."""

    def __init__(self) -> None:
        self.count = 0
        self._repeated: set[bytes] = set()

    def line(self, node: Node, number: int) -> Iterator[ParsedLine]:
        """Yield the line of a record, unless it was read before."""
        self.count += 1
        line = _line(number, node)
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
