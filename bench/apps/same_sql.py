"""The limit S: the statements that ours runs for some requests, written down once, then run by the driver alone.

`python -m bench.apps.same_sql URL` reads a JSON list of paths, then numbers of seconds; it answers each number with
how many times it has run the statements of one request in that time.
"""

import asyncio
import itertools
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg

from app.core.database.engine import Database
from app.core.database.statements import Read, Reader
from app.core.settings import Settings
from app.main import api_of

Statement = tuple[str, list[Any]]


class Recorder:
    """A reader that records the statements of each read."""

    def __init__(self, reader: Reader, dialect: Any) -> None:
        self._reader = reader
        self._dialect = dialect
        self.reads: list[list[Statement]] = []

    async def run(self, read: Callable[[], Read], **how: Any) -> Any:
        self.reads.append([])
        return await self._reader.run(lambda: self._recorded(read()), **how)

    def _recorded(self, read: Read) -> Read:
        self.reads[-1] = statements = []  # a read that was too slow starts again
        try:
            query, values = next(read)
            while True:
                sql, ordered = query.sql(self._dialect, values)
                statements.append((sql, self._as_sent(ordered)))
                query, values = read.send((yield query, values))
        except StopIteration as done:
            return done.value

    def _as_sent(self, values: list[Any]) -> list[Any]:
        """Return the values as the driver receives them: SQLite takes lists as JSON."""
        if self._dialect.name != "sqlite":
            return values
        return [json.dumps(value) if isinstance(value, list) else value for value in values]

    async def close(self) -> None:
        await self._reader.close()


async def recorded(url: str, paths: list[str]) -> list[list[Statement]]:
    """Return the statements that the application runs for each path."""
    app = api_of(Settings(database_url=url))
    async with app.router.lifespan_context(app):
        app.state.reader = recorder = Recorder(app.state.reader, app.state.reader.dialect)
        for path in paths:
            await ask(app, path)
    return recorder.reads


async def ask(app: Any, target: str) -> None:
    path, _, query = target.partition("?")
    scope: dict[str, Any] = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "root_path": ""}
    scope |= {"headers": [], "path": path, "raw_path": path.encode(), "query_string": query.encode()}

    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.Event().wait()  # the client never disconnects
        return messages.pop()

    async def send(message: dict[str, Any]) -> None:
        assert message.get("status", 200) == 200, message

    await app(scope, receive, send)


@contextmanager
def runner(database_url: str) -> Iterator[Callable[[Statement], list[Any]]]:
    """Yield a function that runs a statement on a connection of the driver and fetches its rows."""
    url = Database(database_url).url
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(url.database), isolation_level=None)) as driver:
            yield lambda statement: driver.execute(*statement).fetchall()
    else:
        conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(conninfo, autocommit=True) as connection, connection.cursor(binary=True) as cursor:
            yield lambda statement: cursor.execute(statement[0].encode(), statement[1]).fetchall()


def main() -> None:
    turns = itertools.cycle(asyncio.run(recorded(sys.argv[1], json.loads(sys.stdin.readline()))))
    with runner(sys.argv[1]) as run:
        print("ready", flush=True)
        for line in sys.stdin:
            count = 0
            until = time.monotonic() + float(line)
            while count < 5 or time.monotonic() < until:
                for statement in next(turns):
                    run(statement)
                count += 1
            print(count, flush=True)


if __name__ == "__main__":
    main()
