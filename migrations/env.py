"""Alembic's entry point; it runs in the transaction that app.core.maintenance.schema or the alembic command opens."""

from collections.abc import Iterable
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import CreateIndexOp, MigrateOperation, MigrationScript, OpContainer
from sqlmodel import SQLModel

import app.catalogue  # noqa: F401 - declares every table
from app.core.database.engine import Database
from app.core.database.tables import BYTEWISE, SEQUENCE
from app.core.maintenance.schema import head, modelled
from app.core.settings import Settings


def run(connection: Any) -> None:
    """Migrate over an open connection.

    Batch mode is off: on SQLite it copies a table, and dropping the old one would delete every link to its records.
    """
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        transactional_ddl=True,
        transaction_per_migration=False,
        compare_type=True,
        include_name=modelled,
        render_item=render_type,
        process_revision_directives=complete,
    )
    with context.begin_transaction():
        context.run_migrations()


def render_type(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Return the name of one of our own column types, as a new migration writes it; False for everything else."""
    for name, column_type in (("BYTEWISE", BYTEWISE), ("SEQUENCE", SEQUENCE)):
        if kind == "type" and item is column_type:
            autogenerate.imports.add(f"from migrations.tables import {name}")
            return name
    return False


def complete(_: Any, __: Any, scripts: list[MigrationScript]) -> None:
    """Number a new migration, make its partial indexes partial on PostgreSQL too, and drop it if it is empty."""
    (script,) = scripts
    script.rev_id = f"{int(head()) + 1:04d}"
    assert script.upgrade_ops is not None
    assert script.downgrade_ops is not None
    for operation in _flat([script.upgrade_ops, script.downgrade_ops]):
        # The models declare it only for SQLite, because the dialect of PostgreSQL takes some megabytes to load.
        if isinstance(operation, CreateIndexOp) and "sqlite_where" in operation.kw:
            operation.kw["postgresql_where"] = operation.kw["sqlite_where"]
    if script.upgrade_ops.is_empty():
        scripts.clear()


def _flat(operations: Iterable[MigrateOperation]) -> Iterable[MigrateOperation]:
    """Yield the operations and, after each, those that it contains."""
    for operation in operations:
        yield operation
        if isinstance(operation, OpContainer):
            yield from _flat(operation.ops)


if (open_connection := context.config.attributes.get("connection")) is not None:
    run(open_connection)
else:
    with Database(Settings().database_url) as database, database.engine.begin() as own:
        run(own)
