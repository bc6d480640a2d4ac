"""Statements for many rows: one statement writes all of them on PostgreSQL, and one each of them on SQLite.

SQLAlchemy prepares the values of each row again, which takes several times as long as the driver. PostgreSQL receives
each column as an array, so that it plans and starts one statement.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import BigInteger, Boolean, Connection, Double, FromClause, Integer, LargeBinary, String, Text

from app.core.database.sql import chunks

Row = Mapping[str, Any]

_TYPES = {
    String: "text",
    Text: "text",
    Integer: "integer",
    BigInteger: "bigint",
    Boolean: "boolean",
    Double: "double precision",
    LargeBinary: "bytea",
}


def insert_rows(connection: Connection, table: FromClause, rows: Sequence[Row]) -> None:
    """Insert rows that have values for the same columns."""
    _execute(connection, _insert, table, rows)


def add_rows(connection: Connection, table: FromClause, number: str, rows: Sequence[Row]) -> None:
    """Insert rows. Where there is one with the same key, which is all other columns, add the column `number` to it."""

    def add(table: FromClause, columns: tuple[str, ...], is_postgresql: bool) -> str:
        key = ", ".join(name for name in columns if name != number)
        sum_ = f"{number} = {table}.{number} + excluded.{number}"
        return f"{_insert(table, columns, is_postgresql)} ON CONFLICT ({key}) DO UPDATE SET {sum_}"

    _execute(connection, add, table, rows)


def update_rows(connection: Connection, table: FromClause, key: str, rows: Sequence[Row]) -> None:
    """Update the rows with these values in the column `key`. All have values for the same columns."""
    if rows:
        others = [name for name in rows[0] if name != key]
        _execute(connection, _update, table, [{name: row[name] for name in (*others, key)} for row in rows])


def delete_rows(connection: Connection, table: FromClause, key: str, values: Iterable[Any]) -> None:
    """Delete the rows with these values in the column `key`."""
    _execute(connection, _delete, table, [{key: value} for value in values])


def read_rows(
    connection: Connection, table: FromClause, columns: tuple[str, ...], key: str, values: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Return these columns of the rows with these texts in the column `key`, in any number."""
    statement = f"SELECT {', '.join(columns)} FROM {table} WHERE {key} "
    if values and connection.dialect.name == "postgresql":
        return _fetched(connection, f"{statement}= ANY({_array(table, key)})", [list(values)])
    rows: list[tuple[Any, ...]] = []
    for chunk in chunks(values):
        rows += _fetched(connection, f"{statement}IN ({', '.join('?' * len(chunk))})", chunk)
    return rows


def _fetched(connection: Connection, statement: str, values: list[Any]) -> list[tuple[Any, ...]]:
    return list(map(tuple, connection.exec_driver_sql(statement, tuple(values))))


def _execute(connection: Connection, write: Any, table: FromClause, rows: Sequence[Row]) -> None:
    if not rows:
        return
    columns = tuple(rows[0])
    is_postgresql = connection.dialect.name == "postgresql"
    statement = write(table, columns, is_postgresql)
    if is_postgresql:
        values: Any = tuple(_values(table, name, rows) for name in columns)
    elif len(columns) == 1:
        values = [(row[columns[0]],) for row in rows]
    else:
        values = list(map(itemgetter(*columns), rows))
    connection.exec_driver_sql(statement, values)


def _values(table: FromClause, column: str, rows: Sequence[Row]) -> list[Any]:
    """Return the array of a column. All its values must have one type in Python."""
    values = [row[column] for row in rows]
    if isinstance(table.c[column].type, Double):
        return [None if value is None else float(value) for value in values]
    return values


@lru_cache(maxsize=200)
def _insert(table: FromClause, columns: tuple[str, ...], is_postgresql: bool) -> str:
    listed = ", ".join(columns)
    if is_postgresql:
        return f"INSERT INTO {table} ({listed}) SELECT * FROM {arrays(table, columns)}"
    return f"INSERT INTO {table} ({listed}) VALUES ({', '.join('?' * len(columns))})"


@lru_cache(maxsize=200)
def _update(table: FromClause, columns: tuple[str, ...], is_postgresql: bool) -> str:
    """Return the update whose last column is the key."""
    *others, key = columns
    if is_postgresql:
        values = ", ".join(f"{name} = v.{name}" for name in others)
        rows = f"{arrays(table, columns)} AS v ({', '.join(columns)})"
        return f"UPDATE {table} SET {values} FROM {rows} WHERE {table}.{key} = v.{key}"
    values = ", ".join(f"{name} = ?" for name in others)
    return f"UPDATE {table} SET {values} WHERE {key} = ?"


@lru_cache(maxsize=200)
def _delete(table: FromClause, columns: tuple[str, ...], is_postgresql: bool) -> str:
    (key,) = columns
    if is_postgresql:
        return f"DELETE FROM {table} WHERE {key} = ANY({_array(table, key)})"
    return f"DELETE FROM {table} WHERE {key} = ?"


def arrays(table: FromClause, columns: Iterable[str]) -> str:
    """Return the rows of PostgreSQL that are made from one array for each column."""
    return f"unnest({', '.join(_array(table, name) for name in columns)})"


def _array(table: FromClause, column: str) -> str:
    return f"%b::{_TYPES[type(table.c[column].type)]}[]"
