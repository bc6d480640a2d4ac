"""The server is killed in the middle of writes, again and again; so is PostgreSQL, and a replica takes over."""

import random
import time

from tests.torture.clusters import Cluster
from tests.torture.setting import Row, Server, Writers, client_of, new_key, unexpected
from tests.torture.whole import broken


def server_killed(url: str, kills: int, writes: int, clients: int = 16) -> Row:
    """kill -9 while clients write: what was acknowledged is there, and nothing is there in halves."""
    key = new_key(url, "records:write")
    with Server(url) as server, Writers(server, key, clients) as writers:
        for number in range(kills):
            writers.wait_for(writes * (number + 1) // kills)
            time.sleep(random.random() / 20)
            server.kill()
            server.start()
        writers.wait_for(len(writers.told) + clients)
    row = Row("kill -9 of the server", {"kills": kills, "acknowledged": len(writers.told), "broken off": writers.lost})
    row.need(not (odd := unexpected(writers.statuses, (200, 201))), f"answers {odd}")
    row.problems += broken(url, writers.told)
    return row


def postgres_killed(cluster: Cluster, url: str, kills: int, writes: int, clients: int = 8) -> Row:
    """kill -9 of PostgreSQL: 503 with Retry-After meanwhile, then it goes on without a restart."""
    key = new_key(url, "records:write")
    with Server(url) as server, Writers(server, key, clients) as writers:
        for number in range(kills):
            writers.wait_for(writes * (number + 1) // kills)
            cluster.kill()
            problems = _told_meanwhile(server)
            cluster.start()
            writers.wait_for(len(writers.told) + clients)
    figures = {"kills": kills, "acknowledged": len(writers.told), "refused meanwhile": writers.statuses[503]}
    row = Row("kill -9 of PostgreSQL", figures, problems)
    row.need(not (odd := unexpected(writers.statuses, (200, 201, 503))), f"answers {odd}")
    row.need(writers.statuses[503] and not writers.without_retry, "no 503 with Retry-After meanwhile")
    row.problems += broken(url, writers.told)
    return row


def replica_promoted(primary: Cluster, replica: Cluster, url: str, writes: int, clients: int = 8) -> Row:
    """The primary is killed, its synchronous replica promoted: the server finds it by the other host of its URL."""
    key = new_key(url, "records:write")
    with Server(url) as server, Writers(server, key, clients) as writers:
        writers.wait_for(writes)
        primary.kill()
        began = time.monotonic()
        problems = _told_meanwhile(server)
        replica.promote()
        writers.wait_for(len(writers.told) + clients)
        away = time.monotonic() - began
        writers.wait_for(len(writers.told) + writes)
    figures = {
        "acknowledged": len(writers.told),
        "503": writers.statuses[503],
        "seconds until it wrote again": round(away, 1),
    }
    row = Row("a replica is promoted", figures, problems)
    row.need(not (odd := unexpected(writers.statuses, (200, 201, 503))), f"answers {odd}")
    row.need(writers.statuses[503] and not writers.without_retry, "no 503 with Retry-After meanwhile")
    row.problems += broken(url, writers.told)
    return row


def _told_meanwhile(server: Server) -> list[str]:
    """What reads are answered while there is no database."""
    problems = []
    with client_of(server, {}) as client:
        for path in ("/readyz", f"/v1/projects?title={time.time_ns()}", f"/v1/search?q={time.time_ns()}"):
            answer = client.get(path)
            if (answer.status_code, "retry-after" in answer.headers) != (503, True):
                problems.append(f"{path} was answered {answer.status_code}")
        if client.get("/livez").status_code != 200:
            problems.append("the server is not alive")
    return problems
