"""The columns of an exported table, and the cell of each row in them.

A column has the name by which an import reads it: the path of its value. A list has one column. If its items are single
values without a semicolon, the cell contains them with `; ` between them; otherwise it contains the list as JSON.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from itertools import chain
from typing import Any, Literal, NamedTuple, TypedDict

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from app.core.model.fields import Record
from app.core.model.labels import EXTENT, code_label
from app.core.model.resource import Resource
from app.core.values.codelists import ALL, MARK
from app.core.values.date_texts import date_text
from app.exchange.formats.schema_paths import (
    LABEL,
    SEPARATOR,
    TEMPLATE_LANGUAGES,
    Path,
    child,
    list_form,
    resolved,
    schema_of,
)
from app.exchange.formats.source import Cell

LAST = (
    "citations",
    "identifiers",
    "managed_by",
    "state",
    "version",
    "created_at",
    "updated_at",
    "inferred",
)
POSITION = "position"  # of an item in its list, counted from 0
POSITION_TEXT = "Number of the item in the list, counted from 0."

Kind = Literal["text", "plain", "json", "number", "boolean", "day"]
Schema = dict[str, Any]
SAFE_PATTERNS = ("^[a-z0-9]", r"^\d")  # of ids and instants
BLANK = frozenset(("null", "[]", "{}"))
MIN_JSON = 5  # characters of a list or map that is not blank
NOTHING: Mapping[str, Any] = {}


class Batch(list[Any]):
    """Rows that are made together: objects, or structures of `record_decoder`. Each value in them is looked up once."""

    def __init__(self, rows: Iterable[Any]) -> None:
        super().__init__(rows)
        self._values: dict[Path, Sequence[Any]] = {}

    def at(self, path: Path) -> Sequence[Any]:
        """Return the value at a path in each row; None if there is none."""
        if not path:
            return self
        if path not in self._values:
            parents = self.at(path[:-1])
            example = next(filter(None, parents), NOTHING)
            if isinstance(example, Struct):
                self._take_apart(path[:-1], parents, example.__struct_encode_fields__)
            else:
                self._values[path] = [parent.get(path[-1]) if parent else None for parent in parents]
        return self._values[path]

    def _take_apart(self, path: Path, structures: Sequence[Any], names: Sequence[str]) -> None:
        """Look up all members of structures at once, which takes a third of the time."""
        nothing = (None,) * len(names)
        members = [nothing if structure is None else astuple(structure) for structure in structures]
        for name, values in zip(names, zip(*members, strict=True), strict=True):
            self._values[*path, name] = values


class Column(NamedTuple):
    """A column: its name, the kind of its cells, the path of its values in rows, its meaning, and what makes a cell.

    Cells of the kind `text` can contain any text, or numbers too. Those of the kind `plain` are codes and ids. Without
    `cell`, the value is the cell.
    """

    name: str
    kind: Kind
    path: Path
    meaning: str
    cell: Callable[[Any], Cell] | None = None

    def cells(self, rows: Batch) -> Sequence[Any]:
        """Return the cells of rows. They are made for many rows at once, because calls in Python are slow."""
        values = rows.at(self.path)
        cell = self.cell
        return values if cell is None else [cell(value) if value else None for value in values]


class TableStyle(NamedTuple):
    """What a request states about columns: labels beside codes and dates, texts in one language only."""

    labels: str | None = None
    lang: str | None = None

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of texts."""
        return (self.lang,) if self.lang else TEMPLATE_LANGUAGES


PLAIN = TableStyle()
MAX_KINDS = 100  # tables that are remembered: clients choose their `fields`


@lru_cache(MAX_KINDS)
def record_columns(
    resource: Resource,
    fields: str | None = None,
    rows: str | None = None,
    style: TableStyle = PLAIN,
) -> tuple[Column, ...]:
    """Return the columns of a resource: of all its fields, or of the `id` and these fields, separated by commas.

    With `rows`, each row is an item of this list: it has the id, the chosen fields, and the members of the item.
    """
    schemas: dict[str, Schema] = schema_of(resource)["properties"]
    own = [name for name in schemas if name not in (*Record.model_fields, *LAST)]
    common = [name for name in LAST if name in schemas]
    wanted: Iterable[str] = fields.split(",") if fields else () if rows else schemas
    names = [
        "id",
        *(name for name in (*own, *common) if name in wanted and name != rows),
    ]
    maker = _Maker(schema_of(resource), style)
    columns = list(chain.from_iterable(maker.columns(schemas[name], (name,)) for name in names))
    if rows:
        position = f"{rows}.{POSITION}"
        columns.append(Column(position, "number", (position,), POSITION_TEXT))
        items = resolved(maker.root, schemas[rows])["items"]
        columns += maker.columns(items, (rows,), schemas[rows].get("description", ""))
    return tuple(columns)


@cache
def model_columns(model: Any, style: TableStyle, left_out: tuple[str, ...] = ()) -> tuple[Column, ...]:
    """Return the columns of the items of a response that are no records, such as the hits of a search."""
    root = model.model_json_schema(mode="serialization")
    maker = _Maker(root, style)
    members = [(name, schema) for name, schema in root["properties"].items() if name not in left_out]
    return tuple(chain.from_iterable(maker.columns(schema, (name,)) for name, schema in members))


