"""A mirror that is killed while its source is written to, hidden from and redacted: in the end the two are alike."""

import os
import random
import subprocess
import sys
import time
from typing import Any

from sqlalchemy import select

from app.core.change_log import CHANGES, LATEST_CHANGE, SEALED
from app.core.database.engine import Database
from app.core.maintenance.redact import Redaction, redact
from tests.torture.setting import ROOT, Row, Server, Writers, new_key, unexpected
from tests.torture.whole import broken

PATIENCE = 120.0  # seconds that the mirror may take to be like its source, when nobody writes any more


def mirror_killed(url: str, copy: str, kills: int, writes: int, clients: int = 4) -> Row:
    """kill -9 of a mirror while clients publish, change and withdraw; `copy`: the URL of an empty database."""
    key, source = new_key(url, "records:write"), Database(url)
    with Server(url) as server:
        mirror = _start(server, copy)
        with Writers(server, key, clients, ("published", "published", "draft")) as writers:
            for number in range(kills):
                writers.wait_for(writes * (number + 1) // kills)
                if number % 2 == 0:  # some hundredth of what was written so far
                    redact(source, Redaction(f"Alias 0.{number % 10}{random.randrange(10)}", "[…]", "It was tried."))
                time.sleep(random.uniform(0.5, 2.0))
                mirror.kill()
                mirror.wait()
                mirror = _start(server, copy)
        took = _wait(source, copy)
        mirror.kill()
        mirror.wait()
    there, here = _told(url), _told(copy)
    sealed = sum(row[1] == SEALED for row in here)
    figures = {"kills": kills, "acknowledged": len(writers.told), "Changes": len(there), "sealed": sealed}
    row = Row("kill -9 of a mirror", {**figures, "alike after, s": round(took, 1)})
    row.need(took < PATIENCE, "the mirror has not caught up")
    row.need(not (odd := unexpected(writers.statuses, (200, 201))), f"answers {odd}")
    row.need([each[0] for each in there] == [each[0] for each in here], "the mirror has another chain")
    hidden = {each[0] for each in here if each[1] == SEALED}
    row.need(hidden == {each[0] for each in there if each[2] is None}, "other Changes are sealed than are hidden")
    public = [each for each in there if each[3] and each[2] in ("create", "update", "redact")]
    missing = {each for each in public if '"state":"published"' in each[3]} - set(here)
    row.need(not missing, f"{len(missing)} public Changes are not in the mirror as they are in its source")
    row.problems += broken(url, writers.told) + broken(copy)
    source.close()
    return row


def _start(server: Server, copy: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "app", "mirror", server.base, "--database", copy]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)


def _wait(source: Database, copy: str) -> float:
    """Seconds until the mirror has the last Change of its source."""
    began, database = time.monotonic(), Database(copy)
    while _last(database) != _last(source) and time.monotonic() - began < PATIENCE:
        time.sleep(0.1)
    database.close()
    return time.monotonic() - began


def _last(database: Database) -> Any:
    with database.engine.connect() as connection:
        last = connection.execute(LATEST_CHANGE).first()
    return last and (last.sequence, last.chain)


def _told(url: str) -> list[tuple[Any, ...]]:
    """Each Change, as (sequence with chain value, resource, what is shown, representation)."""
    columns = (CHANGES.c.sequence, CHANGES.c.chain, CHANGES.c.resource, CHANGES.c.shown, CHANGES.c.body)
    with Database(url) as database, database.engine.connect() as connection:
        rows = connection.execute(select(*columns).order_by(CHANGES.c.sequence)).all()
    return [((row[0], row[1]), *row[2:]) for row in rows]
