"""The log in an archive: every Change, one a line, as the change feed returns it with its proof."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, case, null, select

from app.changes.feed import FeedRow, feed_item
from app.core.change_log import CHANGES
from app.core.database.connection_reads import run_on
from app.core.database.large_rows import batches
from app.core.database.sql import utf8
from app.core.progress import advance

AT_ONCE = 200  # Changes that are read at once
WITH_PROOF = SimpleNamespace(proof=True, partner=None)

# The partner of a key is no part of the log, and it can change. So a line has none.
_COLUMNS = [CHANGES.c[name] for name in FeedRow._fields[:-2]]
_BODY = case((CHANGES.c.shown.is_not(None), utf8(CHANGES.c.body))).label("text")
_ROWS: Any = select(*_COLUMNS, null().label("partner"), _BODY).order_by(CHANGES.c.sequence)


def change_lines(connection: Connection) -> Iterator[bytes]:
    """Yield the lines in groups. Of the Change of a draft, there is only the proof."""
    for rows in batches(connection, _ROWS, AT_ONCE):
        items = [run_on(connection, feed_item(FeedRow(*tuple(row)), WITH_PROOF)) for row in rows]
        advance(len(rows))
        yield b"\n".join(items) + b"\n"
