"""What a read asks a database for, whatever runs it."""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql import Executable

Rows = Sequence[tuple[Any, ...]]


class Query:
    """A statement compiled once for an engine and then run with new values by the driver itself.

    Where PostgreSQL needs to be asked in another way than SQLite, that is the second statement.
    `alone`: it may see a later state than the statements before it; others of one read see the same state.
    """

    def __init__(self, statement: Executable, on_postgresql: Executable | None = None, *, alone: bool = False) -> None:
        self._statements = {"sqlite": statement, "postgresql": statement if on_postgresql is None else on_postgresql}
        self.alone = alone
        self._compiled: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {}

    def sql(self, dialect: Dialect, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """The SQL text, and its values in the order of their places."""
        found = self._compiled.get(dialect.name)
        if found is None:
            compiled: Any = self._statements[dialect.name].compile(dialect=dialect)  # type: ignore[attr-defined]
            own = {name: value for name, value in compiled.params.items() if value is not None}
            found = self._compiled[dialect.name] = (str(compiled), tuple(compiled.positiontup or ()), own)
        text, names, own = found
        return text, [values[name] if name in values else own[name] for name in names]


# A read says which queries it needs, one after the other, and returns its result: it knows nothing of waiting.
Read = Generator[tuple[Query, Mapping[str, Any]], Rows, Any]


class Reader(Protocol):
    """Runs reads; each sees one state of the database."""

    async def run(self, read: Callable[[], Read], *, long: bool = False) -> Any:
        """The result of the read; Unavailable when the database is away, QueryTooSlow past the deadline.

        `long` says that it will take more than some milliseconds: it is not tried inside the event loop first.
        """

    async def close(self) -> None:
        """Give the connections back."""
