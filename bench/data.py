"""Generated databases. They are made once for each size, seed and schema, and stay for the next run."""

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
from app.core.search.entries import INDEXING
from bench.processes import ROOT, Postgres

PARTIAL = "_partial"
Target = tuple[str, str]  # "hoptac" or "peers", and the URL of the database to fill


@dataclass(frozen=True)
class Data:
    """The databases of one size, of Hoptac and of the peers: on SQLite and, with a server, on PostgreSQL."""

    root: Path
    size: int
    seed: int = 1
    children: float = 1.0

    @cached_property
    def key(self) -> str:
        """A name that changes with everything that the records depend on."""
        sources = b"".join((ROOT / "bench" / name).read_bytes() for name in ("generate.py", "words.py", "peers.py"))
        return f"{self._prefix}{zlib.crc32(f'{head()} {RENDERING} {INDEXING} '.encode() + sources):08x}"

    @property
    def _prefix(self) -> str:
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
        """A sample of ids and rare words for requests, and the number of records by resource."""
        facts: dict[str, Any] = json.loads((self.folder / "facts.json").read_text("utf-8"))
        return facts

    def make(self, postgres: Postgres | None = None, *, peers: bool = True) -> None:
        """Create the missing databases, all at the same time, and delete outdated ones."""
        for old in self.root.glob(f"{self._prefix}*"):
            if old != self.folder:
                shutil.rmtree(old)
        self.folder.mkdir(parents=True, exist_ok=True)
        files = [self.ours, self.peers] if peers else [self.ours]
        stems = [path.stem for path in files]
        with self._files(files) as new, self._databases(postgres, stems) as rest:
            self._load([*new, *rest])

    @contextmanager
    def _files(self, paths: Sequence[Path]) -> Iterator[list[Target]]:
        """Yield the targets for missing files; the files get their final names afterwards."""
        partial = {path: path.with_name(path.name + PARTIAL) for path in paths if not path.exists()}
        for path in partial.values():
            path.unlink(missing_ok=True)
        yield [(path.stem, f"sqlite:///{temporary}") for path, temporary in partial.items()]
        for path, temporary in partial.items():
            temporary.rename(path)

    @contextmanager
    def _databases(self, postgres: Postgres | None, stems: Sequence[str]) -> Iterator[list[Target]]:
        """Yield the targets for missing databases of a server; these get their final names afterwards."""
        if postgres is None:
            yield []
            return
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            existing = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for old in existing:
                if old.partition("_")[2].startswith(self._prefix) and not old.endswith(self.key):
                    connection.execute(f'DROP DATABASE "{old}"'.encode())
            missing = [stem for stem in stems if f"{stem}_{self.key}" not in existing]
            for stem in missing:
                connection.execute(f'DROP DATABASE IF EXISTS "{stem}{PARTIAL}"'.encode())
                connection.execute(f'CREATE DATABASE "{stem}{PARTIAL}"'.encode())
            urls = {stem: postgres.url(stem + PARTIAL) for stem in missing}
            yield [(stem, url.replace("postgresql:", "postgresql+psycopg:")) for stem, url in urls.items()]
            for stem in missing:
                with psycopg.connect(urls[stem], autocommit=True) as filled:
                    filled.execute("VACUUM ANALYZE")
                connection.execute(f'ALTER DATABASE "{stem}{PARTIAL}" RENAME TO "{stem}_{self.key}"'.encode())

    def _load(self, targets: Sequence[Target]) -> None:
        """Run the loaders of all targets at the same time."""
        if not targets:
            return
        started = time.monotonic()
        print(f"Generating {self.size} projects, {len(targets)} times …", file=sys.stderr, flush=True)
        numbers = [str(self.size), str(self.seed), str(self.children)]
        facts = {"hoptac": [str(self.folder / "facts.json")], "peers": []}
        modules = {"hoptac": "bench.load", "peers": "bench.peers"}
        commands = [[sys.executable, "-m", modules[stem], url, *numbers, *facts[stem]] for stem, url in targets]
        running = [subprocess.Popen(command, cwd=ROOT) for command in commands]
        try:
            if any([process.wait() for process in running]):  # noqa: C419 - waits for all
                raise RuntimeError("The data could not be generated.")
        finally:
            for process in running:
                process.terminate()
        print(f"  done in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
