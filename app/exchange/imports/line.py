"""A line while it is written: its record before and after, and its verdict."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import ErrorItem
from app.core.model.fields import RecordFields
from app.core.model.resource import Resource
from app.core.model.validation import top_member
from app.core.reading.history import compare
from app.core.values.json import to_json
from app.core.writing.representation import Content, StoredRecord, writable_members
from app.exchange.imports.planning.names import normalized_name, normalized_names_of
from app.exchange.imports.source_records import is_only_new, merged_statement
from app.exchange.imports.storage.store import errors_json
from app.exchange.imports.table_rows import merged_row

RESTORED = "deleted"  # how a line found its record, if that was deleted and the line restores it
RecordKey = tuple[str, str]  # resource and id


@dataclass
class ImportLine:
    """A line and its record. `merged` and `fields` are the record as it would be after the write."""

    number: int
    resource: Resource
    record_id: str
    content: dict[str, Any]
    matched_by: str | None = None
    moved: dict[str, str] | None = None  # of a row of a table, whose cells change single values: see ParsedLine
    marks: dict[str, str] | None = None  # of a line from a file of another program: see source_records
    plan_errors: list[ErrorItem] = field(default_factory=list)  # those of its cells included
    resolved: list[dict[str, Any]] = field(default_factory=list)  # what the names in its links mean
    is_independent: bool = True  # no line links to it to which it links itself
    verdict: str = ""
    errors: list[ErrorItem] = field(default_factory=list)
    present: StoredRecord | None = None
    merged: dict[str, Any] = field(default_factory=dict)
    fields: RecordFields | None = None

    @property
    def key(self) -> RecordKey:
        """The resource and id of the record."""
        return self.resource.name, self.record_id

    @property
    def is_new(self) -> bool:
        """Whether the line creates a record with an id that the plan has chosen."""
        return self.matched_by is None and self.content.get("id") is None

    @property
    def is_without_record(self) -> bool:
        """Whether the plan has found no record, and no id for a new one."""
        return not self.record_id

    def shows(self, error: ErrorItem) -> bool:
        """Return whether an error is certain.

        If the record of a line is unknown, its other members are unknown too. If a cell could not be read, no value of
        the record as a whole is certain.
        """
        if not error.pointer and error.code == "invalid_value" and self._has_unread_member:
            return False
        return not self.is_without_record or top_member(error) in self.content

    @property
    def _has_unread_member(self) -> bool:
        return any(top_member(error) not in ("", *self.content) for error in self.plan_errors)

    @property
    def is_written(self) -> bool:
        """Whether the line changed the database."""
        return self.verdict in ("created", "updated")

    @property
    def is_refused(self) -> bool:
        """Whether the verdict is `refused`."""
        return self.verdict == "refused"

    @property
    def leaves_record(self) -> bool:
        """Whether the line creates a record if there is none, and changes none."""
        return self.present is not None and self.marks is not None and is_only_new(self.marks)

    @property
    def unpublishes(self) -> bool:
        """Whether the line turns a published record into a draft."""
        was_published = self.present is not None and self.present.state == "published"
        return self.verdict == "updated" and was_published and self.merged.get("state") == "draft"

    def is_stale(self, present: StoredRecord) -> bool:
        """Return whether the line states another version than the present one and would change the record."""
        if self.fields is None or self.content.get("version") in (None, present.version):
            return False
        return not Content(self.resource, self.record_id, self.fields).is_stored(present)

    def refuse(self, errors: Sequence[ErrorItem]) -> None:
        """Give the line the verdict `refused`."""
        self.verdict = "refused"
        self.errors = list(errors)

    def reset(self) -> None:
        """Remove the verdict, so that the line can be written again."""
        self.verdict = ""
        self.errors = []
        self.merged = {}
        self.fields = None

    def merged_record(self) -> dict[str, Any]:
        """Return the record as the line changes it. Members that the line leaves out stay; null gives a member its
        default.

        A member of a JSON line replaces the member of the record. A cell of a table changes one value: see merged_row.
        """
        content = writable_members(self.content)
        before = {} if self.present is None else writable_members(json.loads(self.present.body))
        names = content.get("name")
        if self.matched_by == "name" and isinstance(names, dict):
            # A name by which the partner was found may be its alias or abbreviation, so it does not replace the name.
            old_names = normalized_names_of(before)
            new = {tag: text for tag, text in names.items() if normalized_name(str(text)) not in old_names}
            content = {**content, "name": {**before.get("name", {}), **new}}
        if self.marks is not None:
            return merged_statement(before, content, self.marks)
        if self.moved is not None:
            patched = merged_row(self.resource.fields, before, content, self.moved)
            return patched | ({"managed_by": None} if content.get("managed_by", ...) is None else {})
        merged = {**before, **content}
        return {name: value for name, value in merged.items() if value is not None or name == "managed_by"}

    def result(self, *, with_outcome: bool = False) -> dict[str, Any]:
        """Return the verdict as the columns of the stored line."""
        return {
            "number": self.number,
            "verdict": self.verdict,
            "resource": self.resource.name,
            "record_id": self.record_id or None,
            "matched_by": self.matched_by,
            "errors": errors_json(self.errors),
            "diff": self._diff(),
            "outcome": self._outcome() if with_outcome else None,
            "resolved": to_json(self.resolved).decode() if self.resolved else None,
        }

    def _outcome(self) -> str | None:
        """Return the record as it is after the write."""
        if self.is_refused or self.fields is None:
            return None
        head = {"resource": self.resource.name, "id": self.record_id}
        return f"{to_json(head).decode()[:-1]},{self.fields.model_dump_json(by_alias=True)[1:]}"

    def _diff(self) -> str | None:
        if self.verdict != "updated" or self.present is None or self.fields is None:
            return None
        before = writable_members(json.loads(self.present.body))
        after = json.loads(self.fields.model_dump_json(by_alias=True))
        return to_json(list(compare(before, after))).decode()
