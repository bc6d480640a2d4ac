"""Referrers: the records that link to a record."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import Table, select
from sqlmodel import Session, SQLModel

from app.core.database.sql import chunks
from app.core.model.resource import RESOURCES, Resource, owner_of

Key = tuple[str, str]  # resource and id


class _LinkColumn(NamedTuple):
    """A column with links: the table and the id of the record that has the link, and the resource of the target."""

    owner: Table
    owner_id: Any
    column: Any
    target: str


def _link_columns() -> Iterator[_LinkColumn]:
    for table in SQLModel.metadata.tables.values():
        is_link_table = "record_id" in table.c
        for column in table.c if is_link_table or table.name in RESOURCES else ():
            # The `record_id` of a link table is the record that has the link.
            if column.name != "record_id":
                for target in sorted({key.column.table.name for key in column.foreign_keys} & RESOURCES.keys()):
                    owner = owner_of(table) if is_link_table else table
                    yield _LinkColumn(owner, table.c.record_id if is_link_table else table.c.id, column, target)


def referrers(
    session: Session, resource: Resource, record_id: str, limit: int | None = None, *, published_only: bool = False
) -> list[Key]:
    """Return other records that link to this one. They are found by the foreign keys."""
    records: list[Key] = []
    for link in _link_columns():
        if link.target == resource.name:
            query = select(link.owner_id).where(link.column == record_id, link.owner_id != record_id)
            query = query.order_by(link.owner_id).limit(limit)
            if published_only:
                query = query.where(link.owner.c.id == link.owner_id, link.owner.c.state == "published")
            records += [(link.owner.name, owner_id) for (owner_id,) in session.execute(query)]
    return list(dict.fromkeys(records))[:limit]


def links_among(session: Session, records: Iterable[Key]) -> dict[Key, set[Key]]:
    """Return those of some records to which others of them link, each with these others."""
    keys = set(records)
    linking: dict[Key, set[Key]] = {}
    for link in _link_columns():
        owners = sorted(record_id for resource, record_id in keys if resource == link.owner.name)
        for chunk in chunks(owners):
            query = select(link.owner_id, link.column).where(link.owner_id.in_(chunk), link.column.is_not(None))
            for owner_id, target_id in session.execute(query):
                if (link.target, target_id) in keys and (link.target, target_id) != (link.owner.name, owner_id):
                    linking.setdefault((link.target, target_id), set()).add((link.owner.name, owner_id))
    return linking
