"""Commands that rewrite a whole registry are killed. Each has done all of its work or none, and can be repeated."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import func, select

from app.core.change_log import CHANGES
from app.core.database.engine import Database
from app.core.maintenance.backup import back_up
from tests.torture.setting import ROOT, Row
from tests.torture.whole import broken

TEXT = "Công"  # in many texts of the dataset, and in no id
INDEX = "the index holds"  # a server or `migrate` fills the search index after a restore
REDACT = ("redact", TEXT, "--reason", "It was tried.")


def redaction_killed(url: str, kills: int) -> Row:
    """kill -9 of `redact`: all versions have the text or none has, and another run removes it."""
    row, before, seen = Row("kill -9 of redact", {}), _with_text(url), set[int]()
    took = _run(url, *REDACT, "--dry-run")[1]
    for _ in range(kills):
        _run(url, *REDACT, seconds=took * random.uniform(0.5, 1.5))
        seen.add(_with_text(url))
        row.problems += broken(url)
    code, _ = _run(url, *REDACT)
    row.need(seen <= {0, before}, f"the text is in {sorted(seen)} of {before} versions")
    row.need(code == (1 if 0 in seen else 0), f"the last one ended with {code}")
    row.need(_with_text(url) == 0, "the text is still there")
    row.problems += broken(url)
    row.figures = {"kills": kills, "versions with the text": before, "seconds of one": round(took, 1)}
    return row


def restore_killed(url: str, target: str, folder: Path, kills: int) -> Row:
    """kill -9 of `restore` into a migrated database: it has all Changes or none, and another run copies them."""
    row, path, seen = Row("kill -9 of restore", {}), folder / "restored.backup", set[int]()
    with Database(url) as database:
        back_up(database, path)
    whole = _changes(url)
    for number in range(kills):
        _run(target, "restore", str(path), seconds=1 + 4 * (number + random.random()) / kills)
        seen.add(_changes(target))
        row.problems += [problem for problem in broken(target) if INDEX not in problem]
    code, took = _run(target, "restore", str(path))
    _run(target, "migrate")
    row.need(seen <= {0, whole}, f"it has {sorted(seen)} of {whole} Changes")
    row.need(code == (1 if whole in seen else 0), f"the last one ended with {code}")
    row.need(_changes(target) == whole, "Changes are missing")
    row.problems += broken(target)
    path.unlink()
    row.figures = {"kills": kills, "Changes": whole, "seconds of one": round(took, 1)}
    return row


def _run(url: str, *arguments: str, seconds: float | None = None) -> tuple[int, float]:
    """Run a command, for so many seconds at most. Its exit code, and how long it took."""
    began = time.monotonic()
    command = [sys.executable, "-m", "app", *arguments]
    environment = {**os.environ, "HOPTAC_DATABASE_URL": url}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:  # it was killed
        return -9, time.monotonic() - began
    return done.returncode, time.monotonic() - began


def _with_text(url: str) -> int:
    with Database(url) as database, database.engine.connect() as connection:
        return sum(TEXT in body for body in connection.scalars(select(CHANGES.c.body)))


def _changes(url: str) -> int:
    with Database(url) as database, database.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(CHANGES)).scalar_one()
