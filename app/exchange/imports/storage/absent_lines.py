"""Lines for records that a complete file does not contain. They follow the lines of the file."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sqlalchemy import delete, func, insert, or_, select
from sqlmodel import Session

from app.core.errors import ErrorItem
from app.core.model.resource import Resource
from app.core.values.json import to_json
from app.core.writing.references import Key
from app.exchange.imports.database_tables import LINES
from app.exchange.imports.storage.claims import renew_claim
from app.exchange.imports.storage.line_chunks import LINE_BYTES
from app.exchange.imports.storage.store import errors_json

ABSENT = "absent"  # the verdict of a record that is only listed, and by what the record of such a line was found

PAGE = 5_000  # ids that are read at once


def absent_records(
    session: Session, resource: Resource, partner: str, has_line: Callable[[str], bool]
) -> Iterator[Key]:
    """Yield the published records that a partner manages and that no line of the file is about."""
    table = resource.table
    query = select(table.id).where(table.managed_by == partner, table.state == "published").limit(PAGE)
    if resource.merged_into_column is not None:
        query = query.where(resource.merged_into_column.is_(None))
    ids = [""]
    while ids:
        ids = list(session.execute(query.where(table.id > ids[-1]).order_by(table.id)).scalars())
        yield from ((resource.name, record_id) for record_id in ids if not has_line(record_id))


def remove_absent_lines(session: Session, import_id: str, claim: str) -> None:
    """Delete the lines that an interrupted run has added and not written."""
    row = renew_claim(session, import_id, claim)
    is_unwritten = or_(LINES.c.verdict.is_(None), LINES.c.verdict == ABSENT)
    condition = (LINES.c.import_id == import_id, LINES.c.matched_by == ABSENT, is_unwritten)
    size = session.execute(select(func.coalesce(func.sum(LINES.c.size), 0)).where(*condition)).scalar_one()
    session.execute(delete(LINES).where(*condition))
    row.bytes -= size
    row.absent = 0


def add_absent_lines(
    session: Session, import_id: str, claim: str, records: Iterable[Key], *, withdraw: bool, warning: ErrorItem | None
) -> list[int]:
    """Add a line for each record, which becomes a draft with `withdraw`. Return the numbers of the lines."""
    row = renew_claim(session, import_id, claim)
    last = session.execute(select(func.max(LINES.c.number)).where(LINES.c.import_id == import_id)).scalar()
    warnings = errors_json([warning] if warning else [])
    lines: list[dict[str, Any]] = []
    for number, (resource, record_id) in enumerate(records, (last or 0) + 1):
        record = to_json({"id": record_id, "state": "draft"}).decode() if withdraw else None
        lines.append(
            {
                "import_id": import_id,
                "number": number,
                "resource": resource,
                "record_id": record_id,
                "matched_by": ABSENT,
                "verdict": None if withdraw else ABSENT,
                "given": record,
                "warnings": warnings,
                "size": LINE_BYTES + len(record or "") + len(warnings or ""),
            }
        )
    if lines:
        session.execute(insert(LINES), lines)
    row.bytes += sum(line["size"] for line in lines)
    row.absent += 0 if withdraw else len(lines)
    return [line["number"] for line in lines]
