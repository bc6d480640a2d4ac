"""What a file of another program changes in a record: its own statements, and nothing that it does not state.

Such a record can have been found by its name, or completed by others. So the file never changes a member for which the
line is marked to set it only in new records, and it replaces only its own citations. If nothing but its citation would
change, because the file was published again, nothing changes.
"""

from collections.abc import Mapping
from typing import Any

from app.exchange.iati.reading.source import FILE_IDS, ONLY_NEW, WHOLE

TEXTS = frozenset({"title", "name", "description", "definition", "text"})  # members with a text for each language


def is_only_new(marks: Mapping[str, str]) -> bool:
    """Return whether a line creates a record, and never changes one."""
    return marks.get(WHOLE) == ONLY_NEW


def merged_statement(before: dict[str, Any], content: dict[str, Any], marks: Mapping[str, str]) -> dict[str, Any]:
    """Return a record as a file changes it. `before` is empty if it is new."""
    if not before:
        return content
    protected = {name for name in content if marks.get(f"/{name}") == ONLY_NEW and before.get(name) is not None}
    stated = {name: value for name, value in content.items() if name not in protected and name != "citations"}
    for name in TEXTS.intersection(stated):
        stated[name] = {**(before.get(name) or {}), **stated[name]}  # with the languages that others have added
    if "identifiers" in stated:
        present = before.get("identifiers") or []
        stated["identifiers"] = [*present, *(item for item in stated["identifiers"] if item not in present)]
    merged = {**before, **stated}
    if all(_is_same(before.get(name), value) for name, value in stated.items()):
        return merged
    return {**merged, "citations": _citations(before.get("citations") or [], content.get("citations") or [])}


def _citations(present: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    documents = {citation["document"] for citation in new}
    others = [
        citation
        for citation in present
        if citation["document"] not in documents and not citation["document"].startswith(FILE_IDS)
    ]
    return [*new, *others]


def _is_same(present: Any, stated: Any) -> bool:
    """Return whether a stated value is the present one. A present date has its days too, and an object its defaults."""
    if isinstance(present, dict) and "edtf" in present and isinstance(stated, str):
        return bool(present["edtf"] == stated)
    if isinstance(present, list) and isinstance(stated, list):
        return len(present) == len(stated) and all(map(_is_same, present, stated))
    if isinstance(present, dict) and isinstance(stated, dict):
        return all(_is_same(present.get(name), value) for name, value in stated.items()) and all(
            name in stated or value in (None, [], {}, "stated") for name, value in present.items()
        )
    return bool(present == stated)
