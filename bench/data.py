"""Generated databases, made once for each size, seed and state of the schema, and kept for the next run."""

import json
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from app.core.maintenance.schema import head
from app.core.model.fields import RENDERING
from app.core.search.index import INDEXING
from bench.processes import ROOT, Postgres

PARTIAL = "_partial"
Wanted = tuple[str, str]  # whose tables, and the URL of the database to fill


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
        return f"{self._same}{zlib.crc32(f'{head()} {RENDERING} {INDEXING} '.encode() + sources):08x}"

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
        """Make what is not there yet, all of it at the same time; what is out of date goes."""
        for old in self.root.glob(f"{self._same}*"):
            if old != self.folder:
                shutil.rmtree(old)
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._files([self.ours, self.peers] if peers else [self.ours]) as files, self._databases(postgres) as rest:
            self._load([*files, *rest])

    @contextmanager
    def _files(self, paths: Sequence[Path]) -> Iterator[list[Wanted]]:
        """What to load into which new file; afterwards the files get their names."""
        partial = {path: path.with_name(path.name + PARTIAL) for path in paths if not path.exists()}
        for path in partial.values():
            path.unlink(missing_ok=True)
        yield [(path.stem, f"sqlite:///{each}") for path, each in partial.items()]
        for path, each in partial.items():
            each.rename(path)

    @contextmanager
    def _databases(self, postgres: Postgres | None) -> Iterator[list[Wanted]]:
        """The same with databases of a server, where there is one."""
        if postgres is None:
            yield []
            return
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
            yield [(stem, url.replace("postgresql:", "postgresql+psycopg:")) for stem, url in urls.items()]
            for stem in wanted:
                with psycopg.connect(urls[stem], autocommit=True) as made:
                    made.execute("VACUUM ANALYZE")
                connection.execute(f'ALTER DATABASE "{stem}{PARTIAL}" RENAME TO "{stem}_{self.key}"'.encode())

    def _load(self, wanted: Sequence[Wanted]) -> None:
        """Run the loaders of `hoptac` and `peers` beside each other."""
        if not wanted:
            return
        started = time.monotonic()
        print(f"Generating {self.size} projects, {len(wanted)} times …", file=sys.stderr, flush=True)
        numbers = [str(self.size), str(self.seed), str(self.children)]
        facts = {"hoptac": [str(self.folder / "facts.json")], "peers": []}
        modules = {"hoptac": "bench.load", "peers": "bench.peers"}
        commands = [[sys.executable, "-m", modules[stem], url, *numbers, *facts[stem]] for stem, url in wanted]
        running = [subprocess.Popen(command, cwd=ROOT) for command in commands]
        try:
            if any([process.wait() for process in running]):  # noqa: C419 - waits for all
                raise RuntimeError("The data could not be generated.")
        finally:
            for process in running:
                process.terminate()
        print(f"  done in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
