"""The interface between reads and the readers of both engines."""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql import Executable

Rows = Sequence[tuple[Any, ...]]

MAX_ROWS = 50_000  # rows that one statement of a read may return


class Query:
    """A statement that is compiled once for each engine and then executed by the driver with new values.

    `on_postgresql` replaces the statement on PostgreSQL. With `alone` it needs no snapshot: it may see a later state
    than earlier statements of the same read.
    """

    def __init__(self, statement: Executable, on_postgresql: Executable | None = None, *, alone: bool = False) -> None:
        self._statements = {"sqlite": statement, "postgresql": statement if on_postgresql is None else on_postgresql}
        self.alone = alone
        self._compiled: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {}

    def sql(self, dialect: Dialect, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """Return the SQL text and the values in the order of its placeholders."""
        entry = self._compiled.get(dialect.name)
        if entry is None:
            compiled: Any = self._statements[dialect.name].compile(dialect=dialect)  # type: ignore[attr-defined]
            literals = {name: value for name, value in compiled.params.items() if value is not None}
            entry = (str(compiled), tuple(compiled.positiontup or ()), literals)
            self._compiled[dialect.name] = entry
        text, names, literals = entry
        return text, [values[name] if name in values else literals[name] for name in names]


# A read yields its queries one after the other and returns its result. It does no input or output itself.
Read = Generator[tuple[Query, Mapping[str, Any]], Rows, Any]


class Reader(Protocol):
    """Runs reads, each in one snapshot of the database."""

    async def run(self, read: Callable[[], Read], *, long: bool = False, client: str = "") -> Any:
        """Return the result of a read; Unavailable without a database, QueryTooSlow after the deadline.

        `long`: the read is known to take more than some milliseconds, so it is a long read from the start. Any other
        read becomes one when it has taken too long. What one `client` can run at once is limited: TooMany or
        Unavailable if too much waits. The default is this process itself.
        """

    async def close(self) -> None:
        """Close the connections."""
