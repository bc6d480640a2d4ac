"""The number of public records for each combination of their codes. Each write keeps it current.

Facets and totals of lists whose filters are all codes are sums of these numbers. Their cost depends on the number of
combinations, not on the number of records.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Connection, Select, Table, bindparam, delete, func, select
from sqlmodel import SQLModel

from app.core.database.connection_reads import rows_of
from app.core.database.sql import chunks, one_of
from app.core.database.statements import Query
from app.core.database.tables import BYTEWISE
from app.core.model.filters import EqualFilter, code_list_of
from app.core.model.resource import RESOURCES, Resource
from app.core.model.row_writes import add_rows

COUNTS = Table(
    "code_counts",
    SQLModel.metadata,
    Column("resource", BYTEWISE, primary_key=True),
    Column("codes", BYTEWISE, primary_key=True),  # a JSON array with the values of `coded`, in their order
    Column("records", BigInteger, nullable=False),
)

COUNTS_OF_RESOURCE = Query(select(COUNTS.c.codes, COUNTS.c.records).where(COUNTS.c.resource == bindparam("resource")))


@cache
def coded(resource: Resource) -> Mapping[str, Any]:
    """Return the columns of the resource's own table that have codes or flags, by the names of their filters."""
    columns: dict[str, Any] = {}
    for name, declared in resource.filters.items():
        if not isinstance(declared, EqualFilter) or isinstance(declared.column, Column):
            continue
        if code_list_of(declared.annotation) or declared.annotation is bool:
            columns[name] = declared.column
    return columns


def _public(resource: Resource, *columns: Any) -> Select[Any]:
    """Select from the records that facets and totals count: published ones that are not merged into another one."""
    statement = select(*coded(resource).values(), *columns).select_from(resource.table)
    statement = statement.where(resource.table.state == "published")
    merged = resource.merged_into_column
    return statement if merged is None else statement.where(merged.is_(None))


def codes_of_stored(connection: Connection, resource: Resource, ids: Iterable[str]) -> "Counter[str]":
    """Return how many of these records have each combination of codes, as they are stored."""
    counts: Counter[str] = Counter()
    flags = [isinstance(column.type, Boolean) for column in coded(resource).values()]
    for chunk in chunks(ids):
        for row in rows_of(connection, _codes_of_records(resource), ids=chunk):
            # SQLite has no boolean values.
            codes = zip(row, flags, strict=True)
            counts[_key([bool(code) if flag and code is not None else code for code, flag in codes])] += 1
    return counts


@cache
def _codes_of_records(resource: Resource) -> Query:
    return Query(_public(resource).where(one_of(resource.table.id, "ids")), looks_up=True)


def codes_of_rows(resource: Resource, rows: Iterable[Mapping[str, Any]]) -> "Counter[str]":
    """Return how many of these rows, which are to be written, have each combination of codes."""
    keys = [column.key for column in coded(resource).values()]
    merged = resource.merged_into_column
    counted = (row for row in rows if row["state"] == "published" and (merged is None or row[merged.key] is None))
    combinations = Counter(tuple([row[key] for key in keys]) for row in counted)
    return Counter({_key(codes): number for codes, number in combinations.items()})


def add_counts(connection: Connection, resource: Resource, changes: Mapping[str, int]) -> None:
    """Add these numbers, which may be negative, to those of the combinations."""
    rows = [
        {"resource": resource.name, "codes": codes, "records": number}
        for codes, number in sorted(changes.items())
        if number
    ]
    add_rows(connection, COUNTS, "records", rows)


def _grouped(connection: Connection, resource: Resource) -> dict[str, int]:
    """Count the records of a resource."""
    statement = _public(resource, func.count()).group_by(*coded(resource).values())
    return {_key(row[:-1]): row[-1] for row in connection.execute(statement) if row[-1]}


def count_again(connection: Connection, resource: Resource) -> None:
    """Replace the numbers of a resource by those of its records."""
    connection.execute(delete(COUNTS).where(COUNTS.c.resource == resource.name))
    add_counts(connection, resource, _grouped(connection, resource))


def count_first_time(connection: Connection) -> None:
    """Count the records of all resources, unless this was done before."""
    if connection.execute(select(COUNTS.c.resource).limit(1)).first() is None:
        for resource in RESOURCES.values():
            count_again(connection, resource)


def wrong_counts(connection: Connection, resource: Resource) -> Iterator[str]:
    """Yield a sentence for each number that is not that of the records."""
    query = select(COUNTS.c.codes, COUNTS.c.records).where(COUNTS.c.resource == resource.name)
    stored = {row.codes: row.records for row in connection.execute(query)}
    actual = _grouped(connection, resource)
    for codes in sorted(stored.keys() | actual.keys()):
        counted = stored.get(codes, 0)
        number = actual.get(codes, 0)
        if counted != number:
            yield f"{resource.name}: the stored count of public records with {codes} is {counted}. There are {number}."


def _key(values: Sequence[Any]) -> str:
    return json.dumps(list(values), separators=(",", ":"))
