"""The columns of an exported table, and the cell of each record in them.

A column has the name by which an import reads it: the path of its value. A list has one column. If its items are single
values without a semicolon, the cell contains them with `; ` between them; otherwise it contains the list as JSON.
"""

from collections.abc import Collection, Iterator
from functools import cache
from itertools import chain
from typing import Any, Literal, NamedTuple

from app.core.model.fields import Record
from app.core.model.resource import Resource
from app.core.values.json import to_json
from app.exchange.formats.schema_paths import (
    SEPARATOR,
    TEMPLATE_LANGUAGES,
    Path,
    child,
    list_form,
    member_schemas,
    resolved,
)
from app.exchange.formats.source import Cell

LAST = ("citations", "identifiers", "managed_by", "state", "version", "created_at", "updated_at", "inferred")


class RecordColumn(NamedTuple):
    """A column: its name, the path of its value, and whether the value is single, a list of such, or JSON."""

    name: str
    path: Path
    form: Literal["single", "items", "json"]

    def cell(self, record: dict[str, Any]) -> Cell:
        """Return the cell of a record, None if it has no value."""
        value: Any = record
        for step in self.path:
            value = value.get(step) if isinstance(value, dict) else None
        if self.form == "single" or value is None:
            return value  # type: ignore[no-any-return]
        if not value:
            return None
        is_joined = self.form == "items" and not any(SEPARATOR in str(item) for item in value)
        return f"{SEPARATOR} ".join(map(str, value)) if is_joined else to_json(value).decode()


@cache
def record_columns(resource: Resource, fields: str | None = None) -> tuple[RecordColumn, ...]:
    """Return the columns of a resource: of all its fields, or of the `id` and these fields, separated by commas."""
    schemas = member_schemas(resource)
    own = [name for name in schemas if name not in (*Record.model_fields, *LAST)]
    common = [name for name in LAST if name in schemas]
    wanted = _wanted(schemas, fields)
    names = ["id", *(name for name in (*own, *common) if name in wanted)]
    return tuple(chain.from_iterable(_columns(resource, schemas[name], (name,)) for name in names))


def _wanted(schemas: Collection[str], fields: str | None) -> Collection[str]:
    return set(fields.split(",")) if fields else schemas


def _columns(resource: Resource, schema: Any, path: Path) -> Iterator[RecordColumn]:
    node = resolved(resource, schema)
    name = ".".join(path)
    form = list_form(resource, node)
    if form or node.get("type") != "object":
        yield RecordColumn(name, path, form or "single")
    elif "edtf" in node.get("properties", ()):
        yield RecordColumn(name, (*path, "edtf"), "single")
        for end in ("earliest", "latest"):
            yield RecordColumn(f"{name}.{end}", (*path, end), "single")
    else:
        members = node.get("properties") or {language: child(node, language) for language in TEMPLATE_LANGUAGES}
        for member, inner in members.items():
            yield from _columns(resource, inner, (*path, member))
