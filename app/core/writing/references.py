"""Who names a record."""

from sqlalchemy import select
from sqlmodel import Session, SQLModel

from app.core.model.resource import Resource, owner_of


def referrers(session: Session, resource: Resource, record_id: str, limit: int | None = None) -> list[tuple[str, str]]:
    """Records, as (resource, id), that name this one and would be left dangling without it."""
    found: list[tuple[str, str]] = []
    for table in SQLModel.metadata.tables.values():
        for column in table.c:
            names = {key.column.table.name for key in column.foreign_keys}
            if resource.name not in names or column.name == "record_id":
                continue
            owner = table.c.record_id if "record_id" in table.c else table.c.id
            owning = owner_of(table).name if "record_id" in table.c else table.name
            query = select(owner).where(column == record_id, owner != record_id).order_by(owner).limit(limit)
            found += [(owning, owner_id) for (owner_id,) in session.execute(query)]
    return list(dict.fromkeys(found))[:limit]
