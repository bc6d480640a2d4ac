"""PostgreSQL ends or hangs under an application, and comes back: 503 meanwhile, then answers, without a restart."""

import itertools
import socket
import tempfile
from pathlib import Path
from urllib.parse import quote

import psycopg
from fastapi.testclient import TestClient

from app.core.database.engine import Database
from app.core.maintenance.schema import migrate
from seed.files import Dataset
from seed.loader import load
from tests.support.databases import start_postgres
from tests.support.http import PATCH, client_of
from tests.support.keys import key_of
from tests.support.waiting import eventually
from tests.torture.clusters import stopped


def test_a_postgresql_that_returns_is_used_again(dataset: Dataset) -> None:
    with tempfile.TemporaryDirectory(prefix="hoptac-pg-", ignore_cleanup_errors=True) as name:
        data = Path(name) / "data"
        server = start_postgres(data)
        url = server.get_uri()
        database = Database(url)
        migrate(database)
        load(database, dataset)
        database.close()
        with client_of(url, query_deadline=8, rate_limit_address=1_000_000, hot_staleness=0) as client:
            assert client.get("/v1/partners/unido").status_code == 200
            server.cleanup()
            for path in ("/v1/partners/unido", "/v1/projects", "/readyz"):
                answer = client.get(path)
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert client.get("/livez").status_code == 200
            server = start_postgres(data)
            assert server.get_uri() == url
            eventually(lambda: client.get("/v1/partners/unido").status_code == 200)
            paths = ("/v1/partners/unido", "/v1/projects?limit=3", "/v1/audit?limit=3", "/v1/places.csv", "/readyz")
            for path in paths:
                eventually(lambda path=path: client.get(path).status_code == 200)  # type: ignore[misc]
            units = units_left(client)
            with stopped(data):
                for path in paths:
                    answer = client.get(path)
                    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
                assert units_left(client) > units - 2_500, "it paid for seconds in which the database did not answer"
            for path in paths:
                eventually(lambda path=path: client.get(path).status_code == 200)  # type: ignore[misc]
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))  # it refuses connections, as it does not listen
            first = f"127.0.0.1:{nobody.getsockname()[1]}"
            second = quote(str(data), safe="")  # the folder of its socket
            several = f"postgresql://postgres@{first},{second}:5432/postgres?target_session_attrs=read-write"
            write_through_a_failover(several, server.get_uri())
        server.cleanup()


def write_through_a_failover(several: str, primary: str) -> None:
    """A server that becomes a standby keeps its connections, and refuses what they write."""
    with Database(several) as database:
        key = key_of(database, "records:write")
    unido = "/v1/partners/unido"
    with client_of(several, rate_limit_address=1_000_000, hot_staleness=0) as client:

        def written() -> int:
            change = {"website": f"https://{next(numbers)}.example"}
            answer = client.patch(unido, json=change, headers={**key, **PATCH, "If-Match": "*"})
            assert answer.status_code in (200, 503), answer.text
            return answer.status_code

        numbers = itertools.count()
        for read_only, status in (("off", 200), ("on", 503), ("off", 200)):
            with psycopg.connect(primary, autocommit=True) as connection:
                connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {read_only}".encode())
                connection.execute("SELECT pg_reload_conf()")
            eventually(lambda status=status: written() == status)  # type: ignore[misc]


def units_left(client: TestClient) -> int:
    return int(client.get("/v1").headers["ratelimit"].split("r=")[1].split(";")[0])
