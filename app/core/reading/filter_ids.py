"""The ids in filters: a merged record is replaced by the one that remains, and an unknown id is reported in a hint."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Select, literal_column, null, select, union_all

from app.core.database.sql import one_of
from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import Query, Read
from app.core.model.filters import Parameter
from app.core.model.resource import RESOURCES, Resource
from app.core.values.text import LanguageMap

MAX_HINTS = 20  # in one response

# The value of a filter, by name, and the hints about its ids.
Resolved = tuple[dict[str, Any], list[dict[str, Any]]]


class Hint(BaseModel, defer_build=True):
    """A hint about a filter. The response is correct, but may be different from what the client expects.

    Its message is in both languages, because a response is the same for every `Accept-Language`.
    """

    parameter: str = Field(description="Name of the parameter.")
    position: int = Field(description="Which value of the parameter it is, counted from 1.")
    code: str = Field(
        description="`unknown_record`: there is no such public record, so the value finds nothing. "
        "`merged_record`: the record was merged, and the filter takes the one that remains."
    )
    message: LanguageMap = Field(description="The hint in words, in Vietnamese and English.")
    into: str | None = Field(default=None, description="Id of the record that remains; only with `merged_record`.")


HINTS_TEXT = f"Hints about ids in filters, at most {MAX_HINTS}. Only if there are any."


def resolve_ids(parameters: Mapping[str, Parameter], filters: Mapping[str, Any]) -> Read:
    """Read the records whose ids are in the filters. Return `Resolved`. A filter by `id` itself stays as it is."""
    by_target: dict[str, set[str]] = {}
    for name in filters:
        target = parameters[name].target
        if target is not None:
            by_target.setdefault(target, set()).update(filters[name])  # flags have no target
    if not by_target:
        return dict(filters), []
    targets = tuple(sorted(by_target))
    rows = yield STATEMENTS.query(_build, targets), {target: sorted(by_target[target]) for target in targets}
    remaining = {(_text(target), _text(record_id)): _text(merged) for target, record_id, merged in rows}
    resolved: dict[str, Any] = {}
    hints: list[dict[str, Any]] = []
    for name, value in filters.items():
        target = parameters[name].target
        resolved[name] = value
        if target is not None:
            merges = {key: into for (owner, key), into in remaining.items() if owner == target}
            hints += _hints(name, RESOURCES[target], value, merges)
            resolved[name] = [merges.get(record_id) or record_id for record_id in value]
    return resolved, hints[:MAX_HINTS]


def with_hints(hints: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the member of a response with the hints, if there are any."""
    return {"hints": hints} if hints else {}


def _hints(name: str, target: Resource, ids: list[str], merges: Mapping[str, str | None]) -> list[dict[str, Any]]:
    hints: list[dict[str, Any]] = []
    for position, record_id in enumerate(ids, 1):
        into = merges.get(record_id)
        hint: dict[str, Any] = {"parameter": name, "position": position}
        if record_id not in merges:
            english = f"There is no public {target.one} with this id."
            message = {"vi": "Không có bản ghi công khai nào có mã id này.", "en": english}
            hints.append({**hint, "code": "unknown_record", "message": message})
        elif into is not None:
            english = f"The {target.one} was merged into `{into}`, which the filter takes."
            message = {"vi": f"Bản ghi đã được sáp nhập vào `{into}`; bộ lọc dùng bản ghi đó.", "en": english}
            hints.append({**hint, "code": "merged_record", "message": message, "into": into})
    return hints


def _build(targets: tuple[str, ...]) -> Query:
    selects = [_records(RESOURCES[name]) for name in targets]
    return Query(union_all(*selects) if len(selects) > 1 else selects[0], alone=True)


def _records(resource: Resource) -> Select[Any]:
    table = resource.table
    name: ColumnElement[str] = literal_column(f"'{resource.name}'").label("target")
    merged = resource.merged_into_column
    merged = null() if merged is None else merged
    is_public = table.state == literal_column("'published'")
    return select(name, table.id, merged.label("merged_into")).where(one_of(table.id, resource.name), is_public)


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
