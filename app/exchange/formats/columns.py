"""Columns of a table and members of a record.

A column is named by the path of its values in a record: `title.vi` is the Vietnamese title, `roles.0.partner` the
partner of the first role. The paths and the types of their values come from the JSON Schema of the resource, so every
field of a resource is a column too.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from app.core.errors import MAX_ERRORS, ErrorItem, Invalid
from app.core.model.fields import Record
from app.core.model.resource import Resource
from app.core.values.text import Suggestions
from app.exchange.formats.table_report import MAX_HEADER, TableColumn, column_letters

MAX_COLUMNS = 1_000

INDEX = re.compile(r"0|[1-9][0-9]{0,2}")
INTEGER = re.compile(r"-?[0-9]{1,18}")
DECIMAL = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}")
CELL_ERRORS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"})

# In a template: the languages of a text, and the number of items of a list.
TEMPLATE_LANGUAGES = ("vi", "en")
TEMPLATE_ITEMS = {"citations": 1, "identifiers": 1}
DEFAULT_ITEMS = 2

Path = tuple[str, ...]
Cell = str | int | float | bool | None


class Columns:
    """The columns of one table, in the order of its header.

    Raise Invalid with an error for each column whose name is not the path of a value in a record.
    """

    def __init__(self, resource: Resource, header: Sequence[Cell]) -> None:
        while header and _is_blank(header[-1]):
            header = header[:-1]
        if not header or len(header) > MAX_COLUMNS:
            detail = f"The first row must contain 1 to {MAX_COLUMNS} names of columns."
            raise Invalid(ErrorItem(code="unknown_column", detail=detail))
        self.paths = [tuple(str(name).strip().split(".")) for name in header]
        self.kinds = [kind_of(resource, path) for path in self.paths]
        unknown = [(number, self.paths[number - 1]) for number, kind in enumerate(self.kinds, 1) if kind is None]
        errors = _unknown_columns(resource, unknown)
        if len(set(self.paths)) < len(self.paths):
            errors.append(ErrorItem(code="repeated", detail="Two columns have the same name."))
        if errors:
            raise Invalid(*errors)

    def described(self) -> list[TableColumn]:
        """Return the columns as the report of the table shows them."""
        return [
            TableColumn(letter=column_letters(number), header=".".join(path)[:MAX_HEADER], path=".".join(path))
            for number, path in enumerate(self.paths, 1)
        ]

    def record(self, cells: Sequence[Cell]) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the record of a row, without members for empty cells, and a map of the values that moved.

        The numbers in the names of a table's columns may have gaps, the items of a list have none: the values of
        `roles.1` and `roles.3` become items 0 and 1. The map then contains `/roles/0: roles.1` and `/roles/1: roles.3`,
        from which `column_of` finds the column of an error.
        """
        if any(not _is_blank(cell) for cell in cells[len(self.paths) :]):
            raise Invalid(ErrorItem(code="unknown_column", detail="The row has a value after the last named column."))
        tree: dict[str, Any] = {}
        for path, kind, cell in zip(self.paths, self.kinds, cells, strict=False):
            if cell is None or cell == "":  # most cells of a wide table
                continue
            if isinstance(cell, str) and cell.strip() in CELL_ERRORS:
                detail = f"Column {'.'.join(path)} contains an error of the spreadsheet."
                raise Invalid(ErrorItem(pointer=f"/{'/'.join(path)}", code="invalid_value", detail=detail))
            if not _is_blank(cell):
                _set_value(tree, path, _json_value(cell, str(kind)))
        moved: dict[str, str] = {}
        record = {name: _with_lists(value, f"/{name}", name, moved) for name, value in tree.items()}
        return record, moved


