"""What `make torture` does in full, with smaller counts: a real server is killed, crowded, stalled and attacked."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.core.database.engine import Database
from tests.support.databases import NewDatabase, drop_database, new_postgres, new_sqlite, url_of
from tests.support.servers import run
from tests.torture.__main__ import seeded
from tests.torture.attacks import EACH_ENGINE, EITHER_ENGINE, PROJECTS, attacked
from tests.torture.attacks.target import generated
from tests.torture.backups import backups_while_writing
from tests.torture.bodies import hostile_bodies
from tests.torture.clusters import Cluster
from tests.torture.kills import postgres_killed, replica_promoted, server_killed
from tests.torture.races import crowd, one_effect
from tests.torture.slow import slow_clients
from tests.torture.webhooks import senders_killed


@pytest.fixture
def url(seeded_database: Database) -> str:
    return url_of(seeded_database)


@pytest.fixture
def cluster(folder: Path) -> Iterator[Cluster]:
    """In a folder that the user of PostgreSQL keeps access to: pytest takes it away from its own at each start."""
    made = Cluster.made(folder / "cluster")
    yield made
    made.close()


@pytest.fixture(scope="session")
def attacked_postgres(postgres: str) -> str:
    return generated(new_postgres(postgres, None), PROJECTS)


@pytest.fixture(scope="session")
def attacked_sqlite(folder: Path) -> str:
    return generated(new_sqlite(folder, None), PROJECTS)


# `make torture` carries out each attack, those of EACH_ENGINE on both engines. Here, SQLite gets those that concern its
# one writer and its write-ahead log. Those of SCRIPTED are left to `.ci/attacks`, whose scripts do the same on both.
OF_SQLITE = ("attacks long_dry_run", "attacks large_writes", "attacks overlapping_reads", "attacks everything")
SCRIPTED = {
    *(
        "attacks audits",
        "attacks codings",
        "attacks facets",
        "attacks filters",
        "attacks flood",
        "attacks forged_cursors",
    ),
    *(
        "attacks large_pages",
        "attacks long_dry_run",
        "attacks long_marks",
        "attacks misspelt",
        "attacks overlapping_reads",
    ),
    *("attacks poisoned_cache", "attacks queries", "attacks repeated_strings"),
}
OF_POSTGRESQL = [name for name in EACH_ENGINE if name not in {*SCRIPTED, "attacks everything"}]


@pytest.mark.parametrize("name", [name for name in (*EITHER_ENGINE, *OF_SQLITE) if name not in SCRIPTED])
def test_an_attack_stays_within_its_bounds(name: str, folder: Path, attacked_sqlite: str) -> None:
    assert attacked(name, new_sqlite(folder, attacked_sqlite), full=False).problems == []


@pytest.mark.parametrize("name", OF_POSTGRESQL)
def test_an_attack_on_postgresql_stays_within_its_bounds(name: str, postgres: str, attacked_postgres: str) -> None:
    url = new_postgres(postgres, attacked_postgres)
    assert attacked(name, url, full=False).problems == []
    drop_database(Database(url))


def test_a_server_that_is_killed_loses_nothing(url: str) -> None:
    assert server_killed(url, 2, 60).problems == []


def test_a_crowd_is_served_and_loses_no_update(url: str) -> None:
    assert crowd(url, 3, 16, 8).problems == []


def test_what_twenty_try_at_once_has_one_effect(url: str) -> None:
    assert one_effect(url, 1).problems == []


def test_backups_hold_what_was_acknowledged(url: str, new_database: NewDatabase, tmp_path: Path) -> None:
    assert backups_while_writing(url, lambda: new_database(None), tmp_path, 1, 40).problems == []


def test_senders_that_are_killed_lose_no_event(url: str) -> None:
    assert senders_killed(url, 12, 1).problems == []


def test_hostile_bodies_are_refused_in_bounded_memory(url: str) -> None:
    assert hostile_bodies(url, 3, "partners", "imports").problems == []


def test_slow_clients_are_held_and_then_cut(folder: Path) -> None:
    """On one engine: what is here happens before a database is asked."""
    url = seeded(f"sqlite:///{folder}/slow.db")
    assert [row.problems for row in slow_clients(url, 100, (15.0, 15.0), limit=1_000)] == [[]] * 3


def test_a_postgresql_that_is_killed_loses_nothing(cluster: Cluster) -> None:
    assert postgres_killed(cluster, seeded(cluster.url("postgres")), 1, 40).problems == []


def test_a_promoted_replica_is_found_by_servers_and_commands(cluster: Cluster, folder: Path) -> None:
    with closing(cluster.replica(folder / "replica")) as replica:
        url = cluster.url("postgres", replica)
        seeded(url)
        assert replica_promoted(cluster, replica, url, 40).problems == []
        for command in ("migrate", "status", "check"):
            assert run(command, HOPTAC_DATABASE_URL=url).returncode == 0
