"""`hoptac import`: a file is brought into a database from the command line, by the same road as over HTTP."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.database.engine import Database
from app.core.errors import Problem
from app.core.model.resource import RESOURCES
from app.exchange.formats.media_types import JSON_LINES, SUFFIXES, parse_file
from app.exchange.imports import store as ledger
from app.exchange.imports.models import COUNTS, IMPORTS, LINES, Sending
from app.exchange.imports.run import Pace, run


def import_file(database: Database, path: Path, given: dict[str, Any], partner: str | None) -> tuple[list[str], str]:
    """What is wrong, a line each, and what became of the rest; ValueError when it is asked in a wrong way.

    For a partner it writes what that partner keeps, otherwise every record.
    """
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None or not path.is_file():
        raise ValueError(f"{path}: is no file that ends in {', '.join(SUFFIXES)}")
    resource = RESOURCES.get(given["resource"] or "")
    if (kind == JSON_LINES) != (given["resource"] is None) or (kind != JSON_LINES and resource is None):
        raise ValueError(f"--resource: a table takes one of {', '.join(RESOURCES)}; JSON Lines say their own")
    caller = Caller("", frozenset(["records:write:own" if partner else "records:write"]), partner)
    claim = ledger.new_claim()
    try:
        with path.open("rb") as file:
            import_id = ledger.store_import(database, caller, Sending(**given), parse_file(file, kind, resource), claim)
    except Problem as problem:
        return [f"{path}: {each.detail}" for each in problem.errors] or [
            f"{path}: {problem.detail}"
        ], "Nothing was read."
    try:
        run(database, import_id, claim, Pace())
    except BaseException:
        with ledger.import_transaction(database) as session:
            ledger.finish_import(session, import_id, claim, "failed", "It was stopped.")
        raise
    with ledger.import_transaction(database) as session:
        return _outcome(session, import_id)


def _outcome(session: Session, import_id: str) -> tuple[list[str], str]:
    found = session.execute(select(IMPORTS).where(IMPORTS.c.id == import_id)).mappings().one()
    lines = select(LINES.c.number, LINES.c.errors).where(LINES.c.import_id == import_id, LINES.c.verdict == "refused")
    refused = [
        f"line {number}: "
        + "; ".join(f"{each.get('pointer', '')} {each['detail']}".strip() for each in json.loads(detail))
        for number, detail in session.execute(lines.order_by(LINES.c.number))
    ]
    counts = ", ".join(f"{found[name]} {name}" for name in COUNTS)
    written = found["status"] == "done" and not found["dry_run"]
    detail = f"{found['lines']} lines: {counts}." + ("" if written else " Nothing was written.")
    return (refused if found["status"] != "failed" else [*refused, str(found["reason"])]), detail
