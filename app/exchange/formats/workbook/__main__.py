"""The child process that reads a workbook: `python -m app.exchange.formats.workbook FD WIDTH`.

It writes a line of JSON for the first rows of each sheet, and reads a line that says which sheet has the table, and in
which row its header is. Then it writes a line for each row, and one for the end or for the reason why it cannot go on.
It ends when the process that started it ends, since nothing else then holds the other end of its input.
"""

import contextlib
import json
import os
import queue
import resource
import sys
import threading
from pathlib import Path
from typing import IO, Any

from app.exchange.formats.workbook.archive import NEEDS_MEMORY, NOT_A_WORKBOOK, Archive, Refused
from app.exchange.formats.workbook.parts import Workbook
from app.exchange.formats.workbook.table import SheetTable, heads

MAX_ROW = 1_000_000  # bytes of the cells of a row as JSON, like a line of JSON Lines

MAX_CPU = 90  # seconds
MAX_MEMORY = 600_000_000  # bytes of address space: the table of strings, and what Python itself needs

Choices = queue.SimpleQueue[tuple[int, int]]


def main() -> None:
    """Read the workbook of a file descriptor and write its rows."""
    choices: Choices = queue.SimpleQueue()
    threading.Thread(target=_read_input, args=(choices,), daemon=True).start()
    _limit_resources()
    output = sys.stdout.buffer
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        last = _write_rows(file, int(sys.argv[2]), output, choices)
    output.write(_line(last))
    output.flush()


def _read_input(choices: Choices) -> None:
    """Pass on the choices of the server. End this process when its input ends."""
    received = b""
    while block := os.read(0, 1_000):
        received += block
        if received.endswith(b"\n"):
            sheet, header_row = json.loads(received)
            choices.put((sheet, header_row))
            received = b""
    os._exit(1)


def _limit_resources() -> None:
    """Limit the memory and the CPU time of this process, and let it write no file."""
    limits = {
        resource.RLIMIT_AS: MAX_MEMORY,
        resource.RLIMIT_CPU: MAX_CPU,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    os.nice(10)  # requests go first
    with contextlib.suppress(OSError):  # if the machine has too little memory, this process ends and not the server
        Path("/proc/self/oom_score_adj").write_text("1000")
    for kind, limit in limits.items():
        with contextlib.suppress(ValueError):  # a lower limit is set already
            resource.setrlimit(kind, (limit, limit))


def _write_rows(file: IO[bytes], width: int, output: IO[bytes], choices: Choices) -> Any:
    """Write the rows. Return the last message: that there are no more, or why the workbook is refused."""

    def emit(message: Any) -> None:
        line = _line(message)
        output.write(line if len(line) <= MAX_ROW else _line([message[0], None, {}]))

    try:
        workbook = Workbook(Archive(file))
        for head in heads(workbook, width):
            output.write(_line(head))
        output.write(_line({"choose": len(workbook.sheets)}))
        output.flush()
        sheet, header_row = choices.get()
        noticed = SheetTable(workbook, workbook.sheets[sheet], header_row, emit).read(width)
    except Refused as refused:
        return {"refused": refused.detail, "is_too_large": refused.is_too_large}
    except MemoryError:
        return {"refused": NEEDS_MEMORY, "is_too_large": True}
    except BrokenPipeError:
        raise
    except Exception:  # any error that a malformed workbook causes
        return {"refused": NOT_A_WORKBOOK, "is_too_large": False}
    return {"noticed": noticed}


def _line(message: Any) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


if __name__ == "__main__":
    main()
