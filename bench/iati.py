"""Cost of an IATI file of all projects, written and read back: `python -m bench.iati URL`.

It prints JSON: CPU seconds of both directions and of lxml, which only parses the file, and the growth of memory in KiB
while it is written. A file with more elements than an import takes is not read.
"""

import argparse
import gc
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lxml import etree

import app.catalogue  # noqa: F401 - declares every resource
from app.core.database.engine import Database
from app.exchange.formats.lines import ParsedLine
from app.exchange.iati.command import export_iati
from app.exchange.iati.reading.file import iati_lines
from app.exchange.iati.reporter import Reporter

MAX_BYTES = 500_000_000  # of a file that is read: 50 bytes an element
REPORTER = Reporter("XM-BENCH", "Bench", "70", "https://bench.example")


def seconds(work: Callable[[], None]) -> float:
    """Return the CPU seconds of some work."""
    began = time.process_time()
    work()
    return time.process_time() - began


def read(file: Path) -> None:
    """Read the file as an import does, before it writes."""
    with file.open("rb") as opened:
        for line in iati_lines(opened):
            assert isinstance(line, ParsedLine)


def parse(file: Path) -> None:
    """Parse the file with lxml, one activity after the other."""
    for _, element in etree.iterparse(str(file), events=("end",), tag="iati-activity"):
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def peak() -> int:
    """Return the largest resident size of this process so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    options = parser.parse_args()
    gc.freeze()
    with tempfile.TemporaryDirectory(prefix="hoptac-bench-") as name, Database(options.url) as database:
        folder = Path(name) / "iati"
        before = peak()
        writing = seconds(lambda: export_iati(database, folder, REPORTER))
        growth = peak() - before
        file = folder / "activities.xml"
        measured = {"out": writing, "growth": growth, "bytes": file.stat().st_size}
        if measured["bytes"] < MAX_BYTES:
            measured["in"] = seconds(lambda: read(file))
            measured["iterparse"] = seconds(lambda: parse(file))
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
