"""The child process that reads a workbook, as the server sees it: a stream of rows.

The child waits when the pipe between the two processes is full, so rows never collect in memory. It is stopped when the
rows are no longer needed.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from app.core.errors import BadFile, TooLarge, Unavailable
from app.exchange.formats.lines import MAX_LINE, Reading

MAX_WAITING = 180  # seconds that the server waits for the child in all
CHECK_SECONDS = 0.25  # between two checks whether the reading was stopped
BLOCK = 65_536
MODULE = "app.exchange.formats.workbook"
ROOT = Path(__file__).parents[4]

Choose = Callable[[list[Any]], tuple[int, int]]

TOO_LONG = "Reading the workbook takes too long. Send it in several files, or as CSV."


def workbook_messages(file: IO[bytes], width: int, choose: Choose, reading: Reading) -> Iterator[Any]:
    """Yield the messages of the child about a table: a list for the header and for each row, and objects.

    `choose` gets the first rows of each sheet and returns the sheet of the table and the row of its header. Raise
    BadFile or TooLarge if the workbook cannot be read.
    """
    file.flush()
    process = _start(file, width)
    heads: list[Any] = []
    try:
        for line in _lines(process, reading):
            message = json.loads(line)
            if isinstance(message, list) or "evidence" in message:
                yield message
            elif "sheet" in message:
                heads.append(message)
            elif "choose" in message:
                _send(process, choose(heads))
            elif "refused" in message:
                raise (TooLarge if message["is_too_large"] else BadFile)(message["refused"])
            else:
                yield message
                return
        raise _failure(process, reading)
    finally:
        _end(process, reading)


def _send(process: "subprocess.Popen[bytes]", choice: tuple[int, int]) -> None:
    """Send the child the sheet and the row of the header. If it has just ended, that shows in its output."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(choice).encode() + b"\n")


def _start(file: IO[bytes], width: int) -> "subprocess.Popen[bytes]":
    """Start the child. It gets the file, and neither the environment of the server, with its passwords, nor its files.

    Its input is a pipe. The child ends when this process ends and the pipe is closed.
    """
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH")}
    environment["PYTHONPATH"] = str(ROOT)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", MODULE, str(file.fileno()), str(width)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[file.fileno()],
            env=environment,
            bufsize=0,
            start_new_session=True,
        )
    except OSError:
        raise Unavailable("The server cannot start another process now.") from None


def _lines(process: "subprocess.Popen[bytes]", reading: Reading) -> Iterator[bytes]:
    """Yield the lines that the child writes. Raise TooLarge if it takes too long, or writes a too long line."""
    assert process.stdout is not None
    output = process.stdout.fileno()
    poll = select.poll()
    poll.register(output, select.POLLIN)
    remaining: float = MAX_WAITING
    pieces: list[bytes] = []  # of a line that is not complete
    size = 0
    while remaining > 0:
        reading.check()
        started = time.monotonic()
        is_ready = poll.poll(1000 * CHECK_SECONDS)
        remaining -= time.monotonic() - started
        if not is_ready:
            continue
        block = os.read(output, BLOCK)
        if not block:
            return
        pieces.append(block)
        size += len(block)
        if b"\n" in block:
            *lines, rest = b"".join(pieces).split(b"\n")
            yield from lines
            pieces = [rest]
            size = len(rest)
        if size > MAX_LINE:
            raise BadFile("The workbook cannot be read.")
    raise TooLarge(TOO_LONG)


def _end(process: "subprocess.Popen[bytes]", reading: Reading) -> None:
    """End the child and close its pipes."""
    if process.returncode is None:  # process.kill() would wait for a child that has ended, without its CPU time
        os.kill(process.pid, signal.SIGKILL)
    _reap(process, reading)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _failure(process: "subprocess.Popen[bytes]", reading: Reading) -> Exception:
    """Return the error for a child that ended without a last message, usually because of one of its limits."""
    end = time.monotonic() + 5
    while not _reap(process, reading, os.WNOHANG) and time.monotonic() < end:
        time.sleep(0.02)
    is_slow = process.returncode == -signal.SIGXCPU
    return TooLarge(TOO_LONG if is_slow else "The workbook contains more than fits in memory.")


def _reap(process: "subprocess.Popen[bytes]", reading: Reading, options: int = 0) -> bool:
    """Wait for the end of the child and count its CPU time, however it ended. Return whether it has ended."""
    if process.returncode is None:
        pid, status, usage = os.wait4(process.pid, options)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            reading.seconds += usage.ru_utime + usage.ru_stime
    return process.returncode is not None
