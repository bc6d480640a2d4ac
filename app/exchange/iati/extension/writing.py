"""Records as elements of the extension: every member of a record, so that an import gives the same record back.

A list has an element `item` for each item, a map of languages an element `text` for each language, and a map with free
names an element `entry` for each name. Absent and empty values are left out.
"""

import json
from collections.abc import Mapping
from typing import Any

from app.core.model.resource import Resource
from app.core.values.text import NOT_IN_XML
from app.exchange.iati.extension.shapes import ATTRIBUTES, PREFIX, Shape, shapes_of
from app.exchange.iati.markup import element, text

ENCODED = {"encoding": "json"}  # of a text with characters that XML cannot contain: it is a JSON string


def record_element(resource: Resource, record: Mapping[str, Any]) -> str:
    """Return the element of a record."""
    members = [_written(shape, name, record.get(name)) for name, shape in shapes_of(resource).items()]
    return element(f"{PREFIX}:{resource.one}", {name: record[name] for name in ATTRIBUTES}, *members)


def _written(shape: Shape, name: str, value: Any, attributes: Mapping[str, object] | None = None) -> str:
    """Return the element of a value, or nothing if it is absent or empty."""
    if value is None or value in ([], {}):
        return ""
    tag = f"{PREFIX}:{name}"
    if shape.form == "text":
        return _text(tag, value, attributes or {})
    if shape.form == "date":
        return element(tag, {end: value[end] for end in ("earliest", "latest")}, text(value["edtf"]))
    if shape.form in ("list", "object", "languages", "entries"):
        return element(tag, None, *_inner(shape, value))
    return element(tag, None, json.dumps(value))


def _inner(shape: Shape, value: Any) -> list[str]:
    """Return the elements in the element of a value that is not single."""
    if shape.item is not None:
        return [_written(shape.item, "item", item) for item in value]
    if shape.form == "languages":
        return [_text(f"{PREFIX}:text", inner, {"xml:lang": language}) for language, inner in value.items()]
    if shape.form == "entries":
        return [_text(f"{PREFIX}:entry", inner, {"name": name}) for name, inner in value.items()]
    return [_written(inner, name, value.get(name)) for name, inner in shape.members.items()]


def _text(tag: str, value: str, attributes: Mapping[str, object]) -> str:
    if NOT_IN_XML.search(value):
        return element(tag, {**attributes, **ENCODED}, text(json.dumps(value)))
    return element(tag, attributes, text(value))
