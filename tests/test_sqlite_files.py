"""The files of an SQLite database: the size of the write-ahead log, and who can read them."""

import asyncio
import os
import sqlite3
import stat
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from app.core.database import sqlite_file
from app.core.database.engine import Database
from app.core.database.statements import Query, Read
from app.core.maintenance.schema import migrate
from app.core.settings import Settings
from app.server.run import ensure_ready

COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT count(*) FROM n"


def test_the_write_ahead_log_is_bounded_while_reads_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "wal.db"
    bound = 1_000_000
    monkeypatch.setattr(sqlite_file, "MAX_WAL", bound)
    ended = threading.Event()
    steps = Query(text(COUNT))

    def reads() -> Read:
        yield Query(text("SELECT count(*) FROM replays")), {}
        yield steps, {}

    def overlap(url: str) -> None:
        async def work() -> None:
            with Database(url) as database:
                reader = database.reader()

                async def loop(number: int) -> None:
                    await asyncio.sleep(number * 0.02)
                    while not ended.is_set():
                        await reader.run(reads, long=True, client=str(number))

                await asyncio.gather(*(loop(number) for number in range(3)))
                await reader.close()

        asyncio.run(work())

    url = f"sqlite:///{path}"
    with Database(url) as database:
        migrate(database)
        readers = threading.Thread(target=overlap, args=(url,))
        readers.start()
        largest = 0
        for _ in range(60):
            with database.write() as session:
                session.connection().execute(text("CREATE TABLE IF NOT EXISTS filler (content TEXT)"))
                session.connection().execute(text("INSERT INTO filler VALUES (:content)"), {"content": "x" * 100_000})
            largest = max(largest, (tmp_path / "wal.db-wal").stat().st_size)
            time.sleep(0.01)
        ended.set()
        readers.join()
    assert largest < 2 * bound


def test_writes_wait_less_often_for_a_read_that_lasts_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive of a large registry is made in minutes. Each attempt makes all writes wait for 12 seconds."""
    monkeypatch.setattr(sqlite_file, "MAX_WAL", 0)
    monkeypatch.setattr(sqlite_file, "WAL_PATIENCE", 0.01)
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    path = str(tmp_path / "long.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer, closing(sqlite3.connect(path)) as reader:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE filler (content TEXT)")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM filler")
        writer.execute("INSERT INTO filler VALUES ('x')")
        limit = sqlite_file.WalLimit(path)
        waits = []
        for _ in range(3):
            limit.apply()
            waits.append(limit._retry_at - now[0])
            now[0] = limit._retry_at - 1
            limit.apply()  # too early
            assert limit._retry_at - now[0] == 1
            now[0] += 1
        assert waits == [60, 120, 240]
        reader.rollback()
        limit.apply()
        assert os.stat(f"{path}-wal").st_size == 0  # noqa: PTH116
        assert limit._retry_after == 60


def test_no_write_waits_for_a_large_file_whose_content_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Litestream always reads. It starts the WAL again between two of its transactions, and the file stays large."""
    monkeypatch.setattr(sqlite_file, "MAX_WAL", 300_000)
    monkeypatch.setattr(sqlite_file, "WAL_PATIENCE", 20)
    path = str(tmp_path / "copied.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as copier:
        copier.execute("PRAGMA journal_mode=WAL")
        copier.execute("CREATE TABLE filler (content TEXT)")
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            copier.execute("BEGIN")
            copier.execute("SELECT count(*) FROM filler").fetchone()
            for _ in range(5):
                writer.execute("INSERT INTO filler VALUES (?)", ["x" * 100_000])
            copier.execute("COMMIT")
        copier.execute("PRAGMA wal_checkpoint(RESTART)")
        copier.execute("INSERT INTO filler VALUES ('')")
        copier.execute("BEGIN")
        copier.execute("SELECT count(*) FROM filler").fetchone()
        assert os.stat(f"{path}-wal").st_size > 300_000  # noqa: PTH116
        limit = sqlite_file.WalLimit(path)
        begun = time.monotonic()
        limit.apply()
        assert time.monotonic() - begun < 10
        assert begun < limit._retry_at - 4.9 < time.monotonic() + 5


def test_only_the_owner_can_read_the_database(tmp_path: Path) -> None:
    path = tmp_path / "own.db"
    url = f"sqlite:///{path}"
    names = ("own.db", "own.db-wal", "own.db-shm")
    with Database(url) as database:
        migrate(database)
        assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names} == {0o600}
        for name in names:
            (tmp_path / name).chmod(0o644)
        ensure_ready(Settings(database_url=url))
        assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names} == {0o600}
