"""The schema of the database: migrated under the writers' lock, so that any number of processes may start at once."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config

import migrations
from app.core.database.engine import Database
from app.core.search.index import TERMS, prepare


def config() -> Config:
    """Alembic's configuration, wherever the program is installed."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return settings


def migrate(database: Database, revision: str = "head") -> None:
    """Bring the schema to a revision in one transaction: whole or not at all."""
    with database.write() as session:
        settings = config()
        settings.attributes["connection"] = session.connection()
        if revision == "base":
            command.downgrade(settings, revision)
        else:
            command.upgrade(settings, revision)
            prepare(session.connection())


def modelled(name: str | None, kind: str, _: Any) -> bool:
    """Whether the models describe this; the terms of the search index are a table of its own kind on each engine."""
    return kind != "table" or not str(name).startswith(TERMS.name)
