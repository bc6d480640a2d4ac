"""Reads from replicas: none is older than what was answered, and none fails while a server answers."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.core.database import engine, log_position, postgres_connections, replicas
from app.core.database.engine import Database
from app.core.database.replicas import last_sequence
from app.core.errors import Unavailable
from tests.support import records
from tests.support.databases import url_of
from tests.support.http import PATCH, client_of
from tests.support.keys import Key, key_of
from tests.support.servers import run, server
from tests.support.waiting import eventually
from tests.torture.__main__ import seeded
from tests.torture.clusters import Cluster, stopped
from tests.torture.replicas import prefixes, primary_lost, replicas_lost

UNIDO = "/v1/partners/unido"


@pytest.fixture(scope="module")
def servers(folder: Path) -> Iterator[tuple[Cluster, list[Cluster]]]:
    """A primary with the dataset and two replicas, for which no commit waits."""
    folder = folder / "replicas"
    with closing(Cluster.made(folder / "primary")) as primary:
        seeded(primary.url("postgres"))
        with closing(primary.standby(folder / "first")) as first, closing(primary.standby(folder / "second")) as second:
            yield primary, [first, second]


@pytest.fixture
def editor_of_primary(servers: tuple[Cluster, list[Cluster]]) -> Key:
    with Database(servers[0].url("postgres")) as database:
        return key_of(database, "records:write")


@contextmanager
def connected(servers: tuple[Cluster, list[Cluster]], **settings: Any) -> Iterator[TestClient]:
    primary, others = servers
    read_url = " ".join(other.url("postgres") for other in others)
    with client_of(primary.url("postgres"), read_url=read_url, hot_cache=0, query_deadline=5, **settings) as client:
        yield client


def rename(client: TestClient, key: Key, name: str) -> int:
    answer = renamed(client, key, name)
    assert answer.status_code == 200, answer.text
    return int(answer.headers["hoptac-sequence"])


def renamed(client: httpx.Client | TestClient, key: Key, name: str) -> Any:
    change = {"name": {"en": name}}
    return client.patch(UNIDO, json=change, headers={**key, **PATCH, "If-Match": "*"})


def shown(client: TestClient, path: str = UNIDO) -> tuple[str, int]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()["name"]["en"], int(answer.headers["hoptac-sequence"])


@contextmanager
def paused(*clusters: Cluster) -> Iterator[None]:
    """Replicas that answer and receive nothing new."""
    for cluster in clusters:
        cluster.ask("SELECT pg_wal_replay_pause()")
        eventually(lambda cluster=cluster: cluster.ask("SELECT pg_get_wal_replay_pause_state()") == "paused")  # type: ignore[misc]
    try:
        yield
    finally:
        for cluster in clusters:
            cluster.ask("SELECT pg_wal_replay_resume()")


def reads_of(cluster: Cluster) -> int:
    """How many transactions a server has run."""
    return int(cluster.ask("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'postgres'"))


def states(client: TestClient) -> list[str]:
    ready = client.get("/readyz")
    assert ready.status_code == 200, ready.text
    return [ready.json()["primary"], *(each["state"] for each in ready.json()["replicas"])]


def test_clients_read_replicas_and_see_their_own_writes(
    servers: tuple[Cluster, list[Cluster]], editor_of_primary: Key
) -> None:
    with connected(servers, metrics=True) as client:
        assert states(client) == ["ok", "ok", "ok"]
        assert {"hoptac_replica_1_ok 1.0", "hoptac_replica_2_ok 1.0"} <= set(client.get("/metrics").text.splitlines())
        for number in range(30):
            sequence = rename(client, editor_of_primary, f"UNIDO {number}")
            for path in (UNIDO, f"{UNIDO}?fields=name"):
                assert shown(client, path) == (f"UNIDO {number}", sequence)
        before = [reads_of(each) for each in servers[1]]
        for number in range(200):
            assert client.get(f"/v1/projects?limit=1&title={number}").status_code == 200
        eventually(lambda: all(reads_of(each) > count + 50 for each, count in zip(servers[1], before, strict=True)))


def test_a_replica_that_is_behind_is_passed_over(
    servers: tuple[Cluster, list[Cluster]], editor_of_primary: Key
) -> None:
    _, (first, second) = servers
    with connected(servers, read_max_lag=1) as client:
        with paused(first):
            for number in range(4):
                sequence = rename(client, editor_of_primary, f"Passed over {number}")
                assert shown(client) == (f"Passed over {number}", sequence)
            eventually(lambda: states(client) == ["ok", "behind", "ok"])
            with paused(second):
                rename(client, editor_of_primary, "Only on the primary")
                assert shown(client)[0] == "Only on the primary"
        eventually(lambda: states(client) == ["ok", "ok", "ok"])


def test_a_deleted_record_stays_deleted(servers: tuple[Cluster, list[Cluster]], editor_of_primary: Key) -> None:
    """A response that is a problem counts as what was seen too."""
    own = "/v1/partners/of-one-test"
    body = {"name": {"en": "Of one test"}, "kind": "other", "managed_by": "unido"}
    with connected(servers) as client, connected(servers) as other:
        assert client.put(own, json=body, headers={**editor_of_primary, "If-None-Match": "*"}).status_code == 201
        eventually(lambda: other.get(own).status_code == 200)
        with paused(servers[1][0]):
            assert client.delete(own, headers={**editor_of_primary, "If-Match": "*"}).status_code == 204
            eventually(lambda: other.get(own).status_code == 410)
            assert {other.get(own).status_code for _ in range(10)} == {410}


def test_a_client_moves_between_processes(servers: tuple[Cluster, list[Cluster]], editor_of_primary: Key) -> None:
    with connected(servers) as client, connected(servers) as other, paused(*servers[1]):
        sequence = rename(client, editor_of_primary, "Moved")
        assert shown(other)[0] != "Moved", "its replicas have not received it"
        answer = other.get(UNIDO, headers={"Hoptac-At-Least": str(sequence)})
        assert (answer.json()["name"]["en"], answer.headers["hoptac-sequence"]) == ("Moved", str(sequence))
        assert shown(other)[0] == "Moved"
        assert other.get(f"/v1/changes?after={sequence}").json()["items"] == []
        assert other.get(f"/v1/changes?after={sequence + 1}").json()["code"] == "rewound"


def test_reads_go_on_while_a_server_hangs_or_is_gone(
    servers: tuple[Cluster, list[Cluster]], editor_of_primary: Key
) -> None:
    primary, (first, second) = servers
    numbers = itertools.count()

    def reads(client: TestClient, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for path in (UNIDO, f"/v1/projects?title={next(numbers)}", "/v1/partners/facets?facet=kind"):
                assert client.get(path).status_code == 200, path

    with connected(servers) as client:
        rename(client, editor_of_primary, "Before")
        with stopped(first.data):
            reads(client, 1)
            eventually(lambda: states(client) == ["ok", "unavailable", "ok"])
            reads(client, 0.5)
        eventually(lambda: states(client) == ["ok", "ok", "ok"])
        second.kill()
        reads(client, 0.5)
        assert states(client) == ["ok", "ok", "unavailable"]
        second.start()
        eventually(lambda: states(client) == ["ok", "ok", "ok"])
        with stopped(primary.data):
            reads(client, 3)
            assert client.get(UNIDO, headers=editor_of_primary).status_code == 200, "keys are read from replicas then"
            eventually(lambda: states(client)[0] == "unavailable")
            beyond = client.get(UNIDO, headers={"Hoptac-At-Least": str(10**9)})
            assert (beyond.status_code, "retry-after" in beyond.headers) == (503, True), "the primary may have it"
        eventually(lambda: states(client) == ["ok", "ok", "ok"])
        rename(client, editor_of_primary, "After")
        assert shown(client)[0] == "After"


def test_a_process_starts_while_the_primary_does_not_respond(
    servers: tuple[Cluster, list[Cluster]], editor_of_primary: Key
) -> None:
    """Replicas answer its reads. Writes are refused until the primary is back."""
    primary, others = servers
    read_url = " ".join(other.url("postgres") for other in others)
    with ExitStack() as stack:
        with stopped(primary.data):
            base, _ = stack.enter_context(server(primary.url("postgres"), read_url=read_url))
            client = stack.enter_context(httpx.Client(base_url=base, trust_env=False, timeout=60))
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["primary"]) == (200, "unavailable")
            assert client.get("/v1/projects?limit=1").status_code == 200
            refused = renamed(client, editor_of_primary, "Without a primary")
            assert (refused.status_code, "retry-after" in refused.headers) == (503, True), refused.text
        eventually(lambda: renamed(client, editor_of_primary, "With a primary").status_code == 200)
        assert client.get(UNIDO).json()["name"]["en"] == "With a primary"


def test_writes_do_not_wait_for_a_primary_that_hangs(
    servers: tuple[Cluster, list[Cluster]], editor_of_primary: Key
) -> None:
    """The write that it has begun is ended after some seconds, and those that wait are refused with it."""
    primary, _ = servers
    with connected(servers) as client:
        rename(client, editor_of_primary, "Before it hangs")  # its connection is in the pool
        with stopped(primary.data), ThreadPoolExecutor(8) as clients:
            began = time.monotonic()
            names = [f"While it hangs {number}" for number in range(8)]
            refused = list(clients.map(partial(renamed, client, editor_of_primary), names))
            assert time.monotonic() - began < 15
            assert {(each.status_code, "retry-after" in each.headers) for each in refused} == {(503, True)}
        eventually(lambda: renamed(client, editor_of_primary, "After it hung").status_code == 200)


def test_a_writer_that_hangs_is_replaced_by_the_next(
    servers: tuple[Cluster, list[Cluster]], editor_of_primary: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends a transaction that has the writer lock and does nothing. What it has written is not kept."""
    monkeypatch.setattr(engine, "WRITER_IDLE", 1)
    with Database(servers[0].url("postgres")) as other, connected(servers) as client:
        numbers = []

        def hang() -> None:
            with other.write() as session:
                session.execute(text("UPDATE partners SET version = version + 1"))
                monkeypatch.undo()
                numbers.append(rename(client, editor_of_primary, "After a writer that hung"))
                session.execute(text("SELECT 1"))

        with pytest.raises(DBAPIError):
            hang()
        assert shown(client) == ("After a writer that hung", *numbers)
        version = client.get(UNIDO).json()["version"]
        with other.snapshot() as connection:
            assert connection.execute(text("SELECT version FROM partners WHERE id = 'unido'")).scalar() == version


