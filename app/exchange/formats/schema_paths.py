"""The paths of the values of a record, from the JSON Schema of its resource, and the columns of a template.

`title.vi` is the path of the Vietnamese title, `roles.0.partner` that of the partner of the first role.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, NamedTuple

from app.core.model.fields import Record
from app.core.model.resource import Resource
from app.core.values.codelists import ALL as CODE_LISTS
from app.core.values.codelists import MARK, CodeList

INDEX = re.compile(r"0|[1-9][0-9]{0,2}")

# In a template: the languages of a text, and the number of items of a list.
TEMPLATE_LANGUAGES = ("vi", "en")
TEMPLATE_ITEMS = {"citations": 1, "identifiers": 1}
DEFAULT_ITEMS = 2

SEPARATOR = ";"  # between the items of a list in one cell
LABEL = "_label"  # the ending of the name of a column with the labels of another one
NO_LANGUAGE = "a_name"  # which a map of languages cannot contain

Path = tuple[str, ...]
ListForm = Literal["items", "json"]


@cache
def schema_of(resource: Resource) -> dict[str, Any]:
    """Return the JSON Schema of the records of a resource."""
    return resource.shown.model_json_schema()


def kind_of(resource: Resource, path: Path) -> str | None:
    """Return the JSON Schema type of the values at a path. Return None if there is no single value at this path."""
    node = _node(resource, path)
    if node is None:
        return None
    if "edtf" in node.get("properties", ()):  # a date can be written as one text
        return "string"
    return node["type"] if node.get("type") in ("string", "number", "integer", "boolean") else None


def codes_of(resource: Resource, path: Path) -> tuple[str, ...] | None:
    """Return the codes that a value can have, none for a code without a list. None: the value is no code."""
    node = _node(resource, path) or {}
    if "enum" in node:
        return tuple(node["enum"])
    return () if "pattern" in node or path[0] == "identifiers" or path[-1] == "number" else None


def date_path(resource: Resource, path: Path) -> Path | None:
    """Return the path of the date to which a value belongs: to `period.earliest` belongs `period`. None: to no date."""
    for end in (len(path), len(path) - 1):
        node = _node(resource, path[:end])
        if node is not None and "edtf" in node.get("properties", ()):
            return path[:end]
    return None


def _node(resource: Resource, path: Path) -> dict[str, Any] | None:
    """Return the schema of the value at a path, or None if a record has none there."""
    root = schema_of(resource)
    node: Any = root
    for step in path:
        node = child(resolved(root, node), step)
        if node is None:
            return None
    return resolved(root, node)


def list_form(root: dict[str, Any], node: dict[str, Any]) -> ListForm | None:
    """Return how one cell contains all values of a resolved schema: items with separators, or JSON.

    Return None if the schema has single values. Maps with free names, such as `breakdown`, are JSON too.
    """
    if node.get("type") == "array":
        item = resolved(root, node["items"])
        return "json" if item.get("type") in ("object", "array") else "items"
    is_map = node.get("type") == "object" and "properties" not in node
    has_languages = child(node, TEMPLATE_LANGUAGES[0]) is not None and child(node, NO_LANGUAGE) is None
    return "json" if is_map and not has_languages else None


def form_at(resource: Resource, path: Path) -> ListForm | None:
    """Return how one cell contains the list or map at a path, None if there is no list or map."""
    node = _node(resource, path)
    return list_form(schema_of(resource), node) if node else None


def is_label(resource: Resource, name: str) -> bool:
    """Return whether a column has the labels of codes or dates, which an exported table has beside them."""
    path = tuple(name.removesuffix(LABEL).split("."))
    return name.endswith(LABEL) and (kind_of(resource, path) or form_at(resource, path)) is not None


def resolved(root: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without references and null. Of several types, return the last, which is the widest."""
    while "$ref" in node or "anyOf" in node:
        if "$ref" in node:
            node = root["$defs"][node["$ref"].rpartition("/")[2]]
        else:
            node = [option for option in node["anyOf"] if option != {"type": "null"}][-1]
    return node


def child(node: dict[str, Any], step: str) -> Any:
    """Return the schema of an item or a member of a resolved schema, or None."""
    if node.get("type") == "array":
        return node["items"] if INDEX.fullmatch(step) else None
    if step in node.get("properties", ()):
        return node["properties"][step]
    patterns = node.get("patternProperties", {})
    return next((schema for pattern, schema in patterns.items() if re.fullmatch(pattern, step)), None)


@cache
def column_names(resource: Resource) -> tuple[str, ...]:
    """Return the columns of a template: the id, and the path of every value that a writer can set."""
    names = ["id"]
    root = schema_of(resource)
    for member, node in root["properties"].items():
        if member not in Record.model_fields:
            names += _value_paths(root, node, member)
    return tuple(names)


def _value_paths(root: dict[str, Any], node: Any, path: str) -> Iterator[str]:
    node = resolved(root, node)
    if node.get("type") == "array":
        for position in range(TEMPLATE_ITEMS.get(path, DEFAULT_ITEMS)):
            yield from _value_paths(root, node["items"], f"{path}.{position}")
    elif "edtf" in node.get("properties", ()) or node.get("type") != "object":
        yield path
    elif "properties" in node:
        for name, inner in node["properties"].items():
            yield from _value_paths(root, inner, f"{path}.{name}")
    elif path != "breakdown":  # its names are free; those of other maps are languages
        yield from (f"{path}.{language}" for language in TEMPLATE_LANGUAGES if child(node, language))


class TemplateColumn(NamedTuple):
    """A column of a template: its name, the type of its values, whether a record needs one, its codes, its meaning."""

    name: str
    kind: str
    is_required: bool
    codes: CodeList | None
    meaning: str


def template_columns(resource: Resource) -> Iterator[TemplateColumn]:
    """Yield the columns of a template."""
    required = {name for name, entry in resource.fields.model_fields.items() if entry.is_required()}
    for name in column_names(resource):
        path = tuple(name.split("."))
        codes = CODE_LISTS.get((_node(resource, path) or {}).get(MARK, ""))
        kind = str(kind_of(resource, path))
        yield TemplateColumn(name, kind, path[0] in required, codes, description_of(resource, path))


def description_of(resource: Resource, path: Path) -> str:
    """Return the first line of the description of a value, or else of the value that it is a part of."""
    root = schema_of(resource)
    node: Any = root
    description = ""
    for step in path:
        node = child(resolved(root, node), step)
        description = node.get("description", description).split("\n")[0]
    return description
