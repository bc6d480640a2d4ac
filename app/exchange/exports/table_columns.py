"""The columns of an exported table, and the cell of each row in them.

A column has the name by which an import reads it: the path of its value. A list has one column. If its items are single
values without a semicolon, the cell contains them with `; ` between them; otherwise it contains the list as JSON.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from typing import Any, Literal, NamedTuple, TypedDict

import msgspec

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

LAST = ("citations", "identifiers", "managed_by", "state", "version", "created_at", "updated_at", "inferred")
POSITION = "position"  # of an item in its list, counted from 0
POSITION_TEXT = "Number of the item in the list, counted from 0."

Kind = Literal["text", "plain", "json", "number", "boolean", "day"]
Get = Callable[[Sequence[Any]], list[Any]]
Schema = dict[str, Any]
SAFE_PATTERNS = ("^[a-z0-9]", r"^\d")  # of ids and instants
BLANK = frozenset(("null", "[]", "{}"))
MIN_JSON = 5  # characters of a list or map that is not blank
NOTHING: Mapping[str, Any] = {}


class Column(NamedTuple):
    """A column: its name, the kind of its cells, the function that finds them in rows, and its meaning.

    The function finds the cells of many rows at once, because a file has many cells and calls in Python are slow. Cells
    of the kind `text` can contain any text, or numbers too. Those of the kind `plain` are codes and ids.
    """

    name: str
    kind: Kind
    get: Get
    meaning: str


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
    resource: Resource, fields: str | None = None, rows: str | None = None, style: TableStyle = PLAIN
) -> tuple[Column, ...]:
    """Return the columns of a resource: of all its fields, or of the `id` and these fields, separated by commas.

    With `rows`, each row is an item of this list: it has the id, the chosen fields, and the members of the item.
    """
    schemas: dict[str, Schema] = schema_of(resource)["properties"]
    own = [name for name in schemas if name not in (*Record.model_fields, *LAST)]
    common = [name for name in LAST if name in schemas]
    wanted: Iterable[str] = fields.split(",") if fields else () if rows else schemas
    names = ["id", *(name for name in (*own, *common) if name in wanted and name != rows)]
    maker = _Maker(schema_of(resource), style)
    columns = list(chain.from_iterable(maker.columns(schemas[name], (name,)) for name in names))
    if rows:
        position = f"{rows}.{POSITION}"
        columns.append(Column(position, "number", getter((position,)), POSITION_TEXT))
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
    return [Column(".".join(path), "text", getter(path), meaning), *labels]


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
            yield Column(name, _kind(node), getter(path), meaning)
            yield from self.label(node, path, meaning)
        else:
            members = node.get("properties") or {tag: child(node, tag) for tag in self.style.languages}
            for member, inner in members.items():
                yield from self.columns(inner, (*path, member), meaning)

    def _of_list(self, form: str, node: Schema, path: Path, meaning: str) -> Iterator[Column]:
        get = getter(path)
        if form == "json":
            yield Column(".".join(path), "json", lambda rows: [_as_json(value) for value in get(rows)], meaning)
            return
        yield Column(".".join(path), "text", lambda rows: [joined(value) for value in get(rows)], meaning)
        yield from self.label(resolved(self.root, node["items"]), path, meaning)

    def _of_date(self, path: Path, meaning: str) -> Iterator[Column]:
        edtf = getter((*path, "edtf"))
        yield Column(".".join(path), "plain", edtf, meaning)
        for end in ("earliest", "latest"):
            yield Column(f"{'.'.join(path)}.{end}", "day", getter((*path, end)), meaning)
        language = self.style.labels
        if language:
            is_extent = path[-1] == EXTENT

            def texts(rows: Sequence[Any]) -> list[Cell]:
                return [value and date_text(value, language, is_extent=is_extent) for value in edtf(rows)]

            yield Column(".".join(path) + LABEL, "text", texts, meaning)

    def label(self, node: Schema, path: Path, meaning: str) -> Iterator[Column]:
        """Yield the column with the labels of codes, if they are wanted and the values are codes."""
        codes = ALL.get(node.get(MARK, ""))
        language = self.style.labels
        if codes is None or language is None:
            return
        get = getter(path)

        def label(value: Any) -> Cell:
            if isinstance(value, list):
                return joined([code_label(codes, code, language) for code in value])
            return None if value is None else code_label(codes, value, language)

        yield Column(".".join(path) + LABEL, "text", lambda rows: [label(value) for value in get(rows)], meaning)


def _kind(node: Schema) -> Kind:
    if node.get("type") in ("number", "integer"):
        return "number"
    if node.get("type") == "boolean":
        return "boolean"
    if node.get("format") == "date":
        return "day"
    is_safe = "enum" in node or "const" in node or node.get("pattern", "").startswith(SAFE_PATTERNS)
    return "plain" if is_safe else "text"


def getter(path: Path) -> Get:
    """Return what finds the values at a path in rows."""
    *parents, last = path

    def get(rows: Sequence[Any]) -> list[Any]:
        for step in parents:
            rows = [row.get(step) or NOTHING for row in rows]
        return [row.get(last) for row in rows]

    return get


@lru_cache(MAX_KINDS)
def record_decoder(columns: tuple[Column, ...], parsed: frozenset[str] = frozenset()) -> Callable[[bytes], Any]:
    """Return what parses the members of a representation that columns need.

    A list that a cell contains as JSON stays as it is, unless it is to be `parsed`. This takes a fifth of the time in
    which the whole representation is parsed and the list is encoded again.
    """
    members: dict[str, Any] = dict.fromkeys(parsed, Any)
    for column in columns:
        name = column.name.partition(".")[0]
        members.setdefault(name, msgspec.Raw if column.kind == "json" and column.name == name else Any)
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
