"""Reading stored lines in chunks that are bounded by lines and by bytes, so that their memory is bounded too."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select, update
from sqlmodel import Session

from app.core.database.sql import chunks, utf8
from app.exchange.imports.database_tables import LINES

CHUNK = 500  # lines that are stored or read in one transaction
CHUNK_BYTES = 4_000_000
LINE_BYTES = 200  # estimated size of the row of a line and its index entries, without the texts


class PendingLine(NamedTuple):
    """A line without a verdict. `record` is JSON. With errors, it does not have all values of the line."""

    number: int
    size: int
    resource: str
    record: str
    has_errors: bool


class LineContent(NamedTuple):
    """The stored content of a line: see StoredLine. The last two are empty until the line has a verdict."""

    number: int
    resource: str
    record: str
    moved: str | None
    errors: str | None
    record_id: str | None
    matched_by: str | None


_CONTENT = [LINES.c[name] for name in ("number", "resource", "given", "moved", "errors", "record_id", "matched_by")]


def end_of_chunk(
    session: Session, *conditions: ColumnElement[bool], limit: int = CHUNK, max_bytes: int = CHUNK_BYTES
) -> int | None:
    """Return the number of the last line of the next chunk of lines that meet the conditions, or None without any.

    A chunk has at least one line, whatever its size is.
    """
    query = select(LINES.c.number, LINES.c.size).where(*conditions).order_by(LINES.c.number).limit(limit)
    last = None
    remaining = max_bytes
    for number, size in session.execute(query).all():
        remaining -= size
        if last is not None and remaining < 0:
            break
        last = number
    return last


def pending_lines(session: Session, import_id: str, after: int) -> list[PendingLine]:
    """Return the next chunk of lines without a verdict."""
    conditions = (LINES.c.import_id == import_id, LINES.c.verdict.is_(None), LINES.c.number > after)
    last = end_of_chunk(session, *conditions)
    if last is None:
        return []
    query = select(LINES.c.number, LINES.c.size, LINES.c.resource, LINES.c.given, LINES.c.errors.is_not(None))
    query = query.where(*conditions, LINES.c.number <= last).order_by(LINES.c.number)
    return [PendingLine(*row) for row in session.execute(query)]


def lines_by_number(session: Session, import_id: str, numbers: Iterable[int]) -> dict[int, LineContent]:
    """Return the contents of these lines, by number."""
    lines: dict[int, LineContent] = {}
    query = select(*_CONTENT).where(LINES.c.import_id == import_id)
    for chunk in chunks(numbers):
        lines |= {row[0]: LineContent(*row) for row in session.execute(query.where(LINES.c.number.in_(chunk)))}
    return lines


def judged_lines(session: Session, import_id: str, numbers: Iterable[int], max_bytes: int) -> list[LineContent]:
    """Return those of the lines of a dry run that would write their records, as many as fit into the bytes."""
    is_written = (LINES.c.import_id == import_id, LINES.c.verdict.in_(("created", "updated")))
    lines = []
    remaining = max_bytes
    for chunk in chunks(numbers):
        conditions = (*is_written, LINES.c.number.in_(chunk))
        last = end_of_chunk(session, *conditions, max_bytes=remaining)
        rows = session.execute(select(*_CONTENT).where(*conditions, LINES.c.number <= (last or 0)))
        part = [LineContent(*row) for row in rows]
        lines += part
        remaining -= sum(len(line.record) for line in part)
        if remaining < 0:
            break
    return lines


def written_records(session: Session, import_id: str) -> Iterator[tuple[str, str, int]]:
    """Yield resource, id and number of the line for each record that an interrupted run has written."""
    query = select(LINES.c.resource, LINES.c.record_id, LINES.c.number)
    query = query.where(LINES.c.import_id == import_id, LINES.c.verdict.in_(("created", "updated", "unchanged")))
    for row in session.execute(query, execution_options={"yield_per": CHUNK}):
        yield row[0], row[1], row[2]


def drop_records(session: Session, import_id: str, after: int) -> int | None:
    """Delete the records of a chunk of lines, which keep their verdicts. Return the last line, or None without any."""
    conditions = (LINES.c.import_id == import_id, LINES.c.given.is_not(None), LINES.c.number > after)
    last = end_of_chunk(session, *conditions, limit=10 * CHUNK)
    if last is not None:
        size = LINES.c.size - func.length(utf8(LINES.c.given))
        session.execute(update(LINES).where(*conditions, LINES.c.number <= last).values(given=None, size=size))
    return last
