"""`hoptac export`: all public records in a file of JSON Lines that `hoptac import` reads."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, func, select

from app.core.change_log import CHANGES
from app.core.database.engine import Database
from app.core.database.large_rows import batches
from app.core.database.sql import utf8
from app.core.model.resource import RESOURCES, Resource
from app.core.progress import advance

PAGE = 200  # records that are written at once


def export_records(database: Database, path: Path) -> int:
    """Write all published records to a new file, as they are in one snapshot. Return their number.

    The file appears under its name when it is complete. Raise FileExistsError if there is such a file, and
    FileNotFoundError if its folder does not exist.
    """
    count = 0
    with new_file(path) as file, database.snapshot() as connection:
        for resource in reversed(RESOURCES.values()):
            for lines in _pages(connection, resource):
                file.write(b"".join(line + b"\n" for line in lines))
                count += len(lines)
                advance(len(lines))
    return count


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a temporary file in the same folder, which becomes `path` when it is complete and synced to the disk.

    Raise FileExistsError if there is such a file.
    """
    if path.exists():
        raise FileExistsError(f"{path} already exists.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent}.")
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.link(partial, path)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def _pages(connection: Connection, resource: Resource) -> Iterator[list[bytes]]:
    """Yield the representations of the published records of a resource, in the order of their ids."""
    table: Any = resource.table
    body = utf8(func.coalesce(table.body, CHANGES.c.body)).label("text")
    query: Any = (
        select(table.id, body).join(CHANGES, CHANGES.c.sequence == table.change).where(table.state == "published")
    )
    for rows in batches(connection, query.order_by(table.id), PAGE):
        yield [bytes(row.text) for row in rows]
