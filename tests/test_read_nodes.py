"""Read nodes, which are servers on mirrors: they answer public reads, and refer everything else to the writer."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from app.core.change_log import LATEST_CHANGE, MIRRORS
from app.core.database.engine import COMMITS, Database
from app.core.reading.cursors import CURSOR_KEY
from app.exchange.mirrors.source_watch import DIVERGED
from tests import contract
from tests.support.databases import NewDatabase, url_of
from tests.support.http import PATCH, client_of, problem
from tests.support.keys import Key
from tests.support.log import changes, redact, verified
from tests.support.mirrors import ensure_alike, mirror
from tests.support.records import rename
from tests.support.servers import ROOT, run, server
from tests.support.waiting import eventually

PUBLIC = "https://registry.example"
UNIDO = "/v1/partners/unido"
NOBODY = "http://127.0.0.1:9"  # where nobody listens
SECONDS = 5.0  # for which clients write and read


def follow(base: str, copy: Database) -> None:
    """Copy everything that a source has."""
    done = run("mirror", base, "--database", url_of(copy), "--once")
    assert done.returncode == 0, done.stderr


def set_source(copy: Database, url: str) -> None:
    with copy.write() as session:
        session.execute(update(MIRRORS).values(source=url))


def unready(node: TestClient) -> Any:
    """The answer of a node as soon as it is not ready."""
    eventually(lambda: node.get("/readyz").status_code == 503)
    return node.get("/readyz")


@contextmanager
def node_of(copy: Database, **settings: Any) -> Iterator[TestClient]:
    with client_of(url_of(copy), writer_url=PUBLIC, read_max_lag=1, **settings) as node:
        yield node


@pytest.fixture
def source(seeded_database: Database, copy: Database) -> Iterator[str]:
    """The address of a server with the dataset, of which `copy` is a mirror."""
    with server(url_of(seeded_database)) as (base, _):
        follow(base, copy)
        yield base


def operations() -> Iterator[tuple[str, str, bool]]:
    """Method and path of each operation under /v1, and whether it is a public read."""
    document = json.loads(contract.CONTRACT.read_text("utf-8"))
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            is_read = (method == "get" and {} in operation["security"]) or path == "/v1/reconcile/{resource}"
            if path.startswith("/v1"):
                filled = path.replace("{resource}", "partners").replace("{format}", "csv")
                yield method.upper(), "/".join("unido" if "{" in part else part for part in filled.split("/")), is_read


def test_everything_but_public_reads_is_referred_to_the_writer(client: TestClient, copy: Database, editor: Key) -> None:
    """Deny by default: each operation of the contract, with a key and without one."""
    mirror(client, copy)
    set_source(copy, NOBODY)
    seen = Counter[bool]()
    commits = COMMITS[str(copy.url)]
    with node_of(copy) as node:
        for number, (method, path, is_read) in enumerate(operations()):
            for headers in {}, editor:
                if is_read and not headers and number % 5:  # other tests read all of them
                    continue
                answer = node.request(method, path, headers=headers)
                is_referred = answer.status_code == 403 and answer.json()["code"] == "read_only"
                assert is_referred == bool(headers or not is_read), (method, path, bool(headers), answer.text[:300])
                seen[is_referred] += 1
        assert COMMITS[str(copy.url)] == commits
        refused = node.patch(f"{UNIDO}?x=<y>", json={}, headers=PATCH)
        assert PUBLIC in problem(refused, 403, "read_only")["detail"]
        assert refused.headers["link"] == f'<{PUBLIC}{UNIDO}>; rel="edit"'
        found = node.post("/v1/reconcile/partners", data={"queries": '{"q": {"query": "UNIDO"}}'})
        assert found.json()["q"]["result"][0]["id"] == "unido"
        assert node.get("/partners/unido").status_code == 200
    assert seen[True] > 250
    assert seen[False] > 20
    for command in ("serve", "worker"):
        refused_start = run(command, HOPTAC_DATABASE_URL="sqlite:///none.db", HOPTAC_WRITER_URL=PUBLIC)
        assert refused_start.returncode != 0
    assert "a read node sends no webhooks" in refused_start.stderr


def test_a_database_that_is_no_mirror_is_no_node(seeded_database: Database) -> None:
    refused = run("serve", HOPTAC_DATABASE_URL=url_of(seeded_database), HOPTAC_WRITER_URL=PUBLIC)
    assert refused.returncode == 3
    assert "is no mirror yet" in refused.stderr


def test_a_node_says_how_far_it_is_behind(source: str, seeded_database: Database, copy: Database) -> None:
    with node_of(copy, metrics=True) as node:
        eventually(
            lambda: (
                node.get("/readyz").json().get("source") == {"state": "ok", "changes_behind": 0, "seconds_behind": 0}
            )
        )
        rename(seeded_database, "Renamed")
        behind = unready(node)
        assert "seconds behind its source" in problem(behind, 503, "unavailable")["detail"]
        assert node.get(UNIDO).status_code == 200, "it answers those who ask all the same"
        assert "hoptac_source_changes_behind 1.0" in node.get("/metrics").text.splitlines()
        follow(source, copy)
        eventually(lambda: node.get("/readyz").status_code == 200)
        set_source(copy, NOBODY)
        eventually(lambda: node.get("/readyz").json()["source"]["state"] == "unreachable")
        assert "hoptac_source_reachable 0.0" in node.get("/metrics").text.splitlines()


def test_a_node_waits_for_what_a_client_has_seen(source: str, seeded_database: Database, copy: Database) -> None:
    def ask(least: int) -> Any:
        return node.get(UNIDO, headers={"Hoptac-At-Least": str(least)})

    with node_of(copy) as node:
        rename(seeded_database, "Renamed")
        last = changes(seeded_database)[-1].sequence
        late = ask(last)
        assert "retry-after" in late.headers
        problem(late, 503, "unavailable")
        problem(ask(last + 1), 412, "not_reached")
        follower = threading.Timer(0.5, follow, [source, copy])
        follower.start()
        assert ask(last).json()["name"]["en"] == "Renamed"
        follower.join()
        assert node.get(UNIDO).headers["hoptac-sequence"] == str(last)
        set_source(copy, NOBODY)
        problem(ask(last + 1), 503, "unavailable")


def test_a_redaction_reaches_a_node(registry: TestClient, seeded_database: Database, copy: Database) -> None:
    """In records, in the search and in what is cached."""
    mirror(registry, copy)
    with node_of(copy) as node:
        paths = (UNIDO, f"{UNIDO}/history", "/v1/search?q=Industrial+Development", "/partners/unido")
        text = "Industrial Development"
        assert all(text in node.get(path).text for path in paths[:1])
        redact(seeded_database, text)
        mirror(registry, copy)
        last = changes(seeded_database)[-1].sequence
        for path in paths:
            answer = node.get(path, headers={"Hoptac-At-Least": str(last)})
            assert (answer.status_code, text in answer.text.replace("q=Industrial Development", "")) == (200, False), (
                path
            )


def test_the_follower_refreshes_the_search(registry: TestClient, seeded_database: Database, copy: Database) -> None:
    """Records that link to a renamed one are indexed again by the follower, because the server never writes."""
    mirror(registry, copy)
    rename(seeded_database, "Quagga foundation")
    mirror(registry, copy)
    with node_of(copy) as node:
        found = node.get("/v1/search?q=quagga&resource=projects").json()["items"]
        assert found
    assert verified(copy)[0] == []


def test_a_node_notices_that_its_source_was_restored(
    source: str, seeded_database: Database, seeded: str, new_database: NewDatabase, copy: Database
) -> None:
    rename(seeded_database, "Lost by the restore")
    follow(source, copy)
    with server(new_database(seeded)) as (restored, _), node_of(copy) as node:
        eventually(lambda: node.get("/readyz").status_code == 200)
        set_source(copy, restored)
        diverged = unready(node)
        assert problem(diverged, 503, "unavailable")["detail"] == DIVERGED
        stopped = run("mirror", restored, "--database", url_of(copy), "--once")
        assert (stopped.returncode, "Mirror it into a new database" in stopped.stderr) == (1, True)


class Load:
    """Clients that write at the writer, and read there and at the node. `backwards` has states that were too early."""

    def __init__(self, writer: str, node: str, key: Key) -> None:
        self.bases = {"writer": writer, "node": node}
        self.backwards: list[str] = []
        self.statuses = Counter[tuple[str, int]]()
        self._key = key
        self._stop = threading.Event()

    def run(self, while_running: Any) -> None:
        threads = [
            threading.Thread(target=act, args=(number,)) for number in range(2) for act in (self._switch, self._read)
        ]
        for thread in threads:
            thread.start()
        while_running()
        self._stop.set()
        for thread in threads:
            thread.join()

    def wait_for_writes(self, seconds: float, count: int) -> None:
        """Wait for some seconds, and until the clients have made so many writes, however busy the machine is."""
        time.sleep(seconds)
        eventually(lambda: self.statuses["write", 200] > count)

    def _switch(self, number: int) -> None:
        """Write a record of its own, and read it at the node, which must show it."""
        path = f"/v1/partners/of-client-{number}"
        with httpx.Client(trust_env=False, timeout=30) as client:
            count, seen = 0, 0
            while not self._stop.is_set():
                count += 1
                body = {"name": {"en": f"Version {count}"}, "kind": "other", "managed_by": "unido"}
                condition = {"If-Match": "*"} if count > 1 else {"If-None-Match": "*"}
                written = client.put(self.bases["writer"] + path, json=body, headers={**self._key, **condition})
                self.statuses["write", written.status_code] += 1
                seen = max(seen, int(written.headers["hoptac-sequence"]))
                answer = client.get(self.bases["node"] + path, headers={"Hoptac-At-Least": str(seen)})
                self.statuses["node", answer.status_code] += 1
                if answer.status_code != 503 and answer.json().get("name") != body["name"]:
                    self.backwards.append(f"{path}: {answer.status_code} {answer.text[:200]} after version {count}")

    def _read(self, number: int) -> None:
        """Read a list at one server after the other. No state is earlier than the one before."""
        turns = random.Random(number)
        with httpx.Client(trust_env=False, timeout=30) as client:
            seen = 0
            while not self._stop.is_set():
                name = turns.choice(list(self.bases))
                path = f"/v1/partners?limit={turns.randrange(1, 4)}"
                answer = client.get(self.bases[name] + path, headers={"Hoptac-At-Least": str(seen)})
                self.statuses[name, answer.status_code] += 1
                if answer.status_code == 200:
                    sequence = int(answer.headers["hoptac-sequence"])
                    if sequence < seen:
                        self.backwards.append(f"{name}: {sequence} after {seen}")
                    seen = sequence


def follower(base: str, copy: str) -> "subprocess.Popen[bytes]":
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    command = [sys.executable, "-m", "app", "mirror", base, "--database", copy]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.slow
def test_nobody_sees_time_run_backwards(seeded_database: Database, editor: Key, folder: Path) -> None:
    """A writer, a mirror that is killed and a node on SQLite, as processes. In the end, both have the same contents."""
    copy = f"sqlite:///{folder}/node-{seeded_database.engine.name}.db"
    assert run("migrate", HOPTAC_DATABASE_URL=copy).returncode == 0
    take_cursor_key(seeded_database, copy)
    with server(url_of(seeded_database)) as (writer, _), Database(copy) as mirrored:
        follow(writer, mirrored)
        process = follower(writer, copy)
        with server(copy, writer_url=writer) as (node, _):
            load = Load(writer, node, editor)

            def kill_the_mirror() -> None:
                nonlocal process
                load.wait_for_writes(SECONDS / 2, 5)
                process.kill()
                process.wait()
                process = follower(writer, copy)
                load.wait_for_writes(SECONDS / 2, 10)

            try:
                load.run(kill_the_mirror)
                eventually(lambda: last_of(mirrored) == last_of(seeded_database))
                assert load.backwards == []
                counts = load.statuses
                assert {status for _, status in counts} <= {200, 201, 503}, counts
                assert counts["node", 200] > 10, counts
                assert counts["writer", 200] > 10, counts
                with (
                    httpx.Client(base_url=writer, trust_env=False) as one,
                    httpx.Client(base_url=node, trust_env=False) as other,
                ):
                    ids = {("partners", f"of-client-{number}") for number in range(2)} | {("partners", "unido")}
                    assert ensure_alike(one, other, ids) > 60
            finally:
                process.kill()
                process.wait()
        assert verified(mirrored)[0] == []


def take_cursor_key(database: Database, copy: str) -> None:
    """Let a mirror, whose cursors are its own, have those of another registry, to compare the responses of both."""
    with database.engine.connect() as connection:
        key = connection.scalar(select(CURSOR_KEY.c.key))
    with Database(copy) as mirrored, mirrored.write() as session:
        session.execute(update(CURSOR_KEY).values(key=key))


def last_of(database: Database) -> Any:
    with database.engine.connect() as connection:
        last = connection.execute(LATEST_CHANGE).first()
    return last and (last.sequence, last.chain)
