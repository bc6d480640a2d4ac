"""Reading all published records of a snapshot, for commands and archives."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, func, select

from app.core.change_log import CHANGES
from app.core.database.large_rows import batches
from app.core.database.sql import utf8
from app.core.model.resource import Resource

AT_ONCE = 200  # records that are read at once


def published_records(connection: Connection, resource: Resource) -> Iterator[list[bytes]]:
    """Yield the representations of the published records of a resource, in the order of their ids."""
    table: Any = resource.table
    body = utf8(func.coalesce(table.body, CHANGES.c.body)).label("text")
    query: Any = (
        select(table.id, body).join(CHANGES, CHANGES.c.sequence == table.change).where(table.state == "published")
    )
    for rows in batches(connection, query.order_by(table.id), AT_ONCE):
        yield [bytes(row.text) for row in rows]
