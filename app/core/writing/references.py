"""Referrers: the records that link to a record."""

from sqlalchemy import select
from sqlmodel import Session, SQLModel

from app.core.model.resource import Resource, owner_of


def referrers(session: Session, resource: Resource, record_id: str, limit: int | None = None) -> list[tuple[str, str]]:
    """Return other records that link to this one, as (resource, id). They are found by the foreign keys."""
    records: list[tuple[str, str]] = []
    for table in SQLModel.metadata.tables.values():
        is_link_table = "record_id" in table.c
        for column in table.c:
            targets = {key.column.table.name for key in column.foreign_keys}
            # The `record_id` of a link table is the record that has the link.
            if resource.name not in targets or column.name == "record_id":
                continue
            owner = table.c.record_id if is_link_table else table.c.id
            owner_name = owner_of(table).name if is_link_table else table.name
            query = select(owner).where(column == record_id, owner != record_id).order_by(owner).limit(limit)
            records += [(owner_name, owner_id) for (owner_id,) in session.execute(query)]
    return list(dict.fromkeys(records))[:limit]
