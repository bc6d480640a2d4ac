"""Exported records as a Parquet file, which DuckDB writes (extra `parquet`).

The rows are first written to a temporary file of compressed JSON Lines, so that memory does not grow with their number.
"""

import errno
from collections.abc import Sequence
from contextlib import ExitStack, closing
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import msgspec
import zstandard

from app.core.errors import NotFound, TooLarge
from app.exchange.exports.tables import Group, Rows
from app.exchange.exports.temporary_folder import TemporaryFolder

MAX_BYTES = 200_000_000  # compressed bytes of rows: they are on disk until the file is complete
MAX_TEXT = 1_000_000_000  # bytes of rows, which DuckDB reads in some seconds
MEMORY = "256MB"  # of DuckDB, which uses temporary files beyond it
ROWS_AT_ONCE = 8_192  # rows of a group in the file: they are in memory together
LEVEL = 1  # of the compression of the temporary file
TYPES = {
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "day": "DATE",
}  # all other columns are texts
NOT_INSTALLED = (
    "This server makes no Parquet files, because its extra `parquet` is not installed. Use .csv, .jsonl or .xlsx."
)
TOO_LARGE = "The table is too large for a Parquet file. Use filters, CSV or JSON Lines."


def is_available() -> bool:
    """Return whether DuckDB is installed (extra `parquet`)."""
    return find_spec("duckdb") is not None


class ParquetFile:
    """A Parquet file with the columns of the CSV file. Numbers, days and truth values have types of their own.

    `add` and `finish` raise TooLarge for a table that takes too much disk or memory. Call `close`.
    """

    media_type = "application/vnd.apache.parquet"

    def __init__(self, table: Rows) -> None:
        if not is_available():
            raise NotFound(NOT_INSTALLED)
        self._table = table
        self._columns = {str(number): column for number, column in enumerate(table.columns)}
        self._closing = ExitStack()
        self._folder = self._closing.enter_context(closing(TemporaryFolder())).path
        self._spool = self._closing.enter_context((self._folder / "rows").open("wb"))
        self._rows = zstandard.ZstdCompressor(level=LEVEL).stream_writer(self._spool)
        self._size = 0  # of the rows that were added
        self._encoder = msgspec.json.Encoder()

    def rows_of(self, items: Sequence[Any]) -> list[Group]:
        """Return what makes the rows of these items, without adding them: a read can be repeated."""
        return self._table.groups(items)

    def add(self, make_rows: Group) -> None:
        """Add rows."""
        for rows in make_rows():
            cells = [column.cells(rows) for column in self._columns.values()] if rows else []
            lines = [_members(self._columns, row) for row in zip(*cells, strict=True)]
            text = self._encoder.encode_lines(lines)
            self._size += len(text)
            self._rows.write(text)
            self._check_size()

    def finish(self) -> IO[bytes]:
        """Make the file and return it."""
        import duckdb  # noqa: PLC0415 - an extra, which takes 25 MB of memory and few processes need

        self._rows.flush(zstandard.FLUSH_FRAME)
        self._check_size()
        self._spool.close()
        settings: dict[str, Any] = {
            "threads": 1,
            "memory_limit": MEMORY,
            "temp_directory": str(self._folder),
            "max_temp_directory_size": f"{MAX_BYTES} bytes",
        }
        with duckdb.connect(":memory:", config=settings) as connection:
            connection.execute(f"SET allowed_directories = [{_literal(self._folder)}]")
            connection.execute("SET enable_external_access = false")
            try:
                connection.execute(self._statement(), [str(self._folder / "rows")])
            except duckdb.OutOfMemoryException:
                raise TooLarge(TOO_LARGE) from None
            except duckdb.IOException as error:
                raise OSError(errno.ENOSPC, str(error)) from None
        return self._closing.enter_context((self._folder / "table.parquet").open("rb"))

    def close(self) -> None:
        """Delete the temporary files."""
        self._closing.close()

    def _check_size(self) -> None:
        if self._spool.tell() > MAX_BYTES or self._size > MAX_TEXT:
            raise TooLarge(TOO_LARGE)

    def _statement(self) -> str:
        """Return the statement that writes the file. In the temporary file, the columns are named by numbers."""
        types = {name: TYPES.get(column.kind, "VARCHAR") for name, column in self._columns.items()}
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items())
        names = ", ".join(f'"{name}" AS "{_quoted(column.name)}"' for name, column in self._columns.items())
        rows = f"read_json($1, format = 'newline_delimited', compression = 'zstd', columns = {{{columns}}})"
        target = _literal(self._folder / "table.parquet")
        options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS_AT_ONCE}"
        return f"COPY (SELECT {names} FROM {rows}) TO {target} ({options})"


def _members(names: Any, row: Sequence[Any]) -> dict[str, Any]:
    """Return the cells of a row that have a value, by the names of their columns."""
    return {name: cell for name, cell in zip(names, row, strict=True) if cell is not None}


def _literal(path: Path) -> str:
    text = str(path).replace("'", "''")
    return f"'{text}'"


def _quoted(name: str) -> str:
    return name.replace('"', '""')
