"""The schema of the database: its revisions and its migration.

A migration holds the writer lock, so that several processes can start at the same time. Alembic is imported only for a
migration, because its import would take a large part of the time in which a server starts.
"""

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import app
from app.core.database.engine import Database
from app.core.model.code_counts import count_first_time
from app.core.search.filling import prepare_index
from app.core.search.stored_terms import learn_if_many
from app.core.search.tables import TERMS

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(app.__file__).parents[1] / "migrations"  # next to the package, also where it is installed
_REVISION = re.compile(r"(\d{4})_\w+\.py")


class NotReady(Exception):
    """The program cannot serve; the message tells the operator how to correct that."""


@cache
def revisions() -> list[str]:
    """Return the revisions that this program knows, in order: the numbers in the names of the migrations."""
    files = (_REVISION.fullmatch(path.name) for path in (FOLDER / "versions").iterdir())
    return sorted(file[1] for file in files if file)


def head() -> str:
    """Return the revision that this program needs."""
    return revisions()[-1]


def explain(revision: str | None) -> str:
    """Return a sentence that tells an operator what to do about a database whose revision is not the head."""
    if revision is None:
        return "has no tables of a registry yet: run `hoptac migrate`."
    if revision in revisions():
        return f"has the schema {revision}, this program needs {head()}: run `hoptac migrate`."
    return (
        f"has the schema {revision}, which this program does not know (it needs {head()}). Another version of the"
        " program made it: use that version, or start with an empty database."
    )


def config() -> "Config":
    """Return Alembic's configuration, wherever the program is installed."""
    from alembic.config import Config  # noqa: PLC0415

    settings = Config()
    settings.set_main_option("script_location", str(FOLDER))
    return settings


def check_revision(database: Database) -> None:
    """Raise NotReady if the schema is of a revision that this program does not know."""
    revision = database.schema_version()
    if revision is not None and revision not in revisions():
        raise NotReady(f"The database {explain(revision)}")


def migrate(database: Database, revision: str = "head") -> None:
    """Bring the schema to a revision in one transaction.

    Raise NotReady if the schema is of a revision that this program does not know.
    """
    from alembic import command  # noqa: PLC0415

    check_revision(database)
    with database.write() as session:
        settings = config()
        settings.attributes["connection"] = session.connection()
        if revision == "base":
            command.downgrade(settings, revision)
        else:
            command.upgrade(settings, revision)
            count_first_time(session.connection())
            prepare_index(session.connection())
            learn_if_many(session.connection())


def modelled(name: str | None, kind: str, _: Any) -> bool:
    """Return whether a model describes this object. The table of search terms, which differs by engine, has none."""
    return kind != "table" or not str(name).startswith(TERMS.name)
