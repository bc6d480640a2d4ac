"""Queries and reads in the transaction of a connection, for writes and for work that needs one snapshot."""

import json
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import Connection

from app.core.database.statements import Query, Read, Rows, on_postgresql

_STYLES = {"sqlite": "qmark", "postgresql": "format"}


@cache
def _dialect(name: str) -> Any:
    """Return the dialect of an engine. Only the one that is used is imported: each takes some megabytes."""
    return import_module(f"sqlalchemy.dialects.{name}").dialect(paramstyle=_STYLES[name])


def rows_of(connection: Connection, query: Query, **values: Any) -> Rows:
    """Return the rows of a query as the driver returns them. It sees what the transaction of the connection sees.

    A statement of SQLAlchemy takes some tenths of a millisecond more, in which it is built, or found in its cache.
    """
    name = connection.dialect.name
    text, parameters = query.sql(_dialect(name), values)
    if name == "sqlite":
        parameters = [json.dumps(value) if type(value) is list else value for value in parameters]
    return list(map(tuple, connection.exec_driver_sql(text, tuple(parameters))))


def run_on(connection: Connection, read: Read) -> Any:
    """Return the result of a read. It sees what the transaction of the connection sees."""
    read = on_postgresql(read) if connection.dialect.name == "postgresql" else read
    try:
        query, values = next(read)
        while True:
            query, values = read.send(rows_of(connection, query, **values))
    except StopIteration as end:
        return end.value
