"""Tables: columns named by the place of their values in a record (`roles.0.partner`), and rows as records."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

from app.core.errors import ErrorItem, Invalid
from app.core.model.fields import Record
from app.core.model.resource import Resource
from app.core.values.text import suggestion

MAX_COLUMNS = 1_000

INDEX = re.compile(r"0|[1-9][0-9]{0,2}")

WHOLE, DECIMAL = re.compile(r"-?[0-9]{1,18}"), re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}")

CELL_ERRORS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"})

LANGUAGES = ("vi", "en")

REPEATED = {"citations": 1, "identifiers": 1}  # how often a template repeats a list; others twice

Path = tuple[str, ...]

Cell = str | int | float | bool | date | None


class Columns:
    """The columns of one table, in their order; Invalid with every name that is no place in a record."""

    def __init__(self, resource: Resource, header: Sequence[Cell]) -> None:
        while header and _blank(header[-1]):
            header = header[:-1]
        if not header or len(header) > MAX_COLUMNS:
            raise Invalid(ErrorItem(code="unknown_column", detail=f"The first row names 1 to {MAX_COLUMNS} columns."))
        self.paths = [tuple(str(name).strip().split(".")) for name in header]
        self.kinds = [kind_of(resource, path) for path in self.paths]
        errors = [
            _unknown(resource, number, path)
            for number, (path, kind) in enumerate(zip(self.paths, self.kinds, strict=True), 1)
            if kind is None
        ]
        if len(set(self.paths)) < len(self.paths):
            errors.append(ErrorItem(code="repeated", detail="Two columns have the same name."))
        if errors:
            raise Invalid(*errors)

    def record(self, cells: Sequence[Cell]) -> tuple[dict[str, Any], dict[str, str]]:
        """What a row says, and the columns whose values stand elsewhere in it, by their JSON Pointer.

        An empty cell says nothing.
        """
        if any(not _blank(cell) for cell in cells[len(self.paths) :]):
            raise Invalid(ErrorItem(code="unknown_column", detail="There is something beyond the named columns."))
        tree: dict[str, Any] = {}
        for path, kind, cell in zip(self.paths, self.kinds, cells, strict=False):
            if isinstance(cell, str) and cell.strip() in CELL_ERRORS:
                said = f"Column {'.'.join(path)} holds an error of the spreadsheet."
                raise Invalid(ErrorItem(pointer=f"/{'/'.join(path)}", code="invalid_value", detail=said))
            if not _blank(cell):
                _place(tree, path, _value(cell, str(kind)))
        moved: dict[str, str] = {}
        return {name: _listed(value, f"/{name}", name, moved) for name, value in tree.items()}, moved


def _blank(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _unknown(resource: Resource, number: int, path: Path) -> ErrorItem:
    hint = suggestion(".".join(path), column_names(resource))
    return ErrorItem(code="unknown_column", detail=f"Column {number} does not name a place in a record.{hint}")


def _place(tree: dict[str, Any], path: Path, value: Any) -> None:
    for step in path[:-1]:
        inner = tree.setdefault(step, {})
        tree = inner if isinstance(inner, dict) else {}  # `period` beside `period.edtf`: the first stands
    tree.setdefault(path[-1], value)


def _listed(value: Any, at: str, column: str, moved: dict[str, str]) -> Any:
    """A tree with lists where its steps are numbers, without gaps."""
    if not isinstance(value, dict):
        return value
    if not all(map(INDEX.fullmatch, value)):
        return {name: _listed(each, f"{at}/{name}", f"{column}.{name}", moved) for name, each in value.items()}
    items = []
    for place, number in enumerate(sorted(value, key=int)):
        if str(place) != number:
            moved[f"{at}/{place}"] = f"{column}.{number}"
        items.append(_listed(value[number], f"{at}/{place}", f"{column}.{number}", moved))
    return items


def column_of(pointer: str, moved: dict[str, str]) -> str:
    """The name of the column that holds the value at a JSON Pointer."""
    steps = pointer.split("/")
    for end in range(len(steps), 1, -1):
        if column := moved.get("/".join(steps[:end])):
            return ".".join([column, *steps[end:]])
    return ".".join(steps[1:])


def _value(cell: Cell, kind: str) -> Any:
    """A cell as JSON has it: text as it is, numbers and truth where the record has them, dates in ISO."""
    if isinstance(cell, bool):
        return cell if kind == "boolean" else str(cell).lower()
    if isinstance(cell, int | float):
        whole = int(cell) if cell == cell // 1 else float(f"{cell:.15g}")  # as many digits as Excel shows
        return whole if kind in ("number", "integer") else str(whole)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if not (cell.hour or cell.minute) else cell.isoformat(timespec="minutes")
    return _text_value(str(cell).strip(), kind)


def _text_value(text: str, kind: str) -> Any:
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind in ("number", "integer") and WHOLE.fullmatch(text):
        return int(text)
    return float(text) if kind == "number" and DECIMAL.fullmatch(text) else text


@cache
def _schema(resource: Resource) -> dict[str, Any]:
    return resource.shown.model_json_schema()


def kind_of(resource: Resource, path: Path) -> str | None:
    """The type of the values at a place in a record, as JSON Schema calls it; None where there is no single value."""
    node: Any = _schema(resource)
    for step in path:
        node = _below(_plain(resource, node), step)
        if node is None:
            return None
    node = _plain(resource, node)
    if "edtf" in node.get("properties", ()):
        return "string"
    return node["type"] if node.get("type") in ("string", "number", "integer", "boolean") else None


def _plain(resource: Resource, node: dict[str, Any]) -> dict[str, Any]:
    """A node without references and without null; of numbers the widest."""
    while "$ref" in node or "anyOf" in node:
        if "$ref" in node:
            node = _schema(resource)["$defs"][node["$ref"].rpartition("/")[2]]
        else:
            node = [each for each in node["anyOf"] if each != {"type": "null"}][-1]
    return node


def _below(node: dict[str, Any], step: str) -> Any:
    if node.get("type") == "array":
        return node["items"] if INDEX.fullmatch(step) else None
    if step in node.get("properties", ()):
        return node["properties"][step]
    patterns = node.get("patternProperties", {})
    return next((inner for pattern, inner in patterns.items() if re.fullmatch(pattern, step)), None)


@cache
def column_names(resource: Resource) -> tuple[str, ...]:
    """The columns of a template: every place of a record, lists once or twice, texts in Vietnamese and English."""
    own = [name for name in _schema(resource)["properties"] if name not in Record.model_fields]
    found = [name for member in own for name in _names(resource, _schema(resource)["properties"][member], member)]
    return ("id", *found)


def _names(resource: Resource, node: Any, at: str) -> Iterator[str]:
    node = _plain(resource, node)
    if node.get("type") == "array":
        for place in range(REPEATED.get(at, 2)):
            yield from _names(resource, node["items"], f"{at}.{place}")
    elif "edtf" in node.get("properties", ()) or "type" not in node or node["type"] != "object":
        yield at
    elif "properties" in node:
        for name, inner in node["properties"].items():
            yield from _names(resource, inner, f"{at}.{name}")
    else:
        yield from (f"{at}.{tag}" for tag in LANGUAGES if _below(node, tag) and at != "breakdown")


def csv_template(resource: Resource) -> bytes:
    """The names of the columns as CSV; with a byte order mark, by which Excel knows UTF-8."""
    text = io.StringIO()
    csv.writer(text).writerow(column_names(resource))
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def column_descriptions(resource: Resource) -> Iterator[tuple[str, str, str, str]]:
    """For each column of the template: its name, its type, whether a new record needs it, what it may hold."""
    schema = _schema(resource)
    needed = {name for name, entry in resource.fields.model_fields.items() if entry.is_required()}
    for name in column_names(resource):
        node: Any = schema
        said = ""
        for step in name.split("."):
            node = _below(_plain(resource, node), step)
            said = node.get("description", said).split("\n")[0]
        codes = ", ".join(map(str, _plain(resource, node).get("enum", ())))
        must = "yes" if name.partition(".")[0] in needed else ""
        yield name, str(kind_of(resource, tuple(name.split(".")))), must, codes or said
