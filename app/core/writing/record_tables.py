"""The tables of records: how the rows, links, counts and search index of written records reach the database."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table
from sqlmodel import Session

from app.core.change_log import public_action
from app.core.model.code_counts import add_counts, codes_of_rows, codes_of_stored
from app.core.model.fields import RecordFields
from app.core.model.resource import Resource
from app.core.model.row_writes import delete_rows, insert_rows, update_rows
from app.core.search import index
from app.core.search.about import Reference
from app.core.writing.representation import StoredRecord


@dataclass
class PendingWrite:
    """A write that was decided and is not yet in the database."""

    resource: Resource
    id: str
    action: str
    version: int
    fields: RecordFields | None = None
    body: bytes = b""
    before: StoredRecord | None = None
    row: dict[str, Any] = field(default_factory=dict)
    explicit_action: str | None = None  # the public action of a redaction, which does not follow from the states
    tag: str = ""  # the ETag of the record; set when the Change has its number

    def index_write(self) -> index.IndexWrite:
        """Return the write for the search index."""
        before = self.before.body if self.before else None
        return index.IndexWrite(self.resource, self.id, before, None if self.action == "delete" else self.body)

    def stored(self) -> StoredRecord | None:
        """Return the record as it is after the write, whose Change has its number; None if it is deleted."""
        if self.fields is None:
            return None
        names = ("version", "created_at", "updated_at", "rendering", "state", "managed_by")
        own = {name: self.row[name] for name in names}
        return StoredRecord(**own, change=self.tag.rpartition("-")[0], body=self.body.decode())

    def public_action(self) -> str | None:
        """Return the public action of the write, for readers who see no drafts."""
        return self.explicit_action or public_action(
            self.before.state if self.before else None, self.fields.state if self.fields else None
        )


def write_records(session: Session, writes: Sequence[PendingWrite], *, is_indexed: bool) -> Mapping[Reference, int]:
    """Write the rows, links and, unless it is left out, the search index of these writes, without Changes.

    No two of them are of the same record. Return about how many bytes on disk the words take that are new to the
    search, by the record that has them.
    """
    by_resource: dict[str, list[PendingWrite]] = {}
    for pending in writes:
        by_resource.setdefault(pending.resource.name, []).append(pending)
    counts = _changes_of_counts(session, by_resource)
    for group in by_resource.values():
        _clear(session, group)
    for group in by_resource.values():
        _write(session, group)
    for resource, changes in counts:
        add_counts(session.connection(), resource, changes)
    if not writes or not is_indexed:
        return {}
    return index.update_index(session.connection(), [pending.index_write() for pending in writes])


def _changes_of_counts(
    session: Session, by_resource: Mapping[str, list[PendingWrite]]
) -> list[tuple[Resource, Counter[str]]]:
    """Return by how much the numbers of records with each combination of codes change."""
    counts = []
    for writes in by_resource.values():
        resource = writes[0].resource
        before = [pending.id for pending in writes if pending.action != "create"]
        changes = codes_of_rows(resource, (pending.row for pending in writes if pending.action != "delete"))
        changes.subtract(codes_of_stored(session.connection(), resource, before))
        counts.append((resource, changes))
    return counts


def _clear(session: Session, writes: list[PendingWrite]) -> None:
    """Delete removed records and release what the others replace.

    This happens for all resources before anything is written, so that a unique code can move from one record to
    another within the transaction.
    """
    resource = writes[0].resource
    deleted = [pending.id for pending in writes if pending.action == "delete"]
    delete_rows(session.connection(), resource.table.__table__, "id", deleted)
    free(session, resource, [pending.id for pending in writes if pending.action == "update"])


def free(session: Session, resource: Resource, ids: Iterable[str]) -> None:
    """Delete the links and unique codes of records that are written again later in the transaction."""
    connection = session.connection()
    keys = list(ids)
    # Links have no ids of their own, so they are not compared but deleted and inserted again.
    for links in resource.link_tables:
        delete_rows(connection, links, "record_id", keys)
    if resource.unique:
        # Unique constraints are checked row by row: two records could not exchange their codes otherwise.
        without_codes = [{"id": record_id, **dict.fromkeys(resource.unique)} for record_id in keys]
        update_rows(connection, resource.table.__table__, "id", without_codes)


def _write(session: Session, writes: list[PendingWrite]) -> None:
    """Write the rows of one resource, then their links."""
    resource = writes[0].resource
    connection = session.connection()
    table = resource.table.__table__
    insert_rows(connection, table, [pending.row for pending in writes if pending.action == "create"])
    update_rows(connection, table, "id", [pending.row for pending in writes if pending.action == "update"])
    for links, rows in _rows_of_links(resource, writes).items():
        insert_rows(connection, links, rows)


def _rows_of_links(resource: Resource, writes: list[PendingWrite]) -> Mapping[Table, list[dict[str, Any]]]:
    """Return the rows of each link table. A deleted record has no fields and so no links."""
    rows: dict[Table, list[dict[str, Any]]] = {}
    for pending in writes:
        if pending.fields is None:
            continue
        for table, row in link_rows(resource, pending.id, pending.fields):
            rows.setdefault(table, []).append(row)
    return rows


def link_rows(resource: Resource, record_id: str, fields: RecordFields) -> Iterator[tuple[Table, dict[str, Any]]]:
    """Yield the rows of all link tables for a record. Their positions count from 1 in each table."""
    counts: dict[Table, int] = {}
    for table, values in _links_of(resource, fields):
        position = counts[table] = counts.get(table, 0) + 1
        yield table, {"record_id": record_id, "position": position, **values}


def _links_of(resource: Resource, fields: RecordFields) -> Iterator[tuple[Table, dict[str, Any]]]:
    """Yield the values for the link tables: the links of the resource, its citations and its identifiers."""
    yield from fields.links()
    if resource.citations is not None:
        for citation in fields.citations:
            yield resource.citations, {"document_id": citation.document, "paragraph": citation.paragraph}
    if resource.identifiers is not None:
        for code in getattr(fields, "identifiers", []):
            yield resource.identifiers, {"scheme": code.scheme, "value": code.value}
