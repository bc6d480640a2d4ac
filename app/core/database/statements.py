"""The interface between reads and the readers of both engines."""

import sys
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql import Executable

BYTES_OF_EXPRESSION = 50_000  # of a statement that is not compiled yet, as measured for lists with ten filters

Rows = Sequence[tuple[Any, ...]]
Statement = Executable | Callable[[], Executable]

MAX_ROWS = 50_000  # rows that one statement of a read may return


class Query:
    """A statement that is compiled once for each engine and then executed by the driver with new values.

    `on_postgresql` replaces the statement on PostgreSQL. With `alone` it needs no snapshot: it may see a later state
    than earlier statements of the same read. With `looks_up` it looks records up by lists of ids, so that one plan
    serves all values: PostgreSQL then plans it once for each connection, not each time. A query that is
    `only_on_sqlite` has no rows on PostgreSQL, where it does not run. A statement can be given as a function that
    builds it, which is called only on its engine. With `rebuild`, which returns an equal query, it forgets the
    expression once it is compiled: the expression takes ten times the memory of the SQL text.
    """

    def __init__(
        self,
        statement: Statement,
        on_postgresql: Statement | None = None,
        *,
        alone: bool = False,
        looks_up: bool = False,
        only_on_sqlite: bool = False,
    ) -> None:
        self._statements: dict[str, Statement] = {
            "sqlite": statement,
            "postgresql": statement if on_postgresql is None else on_postgresql,
        }
        self.alone = alone
        self.looks_up = looks_up
        self.only_on_sqlite = only_on_sqlite
        self.with_snapshot = 0  # how many more times PostgreSQL begins a transaction with it
        self.rebuild: Callable[[], Query] | None = None
        self._compiled: dict[tuple[str, bool], tuple[str, tuple[str, ...], dict[str, Any]]] = {}

    def sql(self, dialect: Dialect, values: Mapping[str, Any], *, exact: bool = False) -> tuple[str, list[Any]]:
        """Return the SQL text and the values in the order of its placeholders. See `fits` about `exact`."""
        text, names, literals = self.compile(dialect, exact=exact)
        return text, [values[name] if name in values else literals[name] for name in names]

    def compile(self, dialect: Dialect, *, exact: bool = False) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        """Return the SQL text, the names of the values in the order of its placeholders, and constant values."""
        entry = self._compiled.get((dialect.name, exact))
        if entry is None:
            entry = self._compiled[dialect.name, exact] = self._compile(dialect, exact)
        return entry

    def _compile(self, dialect: Dialect, exact: bool) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        statements = self._statements or (self.rebuild()._statements if self.rebuild else {})
        statement = statements[dialect.name]
        built: Any = statement if isinstance(statement, Executable) else statement()
        compiled = built.compile(dialect=dialect, compile_kwargs={"exact": exact, "looks_up": self.looks_up})
        if self.rebuild is not None:
            self._statements = {}
        literals = {name: value for name, value in compiled.params.items() if value is not None}
        return str(compiled), tuple(map(sys.intern, compiled.positiontup or ())), literals

    @property
    def size(self) -> int:
        """About how much memory the query takes, in bytes."""
        compiled = sum(len(text) + 8 * len(names) + 200 * len(lits) for text, names, lits in self._compiled.values())
        return BYTES_OF_EXPRESSION * bool(self._statements) + 1_000 + compiled


# A page ends before the record with which its records have more bytes than this. It has at least one record.
MAX_PAGE_BYTES = 4_000_000


def cut(rows: Rows, most_bytes: int) -> Rows:
    """Return the rows until their last values have more bytes than this: that row is then the last, with no bytes.

    The first row that has bytes is always there. Rows after one that has lost its bytes already are left out.
    """
    sizes = [-1 if row[-1] is None else len(row[-1]) for row in rows]
    if sum(sizes) + sizes.count(-1) <= most_bytes and 0 not in sizes:
        return rows
    total = 0
    for number, size in enumerate(sizes):
        if size == 0 or (total and total + size > most_bytes):
            return [*rows[:number], (*rows[number][:-1], b"")]
        total += max(size, 0)
    return rows


def fitting(rows: Rows) -> Rows:
    """Return the rows of a `bounded` statement that have their bytes. Readers `cut` the rows."""
    return rows[:-1] if rows and rows[-1][-1] == b"" else rows


# A read yields its queries one after the other and returns its result. It does no input or output itself.
Read = Generator[tuple[Query, Mapping[str, Any]], Rows, Any]


def on_postgresql(read: Read) -> Read:
    """Return a read without the queries that are only for SQLite."""
    rows: Rows | None = None
    try:
        while True:
            following = read.send(rows)  # type: ignore[arg-type]
            rows = [] if following[0].only_on_sqlite else (yield following)
    except StopIteration as done:
        return done.value
    finally:
        read.close()


class Reader(Protocol):
    """Runs reads, each in one snapshot of the database."""

    async def run(
        self, read: Callable[[], Read], *, long: bool = False, client: str = "", kind: Hashable = None
    ) -> Any:
        """Return the result of a read; Unavailable without a database, QueryTooSlow after the deadline.

        `long`: the read is known to take more than some milliseconds, so it is a long read from the start. Any other
        read becomes one when it has taken too long. If the last reads of the same client and `kind` became long, the
        next one begins as a long read. What one `client` can run at once is limited: TooMany or
        Unavailable if too much waits. The default is this process itself.
        """

    async def close(self) -> None:
        """Close the connections."""
