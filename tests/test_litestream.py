"""Continuous backup with a real Litestream: a restored registry is whole, and has what was acknowledged."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.core.database.engine import Database
from tests.support.databases import url_of
from tests.support.keys import Key
from tests.support.log import changes
from tests.support.records import PARTNER
from tests.support.servers import ROOT, run, server
from tests.support.waiting import eventually

LITESTREAM = Path(sys.executable).with_name("litestream")
pytestmark = pytest.mark.skipif(not LITESTREAM.exists(), reason="Litestream is not in this environment")

INTERVAL = 1.0  # seconds between two copies, as in deploy/litestream
SLACK = 5.0  # seconds for which the processes of a busy machine do not run
SECONDS = 8.0  # during which the server writes, at least
WRITES = 100  # at least
WAIT = 10.0  # seconds: writes waited for 12 if the size of the write-ahead log was what counts


@contextmanager
def replicating(database: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A Litestream with the configuration of deploy/litestream, which has begun to copy a database."""
    text = (ROOT / "deploy" / "litestream" / "litestream.yml").read_text("utf-8")
    own = text.replace("/var/lib/hoptac/hoptac.db", database).replace("/mnt/backup/hoptac", str(folder / "replica"))
    assert database in own
    assert str(folder) in own
    (folder / "litestream.yml").write_text(own)
    command = [str(LITESTREAM), "replicate", "-config", str(folder / "litestream.yml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            eventually(lambda: [*folder.glob("replica/ltx/9/*.ltx")])
            yield process
        finally:
            process.kill()


def test_what_was_acknowledged_is_restored(seeded_database: Database, editor: Key, tmp_path: Path) -> None:
    database = str(seeded_database.url.database)
    acknowledged: dict[str, float] = {}
    slowest = 0.0
    with server(url_of(seeded_database)) as (address, process), replicating(database, tmp_path) as litestream:
        with httpx.Client(base_url=address, headers=editor, trust_env=False, timeout=60) as client:
            until = time.monotonic() + SECONDS
            while (begun := time.monotonic()) < until or len(acknowledged) < WRITES:
                name = f"partner-{len(acknowledged)}"
                client.put(f"/v1/partners/{name}", json=PARTNER).raise_for_status()
                acknowledged[name] = time.monotonic()
                slowest = max(slowest, acknowledged[name] - begun)
                time.sleep(0.02)
        litestream.kill()
        process.kill()
        killed = time.monotonic()
    restored = tmp_path / "restored.db"
    command = [str(LITESTREAM), "restore", "-o", str(restored), f"file://{tmp_path / 'replica'}"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    checked = run("check", HOPTAC_DATABASE_URL=f"sqlite:///{restored}")
    assert (checked.returncode, " 0 problems" in checked.stdout) == (0, True), checked.stdout + checked.stderr
    with Database(f"sqlite:///{restored}") as copy:
        log, copied = changes(seeded_database), changes(copy)
    assert copied == log[: len(copied)], "the copy is no earlier state of the registry"
    names = {change.record_id for change in copied}
    lost = [name for name, at in acknowledged.items() if name not in names]
    assert all(acknowledged[name] > killed - INTERVAL - SLACK for name in lost), f"{len(lost)} writes are lost"
    assert len(acknowledged) - len(lost) > 50
    assert slowest < WAIT, "Litestream makes writes wait"
    with server(f"sqlite:///{restored}") as (address, _):
        assert httpx.get(f"{address}/v1/partners/{copied[-1].record_id}", trust_env=False).status_code == 200
