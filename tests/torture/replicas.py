"""Replicas under writers and readers: each shows a prefix of the log, and no client sees an earlier state."""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import httpx
import psycopg

import app.catalogue  # noqa: F401 - declares every resource
from app.core.model.resource import RESOURCES
from tests.torture.clusters import Cluster, stopped
from tests.torture.setting import Clients, HasBase, Row, Server, Writers, client_of, new_key, unexpected
from tests.torture.whole import broken

LOG = "SELECT count(*), coalesce(min(sequence), 1), coalesce(max(sequence), 0) FROM changes"
CHAIN = "SELECT chain FROM changes WHERE sequence = %s"
# Records whose row is not what the last Change of the record says, and those that search lacks or has besides.
OTHERWISE = """
WITH last AS (
    SELECT DISTINCT ON (record_id) record_id, sequence, version, action FROM changes
    WHERE resource = '{name}' ORDER BY record_id, sequence DESC
)
SELECT count(*) FROM (SELECT * FROM last WHERE action <> 'delete') AS last
FULL JOIN {name} AS record ON record.id = last.record_id
FULL JOIN (SELECT record_id FROM {index} WHERE resource = '{name}') AS indexed ON indexed.record_id = record.id
WHERE record.id IS NULL OR last.sequence IS DISTINCT FROM record.change OR last.version IS DISTINCT FROM record.version
    OR (record.state = 'published') <> (indexed.record_id IS NOT NULL)
"""


