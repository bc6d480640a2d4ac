"""The path of every write, from valid fields to a Change in the log.

1. `put`, `replace`, `copy` or `delete` decides about the write and adds a `PendingWrite`. It has the new representation
   and the new row of the resource's table (`_add`). The database is not touched yet.
2. `flush` turns the pending writes into rows of the log (`_changes`): each gets the next sequence number, a salted
   digest of its representation, and its value in the hash chain.
3. `write_group` writes them, at once or with those of other requests. `record_tables` changes the tables of records: it
   deletes what the writes replace, then it writes the rows and their links, then the search index.
4. `write_group` inserts the Changes. The transaction is committed by whoever opened it; the database checks the links
   then.
"""

import json
from collections.abc import Iterable
from functools import cache, cached_property
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from app.core.change_log import (
    CHANGE_NAME,
    CHANGES,
    LATEST_CHANGE,
    chain_entry,
    chain_value,
    digest,
    instant_after,
    name_of,
    new_salt,
    now,
)
from app.core.database.connection_reads import rows_of
from app.core.database.engine import WriteLimits
from app.core.database.sql import chunks, one_of
from app.core.database.statements import Query
from app.core.errors import ErrorItem, Invalid
from app.core.model.columns import column_values
from app.core.model.fields import RENDERING, RecordFields
from app.core.model.resource import Resource
from app.core.values.text import SLUGS
from app.core.writing.record_tables import PendingWrite, write_records
from app.core.writing.representation import Content, DeletedRecord, StoredRecord, accepted_fields
from app.core.writing.write_group import WriteGroup


@cache
def _stored(resource: Resource) -> Query:
    table = resource.table
    # The representation is in the log. The row has one only if it was rendered again since, which adds no Change.
    body = func.coalesce(table.body, CHANGES.c.body)
    own = (table.id, table.version, table.created_at, table.updated_at, table.rendering)
    return _of_records(table, *own, table.state, table.managed_by, CHANGE_NAME, body)


@cache
def _sizes(resource: Resource) -> Query:
    table = resource.table
    return _of_records(table, table.id, func.length(func.coalesce(table.body, CHANGES.c.body)))


def _of_records(table: Any, *columns: Any) -> Query:
    """Return the query of columns of records and of their last Changes."""
    query = select(*columns).join(CHANGES, CHANGES.c.sequence == table.change)
    return Query(query.where(one_of(table.id, "ids")), looks_up=True)


