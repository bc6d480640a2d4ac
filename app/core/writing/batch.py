"""The one road of a write: valid fields become columns, links, a representation and a Change, in one transaction."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import Table, bindparam, delete, func, insert, select, update
from sqlmodel import Session

from app.core.database.sql import chunks
from app.core.errors import ReadOnly
from app.core.log import (
    CHANGE_NAME,
    CHANGES,
    LATEST_CHANGE,
    MIRRORS,
    chain_entry,
    chain_value,
    digest,
    name_of,
    new_salt,
    now,
    public_action,
)
from app.core.model.columns import column_values
from app.core.model.fields import RENDERING, RecordFields
from app.core.model.resource import Resource
from app.core.search import index
from app.core.values.text import SLUGS
from app.core.writing.representation import Content, StoredRecord, accepted_fields


@dataclass
class PendingWrite:
    """A write that is decided but not yet in the database."""

    resource: Resource
    id: str
    action: str
    version: int
    fields: RecordFields | None = None
    body: bytes = b""
    before: StoredRecord | None = None
    row: dict[str, Any] = field(default_factory=dict)
    explicit_action: str | None = None  # what everyone sees of it, if that does not follow from its states
    tag: str = ""  # the ETag of the record, once the Change has its number

    def indexed(self) -> index.IndexWrite:
        """What it means for the search index."""
        before = self.before.body if self.before else None
        return index.IndexWrite(self.resource, self.id, before, None if self.action == "delete" else self.body)

    def public_action(self) -> str | None:
        """What everyone sees of it."""
        return self.explicit_action or public_action(
            self.before.state if self.before else None, self.fields.state if self.fields else None
        )


class Batch:
    """Writes of one transaction by one actor. Nothing is in the database before `flush`."""

    def __init__(self, session: Session, actor: str) -> None:
        self.session, self.actor = session, actor
        self._pending: dict[tuple[str, str], PendingWrite] = {}

    @cached_property
    def at(self) -> str:
        """The instant of every write of this transaction: now, but never before that of the last Change.

        Who follows the Changes knows by it where a transaction begins.
        """
        if "at" not in self.session.info:
            last = self.session.execute(LATEST_CHANGE).first()
            self.session.info["at"] = max(now(), last.at) if last else now()
        return str(self.session.info["at"])

    def stored(self, resource: Resource, ids: Iterable[str]) -> dict[str, StoredRecord]:
        """What is there now, drafts too."""
        table = resource.table
        found: dict[str, StoredRecord] = {}
        body = func.coalesce(table.body, CHANGES.c.body)
        own = (table.id, table.version, table.created_at, table.updated_at, table.rendering)
        columns = (*own, table.state, table.managed_by, CHANGE_NAME, body)
        query = select(*columns).join(CHANGES, CHANGES.c.sequence == table.change)
        for chunk in chunks(ids):
            found |= {row[0]: StoredRecord(*row[1:]) for row in self.session.execute(query.where(table.id.in_(chunk)))}
        return found

    def put(self, resource: Resource, record_id: str, fields: RecordFields, present: StoredRecord | None) -> str:
        """Create or replace; returns created, updated, or unchanged (and then writes nothing)."""
        content = Content(resource, record_id, fields)
        if present is not None and content.is_stored(present):
            return "unchanged"
        return f"{self.replace(content, present).action}d"

    def copy(self, resource: Resource, body: str, change: int, present: StoredRecord | None) -> None:
        """Create or replace a record as a Change says that was made elsewhere and is written apart.

        ValidationError when this program cannot read the representation.
        """
        shown = json.loads(body)
        said = {name: shown[name] for name in ("id", "version", "created_at", "updated_at")}
        content = Content(resource, said["id"], accepted_fields(resource, body))
        pending = self._hold(content, said, present)
        pending.row |= {"change": change, "body": None if pending.body == body.encode() else pending.body.decode()}

    def replace(self, content: Content, present: StoredRecord | None) -> PendingWrite:
        """Write the next version of a record, also if it says the same as the stored one."""
        SLUGS.validate_python(content.record_id)
        created, version = (present.created_at, present.version + 1) if present else (self.at, 1)
        said = {"id": content.record_id, "version": version, "created_at": created, "updated_at": self.at}
        return self._hold(content, said, present)

    def _hold(self, content: Content, said: dict[str, Any], present: StoredRecord | None) -> PendingWrite:
        """What is to be written of a record, with what the registry itself says of it."""
        resource, fields = content.resource, content.fields
        body = content.representation(said["version"], said["created_at"], said["updated_at"])
        row = {**said, "rendering": RENDERING, "body": None, **column_values(resource.table, fields)}
        action = "create" if present is None else "update"
        pending = PendingWrite(resource, content.record_id, action, said["version"], fields, body, present, row)
        self._pending[resource.name, content.record_id] = pending
        return pending

    def delete(self, resource: Resource, record_id: str, present: StoredRecord) -> None:
        """Remove a record; its Changes stay, the last of them with the representation it had."""
        version, body = present.version + 1, present.body.encode()
        pending = PendingWrite(resource, record_id, "delete", version, body=body, before=present)
        self._pending[resource.name, record_id] = pending

    def redact(
        self, resource: Resource, record_id: str, fields: RecordFields, present: StoredRecord, action: str | None
    ) -> None:
        """Replace a record by one that text was taken from, also if this version had it no more."""
        self.replace(Content(resource, record_id, fields), present).explicit_action = action

    def redact_deleted(self, resource: Resource, record_id: str, version: int, body: bytes, action: str | None) -> None:
        """Delete a record again, with a last representation that text was taken from."""
        self._pending[resource.name, record_id] = PendingWrite(
            resource, record_id, "delete", version, body=body, explicit_action=action
        )

    def flush(self) -> int:
        """Write everything that is pending; returns how many Changes that made. ReadOnly in a mirror."""
        changes = self._changes()
        if changes and self.session.execute(select(MIRRORS.c.source)).first():
            raise ReadOnly
        self.write_records()
        if changes:
            self.session.execute(insert(CHANGES), changes)
        return len(changes)

    def write_records(self) -> None:
        """Write rows, links and search index of everything that is pending, without Changes."""
        by_resource: dict[str, list[PendingWrite]] = {}
        for pending in self._pending.values():
            by_resource.setdefault(pending.resource.name, []).append(pending)
        for writes in by_resource.values():
            self._clear(writes)
        for writes in by_resource.values():
            self._write(writes)
        if self._pending:
            index.update_index(self.session.connection(), [pending.indexed() for pending in self._pending.values()])
        self._pending.clear()

    def _changes(self) -> list[dict[str, Any]]:
        last = self.session.execute(LATEST_CHANGE).first()
        before, chain = (last.sequence, last.chain) if last else (0, "")
        rows = []
        for sequence, pending in enumerate(self._pending.values(), before + 1):
            salted = new_salt()
            done: dict[str, Any] = {
                "at": self.at,
                "actor": self.actor,
                "action": pending.action,
                "resource": pending.resource.name,
                "record_id": pending.id,
                "version": pending.version,
                "digest": digest(pending.body, salted),
            }
            chain = chain_value(chain, sequence, chain_entry(*done.values()))
            pending.row["change"] = sequence
            pending.tag = f"{name_of(sequence, chain)}-{RENDERING}"
            said = {
                "sequence": sequence,
                "shown": pending.public_action(),
                "salt": salted,
                "body": pending.body.decode(),
            }
            rows.append({**done, **said, "chain": chain})
        return rows

    def _clear(self, writes: list[PendingWrite]) -> None:
        """Take away what is deleted or replaced, so that a unique code may pass from one record to another."""
        resource, connection = writes[0].resource, self.session.connection()
        table = resource.table.__table__
        gone = [{"key": pending.id} for pending in writes if pending.action == "delete"]
        if gone:
            connection.execute(delete(table).where(table.c.id == bindparam("key")), gone)
        self.free(resource, [pending.id for pending in writes if pending.action == "update"])

    def free(self, resource: Resource, ids: Iterable[str]) -> None:
        """Take away links and unique codes of records that are going to be replaced in this transaction."""
        table, connection = resource.table.__table__, self.session.connection()
        again = [{"key": record_id} for record_id in ids]
        if not again:
            return
        for links in resource.link_tables:
            connection.execute(delete(links).where(links.c.record_id == bindparam("key")), again)
        if resource.unique:
            freed = update(table).where(table.c.id == bindparam("key")).values(dict.fromkeys(resource.unique))
            connection.execute(freed, again)

    def _write(self, writes: list[PendingWrite]) -> None:
        """All writes of one resource: rows first, then their links."""
        resource, connection = writes[0].resource, self.session.connection()
        table = resource.table.__table__
        fresh = [pending.row for pending in writes if pending.action == "create"]
        again = [{**pending.row, "key": pending.id} for pending in writes if pending.action == "update"]
        if fresh:
            connection.execute(insert(table), fresh)
        if again:
            connection.execute(update(table).where(table.c.id == bindparam("key")), again)
        for links, rows in self._links(resource, writes).items():
            connection.execute(insert(links), rows)

    def _links(self, resource: Resource, writes: list[PendingWrite]) -> Mapping[Table, list[dict[str, Any]]]:
        rows: dict[Table, list[dict[str, Any]]] = {}
        for pending in writes:
            if pending.fields is None:
                continue
            for table, row in link_rows(resource, pending.id, pending.fields):
                rows.setdefault(table, []).append(row)
        return rows


def link_rows(resource: Resource, record_id: str, fields: RecordFields) -> Iterator[tuple[Table, dict[str, Any]]]:
    """Rows of every link table that follow from a record, numbered from 1 in each."""
    counts: Counter[Table] = Counter()
    for table, values in _links_of(resource, fields):
        counts[table] += 1
        yield table, {"record_id": record_id, "position": counts[table], **values}


def _links_of(resource: Resource, fields: RecordFields) -> Iterator[tuple[Table, dict[str, Any]]]:
    """What a record names, by link table: its own, its citations, its identifiers."""
    yield from fields.links()
    if resource.citations is not None:
        for citation in fields.citations:
            yield resource.citations, {"document_id": citation.document, "paragraph": citation.paragraph}
    if resource.identifiers is not None:
        for code in getattr(fields, "identifiers", []):
            yield resource.identifiers, {"scheme": code.scheme, "value": code.value}
