"""The state of a registry for its operator (`hoptac status`): schema, records, log, keys, imports and webhooks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

import app.catalogue  # noqa: F401 - declares every table
from app.core.access.keys import KEYS
from app.core.change_log import BACKUPS, CHANGES, LATEST_CHANGE, MIRRORS, now
from app.core.database.engine import Database
from app.core.maintenance.schema import head
from app.core.model.resource import RESOURCES
from app.core.search.tables import STATE
from app.exchange.imports.database_tables import IMPORTS, OPEN
from app.keys.powers import administrators_until, warning_of_last_administrator
from app.webhooks.models import DELIVERIES, WEBHOOKS

Facts = dict[str, Any]


def status(database: Database) -> Facts:
    """Return the facts in the order in which they are printed. A database without the schema has the first two only."""
    revision = database.schema_version()
    facts: Facts = {
        "database": database.url.render_as_string(hide_password=True),
        "schema": revision or "none",
        "needs_migration": revision != head(),
    }
    if facts["needs_migration"]:
        return facts
    with database.snapshot() as connection:
        facts |= dict(_facts(connection))
    facts["bytes_on_disk"] = size_of(database)
    return facts


def size_of(database: Database) -> int:
    """Return the size of a database in bytes."""
    if database.is_sqlite:
        file = str(database.url.database)
        paths = [Path(f"{file}{suffix}") for suffix in ("", "-wal", "-shm")]
        return sum(path.stat().st_size for path in paths if path.is_file())
    with database.snapshot() as connection:
        return int(connection.scalar(select(func.pg_database_size(func.current_database()))) or 0)


def _facts(connection: Connection) -> Iterator[tuple[str, Any]]:
    yield "records", {name: _count(connection, resource.table.__table__) for name, resource in RESOURCES.items()}
    drafts = (_count(connection, table, table.c.state == "draft") for table in _tables())
    yield "drafts", sum(drafts)
    yield "last_change_at", connection.scalar(select(CHANGES.c.at).order_by(CHANGES.c.sequence.desc()).limit(1))
    yield "mirror_of", connection.scalar(select(MIRRORS.c.source))
    yield "search_index", "complete" if connection.scalar(select(STATE.c.complete)) else "incomplete"
    is_valid = KEYS.c.revoked_at.is_(None) & (KEYS.c.expires_at.is_(None) | (KEYS.c.expires_at > now()))
    yield "valid_keys", _count(connection, KEYS, is_valid)
    yield from work_facts(connection)


def work_facts(connection: Connection) -> Iterator[tuple[str, Any]]:
    """Yield the head of the log and the work that waits, which metrics show too."""
    last = connection.execute(LATEST_CHANGE).first()
    yield "log_head", f"{last.sequence}:{last.chain}" if last else None
    yield "administrators_until", administrators_until(connection)
    yield "open_imports", _count(connection, IMPORTS, IMPORTS.c.status.in_(OPEN))
    yield "webhooks", _count_by(connection, WEBHOOKS)
    yield "deliveries", _count_by(connection, DELIVERIES)
    is_pending = DELIVERIES.c.state == "pending"
    yield "oldest_pending_delivery", connection.scalar(select(func.min(DELIVERIES.c.created_at)).where(is_pending))
    yield "last_backup_at", connection.scalar(select(func.max(BACKUPS.c.at)))


def _tables() -> list[Any]:
    return [resource.table.__table__ for resource in RESOURCES.values()]


def _count(connection: Connection, table: Any, *conditions: Any) -> int:
    return int(connection.scalar(select(func.count()).select_from(table).where(*conditions)) or 0)


def _count_by(connection: Connection, table: Any) -> dict[str, int]:
    """Return the number of rows by state."""
    rows = connection.execute(select(table.c.state, func.count()).group_by(table.c.state).order_by(table.c.state))
    return {row[0]: row[1] for row in rows}


def lines(facts: Facts) -> Iterator[str]:
    """Yield the facts as lines of text."""
    for name, value in facts.items():
        if isinstance(value, dict):
            text = ", ".join(f"{key} {count:,}" for key, count in value.items()) or "none"
        elif isinstance(value, bool):
            text = "yes" if value else "no"
        elif isinstance(value, int):
            text = f"{value:,}"
        else:
            text = "none" if value is None else str(value)
        yield f"{name.replace('_', ' ')}: {text}"


def warnings(facts: Facts) -> list[str]:
    """Return what the operator should do soon."""
    warning = warning_of_last_administrator(facts.get("administrators_until"))
    return [warning] if warning else []