class Batch:
    """The writes of one actor in one transaction. They reach the database when `flush` is called, or with its group.

    `is_indexed` is false for a transaction that will be rolled back, which needs no search index. With `limits_size`,
    records that would be larger than the limit are refused, because a client chooses their content.
    """

    def __init__(self, session: Session, actor: str, *, is_indexed: bool = True, limits_size: bool = False) -> None:
        self.session = session
        self.actor = actor
        self._is_indexed = is_indexed
        self._limits: WriteLimits = session.info.get("limits", WriteLimits())
        self._limits_size = limits_size
        self._pending: dict[tuple[str, str], PendingWrite] = {}

    @cached_property
    def at(self) -> str:
        """The instant of all writes of the transaction: now, but after that of the last Change.

        All batches of a session have the same instant, by which readers of the log see where a transaction begins. So
        no two transactions have the same, also if the clock was set back.
        """
        if "at" not in self.session.info:
            last = self.session.execute(LATEST_CHANGE).first()
            self.session.info["at"] = max(now(), instant_after(last.at)) if last else now()
        return str(self.session.info["at"])

    def stored(self, resource: Resource, ids: Iterable[str]) -> dict[str, StoredRecord]:
        """Return the records with these ids, including drafts. Ids without a record are left out."""
        records: dict[str, StoredRecord] = {}
        for chunk in chunks(ids):
            rows = rows_of(self.session.connection(), _stored(resource), ids=chunk)
            records |= {row[0]: StoredRecord(*row[1:]) for row in rows}
        return records

    def stored_sizes(self, resource: Resource, ids: Iterable[str]) -> dict[str, int]:
        """Return the lengths of the representations of these records, which `stored` would read into memory."""
        sizes: dict[str, int] = {}
        for chunk in chunks(ids):
            rows = rows_of(self.session.connection(), _sizes(resource), ids=chunk)
            sizes |= {row[0]: row[1] or 0 for row in rows}
        return sizes

    def put(
        self,
        resource: Resource,
        record_id: str,
        fields: RecordFields,
        present: StoredRecord | None,
        deleted: DeletedRecord | None = None,
    ) -> str:
        """Create or replace a record. Return `created`, `updated`, or `unchanged`, which writes nothing.

        `deleted` is the record that had the id before, if it is restored. Raise Invalid if the record is too large.
        """
        content = Content(resource, record_id, fields)
        if present is not None and content.is_stored(present):
            return "unchanged"
        return f"{self.replace(content, present, deleted).action}d"

    def replace(
        self, content: Content, present: StoredRecord | None, deleted: DeletedRecord | None = None
    ) -> PendingWrite:
        """Write the next version of a record, even if its fields are the same as before. Raise Invalid like `put`.

        `deleted` is the record that had the id before, if it is restored.
        """
        SLUGS.validate_python(content.record_id)
        previous = present or deleted
        metadata = {
            "id": content.record_id,
            "version": previous.version + 1 if previous else 1,
            "created_at": previous.created_at if previous else self.at,
            "updated_at": self.at,
        }
        return self._add(content, metadata, present)

    def copy(self, resource: Resource, body: str, change: int, present: StoredRecord | None) -> None:
        """Create or replace a record so that it equals that of another registry. Its Change is in the log already.

        Raise ValidationError if this version of the program does not know the fields of the representation.
        """
        members = json.loads(body)
        metadata = {name: members[name] for name in ("id", "version", "created_at", "updated_at")}
        content = Content(resource, metadata["id"], accepted_fields(resource, body))
        pending = self._add(content, metadata, present)
        pending.row["change"] = change
        # The source may render in another way than this program. Then the row needs a representation of its own.
        pending.row["body"] = None if pending.body == body.encode() else pending.body.decode()

    def _add(self, content: Content, metadata: dict[str, Any], present: StoredRecord | None) -> PendingWrite:
        """Add the pending write of a record with these fields, id, version and instants."""
        resource = content.resource
        fields = content.fields
        body = content.representation(metadata["version"], metadata["created_at"], metadata["updated_at"])
        if self._limits_size:
            self._check_size(body, present)
        # `body` of the row is empty, because the Change has the representation (see `stored`).
        row = {**metadata, "rendering": RENDERING, "body": None, **column_values(resource.table, fields)}
        action = "create" if present is None else "update"
        pending = PendingWrite(resource, content.record_id, action, metadata["version"], fields, body, present, row)
        self._pending[resource.name, content.record_id] = pending
        return pending

    def _check_size(self, body: bytes, present: StoredRecord | None) -> None:
        """Raise Invalid if the representation is larger than the limit and not smaller than the present one."""
        limit = self._limits.record
        if limit and len(body) > limit and not (present and len(body) < len(present.body.encode())):
            detail = f"The record would have {len(body):,} bytes as JSON. At most {limit:,} are possible."
            raise Invalid(ErrorItem(pointer="", code="large_record", detail=detail))

    def delete(self, resource: Resource, record_id: str, present: StoredRecord) -> None:
        """Delete a record. Its Changes stay, and the last of them has its last representation."""
        version = present.version + 1
        pending = PendingWrite(resource, record_id, "delete", version, body=present.body.encode(), before=present)
        self._pending[resource.name, record_id] = pending

    def redact(
        self, resource: Resource, record_id: str, fields: RecordFields, present: StoredRecord, action: str | None
    ) -> None:
        """Write a version without the redacted text, even if the present version does not contain it."""
        pending = self.replace(Content(resource, record_id, fields), present)
        pending.explicit_action = action

    def redact_deleted(self, resource: Resource, record_id: str, version: int, body: bytes, action: str | None) -> None:
        """Delete a deleted record again, with a last representation without the redacted text."""
        self._pending[resource.name, record_id] = PendingWrite(
            resource, record_id, "delete", version, body=body, explicit_action=action
        )

    def flush(self) -> int:
        """Write all pending writes and their Changes, or add them to the group of the session. Return their number.

        Raise ReadOnly in a mirror, and TooMany if a key has written as much as it may in a day.
        """
        changes = self._changes()  # before the rows are written: each row has the number of its Change
        group = WriteGroup.of(self.session)
        writes = WriteGroup(self.session, is_indexed=self._is_indexed) if group is None else group
        writes.add(self.actor, list(self._pending.values()), changes)
        self._pending.clear()
        if group is None:
            writes.flush()
        return len(changes)

    def write_records(self) -> None:
        """Write the rows, links and search index of all pending writes, without Changes."""
        write_records(self.session, list(self._pending.values()), is_indexed=self._is_indexed)
        self._pending.clear()

    def _changes(self) -> list[dict[str, Any]]:
        """Return the rows of the log for the pending writes, and set the number and tag of each write."""
        sequence, _, chain = (WriteGroup.of(self.session) or WriteGroup(self.session)).head
        rows = []
        for pending in self._pending.values():
            sequence += 1
            salt = new_salt()
            hashed: dict[str, Any] = {  # the fields of the entry, in the order of `chain_entry`
                "at": self.at,
                "actor": self.actor,
                "action": pending.action,
                "resource": pending.resource.name,
                "record_id": pending.id,
                "version": pending.version,
                "digest": digest(pending.body, salt),
            }
            chain = chain_value(chain, sequence, chain_entry(*hashed.values()))
            pending.row["change"] = sequence
            pending.tag = f"{name_of(sequence, chain)}-{RENDERING}"
            others = {
                "sequence": sequence,
                "shown": pending.public_action(),
                "salt": salt,
                "body": pending.body.decode(),
                "chain": chain,
            }
            rows.append({**hashed, **others})
        return rows