class PrefixChecker:
    """Compares what one replica shows, again and again, with what a prefix of the log would be."""

    def __init__(self, replica: Cluster, database: str) -> None:
        self.seen: dict[int, str] = {}  # the chain value of the last Change in each state
        self.reads = 0
        self.problems: list[str] = []
        self._url = replica.url(database)

    def check(self) -> None:
        """Check one state."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            count, first, last = connection.execute(LOG).fetchone() or (0, 1, 0)
            self.reads += 1
            if (first, count) != (1, last):
                self.problems.append(f"{count} Changes from {first} to {last}")
            row = connection.execute(CHAIN, [last]).fetchone()
            self.seen[last] = row[0] if row else ""
            for name in RESOURCES:
                query = OTHERWISE.format(name=name, index="search_records")
                (others,) = connection.execute(query.encode()).fetchone() or (0,)
                if others:
                    self.problems.append(f"{others} {name} are not as the Changes up to {last} say")

    def compare(self, primary: Cluster, database: str) -> None:
        """Compare the states with the log of the primary: each must be the beginning of it."""
        with psycopg.connect(primary.url(database)) as connection:
            chains: dict[int, str] = dict(connection.execute("SELECT sequence, chain FROM changes").fetchall())
        for last, chain in self.seen.items():
            if last and chains.get(last) != chain:
                self.problems.append(f"Change {last} is another one in the log")


def prefixes(primary: Cluster, replicas: Sequence[Cluster], database: str, writes: int, clients: int = 6) -> Row:
    """Two processes write at the same time. Each state of each replica must be a prefix of the log."""
    url = primary.url(database)
    key = new_key(url, "records:write")
    checkers = [PrefixChecker(replica, database) for replica in replicas]
    with Server(url) as one, Server(url) as other, ExitStack() as stack:
        writers = [stack.enter_context(Writers(each, key, clients, ("published", "draft"))) for each in (one, other)]
        while sum(len(each.told) for each in writers) < writes:
            for checker in checkers:
                checker.check()
    told = [each for writer in writers for each in writer.told]
    for checker in checkers:
        checker.check()
        checker.compare(primary, database)
    states = sum(len(checker.seen) for checker in checkers)
    row = Row("a replica is a prefix of the log", {"acknowledged": len(told), "states": states})
    row.need(states > len(checkers) * 3, "few states were seen")
    row.problems += [problem for checker in checkers for problem in checker.problems]
    row.problems += broken(url, told)
    return row


class Readers(Clients):
    """Clients that read from several processes and state what they have seen."""

    def __init__(self, servers: Sequence[HasBase], paths: Callable[[], Sequence[str]], clients: int) -> None:
        super().__init__(clients)
        self.backwards: list[str] = []
        self._servers, self._paths = servers, paths

    def _run(self, number: int) -> None:
        random_, seen, of_path = random.Random(number), 0, dict[str, int]()
        clients = [client_of(server, {}) for server in self._servers]
        while not self._stop.is_set():
            known = self._paths()[-200:]
            is_list = not known or random_.random() < 0.3
            path = f"/v1/partners?sort=-updated_at&limit={random_.randint(1, 9)}" if is_list else random_.choice(known)
            try:
                answer = random_.choice(clients).get(path, headers={"Hoptac-At-Least": str(seen)})
            except httpx.TransportError as error:
                self.backwards.append(f"{type(error).__name__} of {path}")
                continue
            self.statuses[answer.status_code] += 1
            state = int(answer.headers.get("hoptac-sequence", 0))
            least = seen if is_list else of_path.get(path, 0)  # a record has the number of its own last Change
            if (answer.status_code == 200 and state < least) or (answer.status_code == 404 and least):
                self.backwards.append(f"{path} was {answer.status_code} at {state} after {least}")
            if answer.status_code == 200:
                seen, of_path[path] = max(seen, state), state
        for client in clients:
            client.close()


def replicas_lost(primary: Cluster, replicas: Sequence[Cluster], database: str, rounds: int, clients: int = 4) -> Row:
    """Replicas hang, are killed and start again: no read fails or goes back, and no acknowledged write is lost."""
    url = primary.url(database)
    key = new_key(url, "records:write")
    settings: dict[str, Any] = {"read_url": " ".join(replica.url(database) for replica in replicas)}
    began = time.monotonic()
    with ExitStack() as stack:
        servers = [stack.enter_context(Server(url, **settings)) for _ in range(2)]
        writers = stack.enter_context(Writers(servers[0], key, clients))
        readers = stack.enter_context(Readers(servers, lambda: [each.path for each in writers.told], clients))
        for number in range(rounds):
            hanging, killed = replicas[number % len(replicas)], replicas[(number + 1) % len(replicas)]
            writers.wait_for(len(writers.told) + 20)
            with stopped(hanging.data):
                time.sleep(1.5)
            killed.kill()
            writers.wait_for(len(writers.told) + 20)
            killed.start()
            time.sleep(1)
    figures = {
        "acknowledged": len(writers.told),
        "reads": readers.statuses.total(),
        "backwards": len(readers.backwards),
        "seconds": round(time.monotonic() - began, 1),
    }
    row = Row("replicas are lost and return", figures)
    row.need(readers.statuses[200] > 50, "hardly anything was read")
    row.need(not (odd := unexpected(readers.statuses, (200, 404))), f"reads were answered {odd}")
    row.need(not (odd := unexpected(writers.statuses, (200, 201))), f"writes were answered {odd}")
    row.problems += readers.backwards[:5]
    row.problems += broken(url, writers.told)
    return row


def primary_lost(primary: Cluster, replica: Cluster, database: str, writes: int, clients: int = 4) -> Row:
    """The primary is killed while a replica is read, and this replica becomes the primary: reads are never refused."""
    url = primary.url(database, replica)
    key = new_key(url, "records:write")
    read_url = url.replace("=read-write", "=standby")
    with ExitStack() as stack:
        servers = [stack.enter_context(Server(url, read_url=read_url)) for _ in range(2)]
        writers = stack.enter_context(Writers(servers[0], key, clients))
        readers = stack.enter_context(Readers(servers, lambda: [each.path for each in writers.told], clients))
        writers.wait_for(writes)
        primary.kill()
        began, read = time.monotonic(), readers.statuses.total()
        time.sleep(3)
        read_meanwhile = readers.statuses.total() - read
        replica.promote()
        writers.wait_for(len(writers.told) + clients)
        away = time.monotonic() - began
        writers.wait_for(len(writers.told) + writes)
    figures = {
        "acknowledged": len(writers.told),
        "writes refused": writers.statuses[503],
        "reads": readers.statuses.total(),
        "reads without a primary": read_meanwhile,
        "backwards": len(readers.backwards),
        "seconds until it wrote again": round(away, 1),
    }
    row = Row("the primary is lost while replicas are read", figures)
    row.need(read_meanwhile > 20, "hardly anything was read without a primary")
    row.need(not (odd := unexpected(readers.statuses, (200, 404))), f"reads were answered {odd}")
    row.need(not (odd := unexpected(writers.statuses, (200, 201, 503))), f"writes were answered {odd}")
    row.need(writers.statuses[503] and not writers.without_retry, "no 503 with Retry-After meanwhile")
    row.problems += readers.backwards[:5]
    row.problems += broken(url, writers.told)
    return row
