"""Types of the contract's schemas as HTML: what a value is, in few words, with links to the schemas it refers to."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from app.core.public_paths import public

MAX_CODES = 12  # of an enumeration that are listed where it is used
LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}

Schema = Mapping[str, Any]


def type_of(schema: Schema) -> str:
    """Return the type of a value as HTML."""
    if "$ref" in schema:
        return schema_link(schema["$ref"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    if "enum" in schema:
        return _codes(schema["enum"])
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return (" and " if choice == "allOf" else " or ").join(type_of(option) for option in schema[choice])
    return _plain_type(schema)


def schema_link(reference: str) -> str:
    """Return a link to a schema."""
    name = reference.rpartition("/")[2]
    return f'<a href="{public("/reference/schemas")}#{name}">{name}</a>'


def limits_of(schema: Schema) -> str:
    """Return the bounds and the default of a value, as text."""
    stated = [text.format(schema[name]) for name, text in LIMITS.items() if name in schema]
    if schema.get("default") is not None:
        stated.append(f"default {json.dumps(schema['default'], ensure_ascii=False)}")
    return escape(", ".join(stated))


def _codes(codes: list[Any]) -> str:
    listed = " ".join(f"<code>{escape(str(code))}</code>" for code in codes[:MAX_CODES])
    return listed if len(codes) <= MAX_CODES else f"{listed} … ({len(codes)} codes)"


def _plain_type(schema: Schema) -> str:
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(escape(name) for name in kind)
    if kind == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map of {type_of(schema['additionalProperties'])}"
    return escape(f"{kind} ({schema['format']})" if "format" in schema else str(kind))
