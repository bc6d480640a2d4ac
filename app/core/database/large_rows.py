"""Rows that can have a megabyte each: read few at a time, and processed in lists that are bounded in bytes."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, Select

AT_ONCE = 10  # rows that are read from the driver at once
MAX_BYTES = 4_000_000  # of the texts of a list, without its last row


def batches(connection: Connection, query: Select[Any], most_rows: int) -> Iterator[list[Row[Any]]]:
    """Yield the rows of a query in lists of at most `most_rows` rows and about MAX_BYTES."""
    batch: list[Row[Any]] = []
    size = 0
    with connection.execute(query, execution_options={"yield_per": AT_ONCE}) as rows:
        for row in rows:
            batch.append(row)
            size += sum([len(value) for value in row if isinstance(value, str | bytes)])
            if len(batch) == most_rows or size >= MAX_BYTES:
                yield batch
                batch = []
                size = 0
    if batch:
        yield batch
