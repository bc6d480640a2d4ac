"""Alembic's entry: runs inside the one transaction that app.core.schema (or the alembic command) opens."""

from collections.abc import Iterable
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import CreateIndexOp, MigrateOperation, MigrationScript, OpContainer
from sqlmodel import SQLModel

import app.catalogue  # noqa: F401 - every table is declared
from app.core.database.engine import Database
from app.core.database.tables import BYTEWISE, SEQUENCE
from app.core.maintenance.schema import head, modelled
from app.core.settings import Settings


def run(connection: Any) -> None:
    """Migrate over an open connection.

    Not in batch mode: on SQLite it makes a table anew, and dropping the old one deletes every link to its records.
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
    names = [name for name, own in (("BYTEWISE", BYTEWISE), ("SEQUENCE", SEQUENCE)) if item is own]
    if kind != "type" or not names:
        return False
    autogenerate.imports.add(f"from migrations.tables import {names[0]}")
    return names[0]


def complete(_: Any, __: Any, scripts: list[MigrationScript]) -> None:
    """Give a new migration the next number, and its partial indexes to PostgreSQL too; leave out an empty one."""
    (script,) = scripts
    script.rev_id = f"{int(head()) + 1:04d}"
    assert script.upgrade_ops is not None
    assert script.downgrade_ops is not None
    for operation in _flat([script.upgrade_ops, script.downgrade_ops]):
        # The models only say it for SQLite: the dialect of PostgreSQL takes some megabytes to load.
        if isinstance(operation, CreateIndexOp) and "sqlite_where" in operation.kw:
            operation.kw["postgresql_where"] = operation.kw["sqlite_where"]
    if script.upgrade_ops.is_empty():
        scripts.clear()


def _flat(operations: Iterable[MigrateOperation]) -> Iterable[MigrateOperation]:
    for operation in operations:
        yield operation
        if isinstance(operation, OpContainer):
            yield from _flat(operation.ops)


if (open_connection := context.config.attributes.get("connection")) is not None:
    run(open_connection)
else:
    with Database(Settings().database_url) as database, database.engine.begin() as own:
        run(own)