def code_columns(resource: Resource, field: str, path: Path, style: TableStyle) -> list[Column]:
    """Return the column of a value at a path that is like a field of a resource, and the column of its label."""
    root = schema_of(resource)
    schema = root["properties"].get(field, {})
    meaning = schema.get("description", "").split("\n")[0]
    labels = _Maker(root, style).label(resolved(root, schema), path, meaning)
    return [Column(".".join(path), "text", path, meaning), *labels]


@dataclass
class _Maker:
    """What makes the columns of the values of one JSON Schema."""

    root: Schema
    style: TableStyle

    def columns(self, schema: Schema, path: Path, meaning: str = "") -> Iterator[Column]:
        """Yield the columns of the value at a path."""
        node = resolved(self.root, schema)
        meaning = schema.get("description", meaning).split("\n")[0]
        name = ".".join(path)
        form = list_form(self.root, node)
        if form:
            yield from self._of_list(form, node, path, meaning)
        elif "edtf" in node.get("properties", ()):
            yield from self._of_date(path, meaning)
        elif node.get("type") != "object":
            yield Column(name, _kind(node), path, meaning)
            yield from self.label(node, path, meaning)
        else:
            members = node.get("properties") or {tag: child(node, tag) for tag in self.style.languages}
            for member, inner in members.items():
                yield from self.columns(inner, (*path, member), meaning)

    def _of_list(self, form: str, node: Schema, path: Path, meaning: str) -> Iterator[Column]:
        if form == "json":
            yield Column(".".join(path), "json", path, meaning, _as_json)
            return
        yield Column(".".join(path), "text", path, meaning, joined)
        yield from self.label(resolved(self.root, node["items"]), path, meaning)

    def _of_date(self, path: Path, meaning: str) -> Iterator[Column]:
        yield Column(".".join(path), "plain", (*path, "edtf"), meaning)
        for end in ("earliest", "latest"):
            yield Column(f"{'.'.join(path)}.{end}", "day", (*path, end), meaning)
        if self.style.labels:
            text = partial(date_text, language=self.style.labels, is_extent=path[-1] == EXTENT)
            yield Column(".".join(path) + LABEL, "text", (*path, "edtf"), meaning, text)

    def label(self, node: Schema, path: Path, meaning: str) -> Iterator[Column]:
        """Yield the column with the labels of codes, if they are wanted and the values are codes."""
        codes = ALL.get(node.get(MARK, ""))
        language = self.style.labels
        if codes is None or language is None:
            return

        def label(value: Any) -> Cell:
            if isinstance(value, list):
                return joined([code_label(codes, code, language) for code in value])
            return code_label(codes, value, language)

        yield Column(".".join(path) + LABEL, "text", path, meaning, label)


def _kind(node: Schema) -> Kind:
    if node.get("type") in ("number", "integer"):
        return "number"
    if node.get("type") == "boolean":
        return "boolean"
    if node.get("format") == "date":
        return "day"
    is_safe = "enum" in node or "const" in node or node.get("pattern", "").startswith(SAFE_PATTERNS)
    return "plain" if is_safe else "text"


@lru_cache(MAX_KINDS)
def record_decoder(columns: tuple[Column, ...]) -> Callable[[bytes], Any]:
    """Return what parses the members of a representation that columns need.

    A list that a cell contains as JSON stays as it is. This takes a fifth of the time in which the whole representation
    is parsed and the list is encoded again.
    """
    paths = {column.path: msgspec.Raw if column.kind == "json" else Any for column in columns}
    return msgspec.json.Decoder(_structure(paths)).decode


def _structure(paths: Mapping[Path, Any]) -> Any:
    """Return a type with the values at these paths, which the garbage collector does not examine."""
    members: dict[str, Any] = {}
    for name, *rest in paths:
        inner = {path[1:]: kind for path, kind in paths.items() if path[0] == name}
        members[name] = _structure(inner) | None if rest else inner[()]
    fields = [
        (f"member_{number}", kind, msgspec.field(default=None, name=name))
        for number, (name, kind) in enumerate(members.items())
    ]
    return msgspec.defstruct("Members", fields, gc=False)


@lru_cache(MAX_KINDS)
def object_decoder(columns: tuple[Column, ...], parsed: str) -> Callable[[bytes], Any]:
    """Return what parses the same members as an object. `parsed` is parsed even if a column has it as JSON."""
    members: dict[str, Any] = {parsed: Any}
    for column in columns:
        members.setdefault(
            column.path[0],
            msgspec.Raw if column.kind == "json" and not column.path[1:] else Any,
        )
    return msgspec.json.Decoder(TypedDict("Members", members, total=False)).decode  # type: ignore[operator]


def _as_json(value: Any) -> Cell:
    text = str(value if isinstance(value, msgspec.Raw) else msgspec.json.encode(value), "utf-8")
    return None if len(text) < MIN_JSON and text in BLANK else text


def joined(items: Any) -> Cell:
    """Return the cell of a list: the items with separators, or JSON if one of them contains the separator."""
    if not items:
        return None
    text = f"{SEPARATOR} ".join(items if isinstance(items[0], str) else map(str, items))
    return text if text.count(SEPARATOR) < len(items) else _as_json(items)
