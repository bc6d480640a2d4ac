"""Measure, compute and simulate docs/scale.md: `python -m bench.scale --write`.

What was measured and simulated is results in bench/scale.json, from which the tables are computed.
"""

import argparse
import json
import signal
import sys
import zlib
from pathlib import Path
from typing import Any

from bench.processes import ROOT
from bench.scale.document import DOCUMENT, blocks, written
from bench.scale.measuring import measure, measure_large
from bench.scale.scenarios import simulate

RESULTS = ROOT / "bench" / "scale.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=_path, default=ROOT / "bench" / ".data", help="folder of the databases")
    parser.add_argument("--write", action="store_true", help="measure, and write the results and the document")
    parser.add_argument("--compute", action="store_true", help="measure nothing, and write from what is results")
    parser.add_argument("--large", type=_path, metavar="FOLDER", help="measure a million projects in this folder too")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends all other processes too
    results: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    if not options.compute:
        options.data.mkdir(parents=True, exist_ok=True)
        results["measured"] = measure(options.data)
    if options.large:
        options.large.mkdir(parents=True, exist_ok=True)
        results["large"] = measure_large(options.large)
    results = rounded(results)
    results["simulated"] = rounded({"of": fingerprint(results["measured"]), **simulate(results["measured"])})
    computed = blocks(results)
    for lines in computed.values():
        print("\n".join(lines), end="\n\n")
    if options.write or options.compute:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
        DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8"), computed), "utf-8")


def fingerprint(measured: Any) -> str:
    """Return a text that changes with everything on which a simulation depends."""
    sources = [Path(__file__).with_name(f"{name}.py").read_bytes() for name in ("simulation", "scenarios", "model")]
    return f"{zlib.crc32(b''.join((json.dumps(measured).encode(), *sources))):08x}"


def rounded(value: Any) -> Any:
    """Return numbers with as many digits as they can mean anything."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _path(text: str) -> Path:
    return Path(text).resolve()


if __name__ == "__main__":
    main()
