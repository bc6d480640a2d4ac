"""One PostgreSQL for the session, a seeded template for each engine, a database of its own for a test that writes."""

import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from app.catalogue import RESOURCES
from app.core.database.engine import Database
from app.core.maintenance.schema import migrate
from app.core.public_paths import set_root_path
from app.webhooks import queue, sender
from seed.files import Dataset, read
from seed.loader import load
from tests.support.databases import (
    ENGINES,
    NewDatabase,
    drop_database,
    new_postgres,
    new_sqlite,
    start_postgres,
    url_of,
)
from tests.support.http import client_of
from tests.support.keys import Key, key_of
from tests.support.selection import LONGEST, is_slow, is_superfluous


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: tests of processes, deadlines and kills wait most of their time."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what no engine decides, mark as slow what `make test` leaves out, and put the longest tests first."""
    config.hook.pytest_deselected(items=[item for item in items if is_superfluous(item)])
    items[:] = [item for item in items if not is_superfluous(item)]
    for item in items:
        if is_slow(item):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.path.stem not in LONGEST)


def pytest_collection_finish() -> None:
    """Exclude what was imported and collected from garbage collection, and run it less often: it took 10 %."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 50)


@pytest.fixture(autouse=True)
def no_root_path() -> Iterator[None]:
    """Each test leaves the process without a path of a proxy, as it found it."""
    yield
    set_root_path("")


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder that goes with the session."""
    with tempfile.TemporaryDirectory(prefix="hoptac-tests-") as name:
        yield Path(name)


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
        # At once: an orderly stop writes a checkpoint and waits for those who are still connected.
        process = server.get_postmaster_info().process
        process.send_signal(signal.SIGQUIT)
        process.wait(60)
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


@pytest.fixture(scope="session")
def new_database(engine: str, folder: Path, request: pytest.FixtureRequest) -> NewDatabase:
    """Makes a database, empty or as a copy of another one; returns its URL."""
    if engine == "sqlite":
        return lambda template: new_sqlite(folder, template)
    server = request.getfixturevalue("postgres")
    return lambda template: new_postgres(server, template)


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
    drop_database(made)


@pytest.fixture
def seeded_database(new_database: NewDatabase, seeded: str) -> Iterator[Database]:
    """A seeded database of this test's own."""
    made = Database(new_database(seeded))
    yield made
    drop_database(made)


@pytest.fixture(scope="session")
def client(new_database: NewDatabase, seeded: str) -> Iterator[TestClient]:
    """A client of the whole application over a seeded database that nobody changes."""
    with client_of(new_database(seeded)) as made:
        yield made


@pytest.fixture
def copy(new_database: NewDatabase, migrated: str) -> Iterator[Database]:
    """An empty database for a mirror."""
    made = Database(new_database(migrated))
    yield made
    drop_database(made)


@pytest.fixture
def registry_settings() -> dict[str, object]:
    """Settings of `registry`; a module that needs others defines this fixture anew."""
    return {}


@pytest.fixture
def registry(seeded_database: Database, registry_settings: dict[str, Any]) -> Iterator[TestClient]:
    """A client of the application over a seeded database of this test's own."""
    with client_of(url_of(seeded_database), **registry_settings) as made:
        yield made


@pytest.fixture
def quick_webhooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts of webhooks follow each other within a test's time."""
    monkeypatch.setattr(queue, "FIRST_DELAY", 0.05)
    monkeypatch.setattr(queue, "MAX_DELAY", 0.3)
    monkeypatch.setattr(queue, "MAX_BACK_OFF", 0.3)
    monkeypatch.setattr(sender, "POLL", 0.1)


@pytest.fixture
def editor(seeded_database: Database) -> Key:
    """A key that writes all records."""
    return key_of(seeded_database, "records:write")


@pytest.fixture
def unido(seeded_database: Database) -> Key:
    """A key that writes what UNIDO keeps."""
    return key_of(seeded_database, "records:write:own", partner="unido")
