"""Schemas that get a name of their own: one for each code list, for language maps, ids and instants.

A model repeats them at each of its members. In the document, each member refers to the named schema.
"""

from typing import Any

from pydantic import TypeAdapter

from app.core.model.fields import Instant
from app.core.model.resource import Id
from app.core.values import codelists
from app.core.values.codelists import MARK, MAX_NAMED, CodeList
from app.core.values.text import LANGUAGE_TAG, LanguageMap

REFERENCE = "#/components/schemas/{model}"

LANGUAGE_MAP = "LanguageMap"

_SIMPLE: dict[str, dict[str, Any]] = {
    "Id": {
        **TypeAdapter(Id).json_schema(),
        "description": "Id of a record: lower-case ASCII letters, digits and single hyphens.",
    },
    "Instant": {**TypeAdapter(Instant).json_schema(), "description": "A time (RFC 3339) in UTC, with microseconds."},
    LANGUAGE_MAP: {
        **TypeAdapter(LanguageMap).json_schema(),
        "description": "A text by language. The names of its members are language tags (BCP 47): `vi` is Vietnamese, "
        "`en` English, `und` a language that is not stated.",
    },
}
_PATTERNS = {schema["pattern"]: name for name, schema in _SIMPLE.items() if "pattern" in schema}
_NAMES_IN_MEMBERS = frozenset({"properties", "$defs", "mapping", "examples", "default", "const", "enum"})


def name_schemas(schema: Any, named: dict[str, Any]) -> Any:
    """Return a schema whose parts refer to named schemas, which are added to `named`.

    It also loses the titles that only repeat the name of a member, and the defaults that the types already state.
    """
    if isinstance(schema, list):
        return [name_schemas(item, named) for item in schema]
    if not isinstance(schema, dict):
        return schema
    named_schema = _name_of(schema)
    if named_schema is not None:
        name, definition, remaining_keys = named_schema
        named[name] = definition
        return {"$ref": REFERENCE.format(model=name), **{key: schema[key] for key in remaining_keys if key in schema}}
    if "patternProperties" in schema:
        schema = _with_named_members(schema)
    return {key: _part(key, value, named) for key, value in schema.items() if not _says_nothing(key, value)}


def _with_named_members(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a mapping whose names have a pattern in the form that generators of clients read."""
    ((pattern, values),) = schema["patternProperties"].items()
    others = {key: value for key, value in schema.items() if key != "patternProperties"}
    names = {"pattern": pattern, **schema.get("propertyNames", {})}
    return {**others, "additionalProperties": values, "propertyNames": names}


def _part(key: str, value: Any, named: dict[str, Any]) -> Any:
    if key == "properties":
        return {member: name_schemas(schema, named) for member, schema in value.items()}
    return value if key in _NAMES_IN_MEMBERS else name_schemas(value, named)


def _says_nothing(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value in (None, [], {}))


def _name_of(schema: dict[str, Any]) -> tuple[str, dict[str, Any], tuple[str, ...]] | None:
    """Return the name of the schema that a part of a model stands for, its definition, and the keys that stay."""
    if MARK in schema:
        codes = codelists.ALL[schema[MARK]]
        return code_list_name(codes), _code_list(codes), ("description", "default")
    if LANGUAGE_TAG in schema.get("patternProperties", ()):
        return LANGUAGE_MAP, _with_named_members(_SIMPLE[LANGUAGE_MAP]), ("description",)
    name = _PATTERNS.get(schema.get("pattern", ""))
    return None if name is None else (name, _SIMPLE[name], ("description", "examples"))


def code_list_name(codes: CodeList) -> str:
    """Return the name of the schema of a code list: `ProjectStatusCode`."""
    return "".join(word.title() for word in codes.name.split("_")) + "Code"


def _code_list(codes: CodeList) -> dict[str, Any]:
    description = f"{codes.description} The code list is `/v1/codelists/{codes.name}`."
    if len(codes.codes) <= MAX_NAMED:
        others = {code: entry for code, entry in codes.codes.items() if f"`{code}`" not in codes.description}
        description += "\n" if others else ""
        description += "".join(f"\n- `{code}`: {entry.en}." for code, entry in others.items())
    return {"type": "string", "description": description, "enum": list(codes.codes)}
