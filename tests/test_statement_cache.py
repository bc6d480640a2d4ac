"""The cache of statements: bounded, without expression trees, and small in a process that sees many shapes."""

import gc
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import bindparam, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.elements import ClauseElement

from app.catalogue import RESOURCES
from app.core import garbage_collection
from app.core.change_log import CHANGES
from app.core.database.postgres import PostgresReader
from app.core.database.sqlite import SqliteReader
from app.core.database.statement_cache import StatementCache
from app.core.database.statements import Query
from app.core.errors import Invalid
from app.core.http.read_endpoints import query_models
from app.core.reading.parameters import parse_query
from tests.support.databases import NewDatabase
from tests.support.servers import server

SHAPES = 1_200
VALUES = ("unido", "2024", "2024-01-01", "true", "1", "a:b", "active", "vi", "project", "x")

# Run by a server at its start: it writes the CPU time of each full collection to a file.
MEASURE_COLLECTIONS = """
import gc, os, time
started = [0.0]
log = open(os.environ["COLLECTIONS"], "a", buffering=1)
def measure(phase, info):
    if phase == "start":
        started[0] = time.thread_time()
    elif info["generation"] == 2:
        log.write(f"{(time.thread_time() - started[0]) * 1000:.1f}\\n")
gc.callbacks.append(measure)
"""


def build(name: str) -> Query:
    return Query(select(CHANGES).where(CHANGES.c.record_id == bindparam(name)))


def test_a_statement_is_built_once_while_it_is_in_use() -> None:
    cache = StatementCache(max_queries=3)
    first = cache.query(build, "a")
    for name in ("b", "a", "c", "a", "d"):
        cache.query(build, name)
    assert cache.query(build, "a") is first
    assert len(cache) == 3


def test_the_cache_is_bounded_in_bytes() -> None:
    cache = StatementCache(max_bytes=70_000)
    for number in range(50):
        cache.query(build, f"x{number}").sql(sqlite.dialect(paramstyle="qmark"), {f"x{number}": ""})
    assert 1 < len(cache) < 20
    assert cache.size < 70_000


def test_a_compiled_statement_forgets_its_expression_and_can_be_compiled_again() -> None:
    cache = StatementCache()
    query = cache.query(build, "a")
    gc.collect()
    before = sum(isinstance(each, ClauseElement) for each in gc.get_objects())
    text, values = query.sql(SqliteReader.dialect, {"a": 1})
    gc.collect()
    assert sum(isinstance(each, ClauseElement) for each in gc.get_objects()) < before
    assert query.sql(SqliteReader.dialect, {"a": 2}) == (text, [2])
    assert "%s" in query.sql(PostgresReader.dialect, {"a": 1})[0]
    assert values == [1]


def filters() -> Iterator[tuple[str, str]]:
    """Each list with each filter that takes one of the values, as a query."""
    for resource in RESOURCES:
        for name in resource.parameters:
            for value in VALUES:
                try:
                    parse_query(query_models(resource).page, f"{name}={value}".encode())
                except Invalid:
                    continue
                yield resource.name, f"{name}={value}"
                break


def memory_of(process: Any) -> float:
    """Resident memory of a process in MB."""
    fields = Path(f"/proc/{process.pid}/statm").read_text("ascii").split()
    return int(fields[1]) * 4096 / 1e6


@pytest.mark.slow
def test_many_shapes_leave_a_process_small_and_without_pauses(
    new_database: NewDatabase, seeded: str, tmp_path: Path
) -> None:
    by_list: dict[str, list[str]] = {}
    for name, query in filters():
        by_list.setdefault(name, []).append(query)
    chance = random.Random(7)
    (tmp_path / "sitecustomize.py").write_text(MEASURE_COLLECTIONS, "utf-8")
    collections = tmp_path / "collections"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        patch.setenv("COLLECTIONS", str(collections))
        with server(new_database(seeded), hot_cache="0") as (base, process), httpx.Client(trust_env=False) as client:
            ask(client, base, by_list, chance, 100)
            before = memory_of(process)
            collections.write_text("", "utf-8")
            ask(client, base, by_list, chance, SHAPES)
            grown = memory_of(process) - before
    assert grown < 40, grown  # 8 here; every combination took 54 kB, 70 MB in all
    pauses = [float(line) for line in collections.read_text("utf-8").split()]
    assert max(pauses, default=0) < 50


def ask(client: httpx.Client, base: str, by_list: dict[str, list[str]], chance: random.Random, count: int) -> None:
    """Request lists with random combinations of filters."""
    for number in range(count):
        name = RESOURCES[number % len(RESOURCES)].name
        chosen = chance.sample(by_list[name], min(len(by_list[name]), chance.randint(3, 14)))
        response = client.get(f"{base}/v1/{name}?{'&'.join(chosen)}&limit={chance.randint(1, 200)}")
        assert response.status_code == 200, response.text


def test_objects_that_stay_are_left_out_of_later_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage_collection, "LONG", -1.0)
    kept: list[list[list[int]]] = []
    frozen = [gc.get_freeze_count()]
    with garbage_collection.without_garbage_collection():
        note = garbage_collection.freeze_after_long_collections()
        try:
            for _ in range(garbage_collection.FREEZES + 2):
                kept.append([[] for _ in range(1_000)])
                gc.collect()
                frozen.append(gc.get_freeze_count())
        finally:
            gc.callbacks.remove(note)
    grows = [after > before for before, after in pairwise(frozen)]
    assert grows == [True] * garbage_collection.FREEZES + [False] * 2
