"""The log of Changes of a database: read it, verify it, tamper with it."""

from typing import Any

from sqlalchemy import func, select, text

from app.core.change_log import CHANGES
from app.core.database.engine import Database
from app.core.maintenance import redact as redacting
from app.core.maintenance.redact import Redaction
from app.core.maintenance.verify import ChainHead, Verifier


def redact(database: Database, text: str) -> None:
    """What `hoptac redact` does."""
    assert redacting.redact(database, Redaction(text, "[…]", "Asked for."))


def changes(database: Database) -> list[Any]:
    """Every Change, in order."""
    with database.engine.connect() as connection:
        return list(connection.execute(select(CHANGES).order_by(CHANGES.c.sequence)))


def verified(database: Database, kept: ChainHead | None = None) -> tuple[list[str], ChainHead]:
    """The problems of the log, and its head."""
    with database.snapshot() as connection:
        verifier = Verifier(connection)
        return list(verifier.problems(kept)), verifier.head


def tamper(database: Database, *statements: str) -> None:
    """Run SQL past the program."""
    with database.write() as session:
        for statement in statements:
            session.execute(text(statement))


def count_changes(database: Database) -> int:
    """How many Changes there are."""
    with database.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(CHANGES)).scalar_one())
