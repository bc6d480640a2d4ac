"""`hoptac export`: all public records in a file of JSON Lines that `hoptac import` reads."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from app.core.database.engine import Database
from app.core.model.resource import RESOURCES
from app.core.progress import advance
from app.exchange.exports.published import published_records


def export_records(database: Database, path: Path) -> int:
    """Write all published records to a new file, as they are in one snapshot. Return their number.

    The file appears under its name when it is complete. Raise FileExistsError if there is such a file, and
    FileNotFoundError if its folder does not exist.
    """
    count = 0
    with new_file(path) as file, database.snapshot() as connection:
        for resource in reversed(RESOURCES.values()):
            for lines in published_records(connection, resource):
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