def test_a_long_statement_is_not_ended_while_the_server_responds(
    servers: tuple[Cluster, list[Cluster]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connections, "PATIENCE", 0.3)
    with Database(servers[0].url("postgres")) as database, database.engine.connect() as connection:
        assert connection.scalar(text("SELECT 1 FROM pg_sleep(1.5)")) == 1


def test_each_state_of_a_replica_is_a_prefix_of_the_log(servers: tuple[Cluster, list[Cluster]]) -> None:
    assert prefixes(*servers, "postgres", 200).problems == []


def test_replicas_that_are_lost_take_nothing_with_them(servers: tuple[Cluster, list[Cluster]]) -> None:
    assert replicas_lost(*servers, "postgres", 1).problems == []


def test_reads_go_on_while_a_replica_becomes_the_primary(folder: Path) -> None:
    with closing(Cluster.made(folder / "lost")) as primary:
        seeded(primary.url("postgres"))
        with closing(primary.replica(folder / "survivor")) as replica:
            assert primary_lost(primary, replica, "postgres", 30).problems == []


def test_a_server_that_is_no_replica_is_not_read(servers: tuple[Cluster, list[Cluster]]) -> None:
    """Another registry, an empty database, and a role that may read the log and nothing else."""
    primary, _ = servers
    primary.ask("CREATE DATABASE other")
    primary.ask("CREATE DATABASE empty")
    seeded(primary.url("other"))
    primary.ask("CREATE ROLE limited LOGIN")
    primary.ask("GRANT SELECT ON changes, alembic_version TO limited")
    limited = primary.url("postgres").replace("//postgres@", "//limited@")
    with Database(primary.url("other")) as database:
        records.rename(database, "Of another registry")
    foreign = [primary.url("other"), primary.url("empty")]
    assert states_while_read(primary, foreign) == ["ok", "unavailable", "unavailable"]
    assert states_while_read(primary, [limited]) == ["ok", "ok"]


def test_a_primary_that_has_lost_changes_is_followed_again(
    servers: tuple[Cluster, list[Cluster]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failover without the last writes: reads wait for them, then the process accepts the shorter log."""
    monkeypatch.setattr(log_position, "REWOUND_AFTER", 4.0)
    monkeypatch.setattr(replicas, "EVERY", 0.1)
    primary, (first, _) = servers

    async def run() -> None:
        with Database(primary.url("postgres")) as database:
            readers = database.replicas(first.url("postgres"), 10)
            assert readers is not None
            await readers.start()
            last = await readers.reader.run(last_sequence)
            readers.position.note(last + 5)
            with pytest.raises(Unavailable):
                await readers.reader.run(last_sequence)
            while readers.position.reached > last:
                await asyncio.sleep(0.05)
            assert await readers.reader.run(last_sequence) == last
            await readers.close()

    asyncio.run(run())


def states_while_read(primary: Cluster, read_urls: list[str]) -> list[str]:
    with client_of(primary.url("postgres"), read_url=" ".join(read_urls), hot_cache=0) as client:
        for number in range(10):
            assert shown(client, f"{UNIDO}?fields=name,{number % 2 * 'version,'}id")[0] != "Of another registry"
        return states(client)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_replicas_need_postgresql(seeded_database: Database) -> None:
    read_url = "postgresql://reader:secret@host/registry"
    refused = run("serve", HOPTAC_DATABASE_URL=url_of(seeded_database), HOPTAC_READ_URL=read_url)
    assert (refused.returncode, "secret" in refused.stderr) == (2, False)
    assert "HOPTAC_READ_URL: an SQLite database has no replicas" in refused.stderr
