"""The command line: in this process, or as a server process of its own."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import httpx
import pytest

from app.cli import main
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
# All requests of a test come from one address, in a number that no honest client sends.
NO_RATE_LIMITS = {"HOPTAC_RATE_LIMIT_KEY": "0", "HOPTAC_RATE_LIMIT_ADDRESS": "0"}


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A command: its exit code and what it prints. In this process, for most take less time than to start one."""
    if arguments[:1] == ("serve",):
        started = [sys.executable, "-m", "app", *arguments]
        return subprocess.run(
            started,
            env={**os.environ, **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    said, complained, before = io.StringIO(), io.StringIO(), dict(os.environ)
    os.environ.update(environment)
    try:
        with redirect_stdout(said), redirect_stderr(complained):
            code = main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return subprocess.CompletedProcess(arguments, code, said.getvalue(), complained.getvalue())


@contextmanager
def server(
    url: str, *arguments: str, lines: list[str] | None = None, first: str = "", **settings: str
) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """A real server on a free port; yields its address and process, and ends it.

    `lines` gets what it writes. `first` has statements that it executes before all else.
    """
    environment = {**os.environ, "HOPTAC_DATABASE_URL": url, "HOPTAC_ACCESS_LOG": "false", **NO_RATE_LIMITS}
    environment |= {f"HOPTAC_{name.upper()}": value for name, value in settings.items()}
    program = ["-c", f"{first}; import sys; from app.cli import main; sys.exit(main())"] if first else ["-m", "app"]
    command = [sys.executable, *program, "serve", "--port", "0", *arguments]
    process = subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    output = process.stdout
    # A server whose output nobody reads stops at its next message, once the pipe is full.
    reader = threading.Thread(target=lambda: (lines if lines is not None else []).extend(output), daemon=True)
    with output:
        try:
            for line in output:
                found = re.search(r"API +(http://[0-9.:]+)/v1", line)
                if found:
                    reader.start()
                    _wait(found[1])
                    yield found[1], process
                    break
            else:
                pytest.fail("the server never said where it is")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=120)
            if reader.ident is not None:
                reader.join(timeout=60)


def memory_of(pid: int) -> int:
    """Bytes of memory that a process has."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in status if line.startswith("VmRSS"))) * 1024


def _wait(base: str) -> None:
    eventually(lambda: answers(base))


def answers(base: str) -> bool:
    """Whether a server is alive."""
    try:
        return httpx.get(f"{base}/livez", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
