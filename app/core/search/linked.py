"""The records that link to others, for the index: a record is indexed with the names of those that it links to.

If a record with few links to it gets other names, the records that link to it are indexed again in the same
transaction. If it has many, the record is put into a queue, and a background task indexes them again in batches
(`app/core/maintenance/reindex.py`): until then they are found by the old name.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Select, delete, func, insert, literal, select, update

from app.core.change_log import CHANGES
from app.core.database.sql import chunks
from app.core.model.resource import RESOURCES, Resource
from app.core.search.about import Reference
from app.core.search.entries import public_record
from app.core.search.tables import RECORDS, REFERENCE_DATA, REFRESHES
from app.core.values.links import link_paths, text_positions

# The most records that are indexed again in one transaction of a write or of the background task, and the most bytes of
# their representations. Indexing a megabyte takes up to a second, and other writes wait for it.
AT_ONCE = 200
BYTES_AT_ONCE = 300_000
OWN = -1  # the step of a record in the queue that is to be indexed again itself
THEN_LINKING = "then"  # its position, if the records that link to it were waiting already


class Linking(NamedTuple):
    """A public record that links to another one, with its representation."""

    resource: Resource
    record_id: str
    body: str | bytes

    @property
    def reference(self) -> Reference:
        """The record itself, as the target of links."""
        return Reference(self.resource.name, self.record_id)


def _links_to(target: str) -> list[tuple[Resource, Any]]:
    """Return the columns with links to records of a resource, always in the same order.

    The manager and the documents that a record cites are left out: it is not about them.
    """
    columns: list[tuple[Resource, Any]] = []
    for resource in RESOURCES.values():
        for name, link in resource.all_links.items():
            if link.target == target and name not in ("managed_by", "document"):
                columns += [(resource, column) for column in link.columns]
    return columns


def _linking(resource: Resource, column: Any, target_id: str) -> Select[Any]:
    """Select the ids of the public records with a link to a record in this column."""
    row: Any = resource.table
    query = select(row.id).where(row.state == "published")
    if isinstance(column, Column):
        return query.where(row.id.in_(select(column.table.c.record_id).where(column == target_id)))
    return query.where(column == target_id)


def few_linking(connection: Connection, reference: Reference, used: int) -> dict[Reference, int] | None:
    """Return the records that link to a record, with their sizes.

    Return None if there are more than AT_ONCE, or if they and the bytes already `used` exceed BYTES_AT_ONCE.
    """
    sizes: dict[Reference, int] = {}
    for resource, column in _links_to(reference.resource):
        ids = connection.scalars(_linking(resource, column, reference.record_id).limit(AT_ONCE + 1)).all()
        if len(ids) > AT_ONCE:
            return None
        of_resource = _sizes(connection, resource, ids)
        sizes |= {Reference(resource.name, record_id): size for record_id, size in of_resource.items()}
        if len(sizes) > AT_ONCE or used + sum(sizes.values()) > BYTES_AT_ONCE:
            return None
    return sizes


def _sizes(connection: Connection, resource: Resource, ids: Iterable[str]) -> dict[str, int]:
    """Return the lengths of the representations of these records."""
    row: Any = resource.table
    size = func.length(func.coalesce(row.body, CHANGES.c.body))
    query = select(row.id, size).join(CHANGES, CHANGES.c.sequence == row.change)
    rows = connection.execute(query.where(row.id.in_(sorted(set(ids))))) if ids else ()
    return {record_id: length or 0 for record_id, length in rows}


def with_bodies(connection: Connection, resource: Resource, ids: set[str]) -> Iterator[Linking]:
    """Yield these records of a resource with their representations."""
    if not ids:
        return
    row: Any = resource.table
    query = select(row.id, func.coalesce(row.body, CHANGES.c.body)).join(CHANGES, CHANGES.c.sequence == row.change)
    for record_id, body in connection.execute(query.where(row.id.in_(sorted(ids)))):
        yield Linking(resource, record_id, body)


def queue_refresh(connection: Connection, reference: Reference) -> None:
    """Let the background task index the records again that link to this one."""
    key = (REFRESHES.c.resource == reference.resource, REFRESHES.c.record_id == reference.record_id)
    connection.execute(delete(REFRESHES).where(*key))
    connection.execute(insert(REFRESHES), {**reference._asdict(), "step": 0, "after": ""})


def _queue_own(connection: Connection, resource: Resource, ids: Iterable[str]) -> None:
    """Let the background task index these records again themselves."""
    for record_id in sorted(ids):
        key = (REFRESHES.c.resource == resource.name, REFRESHES.c.record_id == record_id)
        step = connection.scalar(select(REFRESHES.c.step).where(*key))
        if step is None:
            row = {"resource": resource.name, "record_id": record_id, "step": OWN, "after": ""}
            connection.execute(insert(REFRESHES), row)
        elif step != OWN:
            connection.execute(update(REFRESHES).where(*key).values(step=OWN, after=THEN_LINKING))


def next_to_refresh(connection: Connection) -> list[Linking]:
    """Return the next records that the background task indexes again, and note that they are done.

    Return at least one record. Return several only if they have at most BYTES_AT_ONCE together.
    """
    order = (REFRESHES.c.resource, REFRESHES.c.record_id)  # as in LAST_CHANGE_AND_WAITING
    first = connection.execute(select(REFRESHES).order_by(*order).limit(1)).first()
    if first is None:
        return []
    key = (REFRESHES.c.resource == first.resource, REFRESHES.c.record_id == first.record_id)
    if first.step == OWN:
        is_waiting = first.after == THEN_LINKING
        statement: Any = update(REFRESHES).values(step=0, after="") if is_waiting else delete(REFRESHES)
        connection.execute(statement.where(*key))
        return list(with_bodies(connection, RESOURCES[first.resource], {first.record_id}))
    resource, column = _links_to(first.resource)[first.step]
    query = _linking(resource, column, first.record_id)
    query = query.where(resource.table.id > first.after).order_by(resource.table.id).limit(AT_ONCE)
    ids = list(connection.scalars(query))
    is_last = len(ids) < AT_ONCE
    sizes = _sizes(connection, resource, ids)
    fitting = sum(total <= BYTES_AT_ONCE for total in accumulate(sizes.get(record_id, 0) for record_id in ids))
    if fitting < len(ids):
        ids = ids[: max(1, fitting)]
        is_last = False
    if not is_last:
        connection.execute(update(REFRESHES).where(*key).values(after=ids[-1]))
    elif first.step + 1 < len(_links_to(first.resource)):
        connection.execute(update(REFRESHES).where(*key).values(step=first.step + 1, after=""))
    else:
        connection.execute(delete(REFRESHES).where(*key))
    return list(with_bodies(connection, resource, set(ids)))


def is_refresh_pending(connection: Connection) -> bool:
    """Return whether the background task has something to do."""
    return connection.execute(select(literal(1)).select_from(REFRESHES).limit(1)).first() is not None


def reference_links(resource: Resource, record: Mapping[str, Any] | None) -> set[Reference]:
    """Return the links of a record to records that may be reference data (see `Resource.is_reference_data`)."""
    results: set[Reference] = set()
    for path, target in _paths_to_reference_data(resource) if record else ():
        results |= {Reference(target, item[0][item[1]]) for item in text_positions(record, path)}
    return results


@cache
def _paths_to_reference_data(resource: Resource) -> Sequence[tuple[Sequence[str], str]]:
    return [item for item in link_paths(resource.fields) if RESOURCES[item[1]].is_reference_data]


def reference_data_among(
    connection: Connection, resource: Resource, written: Mapping[Reference, Mapping[str, Any] | None]
) -> set[str]:
    """Return the ids of the written records that are only reference data.

    No document of the registry mentions them (they have external sources only), and no other public record links to
    them, apart from other reference data.
    """
    if not resource.is_reference_data:
        return set()
    ids = {
        key.record_id
        for key, record in written.items()
        if record and key.resource == resource.name and not _is_documented(record)
    }
    for chunk in chunks(sorted(ids)):
        for source, column in _links_to(resource.name):
            ids -= set(connection.scalars(_linked_among(source, column, chunk)))
    return ids


def _is_documented(record: Mapping[str, Any]) -> bool:
    return any(citation["basis"] != "external" for citation in record["citations"])


def _linked_among(source: Resource, column: Any, ids: list[str]) -> Select[Any]:
    """Select those of some records to which a column links, in public records that are not reference data."""
    row: Any = source.table
    query = select(column).where(column.in_(ids), row.state == "published").distinct()
    if isinstance(column, Column):
        query = query.join(row, row.id == column.table.c.record_id)
    if source.is_reference_data:
        query = query.join(RECORDS, (RECORDS.c.resource == source.name) & (RECORDS.c.record_id == row.id))
        query = query.where(RECORDS.c.docid < REFERENCE_DATA)
    return query


def misplaced(
    connection: Connection,
    added: set[Reference],
    removed: set[Reference],
    written: Mapping[Reference, str | bytes | None],
    used: int,
) -> list[Linking]:
    """Return the records that became reference data or no longer are, because links to them were removed or added.

    `written` are the representations of this transaction: their Changes are not in the log yet. Records that have more
    than BYTES_AT_ONCE, together with the bytes that are `used` already, are put into the queue.
    """
    results: list[Linking] = []
    for name in sorted({reference.resource for reference in added | removed}):
        resource = RESOURCES[name]
        linked = {reference.record_id for reference in added if reference.resource == name}
        unlinked = {reference.record_id for reference in removed if reference.resource == name} - linked
        query = select(RECORDS.c.record_id).where(RECORDS.c.resource == name)
        promoted = query.where(RECORDS.c.record_id.in_(linked), RECORDS.c.docid >= REFERENCE_DATA)
        demoted = query.where(RECORDS.c.record_id.in_(unlinked), RECORDS.c.docid < REFERENCE_DATA)
        promoted_ids = set(connection.scalars(promoted)) if linked else set()
        demoted_ids = set(connection.scalars(demoted)) if unlinked else set()
        large, size = _too_large(connection, resource, promoted_ids | demoted_ids, written, used)
        used += size
        _queue_own(connection, resource, large)
        results += _bodies(connection, resource, promoted_ids - large, written)
        others = _bodies(connection, resource, demoted_ids - large, written)
        records = {item.reference: public_record(item.body) for item in others}
        are_reference_data = reference_data_among(connection, resource, records)
        results += [item for item in others if item.record_id in are_reference_data]
    return results


def _too_large(
    connection: Connection,
    resource: Resource,
    ids: set[str],
    written: Mapping[Reference, str | bytes | None],
    used: int,
) -> tuple[set[str], int]:
    """Return the records that exceed BYTES_AT_ONCE together with the others, and the size of these others."""
    stored = {record_id for record_id in ids if not written.get(Reference(resource.name, record_id))}
    large: set[str] = set()
    size = 0
    for record_id, length in sorted(_sizes(connection, resource, stored).items()):
        if used + size + length > BYTES_AT_ONCE:
            large.add(record_id)
        else:
            size += length
    return large, size


def _bodies(
    connection: Connection, resource: Resource, ids: set[str], written: Mapping[Reference, str | bytes | None]
) -> list[Linking]:
    bodies = {record_id: written.get(Reference(resource.name, record_id)) for record_id in ids}
    of_transaction = [Linking(resource, record_id, body) for record_id, body in bodies.items() if body]
    return [*of_transaction, *with_bodies(connection, resource, {item for item in ids if not bodies[item]})]
