"""Running a read in the transaction of a connection, for work that needs one snapshot of many reads."""

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from app.core.database.statements import Read, on_postgresql

_DIALECTS: dict[str, Any] = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": postgresql.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
}


def run_on(connection: Connection, read: Read) -> Any:
    """Return the result of a read. It sees what the transaction of the connection sees."""
    dialect = _DIALECTS[connection.dialect.name]
    read = on_postgresql(read) if dialect.name == "postgresql" else read
    try:
        query, values = next(read)
        while True:
            text, parameters = query.sql(dialect, values)
            rows = [tuple(row) for row in connection.exec_driver_sql(text, tuple(parameters))]
            query, values = read.send(rows)
    except StopIteration as end:
        return end.value
