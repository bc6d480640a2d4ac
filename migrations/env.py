"""Alembic's entry: runs inside the one transaction that app.core.schema (or the alembic command) opens."""

from alembic import context
from sqlmodel import SQLModel

import app.catalogue  # noqa: F401 - every table is declared
from app.core.database.engine import Database
from app.core.maintenance.schema import modelled
from app.core.settings import Settings

connection = context.config.attributes.get("connection")


def run(over: object) -> None:
    """Migrate over an open connection; SQLite cannot alter most things in place, hence batch mode."""
    context.configure(
        connection=over,  # type: ignore[arg-type]
        target_metadata=SQLModel.metadata,
        render_as_batch=True,
        transactional_ddl=True,
        transaction_per_migration=False,
        compare_type=True,
        include_name=modelled,
    )
    with context.begin_transaction():
        context.run_migrations()


if connection is not None:
    run(connection)
else:
    with Database(Settings().database_url) as database, database.engine.begin() as own:
        run(own)