def _is_blank(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _unknown_columns(resource: Resource, columns: Sequence[tuple[int, Path]]) -> list[ErrorItem]:
    """Return an error for each unknown column, given as number and path. Raise Invalid if there are too many."""
    if len(columns) > MAX_ERRORS:
        detail = f"More than {MAX_ERRORS} columns are not paths of values in a record."
        raise Invalid(ErrorItem(code="unknown_column", detail=detail))
    suggestions = Suggestions()
    errors = []
    for number, path in columns:
        hint = suggestions.similar_to(".".join(path), column_names(resource))
        detail = f"Column {number} is not the path of a value in a record.{hint}"
        errors.append(ErrorItem(code="unknown_column", detail=detail))
    return errors


def _set_value(tree: dict[str, Any], path: Path, value: Any) -> None:
    for step in path[:-1]:
        branch = tree.setdefault(step, {})
        tree = branch if isinstance(branch, dict) else {}  # of `period` and `period.edtf`, the first column counts
    tree.setdefault(path[-1], value)


def _with_lists(value: Any, pointer: str, column: str, moved: dict[str, str]) -> Any:
    """Return the tree with a list in place of each object whose keys are numbers. Add moved items to `moved`."""
    if not isinstance(value, dict):
        return value
    if not all(map(INDEX.fullmatch, value)):
        return {name: _with_lists(value[name], f"{pointer}/{name}", f"{column}.{name}", moved) for name in value}
    items = []
    for position, number in enumerate(sorted(value, key=int)):
        if str(position) != number:
            moved[f"{pointer}/{position}"] = f"{column}.{number}"
        items.append(_with_lists(value[number], f"{pointer}/{position}", f"{column}.{number}", moved))
    return items


def _json_value(cell: Cell, kind: str) -> Any:
    """Return a cell as JSON: numbers and booleans where the record has them, otherwise text."""
    if isinstance(cell, bool):
        return cell if kind == "boolean" else str(cell).lower()
    if isinstance(cell, int | float):
        number = int(cell) if cell == cell // 1 else float(f"{cell:.15g}")  # Excel shows 15 digits
        return number if kind in ("number", "integer") else str(number)
    return _value_of_text(str(cell).strip(), kind)


def _value_of_text(text: str, kind: str) -> Any:
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind in ("number", "integer") and INTEGER.fullmatch(text):
        return int(text)
    return float(text) if kind == "number" and DECIMAL.fullmatch(text) else text


@cache
def _schema(resource: Resource) -> dict[str, Any]:
    return resource.shown.model_json_schema()


def kind_of(resource: Resource, path: Path) -> str | None:
    """Return the JSON Schema type of the values at a path. Return None if there is no single value at this path."""
    node: Any = _schema(resource)
    for step in path:
        node = _child(_resolved(resource, node), step)
        if node is None:
            return None
    node = _resolved(resource, node)
    if "edtf" in node.get("properties", ()):  # a date can be written as one text
        return "string"
    return node["type"] if node.get("type") in ("string", "number", "integer", "boolean") else None


def _resolved(resource: Resource, node: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without references and null. Of several types, return the last, which is the widest."""
    while "$ref" in node or "anyOf" in node:
        if "$ref" in node:
            node = _schema(resource)["$defs"][node["$ref"].rpartition("/")[2]]
        else:
            node = [option for option in node["anyOf"] if option != {"type": "null"}][-1]
    return node


def _child(node: dict[str, Any], step: str) -> Any:
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
    for member, node in _schema(resource)["properties"].items():
        if member not in Record.model_fields:
            names += _value_paths(resource, node, member)
    return tuple(names)


def _value_paths(resource: Resource, node: Any, path: str) -> Iterator[str]:
    node = _resolved(resource, node)
    if node.get("type") == "array":
        for position in range(TEMPLATE_ITEMS.get(path, DEFAULT_ITEMS)):
            yield from _value_paths(resource, node["items"], f"{path}.{position}")
    elif "edtf" in node.get("properties", ()) or node.get("type") != "object":
        yield path
    elif "properties" in node:
        for name, child in node["properties"].items():
            yield from _value_paths(resource, child, f"{path}.{name}")
    elif path != "breakdown":  # its names are free; those of other maps are languages
        yield from (f"{path}.{language}" for language in TEMPLATE_LANGUAGES if _child(node, language))


def column_descriptions(resource: Resource) -> Iterator[tuple[str, str, str, str]]:
    """Yield the name, type, requirement ("yes" or blank) and codes or description of each column of a template."""
    required = {name for name, entry in resource.fields.model_fields.items() if entry.is_required()}
    for name in column_names(resource):
        node: Any = _schema(resource)
        description = ""
        for step in name.split("."):
            node = _child(_resolved(resource, node), step)
            description = node.get("description", description).split("\n")[0]
        codes = ", ".join(map(str, _resolved(resource, node).get("enum", ())))
        requirement = "yes" if name.partition(".")[0] in required else ""
        yield name, str(kind_of(resource, tuple(name.split(".")))), requirement, codes or description
