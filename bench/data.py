"""Generated databases, made once for each size, seed and state of the schema, and kept for the next run."""

import json
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from app.core.record import RENDERING
from bench.processes import ROOT, Postgres
from migrations import HEAD

PARTIAL = "_partial"


@dataclass(frozen=True)
class Data:
    """The databases of one size: ours and the peers', on SQLite and, with a server, on PostgreSQL."""

    root: Path
    size: int
    seed: int = 1
    children: float = 1.0

    @cached_property
    def key(self) -> str:
        """What the records depend on."""
        sources = b"".join((ROOT / "bench" / name).read_bytes() for name in ("generate.py", "words.py", "peers.py"))
        return f"{self._same}{zlib.crc32(f'{HEAD} {RENDERING} '.encode() + sources):08x}"

    @property
    def _same(self) -> str:
        return f"n{self.size}_c{round(self.children * 100)}_s{self.seed}_"

    @property
    def folder(self) -> Path:
        return self.root / self.key

    @property
    def ours(self) -> Path:
        return self.folder / "hoptac.db"

    @property
    def peers(self) -> Path:
        return self.folder / "peers.db"

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What requests can ask for: a sample of ids, rare words; and how many records there are."""
        found: dict[str, Any] = json.loads((self.folder / "facts.json").read_text("utf-8"))
        return found

    def make(self, postgres: Postgres | None = None, *, peers: bool = True) -> None:
        """Make what is not there yet, ours and the peers' at the same time; what is out of date goes."""
        for old in self.root.glob(f"{self._same}*"):
            if old != self.folder:
                shutil.rmtree(old)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._make_files([self.ours, self.peers] if peers else [self.ours])
        if postgres is not None:
            self._make_databases(postgres)

    def _make_files(self, paths: Sequence[Path]) -> None:
        wanted = [path for path in paths if not path.exists()]
        partial = {path: path.with_name(path.name + PARTIAL) for path in wanted}
        for path in partial.values():
            path.unlink(missing_ok=True)
        self._load({path.stem: f"sqlite:///{partial[path]}" for path in wanted})
        for path in wanted:
            partial[path].rename(path)

    def _make_databases(self, postgres: Postgres) -> None:
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for old in there:
                if old.partition("_")[2].startswith(self._same) and not old.endswith(self.key):
                    connection.execute(f'DROP DATABASE "{old}"'.encode())
            wanted = [stem for stem in ("hoptac", "peers") if f"{stem}_{self.key}" not in there]
            for stem in wanted:
                connection.execute(f'DROP DATABASE IF EXISTS "{stem}{PARTIAL}"'.encode())
                connection.execute(f'CREATE DATABASE "{stem}{PARTIAL}"'.encode())
            urls = {stem: postgres.url(stem + PARTIAL) for stem in wanted}
            self._load({stem: url.replace("postgresql:", "postgresql+psycopg:") for stem, url in urls.items()})
            for stem in wanted:
                with psycopg.connect(urls[stem], autocommit=True) as made:
                    made.execute("VACUUM ANALYZE")
                connection.execute(f'ALTER DATABASE "{stem}{PARTIAL}" RENAME TO "{stem}_{self.key}"'.encode())

    def _load(self, urls: dict[str, str]) -> None:
        """Run the loaders of `hoptac` and `peers` beside each other."""
        if not urls:
            return
        started = time.monotonic()
        print(f"Generating {self.size} projects: {', '.join(urls)} …", file=sys.stderr, flush=True)
        numbers = [str(self.size), str(self.seed), str(self.children)]
        commands: dict[str, Sequence[str]] = {
            "hoptac": ["bench.load", urls.get("hoptac", ""), *numbers, str(self.folder / "facts.json")],
            "peers": ["bench.peers", urls.get("peers", ""), *numbers],
        }
        running = [subprocess.Popen([sys.executable, "-m", *commands[stem]], cwd=ROOT) for stem in urls]
        try:
            if any([process.wait() for process in running]):  # noqa: C419 - waits for all
                raise RuntimeError("The data could not be generated.")
        finally:
            for process in running:
                process.terminate()
        print(f"  done in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
