"""Fingerprints of what is stored for each record: its representation and its search terms.

Stored representations carry the number RENDERING, the search index the number INDEXING; `hoptac migrate` renews what
has an older number. A change of a shown schema under the same number would leave old records unlike new ones:
`hoptac check` would report each as altered, and `hoptac seed` would write Changes of which nothing is true.

`python -m tests.fingerprints` writes the file anew. It refuses while a number that must be raised is not.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.catalogue import RESOURCES
from app.core.model.fields import RENDERING
from app.core.model.resource import Resource
from app.core.search.about import facts_of
from app.core.search.entries import INDEXING, IndexEntry
from app.core.values.codelists import MARK

FILE = Path(__file__).with_suffix(".json")

# What does not decide which bytes are stored: documentation, and which values are accepted.
IGNORED = {"title", "description", "examples", "default", "enum", "const", "pattern", "minLength", "maxLength"}
IGNORED |= {"format", "minItems", "maxItems", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "required"}
IGNORED |= {MARK}  # the name of a code list


def shape(schema: Any) -> Any:
    """A JSON schema reduced to members, their order and their types."""
    if isinstance(schema, list):
        return [shape(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    reduced = {}
    for keyword, value in schema.items():
        if keyword in ("properties", "$defs"):
            reduced[keyword] = [[name, shape(member)] for name, member in value.items()]
        elif keyword not in IGNORED:
            reduced[keyword] = shape(value)
    return reduced


def sample(schema: dict[str, Any], definitions: dict[str, Any], name: str = "text") -> Any:
    """A value in which every member has a text, so that all searchable texts of a resource are in it."""
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            schema = schema[choice][0]
    if "$ref" in schema:
        return sample(definitions[schema["$ref"].rpartition("/")[2]], definitions, name)
    if "properties" in schema:
        return {key: sample(value, definitions, key) for key, value in schema["properties"].items()}
    if "items" in schema:
        return [sample(schema["items"], definitions, name)]
    values = {
        "object": {"vi": f"Đường {name}", "en": f"Hòa-{name} 2024"},
        "string": f"{name.replace('_', '-')} KCN Đà Nẵng",
        "integer": 7,
        "number": 7,
    }
    return values.get(schema.get("type", ""))


def entry_of(resource: Resource) -> str:
    """Names and terms that the index would hold of the sample record."""
    schema = resource.shown.model_json_schema(mode="serialization")
    record = {**sample(schema, schema.get("$defs", {})), "id": "a-sample", "state": "published", "merged_into": None}
    facts = facts_of(resource, record)
    entry = IndexEntry.of(resource, record, facts, dict.fromkeys(facts.references, "Linked name"))
    return "\n".join([*entry[:3], entry.preview.decode(), " ".join(sorted(entry.terms.split(" ")))])


def digest(text: str) -> str:
    """Twelve hexadecimal digits: enough to see a change."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def present() -> dict[str, Any]:
    """The fingerprints of the program as it is."""
    shown = {
        resource.name: digest(json.dumps(shape(resource.shown.model_json_schema(mode="serialization"))))
        for resource in RESOURCES
    }
    terms = {resource.name: digest(entry_of(resource)) for resource in RESOURCES}
    return {"RENDERING": RENDERING, "shown": shown, "INDEXING": INDEXING, "terms": terms}


def advice(committed: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What must be raised before the fingerprints may be written anew. A new resource has no older records."""
    for number, kind, where in (
        ("RENDERING", "shown", "app/core/model/fields.py"),
        ("INDEXING", "terms", "app/core/search/entries.py"),
    ):
        common = committed[kind].keys() & now[kind].keys()
        changed = sorted(name for name in common if committed[kind][name] != now[kind][name])
        if changed and now[number] <= committed[number]:
            yield f"{', '.join(changed)}: other {kind} are stored now. Raise {number} in {where}."


def main() -> int:
    """Write the file, unless a number must be raised first."""
    now = present()
    missing = list(advice(json.loads(FILE.read_text("utf-8")), now)) if FILE.exists() else []
    for line in missing:
        print(line, file=sys.stderr)  # noqa: T201
    if not missing:
        FILE.write_text(json.dumps(now, indent=1) + "\n", "utf-8")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
