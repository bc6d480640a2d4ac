"""PostgreSQL goes away under a running application and comes back: 503 meanwhile, then answers, without a restart."""

import tempfile
from pathlib import Path

from app.core.database.engine import Database
from app.core.maintenance.schema import migrate
from seed.files import Dataset
from seed.loader import load
from tests.support.databases import start_postgres
from tests.support.http import client_of
from tests.support.waiting import eventually


def test_a_postgresql_that_returns_is_used_again(dataset: Dataset) -> None:
    with tempfile.TemporaryDirectory(prefix="hoptac-pg-", ignore_cleanup_errors=True) as name:
        data = Path(name) / "data"
        server = start_postgres(data)
        url = server.get_uri()
        database = Database(url)
        migrate(database)
        load(database, dataset)
        database.close()
        with client_of(url) as client:
            assert client.get("/v1/partners/unido").status_code == 200
            server.cleanup()
            for path in ("/v1/partners/unido", "/v1/projects", "/readyz"):
                answer = client.get(path)
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert client.get("/livez").status_code == 200
            server = start_postgres(data)
            assert server.get_uri() == url
            eventually(lambda: client.get("/v1/partners/unido").status_code == 200)
        server.cleanup()
