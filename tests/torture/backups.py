"""Backups while many write: what was acknowledged before one began is in it, and it restores whole."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from app.core.change_log import CHANGES
from app.core.database.engine import Database
from app.core.maintenance.backup import restore
from tests.torture.setting import ROOT, Row, Server, Writers, new_key
from tests.torture.whole import broken


def backups_while_writing(
    url: str, new: Callable[[], str], folder: Path, backups: int, writes: int, clients: int = 8
) -> Row:
    """Take backups while clients write; `new` makes the URL of an empty database to restore one into."""
    key, taken, row = new_key(url, "records:write"), [], Row("backup while writing", {})
    with Server(url) as server, Writers(server, key, clients) as writers:
        for number in range(backups):
            writers.wait_for(writes * (number + 1) // backups)
            told, path = list(writers.told), folder / f"{number}.backup"
            command = [sys.executable, "-m", "app", "backup", str(path)]
            environment = {**server.environment, "HOPTAC_DATABASE_URL": url}
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            row.need(done.returncode == 0, done.stderr)
            taken.append((path, told))
    during = 0
    for path, told in taken:
        target = Database(new())
        copied = restore(path, target)
        during += copied.head.sequence - max(each.sequence for each in told)
        restored = target.url.render_as_string(hide_password=False)
        row.problems += broken(restored, told)
        row.need(_changes(restored) == _changes(url, copied.head.sequence), "its Changes are not those of the registry")
        target.close()
        path.unlink()
    row.figures = {"backups": backups, "acknowledged before the last": len(taken[-1][1]), "written meanwhile": during}
    row.problems += broken(url, writers.told)
    return row


def _changes(url: str, until: int = 2**62) -> list[tuple[object, ...]]:
    rows = select(CHANGES).where(CHANGES.c.sequence <= until).order_by(CHANGES.c.sequence)
    with Database(url) as database, database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(rows)]
