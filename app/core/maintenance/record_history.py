"""The Changes of one record in their order, and the row and links that the record must have after the last one."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Table

from app.core.change_log import REDACTOR, digest, public_action, redacted_digest
from app.core.model.columns import column_values
from app.core.model.fields import RENDERING, RecordFields
from app.core.model.resource import Resource
from app.core.writing.record_tables import link_rows
from app.core.writing.representation import accepted_fields, is_representation, render


@dataclass
class RecordHistory:
    """The state of one record after the Changes that were followed so far.

    A mirror has no representations of drafts. In a mirror, a draft counts as no record, and a Change that creates or
    publishes a record may follow Changes that the mirror does not have.
    """

    resource: Resource
    record_id: str
    is_mirror: bool
    last: Any = None
    state: str | None = None  # of the record; None if there is no record
    was_public: bool = False

    def check_representation(self, row: Any, redacted_digests: Collection[str] | None) -> Iterator[str]:
        """Yield the errors in the representation of the next Change; call `follow` afterwards.

        `redacted_digests` are those that the redaction of this representation logged, or this redaction itself.
        """
        if not self._is_as_written(row, redacted_digests):
            yield f"Change {row.sequence}: its representation is not the one that was written."
        elif row.body is not None and not is_representation(self.resource.name, self.record_id, row.body):
            yield f"Change {row.sequence}: its representation is not one of this record."
        if _redacts(row) and row.redacted is None and redacted_digests is None:
            yield f"Change {row.sequence}: the log of its redaction is missing or was altered."

    def _is_as_written(self, row: Any, redacted_digests: Collection[str] | None) -> bool:
        """Return whether the representation has its digest, or a digest that its redaction logged."""
        if self.is_mirror and row.body is None and row.salt is None and self._is_withheld(row):
            return True
        body = str(row.body or "").encode()
        salt = str(row.salt or "")
        if row.redacted is None:
            return bool(digest(body, salt) == row.digest)
        return redacted_digest(row.sequence, body, salt) in (redacted_digests or ())

    def _is_withheld(self, row: Any) -> bool:
        """Return whether a mirror lacks the representation, which belongs to a draft: a withdrawal or its redaction."""
        if self.state is None:
            return bool(self.last is not None and self.last.body is None and _redacts(row))
        return bool(row.action == "update" and row.shown == "delete")

    def follow(self, row: Any) -> Iterator[str]:
        """Yield the differences that show that the next Change does not follow from the previous ones."""
        state = self._state_after(row)
        if not self._fits(row):
            yield f"Change {row.sequence}: its version or action does not follow from the record's previous Change."
        expected = public_action(self.state, state)
        if _redacts(row):
            expected = "redact" if self.was_public else None
        if row.shown != expected:
            yield f"Change {row.sequence}: its public action does not follow from the states of the record."
        self.last = row
        self.state = state
        self.was_public = self.was_public or expected is not None

    def _state_after(self, row: Any) -> str | None:
        if row.action == "delete":
            return None
        state = _state(str(row.body or ""))
        return None if self.is_mirror and state != "published" else state

    def _fits(self, row: Any) -> bool:
        is_create = row.action == "create"
        if self.is_mirror and self.state is None:
            return bool(row.version >= 1)
        fits = is_create == (self.state is None) or (_redacts(row) and row.action == "delete")
        version = 1 if self.last is None else int(self.last.version) + 1
        return bool(fits and row.version == version)

    @property
    def size(self) -> int:
        """The length of the last representation."""
        return 0 if self.last is None else len(self.last.body or "")

    @property
    def exists(self) -> bool:
        """Whether the database has a record after the last Change."""
        return self.state is not None if self.is_mirror else bool(self.last.action != "delete")

    def compare_row(self, row: Mapping[str, Any] | None, links: list[Any]) -> Iterator[str]:
        """Yield the differences between the record and its last Change."""
        if row is None:
            if self.exists:
                yield "it is missing."
            return
        if not self.exists:
            yield "it exists, although its last Change deleted it."
            return
        if row["change"] != self.last.sequence:
            yield f"it refers to Change {row['change']}, but its last Change is {self.last.sequence}."
        if row["rendering"] != RENDERING:  # `hoptac migrate` has not yet rendered it and written its columns
            return
        try:
            representation = json.loads(self.last.body)
            fields = accepted_fields(self.resource, self.last.body)
        except (ValidationError, ValueError, TypeError, AttributeError, RecursionError):
            yield f"the representation in Change {self.last.sequence} is not a valid one."
            return
        yield from self._compare_columns(row, representation, fields)
        expected = [comparable_link(table, link) for table, link in link_rows(self.resource, self.record_id, fields)]
        if sorted(links, key=str) != sorted(expected, key=str):
            yield "its links are not those of its last Change."

    def _compare_columns(
        self, row: Mapping[str, Any], representation: Mapping[str, Any], fields: RecordFields
    ) -> Iterator[str]:
        expected = {name: representation.get(name) for name in ("version", "created_at", "updated_at")}
        expected |= column_values(self.resource.table, fields)
        differing = ", ".join(name for name, value in expected.items() if row[name] != value)
        if differing:
            yield f"its columns are not those of its last Change: {differing}."
        body = render(self.resource, self.record_id, fields, row["version"], row["created_at"], row["updated_at"])
        if (row["body"] or self.last.body) != body.decode():
            yield "its representation is not that of its last Change."


def _redacts(row: Any) -> bool:
    return str(row.actor).startswith(REDACTOR)


def comparable_link(table: Table, row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a row of a link table as the name of the table and its values."""
    return table.name, *(row.get(column.name) for column in table.c)


def _state(body: str) -> str | None:
    try:
        state = json.loads(body)["state"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return state if isinstance(state, str) else None
